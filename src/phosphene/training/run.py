"""A training run under way: the module with all that changes while it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.training.processes import gathered, rank
from phosphene.training.recipe import Recipe
from phosphene.training.state import (
    optimizer_state,
    random_state,
    read_state,
    restore_optimizer,
    restore_random,
    write_state,
)

STATE = "state.safetensors"


@dataclass(frozen=True)
class Epoch:
    """What one pass through the data came to.

    Attributes:
        number: Counted from 1.
        loss: Mean over its batches.
        measured: What the measurement said of the weights behind it; `None` without one.
        rate: The first group's step length at its end.
    """

    number: int
    loss: float
    measured: float | None
    rate: float


@dataclass
class Standing:
    """How far a run is.

    Attributes:
        epoch: Passes that are complete.
        update: Updates of the pass under way.
        total: Sum of this pass's losses so far.
        history: The passes that are complete.
        best: Number of the pass with the best measurement; 0 for none.
    """

    epoch: int = 0
    update: int = 0
    total: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    best: int = 0


class Run:
    """A module with its optimizer, schedule and standing, which can be written and read back."""

    def __init__(
        self, module: nn.Module, recipe: Recipe, updates: int, about: str, fabric: Any
    ) -> None:
        """Begin a run of `updates` updates an epoch; `about` says in words what is learned."""
        self.module, self.recipe, self.updates, self.fabric = module, recipe, updates, fabric
        self.optimizer = recipe.optimizer(module)
        make = recipe.schedule
        self.schedule = make(self.optimizer, recipe.epochs * updates) if make else None
        # What the loss calls: passes in the run's precision, gradients shared among processes.
        self.learner, self.stepper = fabric.setup(module, self.optimizer)
        self.standing = Standing()
        self.best_weights: dict[str, Tensor] = {}
        self.device = next((p.device for p in module.parameters()), torch.device("cpu"))
        self._about = {
            "learned": about,
            "recipe": recipe.about,
            "epochs": recipe.epochs,
            "updates": updates,
            "accumulate": recipe.accumulate,
            "clip": recipe.clip,
            "seed": recipe.seed,
            "weights": {name: list(value.shape) for name, value in module.state_dict().items()},
        }

    def keep_best(self) -> None:
        """Note the weights as the best there were."""
        self.standing.best = self.standing.epoch
        self.best_weights = {k: v.detach().clone() for k, v in self.module.state_dict().items()}

    def take_best(self) -> None:
        """Give the module the best weights, where something was measured."""
        if self.best_weights:
            self.module.load_state_dict(self.best_weights)

    def write(self, folder: Path) -> None:
        """Write where the run stands; the first of several processes does."""
        random = gathered(random_state(self.device))
        if rank() > 0:
            return
        tensors, optimizer = optimizer_state(self.optimizer)
        tensors |= {f"module.{name}": v for name, v in self.module.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best_weights.items()}
        for number, states in enumerate(random):
            tensors |= {f"random.{number}.{name}": value for name, value in states.items()}
        scaler = self.fabric.strategy.precision.state_dict()
        schedule = self.schedule.state_dict() if self.schedule else None
        rest = {
            "about": self._about,
            "standing": asdict(self.standing),
            "optimizer": optimizer,
            "schedule": schedule,
            "precision": scaler,
        }
        write_state(folder / STATE, tensors, rest)

    def read(self, folder: Path) -> bool:
        """Go on where a folder's run stands, if there is one.

        Raises:
            SettingError: It is another run's.
            FormatError: It is damaged.
        """
        if not (folder / STATE).is_file():
            return False
        tensors, rest = read_state(folder / STATE)
        differing = _differing(self._about, rest["about"])
        if differing:
            raise SettingError(
                f"{folder} holds another training run (its {differing} differ): name another "
                "folder, or remove it"
            )
        self.module.load_state_dict(_under("module.", tensors))
        self.best_weights = _under("best.", tensors)
        restore_optimizer(self.optimizer, tensors, rest["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(rest["schedule"])
        self.fabric.strategy.precision.load_state_dict(rest.get("precision", {}))
        restore_random(self.device, _under(f"random.{rank()}.", tensors))
        standing = dict(rest["standing"])
        standing["history"] = [Epoch(**entry) for entry in standing["history"]]
        self.standing = Standing(**standing)
        return True


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _differing(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return ", ".join(name for name, value in own.items() if other.get(name) != value)

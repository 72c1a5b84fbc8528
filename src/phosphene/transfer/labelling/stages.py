"""The two stages: when the rate falls is found on a part of the data, and used on all of it.

Stage 1 learns from 90 % and watches the rest (`plateau`); its weights are thrown away. Stage 2
begins anew, from the same network, learns from everything, and its rate falls when that of stage 1
did (section 3.3.5 of the thesis, after Larsson et al., CVPR 2017).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import default_collate

from phosphene.core.network import Network
from phosphene.errors import FormatError, OutputError, SettingError
from phosphene.image import replacing
from phosphene.training.log import CsvLog
from phosphene.training.loop import Tick, Trained, train
from phosphene.training.made import Made, in_turn
from phosphene.training.processes import rank, ranks, summed
from phosphene.training.recipe import MakeSchedule, Recipe, sgd
from phosphene.training.run import Epoch
from phosphene.transfer.benchmarks.records import Labelled
from phosphene.transfer.labelling.examples import Cropped, fill_of
from phosphene.transfer.labelling.labeller import Labeller
from phosphene.transfer.labelling.plateau import Given, Plateau, Watched
from phosphene.transfer.labelling.settings import LabellingSetting

FALLS, LOG, STATE = "falls.json", "log.csv", "state"
_STANDARDIZED_BY = 64


@dataclass(frozen=True, eq=False)
class Stages:
    """Both stages on one set of photographs.

    Attributes:
        setting: The protocol.
        net: The network, which stays as it is.
        data: What is learned from.
        fabric: The processes; see `training.processes.fabric_of`.
        folder: Where the states are kept; `None` for nowhere.
        loaders: Processes that make examples.
        tick: Called with updates done, their number, and how it goes.
        about: In words what is learned; a folder's run goes on only where it reads the same.
        history: Of the stages that were run.
    """

    setting: LabellingSetting
    net: Network
    data: Labelled
    fabric: Any
    folder: Path | None = None
    loaders: int = 0
    tick: Tick | None = None
    about: str = ""
    history: dict[str, tuple[Epoch, ...]] = field(default_factory=dict)

    def first(self) -> tuple[int, ...] | None:
        """Find the updates behind which the rate falls; the last is the end.

        Returns:
            They; `None` if it was interrupted, and the folder's state goes on.

        Raises:
            SettingError: There are too few photographs.
        """
        if self.setting.falls:
            return self.setting.falls
        learned, held = self._divided()
        place = self._place("stage 1")
        known = None if place is None else _read(place / FALLS, self.about)
        if known is not None:
            return known
        setting = self.setting
        labeller = self._labeller(learned)
        rule = Plateau(setting.window, setting.first, setting.levels)
        watched: list[Watched] = []

        def schedule(optimizer: Optimizer, updates: int) -> Watched:
            watched.append(Watched(optimizer, rule))
            return watched[0]

        def told(epoch: Epoch) -> None:
            if epoch.measured is not None:
                watched[0].tell(epoch.number * setting.check, epoch.measured)

        epochs = -(-setting.most // setting.check)
        trained = self._trained(
            "stage 1", labeller, learned, setting.check, epochs, schedule,
            measure=self._accuracy(held), told=told, stop=lambda: rule.ended,
        )  # fmt: skip
        if trained.interrupted and not rule.ended:
            return None
        falls = tuple(rule.falls)
        if not rule.ended:  # as many updates as there may be
            falls = tuple(dict.fromkeys((*falls, epochs * setting.check)))
        if place is not None and rank() == 0:
            with replacing(place / FALLS) as file:
                file.write(json.dumps({"about": self.about, "falls": list(falls)}).encode())
        return falls

    def second(self, falls: tuple[int, ...]) -> Labeller | None:
        """Learn from everything, with a rate that falls behind these updates, until the last.

        Returns:
            What has learned; `None` if it was interrupted, and the folder's state goes on.
        """
        everything = tuple(range(len(self.data)))
        labeller = self._labeller(everything)
        last = falls[-1]
        each = self.setting.check if last % self.setting.check == 0 else last
        trained = self._trained(
            "stage 2", labeller, everything, each, last // each,
            lambda optimizer, updates: Given(optimizer, falls), f" {list(falls)}",
        )  # fmt: skip
        return None if trained.interrupted else labeller

    def _divided(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Divide the photographs at random, the same way for every network."""
        count = len(self.data)
        held = max(1, round(self.setting.held_out * count))
        order = np.random.default_rng([self.setting.seed, 3]).permutation(count).tolist()
        return tuple(sorted(order[held:])), tuple(sorted(order[:held]))

    def _cropped(self, indices: tuple[int, ...]) -> Cropped:
        setting = self.setting
        points = setting.points if setting.head == "hypercolumn" else None
        return Cropped(
            self.data,
            indices,
            setting.crop,
            points,
            setting.buffer,
            setting.mirror,
            fill_of(self.net.preprocessing),
        )

    def _labeller(self, indices: tuple[int, ...]) -> Labeller:
        """Make the labeller that learns from these photographs, where it learns."""
        labeller = Labeller(self.net, len(self.data.classes) + 1, self.setting)
        labeller.to(self.fabric.device)
        made = self._cropped(indices)
        if self.setting.standardize:
            some = min(_STANDARDIZED_BY, len(made))
            labeller.standardize([default_collate([made.still(i)]) for i in range(some)])
        labeller.leave_unused(default_collate([made.still(0)]))
        return labeller

    def _trained(
        self,
        name: str,
        labeller: Labeller,
        indices: tuple[int, ...],
        updates: int,
        epochs: int,
        schedule: MakeSchedule,
        said: str = "",
        *,
        measure: Callable[[nn.Module], float] | None = None,
        told: Callable[[Epoch], None] = lambda epoch: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Trained:
        setting, place = self.setting, self._place(name)
        made = self._cropped(indices)
        batches = Made(
            len(made), made, setting.batch, updates=updates * setting.accumulate,
            workers=self.loaders, seed=setting.seed, share=(rank(), ranks()),
        )  # fmt: skip
        # Larsson's code lets weights decay, and not biases.
        optimizer = sgd(setting.rate, setting.decay, setting.momentum, biases=(1.0, 0.0))
        recipe = Recipe(
            epochs, optimizer, schedule, accumulate=setting.accumulate, seed=setting.seed,
            about=f"SGD, {name}{said}",
        )  # fmt: skip
        log = None if place is None else CsvLog(place / LOG)
        began = time.monotonic()

        def each(epoch: Epoch) -> None:
            told(epoch)
            if log is not None:
                log(epoch, epoch.number * updates, time.monotonic() - began)

        def tick(done: int, total: int, how: str) -> None:
            if self.tick is not None:
                self.tick(done, total, f"{name}, {how}")

        trained = train(
            labeller, batches, lambda module, batch: module(batch), recipe, measure=measure,
            folder=None if place is None else place / STATE, about=self.about, fabric=self.fabric,
            tick=tick, each=each, stop=stop,
        )  # fmt: skip
        self.history[name] = trained.history
        return trained

    def _accuracy(self, indices: tuple[int, ...]) -> Callable[[nn.Module], float]:
        """Make what measures the share of held-out pixels whose class is found."""
        made = self._cropped(tuple(indices[rank() :: ranks()]))

        def measure(module: nn.Module) -> float:
            assert isinstance(module, Labeller)
            total = torch.zeros(2, dtype=torch.float64)
            for example in in_turn(len(made), made.still, self.loaders):
                total += module.counted(default_collate([example])).cpu()
            found, known = map(float, summed(total))
            return found / max(known, 1.0)

        return measure

    def _place(self, name: str) -> Path | None:
        if self.folder is None:
            return None
        place = self.folder / name.replace(" ", "-")
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{place} cannot be written to: {error.strerror or error}") from error
        return place


def _read(path: Path, about: str) -> tuple[int, ...] | None:
    """Read the updates that stage 1 has found, if it is over."""
    try:
        held = json.loads(path.read_bytes())
        if held["about"] == about:
            return tuple(int(update) for update in held["falls"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} is damaged ({error}): remove it to begin anew, or name another folder"
        ) from None
    raise SettingError(
        f"{path.parent} holds the first stage of another run: name another folder, or remove it"
    )

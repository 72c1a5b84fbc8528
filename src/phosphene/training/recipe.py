"""How to train: the optimizer, its schedule, how long, and from which seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from phosphene.errors import SettingError

MakeOptimizer = Callable[[nn.Module], Optimizer]
MakeSchedule = Callable[[Optimizer, int], LRScheduler]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: Passes through the data.
        optimizer: Makes the optimizer of a module.
        schedule: Makes the schedule of an optimizer for so many updates; a constant rate if `None`.
        clip: Longest gradient (its Euclidean norm over all weights); longer ones are shortened.
        accumulate: Batches whose gradients are averaged into one update.
        patience: Epochs without a better measurement after which it ends early; `None` for never.
        seed: Of dropout and all else that draws from PyTorch's own generator.
        about: In words what the functions do; a run goes on only where it reads the same.
    """

    epochs: int
    optimizer: MakeOptimizer
    schedule: MakeSchedule | None = None
    clip: float | None = None
    accumulate: int = 1
    patience: int | None = None
    seed: int = 0
    about: str = ""

    def __post_init__(self) -> None:
        """Check the numbers."""
        wrong = [
            name
            for name, value in (
                ("epochs", self.epochs),
                ("accumulate", self.accumulate),
                ("patience", self.patience),
                ("clip", self.clip),
            )
            if value is not None and value <= 0
        ]
        if wrong:
            raise SettingError(
                f"{wrong[0]} of a recipe is {getattr(self, wrong[0])}: give 1 or more"
            )


def adamw(rate: float = 1e-3, decay: float = 0.05) -> MakeOptimizer:
    """Adam with decoupled decay of the weights (Loshchilov & Hutter, ICLR 2019).

    Args:
        rate: Step length.
        decay: Share of a weight that is taken away per step, times the rate; biases keep all.
    """

    def make(module: nn.Module) -> Optimizer:
        weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
        biases = [p for p in module.parameters() if p.requires_grad and p.dim() <= 1]
        groups = [
            {"params": weights, "weight_decay": decay},
            {"params": biases, "weight_decay": 0.0},
        ]
        return AdamW([group for group in groups if group["params"]], lr=rate)

    return make


def one_cycle(warm: float = 0.15) -> MakeSchedule:
    """Raise the rate to the optimizer's own over the first `warm` of all updates, then let it fall.

    A cosine each way, to almost nothing at the end (Smith & Topin, 2018).
    """

    def make(optimizer: Optimizer, updates: int) -> LRScheduler:
        rates = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, total_steps=updates, pct_start=warm)

    return make


def adam(rate: float = 1e-4, betas: tuple[float, float] = (0.9, 0.999)) -> MakeOptimizer:
    """Adam (Kingma & Ba, ICLR 2015), as Mahendran's thesis trains: epsilon 1e-8, and no decay.

    Args:
        rate: Step length.
        betas: Of its two running means.
    """

    def make(module: nn.Module) -> Optimizer:
        learned = [p for p in module.parameters() if p.requires_grad]
        return Adam(learned, lr=rate, betas=betas, eps=1e-8)

    return make


def sgd(
    rate: float = 1e-3,
    decay: float = 0.0,
    momentum: float = 0.9,
    *,
    nesterov: bool = False,
    biases: tuple[float, float] = (1.0, 1.0),
) -> MakeOptimizer:
    """Gradient descent with momentum, as Caffe's solvers and the protocols made with them have it.

    v <- momentum v + g + decay w,  w <- w - rate v; v before the rate, so that a falling rate acts
    at once, as in PyTorch (Caffe's v holds the rate of its time).

    Args:
        rate: Step length.
        decay: Of weights.
        momentum: Share of a step that goes on.
        nesterov: Whether the gradient is taken ahead (Sutskever et al., ICML 2013).
        biases: By what rate and decay are multiplied of all that has one dimension.
    """

    def make(module: nn.Module) -> Optimizer:
        weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
        others = [p for p in module.parameters() if p.requires_grad and p.dim() <= 1]
        groups = [
            {"params": weights, "lr": rate, "weight_decay": decay},
            {"params": others, "lr": rate * biases[0], "weight_decay": decay * biases[1]},
        ]
        used = [group for group in groups if group["params"]]
        return SGD(used, lr=rate, momentum=momentum, nesterov=nesterov)

    return make


def drops(at: tuple[int, ...], factor: float = 0.1) -> MakeSchedule:
    """Multiply the rate by a factor behind each of some updates.

    Args:
        at: After how many updates.
        factor: By what.
    """

    def make(optimizer: Optimizer, updates: int) -> LRScheduler:
        # A function of the update alone: of PyTorch's own schedule of steps (`MultiStepLR`) nothing
        # is left once its state has been through JSON.
        return LambdaLR(optimizer, lambda update: factor ** sum(update >= one for one in at))

    return make

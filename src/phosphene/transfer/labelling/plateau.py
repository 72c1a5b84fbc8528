"""When the rate falls: a rule that looks at how an accuracy goes on, and schedules.

Larsson et al. (CVPR 2017) train their segmentation with accuracies averaged over windows of 5000
updates, one behind the other. Where a window's mean is not above that of the window before, and
35000 updates are over, the rate falls to a tenth; the third time training ends instead, so that
there are three levels of the rate. That is their code; the thesis says the same in words.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from phosphene.errors import SettingError

FACTOR = 0.1


class Plateau:
    """Decides from an accuracy over updates when it has stopped to rise.

    Attributes:
        falls: Updates behind which it was decided that it has; behind the last of `levels`
            training ends.

    Args:
        window: Updates whose measurements are averaged.
        first: Updates before which nothing is decided.
        levels: After how many decisions it is over.

    Raises:
        SettingError: A number is too small.

    >>> rule = Plateau(window=2, first=0, levels=1)
    >>> [rule.tell(update, 0.5) for update in (1, 2, 3, 4)], rule.ended
    ([False, False, False, True], True)
    """

    def __init__(self, window: int = 5000, first: int = 35_000, levels: int = 3) -> None:
        if window < 1 or first < 0 or levels < 1:
            raise SettingError(
                f"a window of {window} updates, nothing before {first}, {levels} levels of the "
                "rate: a window and levels must be 1 or more, and the first update 0 or more"
            )
        self.window, self.first, self.levels = window, first, levels
        self.falls: list[int] = []
        self._began, self._total, self._count = 0, 0.0, 0
        self._last: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the last level is over."""
        return len(self.falls) >= self.levels

    def tell(self, update: int, measured: float) -> bool:
        """Take a measurement, and say whether the rate falls now.

        Args:
            update: Updates that were done before it was made; more than the last time.
            measured: What was measured; more is better.
        """
        self._total += measured
        self._count += 1
        if update - self._began < self.window or self.ended:
            return False
        mean = self._total / self._count
        falls = self._last is not None and mean <= self._last and update >= self.first
        self._last, self._began, self._total, self._count = mean, update, 0.0, 0
        if falls:
            self.falls.append(update)
        return falls

    def state(self) -> dict[str, Any]:
        """Return where it stands, as JSON has it."""
        return {
            "falls": list(self.falls),
            "began": self._began,
            "total": self._total,
            "count": self._count,
            "last": self._last,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where it stood."""
        self.falls = list(state["falls"])
        self._began, self._total = state["began"], state["total"]
        self._count, self._last = state["count"], state["last"]


class Watched(LRScheduler):
    """The rates of an optimizer, a tenth behind each decision of a rule.

    Args:
        optimizer: Whose rates fall.
        rule: What decides.
    """

    def __init__(self, optimizer: Optimizer, rule: Plateau) -> None:
        self.rule = rule
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rates of now."""
        return [rate * FACTOR ** len(self.rule.falls) for rate in self.base_lrs]

    def tell(self, update: int, measured: float) -> None:
        """Hand a measurement to the rule; the next update has the rate that it decides on."""
        if self.rule.tell(update, measured):
            for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands, as JSON has it."""
        held = {k: v for k, v in super().state_dict().items() if k != "rule"}
        return {**held, "rule": self.rule.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where it stood."""
        held = dict(state_dict)
        self.rule.restore(held.pop("rule"))
        super().load_state_dict(held)


class Given(LRScheduler):
    """The rates of an optimizer, a tenth behind each of some updates.

    Args:
        optimizer: Whose rates fall.
        falls: The updates.
    """

    def __init__(self, optimizer: Optimizer, falls: tuple[int, ...]) -> None:
        self.falls = list(falls)
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rates of now."""
        fallen = sum(update <= self.last_epoch for update in self.falls)
        return [rate * FACTOR**fallen for rate in self.base_lrs]

"""How an informed inverse network is learned, and what it is told of the forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from phosphene.core.rules import Reversal
from phosphene.errors import SettingError
from phosphene.training.settings import check_least, plain

Told = Literal["both", "switches", "masks", "neither"]
TOLD: tuple[Told, ...] = get_args(Told)
"""What of the bottleneck the inverse is told, from all of it to nothing."""


@dataclass(frozen=True)
class InverseSetting:
    """How one inverse network is learned.

    Attributes:
        layer: Where the network is cut: its output is what is inverted.
        told: Which part of the bottleneck information of the forward pass the inverse is given:
            the rectification masks of its ReLUs, the switches of its max-pools, both or neither.
        size: Side of the square crops it learns from and is tested with, pixels.
        updates: Steps of the optimiser.
        batch: Crops of a step.
        rate: Step length of Adam, which it rises to and falls from (`recipe.one_cycle`).
        held_out: Share of the photographs that it never learns from.
        seed: Of which those are, and of crops and their order.
        bias: Whether its layers learn biases besides.
        rectified: Whether ReLUs are reversed to ReLUs: DeConvNet without and guided backpropagation
            with masks. If not, they are the identity without masks, and with masks the derivative
            that Network Saliency takes; all inverses are then linear in the code.
    """

    layer: str
    told: Told
    size: int
    updates: int = 400
    batch: int = 8
    rate: float = 1e-3
    held_out: float = 0.2
    seed: int = 0
    bias: bool = False
    rectified: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.told not in TOLD:
            raise SettingError(f"an inverse is told {', '.join(TOLD)}, and not {self.told!r}")
        check_least(self, {"size": 1, "updates": 1, "batch": 1, "seed": 0})
        if not self.rate > 0:
            raise SettingError(f"rate is {self.rate:g}: give a positive number")
        if not 0 < self.held_out < 1:
            raise SettingError(f"held_out is {self.held_out:g}: give a share between 0 and 1")

    @property
    def rule(self) -> Reversal:
        """How bottlenecks are reversed; response normalizations by the identity, always."""
        masks, switches = self.told in ("both", "masks"), self.told in ("both", "switches")
        if self.rectified:
            relu: Any = "mask+rectify" if masks else "rectify"
        else:
            relu = "mask" if masks else "identity"
        return Reversal(relu, "switches" if switches else "centre", "identity")

    def facts(self) -> dict[str, Any]:
        """Return everything that the result depends on, besides network and photographs."""
        return plain(self)

"""What a sweep feeds: a batch of images with all their codes, to whoever collects from them.

A collector keeps numbers whose size does not hang on how many images there are. What two collectors
of one kind have seen can be put together, in any order, to what one would know that had seen all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from phosphene.core.preprocessing import Frame

State = dict[str, Tensor]
"""All that a collector knows, as tensors on the CPU, fit for a safetensors file."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that went through the network together.

    Attributes:
        keys: (b,) int64, what an image is known by: see `images.key`. Keys grow in the order of
            the image set, and no two images share one.
        image: (b, 3, h, w) RGB in [0, 1], on the network's device.
        codes: What each layer made of them, (b, c, h, w), by its name, on the network's device;
            without gradients. They are valid during `see` alone, and must not be changed.
        frames: Which part of each photograph the network saw.
        names: What each photograph is called.
    """

    keys: Tensor
    image: Tensor
    codes: Mapping[str, Tensor]
    frames: Sequence[Frame]
    names: Sequence[str]


class Collector(Protocol):
    """Collects something from the codes of images.

    Attributes:
        layers: The layers whose codes it needs.
    """

    @property
    def layers(self) -> Sequence[str]:
        """The layers."""

    def see(self, batch: Batch) -> None:
        """Take in a batch."""

    def state(self) -> State:
        """Return all it knows; later batches do not change what was returned."""

    def merge(self, state: State) -> None:
        """Take in what another of its kind has seen of other images.

        Exact, and the same whatever the order, up to the rounding of float64 sums. Into one that
        has seen nothing it is the way to go on where that other stopped.
        """

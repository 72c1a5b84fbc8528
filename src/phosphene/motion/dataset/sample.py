"""What training is fed with: a pair as tensors, and many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from phosphene.errors import SettingError
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.flow import Flow


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame with its flow.

    Attributes:
        image: (3, h, w) float32 RGB in [0, 1].
        flow: (2, h, w) float32 pixels, x first; 0 where it is not valid.
        valid: (h, w) bool, where the flow is known.
        name: What the pair is called.
        index: Its number in its set.
        labels: (h, w) int32, which object is seen; `None` where nobody asked.
    """

    image: Tensor
    flow: Tensor
    valid: Tensor
    name: str = ""
    index: int = 0
    labels: Tensor | None = None

    @classmethod
    def of(
        cls,
        colors: NDArray[np.float32],
        flow: Flow,
        name: str = "",
        index: int = 0,
        labels: Labels | None = None,
    ) -> Sample:
        """Take arrays, channels last: (h, w, 3) in [0, 1], and a flow of that size."""
        return cls(
            _channels_first(colors),
            _channels_first(flow.vectors),
            torch.from_numpy(flow.valid.copy()),
            name,
            index,
            None if labels is None else torch.from_numpy(labels.astype(np.int32)),
        )


def _channels_first(array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Several of them.

    Attributes:
        image: (b, 3, h, w) float32 RGB in [0, 1].
        flow: (b, 2, h, w) float32 pixels, x first; 0 where it is not valid.
        valid: (b, h, w) bool, where the flow is known.
        names: What the pairs are called.
        indices: (b,) int64, their numbers in their set.
        labels: (b, h, w) int32, which object is seen; `None` where nobody asked.
        epoch: Of which epoch.
        position: Which batch of it, from 0.
        failures: Of pairs that could not be read and had others put in their place: their names,
            and why.
    """

    image: Tensor
    flow: Tensor
    valid: Tensor
    names: tuple[str, ...]
    indices: Tensor
    labels: Tensor | None = None
    epoch: int = 0
    position: int = 0
    failures: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Batch:
        """Put samples together.

        Raises:
            SettingError: They differ in size.
        """
        sizes = sorted({tuple(sample.valid.shape) for sample in samples})
        if len(sizes) > 1:
            (h, w), (other_h, other_w) = sizes[:2]
            raise SettingError(
                f"pairs of {w}x{h} and of {other_w}x{other_h} pixels make no batch: give an "
                "augmentation, whose crops are all of one size, or batches of one"
            )
        maps = [sample.labels for sample in samples if sample.labels is not None]
        return cls(
            # In a worker this writes to shared memory at once.
            default_collate([sample.image for sample in samples]),
            default_collate([sample.flow for sample in samples]),
            default_collate([sample.valid for sample in samples]),
            tuple(sample.name for sample in samples),
            torch.tensor([sample.index for sample in samples]),
            default_collate(maps) if maps else None,
        )

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.names)

    @property
    def state(self) -> tuple[int, int]:
        """Where to go on after this batch: epoch and position."""
        return self.epoch, self.position + 1

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Batch:
        """Bring its tensors to a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Bring its tensors where a graphics card can fetch them by itself."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Any) -> Batch:
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: change(of) for name, of in held.items() if isinstance(of, Tensor)}
        return replace(self, **changed)

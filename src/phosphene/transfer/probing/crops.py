"""How photographs are shown to a network that is probed: random crops, or the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image, Resampling
from torch import Tensor

from phosphene.transfer.benchmarks.records import Sorted
from phosphene.transfer.probing.setting import Fit

Example = tuple[Tensor, int]
"""(h, w, 3) uint8 RGB, and a class."""


@dataclass(frozen=True)
class Crops:
    """Makes examples of photographs; it can be sent to other processes.

    Photographs are resized with an antialiased bilinear kernel (Caffe's tools do it without).

    Attributes:
        photographs: The set.
        size: (h, w) of the crops: the network's input.
        side: Shorter side of the resized photographs.
        fit: Whether they are stretched to the crops' shape, or keep their aspect.
        mirror: Whether random crops are mirrored, every second.
    """

    photographs: Sorted
    size: tuple[int, int]
    side: int
    fit: Fit
    mirror: bool = True

    def random(self, index: int, rng: np.random.Generator) -> Example:
        """Crop a photograph at random, mirrored by chance."""
        image = self._resized(index)
        top = int(rng.integers(image.height - self.size[0] + 1))
        left = int(rng.integers(image.width - self.size[1] + 1))
        cut = self._cut(image, top, left)
        if self.mirror and rng.random() < 0.5:
            cut = cut[:, ::-1]
        return torch.from_numpy(cut.copy()), int(self.photographs.class_of[index])

    def middle(self, index: int) -> Example:
        """Crop the middle of a photograph."""
        image = self._resized(index)
        top, left = (image.height - self.size[0]) // 2, (image.width - self.size[1]) // 2
        cut = self._cut(image, top, left)
        return torch.from_numpy(cut.copy()), int(self.photographs.class_of[index])

    def _resized(self, index: int) -> Image:
        image = self.photographs.image(index)
        if self.fit == "stretch":
            ratio = self.side / min(self.size)
            size = (round(self.size[1] * ratio), round(self.size[0] * ratio))
        else:
            ratio = self.side / min(image.size)
            # A wide crop of a tall photograph needs more of it.
            least = max(self.size[1] / image.width, self.size[0] / image.height)
            ratio = max(ratio, least)
            size = (
                max(self.size[1], round(image.width * ratio)),
                max(self.size[0], round(image.height * ratio)),
            )
        return image if image.size == size else image.resize(size, Resampling.BILINEAR)

    def _cut(self, image: Image, top: int, left: int) -> NDArray[np.uint8]:
        box = (left, top, left + self.size[1], top + self.size[0])
        return np.asarray(image.crop(box).convert("RGB"), dtype=np.uint8)

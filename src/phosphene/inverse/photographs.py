"""Crops of photographs: at random to learn from, of the middle to be tested with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, SettingError
from phosphene.image import as_photograph, name_of, to_image

FEWEST = 5
"""Photographs, without which there is nothing to learn from or to be tested with."""
# Photographs that stay in memory; others are read again every time.
_KEPT = 1024


def divided(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Draw which photographs are held out.

    Args:
        count: How many there are.
        share: Of those held out; at least one is, and at least one is not.
        seed: Of the draw.

    Returns:
        Numbers of those to learn from, and of those held out, both rising.

    Raises:
        SettingError: There are too few.

    >>> divided(6, 0.3, 0)
    ([0, 1, 4, 5], [2, 3])
    """
    if count < FEWEST:
        raise SettingError(
            f"an inverse is learned from some photographs and tested with others, and {count} were "
            f"given: give {FEWEST} or more"
        )
    held = min(max(1, round(share * count)), count - 1)
    order = np.random.default_rng([seed, 0]).permutation(count).tolist()
    return sorted(order[held:]), sorted(order[:held])


class Crops:
    """Square crops of photographs, at the scale at which the network sees whole ones.

    Args:
        photos: Paths, images, arrays, or tensors (3, h, w) in [0, 1].
        preprocessing: Of the network: photographs are resized, but not cropped, as it says.
        size: Side of the crops, pixels.
    """

    def __init__(self, photos: Sequence[Any], preprocessing: Preprocessing, size: int) -> None:
        self._photos, self._preprocessing, self._size = photos, preprocessing, size
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self._photos)

    def drawn(self, index: int, rng: np.random.Generator) -> Tensor:
        """Return (3, size, size) uint8 RGB from anywhere in a photograph, mirrored or not."""
        image = self._read(index)
        down, across, mirrored = rng.random(3)
        top = int(down * (image.shape[0] - self._size + 1))
        left = int(across * (image.shape[1] - self._size + 1))
        return self._cut(image, top, left, bool(mirrored < 0.5))

    def middle(self, index: int) -> Tensor:
        """Return (3, size, size) uint8 RGB from the middle of a photograph."""
        image = self._read(index)
        top, left = (image.shape[0] - self._size) // 2, (image.shape[1] - self._size) // 2
        return self._cut(image, top, left, False)

    def _cut(self, image: NDArray[np.uint8], top: int, left: int, mirrored: bool) -> Tensor:
        crop = image[top : top + self._size, left : left + self._size]
        crop = crop[:, ::-1] if mirrored else crop
        return torch.from_numpy(crop.transpose(2, 0, 1).copy())

    def _read(self, index: int) -> NDArray[np.uint8]:
        if index in self._kept:
            return self._kept[index]
        photo = self._photos[index]
        own = to_image(photo) if isinstance(photo, Tensor) else as_photograph(photo)
        fitted, _ = self._preprocessing.fit(own, whole=True)
        image = np.asarray(fitted.convert("RGB"))
        if min(image.shape[:2]) < self._size:
            name = name_of(photo, f"photograph {index}")
            raise ImageError(
                f"{name} is shown to the network at {image.shape[1]}x{image.shape[0]} px, which "
                f"holds no crop of {self._size}x{self._size}: choose smaller crops"
            )
        if len(self._kept) < _KEPT:
            self._kept[index] = image
        return image

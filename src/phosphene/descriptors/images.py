"""What a descriptor is given: gray or colour images, checked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from phosphene.core.finite import all_finite
from phosphene.errors import ImageError, NotFinite, SettingError


def batch_of(image: Tensor, what: str, least: tuple[int, int], channels: tuple[int, ...]) -> Tensor:
    """Return images as (b, c, h, w), in single or double precision.

    Args:
        image: (h, w), (c, h, w) or (b, c, h, w).
        what: Who asks.
        least: The smallest (h, w) it can describe.
        channels: The numbers of channels it takes.

    Raises:
        ImageError: It has another shape, or is too small.
        NotFinite: Some pixels are no numbers.
    """
    shape = tuple(image.shape)
    if not 2 <= image.dim() <= 4:
        raise ImageError(
            f"{what} needs images (b, c, h, w), (c, h, w) or (h, w), and {shape} was given"
        )
    image = image.reshape(*(1,) * (4 - image.dim()), *shape)
    image = image if image.dtype in (torch.float32, torch.float64) else image.float()
    if not image.numel():
        raise ImageError(f"{what} was given no image, in {shape}: give one or more")
    if image.shape[1] not in channels:
        wanted = " or ".join(map(str, channels))
        raise ImageError(
            f"{what} needs images of {wanted} channel{'s' if channels != (1,) else ''}, and "
            f"{image.shape[1]} came, in {shape}"
        )
    if image.shape[2] < least[0] or image.shape[3] < least[1]:
        raise ImageError(
            f"{what} needs an image of at least {least[0]}x{least[1]} pixels, and "
            f"{image.shape[2]}x{image.shape[3]} was given: enlarge it, or take smaller cells"
        )
    if not all_finite(image):
        raise NotFinite(f"the image given to {what} has pixels that are no finite numbers")
    return image.contiguous()


def whole(number: float, name: str) -> int:
    """Return a whole number as an `int`.

    Raises:
        SettingError: It is none.
    """
    if int(number) != number:
        raise SettingError(f"{name} {number:g} is no whole number: give one")
    return int(number)


_TOGETHER = 1 << 17


def in_turn(image: Tensor, describe: Callable[[Tensor], Tensor]) -> Tensor:
    """Describe a batch: on a processor as few images at a time as stay in its caches.

    Args:
        image: (b, c, h, w).
        describe: What is done to (some, c, h, w).
    """
    many = max(1, _TOGETHER // (image.shape[2] * image.shape[3]))
    if image.is_cuda or len(image) <= many:
        return describe(image)
    return torch.cat([describe(part) for part in torch.split(image, many)])

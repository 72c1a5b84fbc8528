"""What a descriptor is given: gray or colour images, checked."""

from __future__ import annotations

from torch import Tensor

from phosphene.core.finite import all_finite
from phosphene.errors import ImageError, NotFinite


def batch_of(image: Tensor, what: str, least: tuple[int, int], channels: tuple[int, ...]) -> Tensor:
    """Return images as (b, c, h, w) of a floating type.

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
    image = image.view(*(1,) * (4 - image.dim()), *shape)
    image = image if image.is_floating_point() else image.float()
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
    return image

r"""Pixels taken away, or put in, in the order of a map, and the area under what a network says.

Of n pixels in an order, step k of s replaces the first `round(n k / s)` by those of another image.
With p_k what the network says then, the *area* is the trapezoid rule over shares of pixels,

    AUC = (1 / s) sum_k (p_(k-1) + p_k) / 2.

*Reference.* Petsiuk, Das and Saenko, RISE, BMVC 2018, section 4.2: deletion, where a small area is
good, and insertion, where a large one is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.saliency.occluder import Occluder
from phosphene.studies.magnification import blurred

BASELINES = ("mean", "gray", "black", "blur")
"""What stands where a pixel was: the colour that is zero for the network, mid-gray, black, or the
photograph under a Gaussian of a sixteenth of its shorter side."""
BLUR = 16


def baseline(net: Network, image: Tensor, name: str) -> Tensor:
    """Return (1, c, h, w), an image without what is in an image.

    Args:
        net: The network, whose preprocessing knows the mean.
        image: (1, c, h, w) RGB in [0, 1].
        name: One of `BASELINES`.

    Raises:
        SettingError: It is none of these.
    """
    if name == "blur":
        return blurred(image, min(image.shape[-2:]) / BLUR)
    if name not in BASELINES:
        raise SettingError(f"there is no baseline {name!r}: choose {', '.join(BASELINES)}")
    occluder = Occluder.of(net.preprocessing, image, 1, 1, name, "over")  # type: ignore[arg-type]
    if not occluder.color:  # a mean image: zero for the network
        zero = net.preprocessing.denormalize(torch.zeros_like(net.input_of(image)))
        return zero.to(image).expand_as(image)
    return image.new_tensor(occluder.color).view(1, -1, 1, 1).expand_as(image)


def order_of(map_: Tensor, seed: int = 0) -> Tensor:
    """Return (h w) places of a map (h, w), the largest value first; equal ones in random order.

    A map that is zero in places says nothing of their order, and row by row would be one.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(map_.numel(), generator=generator)
    values = map_.detach().cpu().flatten()[shuffled]
    return shuffled[values.argsort(descending=True, stable=True)]


def replaced(image: Tensor, other: Tensor, order: Tensor, steps: int) -> Iterator[Tensor]:
    """Yield (1, c, h, w): the image with none of its pixels replaced, then more, and at last all.

    Args:
        image: (1, c, h, w).
        other: (1, c, h, w), where pixels come from.
        order: (h w) places in the order in which they are replaced.
        steps: How many images follow the first.
    """
    pixels = order.numel()
    now = image.flatten(2).clone()
    source = other.flatten(2)
    done = 0
    yield now.view_as(image).clone()
    for step in range(1, steps + 1):
        upto = round(pixels * step / steps)
        places = order[done:upto].to(now.device)
        now[:, :, places] = source[:, :, places]
        done = upto
        yield now.view_as(image).clone()


def area(values: Sequence[float]) -> float:
    """Return the area under equally spaced values from share 0 to 1.

    >>> area([1.0, 0.5, 0.0])
    0.5
    """
    steps = len(values) - 1
    if steps < 1:
        raise SettingError("an area needs two values or more: give 1 step or more")
    return (sum(values) - (values[0] + values[-1]) / 2) / steps

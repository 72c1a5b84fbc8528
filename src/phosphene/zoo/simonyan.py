"""The network of Simonyan, Vedaldi and Zisserman, and how its training images were spoilt.

Reference:
    K. Simonyan, A. Vedaldi and A. Zisserman, *Deep Inside Convolutional Networks*, ICLR workshop
    2014, section 1: "conv64-conv256-conv256-conv256-conv256-full4096-full4096-full1000", similar to
    Krizhevsky's but less wide, trained with cuda-convnet, and "additional image jittering, based on
    zeroing-out random parts of an image".

What the paper leaves open, and what is assumed. *Sizes of filters, strides, pads, pools,
normalization, input:* those of CNN-F (Chatfield, Simonyan, Vedaldi and Zisserman, BMVC 2014), which
the same authors published half a year later with the very same numbers of channels: 224x224 pixels;
conv1 11x11 at every fourth, conv2 5x5, the others 3x3; normalization after relu1 and relu2; 3x3
pools at every second place, rounding up, after norm1, norm2 and relu5; no groups. *Constants of the
normalization:* also CNN-F's, k = 2, n = 5, alpha = 1e-4, beta = 0.75. *How many parts are zeroed,
how large:* see `RandomZeroing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError
from phosphene.zoo.blocks import (
    Chain,
    build,
    classifier,
    gaussian,
    imagenet_preprocessing,
    overlapping_pool,
    response_norm,
)

INPUT_SIDE = 224
# (top, left, height, width), pixels.
Part = tuple[int, int, int, int]


class SimonyanNet(Chain):
    """64-256-256-256-256-4096-4096-1000; 61 million weights.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(
            conv1=nn.Conv2d(3, 64, 11, stride=4),
            relu1=nn.ReLU(),
            norm1=response_norm(),
            pool1=overlapping_pool(),
            conv2=nn.Conv2d(64, 256, 5, padding=2),
            relu2=nn.ReLU(),
            norm2=response_norm(),
            pool2=overlapping_pool(),
            conv3=nn.Conv2d(256, 256, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(256, 256, 3, padding=1),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(256, 256, 3, padding=1),
            relu5=nn.ReLU(),
            pool5=overlapping_pool(),
            **classifier(256, 6, classes),
        )


def simonyan(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open Simonyan's network.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn from
            N(0, 0.01^2), biases are 0.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: SimonyanNet(classes), gaussian, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="simonyan")


@dataclass(frozen=True)
class RandomZeroing:
    """Put zeros into rectangles of training images, other ones for each image.

    It works on a network's input, behind the subtraction of the mean, where zero is the mean colour
    and tells nothing. The paper says no more than that random parts are zeroed; number, form and
    size are assumptions.

    Attributes:
        parts: Rectangles an image.
        fraction: The least and the largest part of the image's area that one rectangle covers. As
            rectangles may overlap, an image loses between `fraction[0]` and `parts * fraction[1]`.
        aspect: The least and the largest ratio of height to width that is drawn, before it is
            rounded to pixels and cut to the image.

    >>> x = torch.ones(2, 3, 32, 32)
    >>> zeroed = RandomZeroing(fraction=(0.1, 0.2))(x, torch.Generator().manual_seed(0))
    >>> 0.8 <= zeroed[0].mean().item() <= 0.9
    True
    """

    parts: int = 1
    fraction: tuple[float, float] = (0.02, 0.25)
    aspect: tuple[float, float] = (0.5, 2.0)

    def __post_init__(self) -> None:
        for name, (low, high) in (("fraction", self.fraction), ("aspect", self.aspect)):
            if not 0 < low <= high or (name == "fraction" and high > 1):
                raise ImageError(
                    f"{name} {(low, high)} is no range to draw from: give (least, largest), both "
                    f"above 0{' and none above 1' if name == 'fraction' else ''}"
                )
        if self.parts < 0:
            raise ImageError(f"{self.parts} parts cannot be zeroed: give 0 or more")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Zero parts of images.

        Args:
            x: (b, c, h, w), the network's input, mean-subtracted.
            generator: Where the parts come from, on the CPU; the global one is left alone.

        Returns:
            A new tensor of the same shape.
        """
        size = (int(x.shape[2]), int(x.shape[3]))
        zeroed = x.clone()
        for image in zeroed:
            for top, left, height, width in self.draw(size, generator):
                image[:, top : top + height, left : left + width] = 0
        return zeroed

    def draw(self, size: tuple[int, int], generator: torch.Generator) -> list[Part]:
        """Draw the rectangles of one image.

        Args:
            size: (h, w) of the image, pixels.
            generator: Where they come from, on the CPU.

        Raises:
            ImageError: No rectangle of whole pixels has an area in the range.
        """
        return [self._part(size, generator) for _ in range(self.parts)]

    def _part(self, size: tuple[int, int], generator: torch.Generator) -> Part:
        height, width = size
        # Sides are whole pixels, and few heights may allow the area: try some.
        for _ in range(100):
            a, b, c, d = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
            area = _between(*self.fraction, a) * height * width
            aspect = math.exp(_between(math.log(self.aspect[0]), math.log(self.aspect[1]), b))
            # In a narrow image fewer rows than these could not cover enough, however wide.
            least = max(math.ceil(self.fraction[0] * height), 1)
            rows = min(max(round(math.sqrt(area * aspect)), least), height)
            fitting = [n for n in range(1, width + 1) if self._allows(rows * n / (height * width))]
            if fitting:
                columns = min(fitting, key=lambda n: abs(rows * n - area))
                return int(c * (height - rows + 1)), int(d * (width - columns + 1)), rows, columns
        raise ImageError(
            f"no rectangle of whole pixels covers {self.fraction[0]:g} to {self.fraction[1]:g} of "
            f"an image of {height}x{width}: widen `fraction`"
        )

    def _allows(self, fraction: float) -> bool:
        return self.fraction[0] <= fraction <= self.fraction[1]


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)

"""The image that is found: its pixels, the jitter, and where it starts.

The variable is x = RGB in 0..255 minus the network's mean. Jitter makes it a little larger than
what the network sees: on a canvas (h + T - 1) x (w + T - 1) every step crops the network's size at
a random offset in {0..T-1}^2. Priors act on the whole canvas. The result is the middle crop.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 3.2.3. *Departure*: there the crop is smaller
than the image; the authors' code enlarges the image, so that the network sees its own size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.preprocessing import Preprocessing
from phosphene.preimage.priors import TYPICAL


@dataclass(frozen=True)
class PixelSpace:
    """Between RGB in [0, 1] and the space of the optimisation.

    Attributes:
        mean: (1, 3, 1, 1) what is subtracted, RGB in [0, 1]; mid-gray for networks without a mean.
        preprocessing: The network's.
    """

    mean: Tensor
    preprocessing: Preprocessing

    @classmethod
    def of(cls, preprocessing: Preprocessing, like: Tensor) -> PixelSpace:
        """Take the mean of a network's preprocessing."""
        channels = preprocessing.channels or 3
        zero = torch.zeros(1, channels, 1, 1, device=like.device, dtype=like.dtype)
        mean = preprocessing.denormalize(zero)
        mean = mean if bool(mean.any()) else torch.full_like(mean, 0.5)
        return cls(mean, preprocessing)

    def to_rgb(self, x: Tensor) -> Tensor:
        """Return RGB images; in [0, 1] where x is that of a possible image."""
        return x / 255 + self.mean

    def to_input(self, x: Tensor) -> Tensor:
        """Return the network's own input."""
        return self.preprocessing.normalize(self.to_rgb(x))

    def from_input_gradient(self, slope: Tensor) -> Tensor:
        """Take a gradient on the network's input back to x: the chain is affine."""
        return self.preprocessing.pull_back(slope) / 255

    def from_rgb(self, image: Tensor) -> Tensor:
        """Return 255 * (image - mean)."""
        return (image - self.mean) * 255


def jitter_of(stride: float) -> int:
    """Return T for a representation's stride: a quarter, rounded half up, at least 1 (none).

    >>> [jitter_of(stride) for stride in (1, 2, 4, 8, 16, 32)]
    [1, 1, 1, 2, 4, 8]
    """
    return max(1, math.floor(stride / 4 + 0.5))


@dataclass(frozen=True)
class Canvas:
    """How large the variable is, and which part of it the network sees.

    Attributes:
        size: (h, w) that the network sees.
        jitter: T, how many places the crop can take along each side; 1 is no jitter.
    """

    size: tuple[int, int]
    jitter: int = 1

    @property
    def full(self) -> tuple[int, int]:
        """(h, w) of the variable."""
        return self.size[0] + self.jitter - 1, self.size[1] + self.jitter - 1

    def offset(self, generator: torch.Generator) -> tuple[int, int]:
        """Draw where to crop: one place for the whole batch."""
        if self.jitter == 1:
            return 0, 0
        y, x = torch.randint(self.jitter, (2,), generator=generator).tolist()
        return int(y), int(x)

    @property
    def middle(self) -> tuple[int, int]:
        """Where the result is cropped."""
        return (self.jitter - 1) // 2, (self.jitter - 1) // 2

    def crop(self, x: Tensor, offset: tuple[int, int]) -> Tensor:
        """Return the (b, c, h, w) view that the network sees."""
        (y, z), (h, w) = offset, self.size
        return x[..., y : y + h, z : z + w]

    def noise(self, seeds: list[int], channels: int = 3) -> Tensor:
        """Start from noise, one image a seed.

        Uniform over +-B / sqrt(3) after division by its own 95 % quantile, as the authors' code.

        Args:
            seeds: Start of each image's random numbers.
            channels: Channels of the image.

        Returns:
            (len(seeds), channels, H, W).
        """
        images = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            x = torch.rand(channels, *self.full, generator=generator) * 2 - 1
            images.append(x / x.flatten().kthvalue(math.ceil(0.95 * x.numel())).values)
        return torch.stack(images) * (TYPICAL / math.sqrt(3))

    def place(self, x: Tensor) -> Tensor:
        """Put (b, c, h, w) images in the middle of a canvas of zeros."""
        (y, z), (h, w) = self.middle, self.size
        canvas = x.new_zeros(*x.shape[:2], *self.full)
        canvas[..., y : y + h, z : z + w] = x
        return canvas

"""The image that is found: its pixels, the jitter, and where it starts.

The variable is x = RGB in 0..255 minus the network's mean. Jitter makes it a little larger than
what the network sees: on a canvas (h + T - 1) x (w + T - 1) every step crops the network's size at
a random offset in {0..T-1}^2. Priors act on the whole canvas. The result is the middle crop.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 3.2.3. *Departure*: there the crop is smaller
than the image; the authors' code enlarges the image, so that the network sees its own size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from phosphene.core.preprocessing import Preprocessing
from phosphene.core.receptive_field import ReceptiveField
from phosphene.preimage.transforms import Jitter, Transform, canvas_size, compose, sample

Sighting = tuple[int, int] | Tensor
"""What the network sees of a canvas: the crop's corner, or a map onto it (`transforms`)."""


_NOTHING = 1e-5


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
        """Return the network's own input: one affine step a channel, in the network's order."""
        if self.preprocessing.mean_image is not None:
            return self.preprocessing.normalize(self.to_rgb(x))
        gain, offset = self._affine
        x = x.flip(1) if self.preprocessing.order == "BGR" else x
        # Caffe's networks see x itself.
        x = x if bool((gain == 1).all()) else x * gain
        return x if float(offset.abs().max()) < _NOTHING else x + offset

    def from_input_gradient(self, slope: Tensor) -> Tensor:
        """Take a gradient on the network's input back to x."""
        gain, _ = self._affine
        slope = slope if bool((gain == 1).all()) else slope * gain
        return slope.flip(1) if self.preprocessing.order == "BGR" else slope

    @cached_property
    def _affine(self) -> tuple[Tensor, Tensor]:
        """Gain and offset, (1, c, 1, 1) in the network's order of channels."""
        zero = torch.zeros_like(self.mean, dtype=torch.float64)
        exact = PixelSpace(self.mean.double(), replace(self.preprocessing, mean_image=None))
        low, high = (exact.preprocessing.normalize(exact.to_rgb(x)) for x in (zero, zero + 255))
        gain = (high - low) / 255
        gain = torch.where((gain - 1).abs() < 1e-9, 1.0, gain)
        return gain.to(self.mean), low.to(self.mean)

    def from_rgb(self, image: Tensor) -> Tensor:
        """Return 255 * (image - mean), of the image's luma for gray networks."""
        return (self.preprocessing.in_own_channels(image) - self.mean) * 255

    @property
    def channels(self) -> int:
        """Channels of x."""
        return int(self.mean.shape[1])


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
        transforms: What else it is seen through, behind the jitter.
    """

    size: tuple[int, int]
    jitter: int = 1
    transforms: tuple[Transform, ...] = ()

    @property
    def full(self) -> tuple[int, int]:
        """(h, w) of the variable."""
        return canvas_size(self.size, (Jitter(self.jitter), *self.transforms))

    @property
    def middle(self) -> tuple[int, int]:
        """Row and column where the result is cropped."""
        (height, width), (h, w) = self.full, self.size
        return (height - h) // 2, (width - w) // 2

    def draw(self, generator: torch.Generator) -> Sighting:
        """Draw what is seen: one place for the whole batch."""
        if self.transforms:
            return compose((Jitter(self.jitter), *self.transforms), generator)
        if self.jitter == 1:
            return (0, 0)
        y, x = torch.randint(self.jitter, (2,), generator=generator).tolist()
        return (int(y), int(x))

    def see(self, x: Tensor, sighting: Sighting) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return what the network sees of x, and the way back for gradients on it.

        Args:
            x: (b, c, H, W) the full canvas.
            sighting: From `draw`.
        """
        if isinstance(sighting, Tensor):
            with torch.enable_grad():
                leaf = x.detach().requires_grad_()
                seen = sample(leaf, self.size, sighting)
            return seen.detach(), lambda slope: torch.autograd.grad(seen, leaf, slope)[0]

        def back(slope: Tensor) -> Tensor:
            whole = torch.zeros_like(x)
            self.crop(whole, sighting).copy_(slope)
            return whole

        return self.crop(x, sighting), back

    def crop(self, x: Tensor, offset: tuple[int, int]) -> Tensor:
        """Return a (b, c, h, w) view of the size that the network sees."""
        (y, z), (h, w) = offset, self.size
        return x[..., y : y + h, z : z + w]

    def place(self, x: Tensor) -> Tensor:
        """Put (b, c, h, w) images in the middle of a canvas of zeros."""
        canvas = x.new_zeros(*x.shape[:2], *self.full)
        self.crop(canvas, self.middle).copy_(x)
        return canvas


def canvas_for(
    size: tuple[int, int],
    field: ReceptiveField | None,
    jitter: int | None,
    transforms: tuple[Transform, ...] = (),
) -> Canvas:
    """Return the canvas of a layer.

    Args:
        size: (h, w) that the network sees.
        field: The layer's receptive field.
        jitter: T; a quarter of the layer's stride if `None`.
        transforms: Others than the jitter.
    """
    if jitter is None:
        # A layer that mixes the whole image has no stride of its own: nothing to average over.
        jitter = jitter_of(min(field.stride)) if field else 1
    return Canvas(size, jitter, transforms)

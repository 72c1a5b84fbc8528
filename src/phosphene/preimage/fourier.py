"""What is optimised when it is not the pixels: Fourier coefficients of decorrelated colors.

Steepest descent depends on the coordinates it is done in. Neighboring pixels of photographs are
alike and so are their color channels; in coordinates where these correlations are divided out,
the same descent prefers images that look like photographs: smooth, and gray before colorful. What
the network can be shown is the same.

```text
rgb = sigmoid(A irfft2(scale theta) / 4)      x = 255 (rgb - mean)
scale = sqrt(H W) / max(f, 1 / max(H, W)) ** decay
```

f is the length of the frequency in cycles a pixel. Natural images have amplitudes like 1 / f, so
decay = 1 gives all coefficients theta the same size. A is the square root of the color correlation
of ImageNet.

*Reference.* Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017, section "The
Enemy of Feature Visualization", doi 10.23915/distill.00007; the constants are the defaults of the
authors' library lucid (`optvis/param/spatial.py`, `color.py`): deviation 0.01, the 4 that scale is
divided by, the 3 x 3 numbers.

*Departures.* For odd widths lucid keeps one frequency too many and cuts a column off; here the
transform has the size of the image. Networks with other than 3 channels are optimised in the
colors they have.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.preimage.priors import TYPICAL

COLOR_CORRELATION_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the correlation of R, G, B on ImageNet (lucid): about gray, R - B, R + B - 2 G."""

MARGIN = 0.5 / 255
"""Starts are clamped by half a gray level: the sigmoid never reaches black and white."""


class Parameters(ABC):
    """How images are written down for the descent."""

    @abstractmethod
    def image(self, theta: Tensor) -> Tensor:
        """Return the images of parameters.

        Args:
            theta: (b, ...), of any device and precision.

        Returns:
            (b, c, H, W), RGB in 0..255 minus the mean, differentiable.
        """

    @abstractmethod
    def start(self, x: Tensor) -> Tensor:
        """Return the parameters of images, as nearly as they can be expressed.

        Args:
            x: (b, c, H, W), RGB in 0..255 minus the mean.

        Returns:
            theta (b, ...) with `image(theta)` near x, detached from it.
        """

    @abstractmethod
    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return parameters to start from without an image, one image a seed.

        Args:
            seeds: Start of each image's random numbers.

        Returns:
            theta (len(seeds), ...), float32 on the CPU.
        """


@dataclass(frozen=True)
class Pixels(Parameters):
    """The parameters are the pixels.

    Attributes:
        size: (H, W) of the canvas.
        channels: c.
    """

    size: tuple[int, int]
    channels: int = 3

    def image(self, theta: Tensor) -> Tensor:
        """Return theta itself."""
        return theta

    def start(self, x: Tensor) -> Tensor:
        """Return a copy of x."""
        return x.detach().clone()

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return noise uniform over +-B / sqrt(3) after division by its own 95 % quantile.

        As in the code of Mahendran & Vedaldi, IJCV 2016.
        """
        images = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            x = torch.rand(self.channels, *self.size, generator=generator) * 2 - 1
            images.append(x / x.flatten().kthvalue(math.ceil(0.95 * x.numel())).values)
        return torch.stack(images) * (TYPICAL / math.sqrt(3))


@dataclass(frozen=True, eq=False)
class Fourier(Parameters):
    """The parameters are Fourier coefficients, whitened in space and color.

    theta is real, (b, c, H, W // 2 + 1, 2): the half plane of the coefficients that a real image
    has, with real and imaginary part last.

    Attributes:
        size: (H, W) of the canvas.
        mean: (1, c, 1, 1) what x has subtracted, RGB in [0, 1].
        decay: Exponent of 1 / f; 0 leaves the spectrum of pixels.
        decorrelated: Whether color channels are decorrelated too.
        deviation: Standard deviation of the parameters that `noise` draws. lucid's 0.01 is a
            contrast of less than one gray level, at which some units behind a ReLU are silent and
            have no gradient (lucid then lets the gradient of the first 16 steps through the
            ReLUs); at 0.1 it is about seven.
    """

    size: tuple[int, int]
    mean: Tensor
    decay: float = 1.0
    decorrelated: bool = True
    deviation: float = 0.01

    def image(self, theta: Tensor) -> Tensor:
        """Return (b, c, H, W) images; their RGB is strictly between 0 and 1."""
        spectrum = torch.view_as_complex(theta * self._scale(theta))
        # In two steps, because coefficients that should be conjugate to each other are free here:
        # only for one dimension does torch say that what cannot be in a real image is ignored.
        plane = torch.fft.irfft(torch.fft.ifft(spectrum, dim=-2), n=self.size[1])
        rgb = torch.sigmoid(self._mix(plane, self._colors()))
        return (rgb - self.mean.to(theta)) * 255

    def start(self, x: Tensor) -> Tensor:
        """Return (b, c, H, W // 2 + 1, 2) coefficients of x clamped by `MARGIN` into RGB."""
        rgb = x.detach() / 255 + self.mean.to(x)
        plane = self._mix(rgb.clamp(MARGIN, 1 - MARGIN).logit(), self._colors().inverse())
        return torch.view_as_real(torch.fft.rfft2(plane)) / self._scale(x)

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return normal coefficients: images near gray, amplitudes like 1 / f ** decay."""
        height, width = self.size
        shape = (self.mean.shape[1], height, width // 2 + 1, 2)
        drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return torch.stack(drawn) * self.deviation

    def _scale(self, like: Tensor) -> Tensor:
        """Return (H, W // 2 + 1, 1) what coefficients are multiplied by."""
        height, width = self.size
        rows = torch.fft.fftfreq(height, dtype=like.dtype, device=like.device)[:, None]
        columns = torch.fft.rfftfreq(width, dtype=like.dtype, device=like.device)
        # The mean of the image has no finite scale: it gets that of the lowest frequency.
        frequency = torch.hypot(rows, columns).clamp(min=1 / max(height, width))
        return (math.sqrt(height * width) / 4 * frequency.pow(-self.decay))[..., None]

    def _colors(self) -> Tensor:
        """Return A, (c, c) float64 on the CPU: the longest of its columns has the length 1."""
        channels = self.mean.shape[1]
        if channels != 3 or not self.decorrelated:
            return torch.eye(channels, dtype=torch.float64)
        root = torch.tensor(COLOR_CORRELATION_ROOT, dtype=torch.float64)
        longest = root.square().sum(0).max().sqrt()
        return root / longest

    @staticmethod
    def _mix(plane: Tensor, colors: Tensor) -> Tensor:
        mixed: Tensor = torch.einsum("kc,bchw->bkhw", colors.to(plane), plane)
        return mixed

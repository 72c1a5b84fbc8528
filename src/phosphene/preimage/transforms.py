"""Random transforms of what the network sees: an image should say the same a little moved.

At every step the network sees the canvas through a fresh jitter, scale and rotation, so that only
what survives them all is worth drawing; high frequencies do not. The transforms are values, drawing
is separate from applying, and one draw serves the whole batch.

Coordinates are (x, y) in pixels, x to the right, y downward, the origin in the middle of the image
(between four pixels where the sides are even). A draw is a 3 x 3 matrix M with

```text
(x, y, 1) on the canvas = M (x, y, 1) in what is seen
```

Transforms are listed in the order in which the canvas goes through them: of `(Jitter(8),
Rotation(5))` the jittered canvas is rotated, and `M = M_jitter @ M_rotation`.

*Reference.* Jitter: Mahendran & Vedaldi, IJCV 2016, section 3.2.3. The other two, and listing them:
Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017, doi 10.23915/distill.00007.

*Departures* from the latter's library, lucid: one interpolation for the composite instead of one
each; scales and angles from intervals instead of lists; the canvas is large enough for every draw,
where lucid pads the image with gray.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from phosphene.errors import SettingError


class Transform(ABC):
    """A distribution over affine maps."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw a map from what is seen to the canvas.

        Args:
            generator: On the CPU.

        Returns:
            (3, 3) float64 on the CPU, homogeneous, in pixels about the middle.
        """

    @abstractmethod
    def reach(self, size: tuple[float, float]) -> tuple[float, float]:
        """Return how much larger than (h, w) the canvas must be for any draw to stay inside.

        Args:
            size: (h, w) of what is seen through the transform, in pixels.

        Returns:
            Pixels more in height and width, both sides together, never negative.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Name the transform and its range."""


@dataclass(frozen=True)
class Jitter(Transform):
    """What is seen is a crop at a random place: whole pixels from the canvas' corner.

    Attributes:
        places: T, how many places the crop can take along each side; 1 is no jitter.
    """

    places: int

    def __post_init__(self) -> None:
        if isinstance(self.places, bool) or not isinstance(self.places, int) or self.places < 1:
            raise SettingError(f"jitter takes a whole number of places from 1, not {self.places!r}")

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw offsets (y, x) from {0..T-1}^2 and return them from the middle, (T - 1) / 2."""
        if self.places == 1:
            return translation(0, 0)
        y, x = torch.randint(self.places, (2,), generator=generator).tolist()
        return translation(x - (self.places - 1) / 2, y - (self.places - 1) / 2)

    def reach(self, size: tuple[float, float]) -> tuple[float, float]:
        """Return T - 1 twice."""
        return self.places - 1, self.places - 1

    def __str__(self) -> str:
        """Return as in `jitter 8`."""
        return f"jitter {self.places}"


@dataclass(frozen=True)
class Scale(Transform):
    """The canvas appears s times as large, s uniform.

    Attributes:
        low: Smallest s; below 1 more of the canvas is seen, smaller.
        high: Largest s.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise SettingError(
                f"scale takes two positive numbers, the smaller first, not {self.low}, {self.high}"
            )

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw s and return the map that divides by it."""
        return scaling(self.low + (self.high - self.low) * _uniform(generator))

    def reach(self, size: tuple[float, float]) -> tuple[float, float]:
        """Return `(size - 1) (1 / low - 1)`: from the middle of the first pixel to the last's."""
        more = max(0.0, 1 / self.low - 1)
        return (size[0] - 1) * more, (size[1] - 1) * more

    def __str__(self) -> str:
        """Return as in `scale 0.9-1.1`."""
        return f"scale {self.low:g}-{self.high:g}"


@dataclass(frozen=True)
class Rotation(Transform):
    """The canvas appears turned, the angle uniform over both senses.

    Attributes:
        degrees: Largest angle, 0 to 180.
    """

    degrees: float

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise SettingError(f"rotation takes degrees from 0 to 180, not {self.degrees}")

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw an angle in +-degrees."""
        return rotation(self.degrees * (2 * _uniform(generator) - 1))

    def reach(self, size: tuple[float, float]) -> tuple[float, float]:
        """Return how far the turned rectangle's bounding box outgrows it.

        A side s with the other side t spans `s cos a + t sin a = r cos(a - atan2(t, s))`, which
        grows up to the angle atan2(t, s), where it is the diagonal r, and shrinks from there.
        """
        h, w = size[0] - 1, size[1] - 1
        most, diagonal = math.radians(self.degrees), math.hypot(h, w)
        tall, wide = math.atan2(w, h), math.atan2(h, w)
        return (
            diagonal * math.cos(min(most, tall) - tall) - h,
            diagonal * math.cos(min(most, wide) - wide) - w,
        )

    def __str__(self) -> str:
        """Return as in `rotation 5°`."""
        return f"rotation {self.degrees:g}°"


def translation(x: float, y: float) -> Tensor:
    """Return the map that sees the canvas from x pixels further right and y further down."""
    return torch.tensor([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=torch.float64)


def scaling(scale: float) -> Tensor:
    """Return the map under which the canvas appears `scale` times as large."""
    return torch.diag(torch.tensor([1 / scale, 1 / scale, 1], dtype=torch.float64))


def rotation(degrees: float) -> Tensor:
    """Return the map under which the canvas appears turned counterclockwise, as `torch.rot90`."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)


def compose(transforms: Sequence[Transform], generator: torch.Generator) -> Tensor:
    """Draw one map of every transform and return their composite.

    Args:
        transforms: In the order in which the canvas goes through them; also that of the draws.
        generator: On the CPU.

    Returns:
        (3, 3) float64, from what is seen to the canvas; the identity for no transforms.
    """
    matrix = torch.eye(3, dtype=torch.float64)
    for transform in transforms:
        matrix = matrix @ transform.draw(generator)
    return matrix


def canvas_size(size: tuple[int, int], transforms: Sequence[Transform]) -> tuple[int, int]:
    """Return how large a canvas must be that no draw looks beyond.

    Args:
        size: (h, w) that the network sees.
        transforms: In the order in which the canvas goes through them.

    Returns:
        (H, W): the size and all reaches, rounded up; after jitter alone, h + T - 1.

    >>> canvas_size((224, 224), (Jitter(8),))
    (231, 231)
    >>> canvas_size((224, 224), (Jitter(8), Scale(0.9, 1.1), Rotation(5)))
    (277, 277)
    """
    h, w = float(size[0]), float(size[1])
    # The last transform is the one whose result the network sees.
    for transform in reversed(transforms):
        more = transform.reach((h, w))
        h, w = h + more[0], w + more[1]
    # 1 / 0.8 and its kind shall not cost a pixel for their last bit.
    return math.ceil(h - 1e-9), math.ceil(w - 1e-9)


def sample(x: Tensor, size: tuple[int, int], matrix: Tensor) -> Tensor:
    """Return what the network sees of a canvas, by one bilinear interpolation.

    Beyond the canvas its border is seen. There is no antialiasing: where a map shrinks the canvas
    by more than about 1.5 the result is undersampled, and the gradient skips pixels. A shift
    by whole pixels that stays on the canvas is an exact crop.

    Args:
        x: (b, c, H, W) canvas.
        size: (h, w) that the network sees.
        matrix: (3, 3) from what is seen to the canvas, in pixels about the middle of each.

    Returns:
        (b, c, h, w), differentiable; a view of x where it is a crop.
    """
    (height, width), (h, w) = (x.shape[2], x.shape[3]), size
    (a, b, right), (c, d, down), _ = matrix.tolist()
    left, top = right + (width - w) / 2, down + (height - h) / 2
    if (
        (a, b, c, d) == (1, 0, 0, 1)
        and left.is_integer()
        and top.is_integer()
        and 0 <= left <= width - w
        and 0 <= top <= height - h
    ):
        row, column = int(top), int(left)
        return x[..., row : row + h, column : column + w]
    # In float64, so that what is rounded to the canvas' own precision is only the final place.
    u = torch.arange(w, dtype=torch.float64) - (w - 1) / 2
    v = torch.arange(h, dtype=torch.float64)[:, None] - (h - 1) / 2
    columns = a * u + b * v + (right + (width - 1) / 2)
    rows = c * u + d * v + (down + (height - 1) / 2)
    # grid_sample without align_corners: pixel i of n has its middle at (2 i + 1) / n - 1.
    grid = torch.stack(((2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1), -1)
    grid = grid.to(x).expand(len(x), h, w, 2)
    return grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator, dtype=torch.float64))

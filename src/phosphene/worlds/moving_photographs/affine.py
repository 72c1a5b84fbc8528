"""Affine maps of the plane, and smooth ways of them through time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Affine:
    """The map `p -> linear p + shift`.

    Attributes:
        linear: (2, 2).
        shift: (2,), pixels.

    >>> turn = Affine(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([5.0, 0.0]))
    >>> turn(np.array([1.0, 0.0])).tolist()
    [5.0, 1.0]
    >>> turn.inverse().after(turn)(np.array([3.0, 4.0])).tolist()
    [3.0, 4.0]
    """

    linear: Points
    shift: Points

    def __call__(self, points: Points) -> Points:
        """Map points (..., 2), (x, y)."""
        x, y = points[..., 0], points[..., 1]
        (a, b), (c, d) = self.linear.tolist()
        left, top = self.shift.tolist()
        return np.stack([a * x + b * y + left, c * x + d * y + top], axis=-1)

    def after(self, first: Affine) -> Affine:
        """Return the map that does `first`, and then this one."""
        return Affine(self.linear @ first.linear, self.linear @ first.shift + self.shift)

    def inverse(self) -> Affine:
        """Return the map back."""
        (a, b), (c, d) = self.linear.tolist()
        back = np.array([[d, -b], [-c, a]]) / (a * d - b * c)
        return Affine(back, -(back @ self.shift))


@dataclass(frozen=True)
class Wave:
    """`amplitude sin(rate t + phase)`."""

    amplitude: float = 0.0
    rate: float = 0.0
    phase: float = 0.0

    def __call__(self, t: float) -> float:
        """Return its height at a time."""
        return self.amplitude * math.sin(self.rate * t + self.phase)


@dataclass(frozen=True)
class Way:
    """A smooth affine motion that stays near where it is, and never stands still.

    At the time t, in frames, what lies at the origin is at

        middle + R(tilt) (long cos(rate t + phase), short sin(rate t + phase)),

    an ellipse, and what is around it is turned, scaled and sheared by `R(angle) S K`, whose three
    amounts are waves.

    Attributes:
        middle: Of the ellipse, (x, y) in pixels.
        axes: Its half axes, long and short, in pixels.
        tilt: Of the long one, in radians.
        rate: Radians a frame; the speed lies between `short rate` and `long rate` pixels a frame.
        phase: Where on the ellipse the time 0 is.
        mirror: 1, or -1 for a thing seen from behind.
        scale: Pixels of the frame for a unit of the thing.
        angle: In radians, around which `sway` goes.
        sway: Of the angle.
        swell: Of the logarithm of the scale.
        lean: The shear, of x with y.
    """

    middle: tuple[float, float]
    axes: tuple[float, float] = (0.0, 0.0)
    tilt: float = 0.0
    rate: float = 0.0
    phase: float = 0.0
    mirror: float = 1.0
    scale: float = 1.0
    angle: float = 0.0
    sway: Wave = Wave()
    swell: Wave = Wave()
    lean: Wave = Wave()

    def at(self, t: float) -> Affine:
        """Return the map from the thing's own coordinates to the frame at a time."""
        turn = _rotation(self.angle + self.sway(t))
        form = np.array([[self.mirror, self.lean(t)], [0.0, 1.0]])
        size = self.scale * math.exp(self.swell(t))
        now = self.rate * t + self.phase
        round_ = np.array([self.axes[0] * math.cos(now), self.axes[1] * math.sin(now)])
        return Affine(turn @ form * size, np.array(self.middle) + _rotation(self.tilt) @ round_)


def _rotation(angle: float) -> Points:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])

r"""How alike two signals are, as pictures.

Of magnitudes `a` and `b` over the pixels R of a unit's receptive field the *similarity* is

    r = sum (a - mean a) (b - mean b) / sqrt(sum (a - mean a)^2 sum (b - mean b)^2)

Pearson's correlation: 1 where the one is a multiple of the other and a constant, 0 where they have
nothing in common. It does not mind how strong a signal is, nor its colour, as a person would not
who looks at two pictures that are each scaled to the full range. Pixels beyond R are left out:
there any two signals are zero, and would count as alike.

Any two signals of one unit share the fall-off from the middle of its field (`finite-support`), so
that r is above 0 where nothing else is shared. It is to be read against the r of signals that
share just that: those of other photographs.
"""

from __future__ import annotations

import math

from torch import Tensor

Box = tuple[float, float, float, float]
"""(top, left, height, width), pixels."""


def correlation(a: Tensor, b: Tensor, box: Box | None = None) -> float | None:
    """Correlate two maps inside a box.

    Args:
        a: (h, w); what is not finite is left out.
        b: (h, w).
        box: The receptive field, which may leave the image; all of the image if `None`.

    Returns:
        r in [-1, 1]; `None` where it is not defined: one of the two is the same everywhere.
    """
    rows, columns = clipped(box, (int(a.shape[-2]), int(a.shape[-1])))
    one, other = (m[rows, columns].detach().double().flatten().cpu() for m in (a, b))
    known = one.isfinite() & other.isfinite()
    one, other = one[known], other[known]
    if one.numel() < 2:
        return None
    # Signals of deep networks are of any size, and their squares would leave the range.
    one, other = (m / m.abs().amax().clamp(min=1e-300) for m in (one, other))
    one, other = one - one.mean(), other - other.mean()
    length = float(one.norm()) * float(other.norm())
    return max(-1.0, min(1.0, float(one @ other) / length)) if length > 1e-12 else None


def cosine(a: Tensor, b: Tensor) -> float | None:
    """Return the cosine of two signals (c, h, w), polarity and colours and all.

    Returns:
        A number in [-1, 1]; `None` where one of them is zero everywhere.
    """
    one, other = (s.detach().double().flatten().cpu() for s in (a, b))
    one, other = (s / s.abs().amax().clamp(min=1e-300) for s in (one, other))
    length = float(one.norm()) * float(other.norm())
    if not math.isfinite(length) or length == 0:
        return None
    return max(-1.0, min(1.0, float(one @ other) / length))


def clipped(box: Box | None, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of an image (h, w) that lie in a box.

    >>> clipped((-3.0, 2.0, 6.0, 4.0), (10, 5))
    (slice(0, 3, None), slice(2, 5, None))
    """
    if box is None:
        return slice(0, size[0]), slice(0, size[1])
    top, left, height, width = box
    # Pixels have their middles at whole numbers.
    return (
        slice(max(0, math.ceil(top)), max(0, min(size[0], math.floor(top + height - 1) + 1))),
        slice(max(0, math.ceil(left)), max(0, min(size[1], math.floor(left + width - 1) + 1))),
    )

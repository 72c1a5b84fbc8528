"""The points of a plot as they will be drawn: names given places, values that are none left out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from phosphene.panel import Plot, Series

_FEW = 30
"""Lines of at most so many points have markers and error bars; others a band."""
_LARGEST = 1e200
"""Far beyond it, and on a logarithmic axis far below its inverse, Matplotlib's arithmetic fails."""
_DODGE = 0.36


@dataclass(frozen=True)
class Points:
    """One series as it will be drawn.

    Attributes:
        name: For the legend; empty for none.
        number: Which series it is, counted from 0.
        x: Places.
        y: Heights; NaN where nothing is drawn.
        spread: Half-lengths of error bars, 0 for none; empty if there are none at all.
    """

    name: str
    number: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(math.isnan(y) for y in self.y)

    @property
    def few(self) -> bool:
        """Whether each point is to be seen by itself."""
        return len(self.y) <= _FEW

    @property
    def alone(self) -> list[int]:
        """Which points have no neighbor, so that no line would show them."""
        heights = (math.nan, *self.y, math.nan)
        return [
            i
            for i, y in enumerate(self.y)
            if not math.isnan(y) and math.isnan(heights[i]) and math.isnan(heights[i + 2])
        ]


def names(plot: Plot) -> list[str]:
    """List what stands side by side below the horizontal axis; nothing if that is of numbers."""
    places = [x for series in plot.series for x in series.x]
    if not any(isinstance(x, str) for x in places):
        return []
    return list(dict.fromkeys(str(x) for x in places))


def points(plot: Plot) -> tuple[Points, ...]:
    """Bring every series of a plot to numbers.

    Args:
        plot: Its names on the horizontal axis, if any, become 0, 1, 2, ... in order of appearance.

    Returns:
        One for every series. Values that are `None`, not finite, or not positive on a logarithmic
        axis are NaN; points with error bars that would hide each other stand slightly apart.
    """
    order = {name: float(place) for place, name in enumerate(names(plot))}
    found = tuple(_points(plot, series, number, order) for number, series in enumerate(plot.series))
    crossing = [one.number for one in found if one.spread and not one.empty]
    if plot.kind == "bars" or not order or len(crossing) < 2:
        return found
    step = min(0.09, _DODGE / (len(found) - 1))
    middle = (len(found) - 1) / 2
    return tuple(
        replace(one, x=tuple(x + (one.number - middle) * step for x in one.x)) for one in found
    )


def gap(found: Iterable[Points]) -> float:
    """Find the smallest distance between neighboring places."""
    places = sorted({x for one in found for x in one.x})
    distances = [b - a for a, b in pairwise(places)]
    return min(distances, default=1.0)


def _points(plot: Plot, series: Series, number: int, order: dict[str, float]) -> Points:
    spread = tuple(_finite(s) for s in series.spread) or (math.nan,) * len(series.y)
    kept = [
        (order[str(x)] if order else _finite(x), _finite(y), abs(s))
        for x, y, s in zip(series.x, series.y, spread, strict=True)
    ]
    # A height without a place can stand nowhere; a place without a height breaks the line.
    kept = [
        (x, math.nan if plot.log and not y > 1 / _LARGEST else y, 0.0 if math.isnan(s) else s)
        for x, y, s in kept
        if not math.isnan(x)
    ]
    xs, ys, spreads = (tuple(values) for values in zip(*kept, strict=True)) if kept else ((),) * 3
    return Points(series.name, number, xs, ys, spreads if series.spread else ())


def _finite(value: object) -> float:
    """Read a number; NaN for what is none or cannot be drawn."""
    number = math.nan if value is None else float(value)  # type: ignore[arg-type]
    return number if abs(number) < _LARGEST else math.nan

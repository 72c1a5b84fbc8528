"""What stands along the axes: names that do not run into each other, numbers, powers of ten."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phosphene.panel import Plot
from phosphene.view import typeset
from phosphene.view.look import TICK, measured
from phosphene.view.points import Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 60
_LINE, _SHORT, _LONG, _APART = 1.35 * TICK, 60, 130, 7
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def name_places(axes: Axes, names: Sequence[str], width: float) -> None:
    """Write names below the horizontal axis.

    Args:
        axes: Where.
        names: Of the places 0, 1, 2, ...; longer ones than 60 letters are shortened.
        width: Of the axes, in units. Names that do not fit side by side are broken between words
            or turned; if they stand too close even then, only every second, third, ... is written.
    """
    low, high = axes.get_xlim()
    slot = width / (high - low)
    texts = [typeset.single_line(name) for name in names]
    texts = [text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…" for text in texts]
    widest = max(measured(text) for text in texts) + _APART
    broken = [_broken(text, slot - _APART) for text in texts]
    counting = all(text[:1].isdigit() or text[:1] in ("-", "\u2212") for text in texts)
    every = 1
    if widest <= slot or all(broken):
        angle, texts = 0, [text or " " for text in broken]
    elif counting and widest <= _SHORT:
        angle, every = 0, math.ceil(widest / slot)
    else:
        angle = 90 if slot < 1.5 * _LINE else 35 if widest < _LONG else 55
        every = math.ceil(_LINE / slot)
    tilted = 0 < angle < 90
    axes.set_xticks(
        range(0, len(texts), every),
        texts[::every],
        rotation=angle,
        ha="right" if tilted else "center",
        va="center" if tilted else "top",
        rotation_mode="anchor" if tilted else "default",
    )


def _broken(text: str, width: float) -> str:
    """Break a name between words into at most three lines; empty if that does not do."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and measured(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    fits = len(lines) <= 3 and all(measured(line) <= width for line in lines)
    return "\n".join(lines) if fits else ""


def scale_places(axes: Axes, plot: Plot, found: Sequence[Points]) -> None:
    """Choose numbers for the horizontal axis: those of the bars, or round ones."""
    from matplotlib.ticker import MaxNLocator

    places = sorted({x for one in found if not one.empty for x in one.x})
    axes.ticklabel_format(axis="x", useOffset=False, scilimits=(-4, 6))
    if plot.kind == "bars" and places:
        labels = max(len(f"{x:g}") for x in places)
        room = 480 / (0.75 * TICK * labels + 8)
        axes.set_xticks(places[:: math.ceil(len(places) / room)])
    elif places and all(x == round(x) for x in places):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=True))


def scale_heights(axes: Axes, plot: Plot, found: Sequence[Points]) -> None:
    """Choose limits and numbers for the vertical axis."""
    heights = [y for one in found for y in one.y if not math.isnan(y)]
    if not plot.log or not heights:
        axes.ticklabel_format(axis="y", scilimits=(-3, 5))
        if plot.kind == "bars" and heights:
            low, high = axes.get_ylim()
            axes.set_ylim(low if min(heights) < 0 else 0, high)
        return
    # An error bar may reach down to nothing; the axis need not follow it there.
    lowest = min(heights)
    ends = [y for y in _ends(found) if y >= lowest / 10]
    low, high = math.log10(min(ends)), math.log10(max(ends))
    room = max(0.06 * (high - low), 0.02)
    low = math.floor(low + 1e-9 - room) if plot.kind == "bars" else low - room
    axes.set_ylim(10.0**low, 10.0 ** (high + room))  # first, or the scale would look for its own
    axes.set_yscale("log", nonpositive="clip")
    _powers(axes)


def _ends(found: Sequence[Points]) -> Iterator[float]:
    for one in found:
        for y, spread in zip(one.y, one.spread or (0.0,) * len(one.y), strict=True):
            if not math.isnan(y):
                yield from (y - spread, y, y + spread)


def _powers(axes: Axes) -> None:
    """Write powers of ten, or round numbers between them where there is only one or two."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = (math.log10(limit) for limit in axes.get_ylim())
    if high - low < 0.6:
        axes.yaxis.set_minor_formatter(NullFormatter())
        _between(axes, 10.0**low, 10.0**high)
        return
    subs = (1.0, 2.0, 5.0) if high - low < 2 else (1.0,)
    plain = low >= -3.5 and high <= 4.5

    def write(value: float, _: int | None = None) -> str:
        exponent = math.floor(math.log10(value) + 1e-9)
        lead = round(value / 10.0**exponent)
        if plain:
            return f"{value:g}"
        power = "10" + str(exponent).translate(_SUPERSCRIPTS)
        return power if lead == 1 else f"{lead}·{power}"

    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(write))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _between(axes: Axes, low: float, high: float) -> None:
    """Write evenly spaced round numbers: within a third of a decade no power of ten need lie."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    values = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high)
    values = [v for v in values if low <= v <= high]
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(values, [f"{v:.4g}" for v in values])

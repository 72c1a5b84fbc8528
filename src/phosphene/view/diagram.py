"""A plot as a Matplotlib figure, laid out by measuring.

The axes keep their size. Around them the figure grows by what stands there: a legend above, where
it hides nothing, and names below, turned where they are too long to stand side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phosphene.panel import Plot
from phosphene.view import typeset
from phosphene.view.look import AXIS, GREY, INK, LABEL, LEGEND, RULE, TICK, TITLE, Look, measured
from phosphene.view.points import Points, gap, names, points
from phosphene.view.ticks import name_places, scale_heights, scale_places

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

WIDTH, AXES_HEIGHT = 600, 270
_PAD = 10
_WIDER = (1.1, 1.25, 1.45, 1.8)
"""The letters of diagrams are so much wider than those `typeset` measures, and seldom more."""
_GROUP = 0.8
_THIN = 7.5
"""Bars narrower than this many units have no hatch: it would be noise."""


def figure(plot: Plot, titled: bool) -> Figure:
    """Draw a plot; to be called, and its result written, inside `look.drawing`.

    Args:
        plot: What to draw.
        titled: Whether its title stands above it.

    Returns:
        The figure, at 72 dots per inch, so that a unit is a dot.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 72, 1), dpi=72, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    _plain(axes)
    found = points(plot)
    draw = _bars if plot.kind == "bars" else _lines
    handles = draw(axes, found)
    scale_heights(axes, plot, found)
    places = names(plot)
    if not places:
        scale_places(axes, plot, found)
    elif plot.kind == "lines" or not handles:
        axes.set_xlim(-0.5, len(places) - 0.5)
    if not handles:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=GREY)
        axes.set(xticks=[], yticks=[])
    axes.set_xlabel(_wrapped(plot.x, LABEL, WIDTH - 120, 2), color=GREY, fontsize=LABEL)
    axes.set_ylabel(_wrapped(plot.y, LABEL, AXES_HEIGHT, 2), color=GREY, fontsize=LABEL)
    title = _wrapped(plot.title, TITLE, WIDTH - 2 * _PAD, 3, "bold") if titled else ""
    _settle(figure, axes, places, title, _entries(found, handles))
    return figure


def _plain(axes: Axes) -> None:
    """Leave of the axes two thin gray lines and faint rules."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=AXIS, linewidth=0.8)
    axes.tick_params(which="both", color=AXIS, labelcolor=GREY, labelsize=TICK, width=0.8, length=4)
    axes.tick_params(which="minor", length=2.5, width=0.6)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


def _lines(axes: Axes, found: Sequence[Points]) -> dict[int, Artist]:
    """Draw lines; returns what the legend shows of each series, by its number."""
    handles: dict[int, Artist] = {}
    for one in (one for one in found if not one.empty):
        look = Look.of(one.number)
        # Earlier series stay on top: the first is what the plot is about.
        order = 3 - one.number / 100
        dashes = (0, look.dash) if look.dash else "solid"
        style: dict[str, Any] = {"color": look.color, "linestyle": dashes, "zorder": order}
        marks: dict[str, Any] = {
            "marker": look.marker,
            "markeredgecolor": "white",
            "markeredgewidth": 0.7,
        }
        size = 7.5 if look.marker in "PX*" else 6
        if one.few:
            (line,) = axes.plot(one.x, one.y, linewidth=1.5, markersize=size, **marks, **style)
        else:
            (line,) = axes.plot(one.x, one.y, linewidth=1.4, **style)
            alone = [one.x[i] for i in one.alone], [one.y[i] for i in one.alone]
            axes.plot(*alone, ".", color=look.color, markersize=5, zorder=order)
        handles[one.number] = line
        if any(one.spread) and one.few:
            _whiskers(axes, one, look.color, order, 2.5)
        elif any(one.spread):
            low = [y - s for y, s in zip(one.y, one.spread, strict=True)]
            high = [y + s for y, s in zip(one.y, one.spread, strict=True)]
            axes.fill_between(one.x, low, high, color=look.color, alpha=0.18, linewidth=0)
    axes.margins(x=0.025, y=0.06)
    return handles


def _bars(axes: Axes, found: Sequence[Points]) -> dict[int, Artist]:
    """Draw groups of bars, side by side at every place; returns as `_lines`."""
    shown = [one for one in found if not one.empty]
    apart = gap(shown)
    width = _GROUP * apart / max(len(shown), 1)
    places = [x for one in shown for x in one.x]
    span = max(places, default=0.0) - min(places, default=0.0) + apart
    units = 0.86 * WIDTH * width / span
    handles: dict[int, Artist] = {}
    for rank, one in enumerate(shown):
        look = Look.of(one.number)
        shift = (rank - (len(shown) - 1) / 2) * width
        kept = [(x + shift, y, i) for i, (x, y) in enumerate(zip(one.x, one.y, strict=True))]
        kept = [entry for entry in kept if not math.isnan(entry[1])]
        bars = axes.bar(
            [x for x, _, _ in kept],
            [y for _, y, _ in kept],
            width,
            color=look.color,
            edgecolor="white",
            linewidth=0.6 if units > 4 else 0,
            hatch=look.hatch if units >= _THIN else "",
        )
        handles[one.number] = bars[0]
        if any(one.spread):
            spread = tuple(one.spread[i] for _, _, i in kept)
            x, y = tuple(x for x, _, _ in kept), tuple(y for _, y, _ in kept)
            _whiskers(axes, Points("", one.number, x, y, spread), INK, 3, min(2.5, units / 4))
    if any(y < 0 for one in shown for y in one.y):
        axes.axhline(0, color=AXIS, linewidth=0.8)
    if shown:
        beside = (0.58 if len(set(places)) > 1 else 1.5) * apart
        axes.set_xlim(min(places) - beside, max(places) + beside)
    return handles


def _whiskers(axes: Axes, one: Points, color: str, order: float, cap: float) -> None:
    kept = [entry for entry in zip(one.x, one.y, one.spread, strict=True) if entry[2] > 0]
    x, y, spread = ([entry[k] for entry in kept] for k in range(3))
    axes.errorbar(
        x, y, spread, fmt="none", ecolor=color, elinewidth=1.0, capsize=cap, capthick=1.0,
        zorder=order - 0.005,
    )  # fmt: skip


def _entries(found: Sequence[Points], handles: dict[int, Artist]) -> list[tuple[Artist, str]]:
    """Pair what the legend shows of each named series with its name."""
    from matplotlib.lines import Line2D

    entries: list[tuple[Artist, str]] = []
    for one in found:
        if one.name:
            name = _wrapped(one.name, LEGEND, WIDTH - 140, 1)
            nothing = Line2D([], [], linestyle="none", marker="x", color=AXIS, markersize=5)
            handle = handles.get(one.number, nothing)
            entries.append((handle, name if one.number in handles else f"{name} (no values)"))
    return entries


def _settle(
    figure: Figure,
    axes: Axes,
    places: Sequence[str],
    title: str,
    entries: list[tuple[Artist, str]],
) -> None:
    """Give everything its place: the figure its height, the axes their margins."""
    legend = _legend(figure, entries) if entries else None
    legend_width, legend_height = _size(legend)
    title_height = (title.count("\n") + 1) * 1.3 * TITLE if title else 0.0
    left = right = bottom = 60.0
    above = 6.0
    # How far labels reach depends on the margins, and the margins on the labels.
    for attempt in range(4):
        top = _PAD + title_height + (6 if title else 0) + legend_height + (6 if legend else 0)
        top += above
        height = top + AXES_HEIGHT + bottom
        figure.set_size_inches(WIDTH / 72, height / 72)
        width = (WIDTH - left - right) / WIDTH
        axes.set_position((left / WIDTH, bottom / height, width, AXES_HEIGHT / height))
        if places and attempt < 2:  # thereafter the names must not change their minds
            name_places(axes, places, width * WIDTH)
        box = axes.bbox
        around = [axis.get_tightbbox(_renderer(figure)) for axis in (axes.xaxis, axes.yaxis)]
        reach = [extent for extent in around if extent is not None]
        left = box.x0 - min([r.x0 for r in reach] + [box.x0]) + _PAD
        right = max([r.x1 for r in reach] + [box.x1]) - box.x1 + _PAD
        bottom = box.y0 - min([r.y0 for r in reach] + [box.y0]) + _PAD
        above = max(6.0, max([r.y1 for r in reach] + [box.y1]) - box.y1)
    if title:
        at = _PAD / WIDTH, 1 - _PAD / height
        figure.text(*at, title, va="top", color=INK, fontsize=TITLE, fontweight="bold")
    if legend:
        y = 1 - (_PAD + title_height + (6 if title else 0)) / height
        x = max(_PAD, min(left, WIDTH - _PAD - legend_width)) / WIDTH
        legend.set_bbox_to_anchor((x, y), figure.transFigure)


def _legend(figure: Figure, entries: list[tuple[Artist, str]]) -> Legend:
    """Set a legend in as few lines as its names allow, to be read line by line."""
    count = len(entries)
    columns = count
    while True:
        columns = math.ceil(count / math.ceil(count / columns))
        # Matplotlib fills column by column.
        order = [i for c in range(columns) for i in range(c, count, columns)]
        legend = figure.legend(
            [entries[i][0] for i in order],
            ["name"] * count,  # the real ones may begin with "_", which would hide them
            loc="upper left", ncols=columns, frameon=False, fontsize=LEGEND, labelcolor=INK,
            borderpad=0, borderaxespad=0, handlelength=2.6, columnspacing=1.6, labelspacing=0.45,
        )  # fmt: skip
        for text, i in zip(legend.get_texts(), order, strict=True):
            text.set_text(entries[i][1])
        if columns == 1 or _size(legend)[0] <= WIDTH - 4 * _PAD:
            return legend
        legend.remove()
        columns -= 1


def _renderer(figure: Any) -> Any:
    return figure.canvas.get_renderer()  # what measures; it has no types


def _size(legend: Legend | None) -> tuple[float, float]:
    """Measure (width, height), in units; nothing takes nothing."""
    if legend is None or legend.figure is None:
        return 0.0, 0.0
    extent = legend.get_window_extent(_renderer(legend.figure))
    return float(extent.width), float(extent.height)


def _wrapped(text: str, size: int, width: float, most: int, weight: str = "normal") -> str:
    """Break a text into lines that fit that width, in units."""
    lines: list[str] = []
    for wider in _WIDER:
        lines = typeset.wrap(text, size, width / wider, most)
        if all(measured(line, size, weight) <= width for line in lines):
            break
    return "\n".join(lines)

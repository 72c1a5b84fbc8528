"""Plots drawn: as a picture of many pixels, and as SVG that stays sharp at every size."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from phosphene.panel import Plot
from phosphene.view.diagram import figure
from phosphene.view.look import drawing
from phosphene.view.svg import cleaned


def plot_image(plot: Plot, scale: float = 2.0, titled: bool = True) -> Image.Image:
    """Draw a plot as a picture.

    Args:
        plot: What to draw.
        scale: Pixels to a unit; a plot is 600 units wide and its letters are 11 to 14 units high.
        titled: Whether its title stands above it.

    Returns:
        8-bit RGB on white.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with drawing():
        drawn = figure(plot, titled)
        drawn.set_dpi(72 * scale)
        canvas: Any = FigureCanvasAgg(drawn)  # without types
        canvas.draw()
        pixels = canvas.buffer_rgba()
        size = canvas.get_width_height(physical=True)
        return Image.frombytes("RGBA", size, bytes(pixels)).convert("RGB")


def plot_svg(plot: Plot, titled: bool = True, prefix: str | None = None) -> str:
    """Draw a plot as SVG.

    Equal plots give equal text. Letters stay letters, which can be searched and edited.

    Args:
        plot: What to draw.
        titled: Whether its title stands above it; assistive technology hears it in any case.
        prefix: What its ids begin with; `None` for a file of its own.

    Returns:
        A document, or with a prefix one `<svg>` element to stand in a page, without namespaces and
        without a size of its own.
    """
    file = io.StringIO()
    with drawing():
        figure(plot, titled).savefig(file, format="svg", metadata={"Date": None})
    return cleaned(file.getvalue(), plot.title or "plot", _told(plot), prefix)


def _told(plot: Plot) -> str:
    """Say in words what a plot holds, for those who do not see it."""
    axes = [f"{side}: {name}" for side, name in (("horizontal", plot.x), ("vertical", plot.y))]
    axes = [part for part, name in zip(axes, (plot.x, plot.y), strict=True) if name]
    series = ", ".join(one.name for one in plot.series if one.name)
    kind = "bars" if plot.kind == "bars" else "lines"
    return "; ".join([*axes, *([f"{kind}: {series}"] if series else [])])

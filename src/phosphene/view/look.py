"""How diagrams look: colors, dashes, markers, hatches, and the state Matplotlib draws them in.

Colors are those of Okabe and Ito (all kinds of color vision tell them apart) but for yellow, which
white swallows; a dark red stands in its place. No two of the first 24 looks agree in both color
and dash, so lines can be told apart in gray as well.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

INK, GREY, AXIS, RULE = "#161616", "#4a4a4a", "#8c8c8c", "#e9e9e9"
TITLE, LABEL, TICK, LEGEND = 14, 12, 11, 11
"""Sizes of letters, in the units of a diagram 600 units wide."""

_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3b3b3b", "#882255",
)  # fmt: skip
_DASHES: tuple[tuple[float, ...], ...] = (
    (), (5, 1.8), (1.4, 1.4), (7, 1.6, 1.4, 1.6), (9, 1.8), (5, 1.4, 1.2, 1.4, 1.2, 1.4),
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
# Of strokes only: dots would swell an SVG tenfold.
_HATCHES = (
    "", "////", "----", "\\\\\\\\", "xxxx", "||||", "++++", "//", "--", "\\\\", "xx", "||",
)  # fmt: skip
_ELSEWHERE = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "PingFang SC",
              "Hiragino Sans", "Microsoft YaHei", "Malgun Gothic", "Noto Sans Arabic",
              "Noto Sans Devanagari", "Arial Unicode MS")  # fmt: skip
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Look:
    """How one series is told from the others.

    Attributes:
        color: As `#rrggbb`.
        dash: Lengths of strokes and gaps, in line widths; empty for a solid line.
        marker: Matplotlib's name of it.
        hatch: Matplotlib's pattern for bars; empty for none.
    """

    color: str
    dash: tuple[float, ...]
    marker: str
    hatch: str

    @classmethod
    def of(cls, number: int) -> Look:
        """Give the look of the series of that number, counted from 0."""
        return cls(
            _COLORS[number % len(_COLORS)],
            _DASHES[number % len(_DASHES)],
            _MARKERS[number % len(_MARKERS)],
            _HATCHES[number % len(_HATCHES)],
        )


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in Matplotlib's own defaults, whatever a notebook has set, and leave those alone.

    What cannot be said of a figure (what its SVG is like) can be said in global settings only.
    They are restored at the end; the lock keeps two threads from restoring each other's.
    """
    import matplotlib.style

    ours = {
        "font.family": list(_families()),
        "text.parse_math": False,
        "text.hinting": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "phosphene",
        "hatch.linewidth": 0.8,
        "path.simplify_threshold": 0.05,
    }
    with _LOCK, matplotlib.style.context(["default", ours]), warnings.catch_warnings():
        # A letter that no font has is drawn as a box, and in an SVG is the reader's to find.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph")
        yield


def measured(text: str, size: int = TICK, weight: str = "normal") -> float:
    """Measure a line, in units; to be called inside `drawing`."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """Name the fonts: the one Matplotlib carries, then what the system has for other scripts."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in _ELSEWHERE if name in known))

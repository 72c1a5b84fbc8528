"""Lines and bars of a study: means over what else varies, by layer or by class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phosphene.panel import Series
from phosphene.studies.tabulated import averaged, line


def curve(
    name: str, rows: Iterable[Mapping[str, Any]], by: str, what: str, times: float = 1.0
) -> Series:
    """Draw the mean of a number, with its 95 % interval where three values or more make it up.

    Args:
        name: For the legend.
        rows: What was measured; `None` and what is missing are left out.
        by: Entry of the rows to stand along the axis, in the order they come.
        what: Entry to be drawn.
        times: What it is multiplied by: 100 for per cent.

    >>> rows = [{"layer": "conv1", "error": 0.25}, {"layer": "conv1", "error": 0.75}]
    >>> curve("", rows, "layer", "error", 100)
    Series(name='', x=('conv1',), y=(50.0,), spread=(0.0,))
    """
    rows = list(rows)
    places = tuple(dict.fromkeys(str(row[by]) for row in rows))
    found = [averaged(r.get(what) for r in rows if str(r[by]) == place) for place in places]
    return line(name, places, found, times)

"""What others reported: tables 3.1, 3.2 and 4.1 of Mahendran's thesis, quoted.

They print beside what is measured here, and never as if it had been: on small sets, with other
networks or fewer updates, ours are not comparable to them.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources

from phosphene.errors import SettingError, nearest


@dataclass(frozen=True)
class Quoted:
    """One reported number.

    Attributes:
        table: Of the thesis, in which it stands.
        method: Who, or what they call it.
        supervision: What it learned from; empty where the table says nothing.
        network: The architecture.
        source: Where the thesis has the number from; `"the thesis"` for its own.
        benchmark: What was measured: `"VOC2007 classification"` (mean average precision),
            `"VOC2007 detection"` (likewise), `"VOC2012 segmentation"` (mean IoU), or
            `"ImageNet conv1"` to `"ImageNet conv5"` (top-1 of linear probes).
        percent: The number.
    """

    table: str
    method: str
    supervision: str
    network: str
    source: str
    benchmark: str
    percent: float


@cache
def all_published() -> tuple[Quoted, ...]:
    """Return every number, in the order of the tables.

    >>> len({row.method for row in all_published()}) > 20
    True
    """
    text = resources.files("phosphene.transfer").joinpath("data", "published.csv").read_text("utf8")
    return tuple(
        Quoted(**{**row, "percent": float(row["percent"])})  # type: ignore[arg-type]
        for row in csv.DictReader(io.StringIO(text))
    )


def published(benchmark: str) -> tuple[Quoted, ...]:
    """Return what was reported for a benchmark, in the order of the tables.

    Args:
        benchmark: See `Quoted`.

    Raises:
        SettingError: Nothing was.

    >>> max(published("VOC2007 detection"), key=lambda row: row.percent).method
    'Krizhevsky et al.'
    """
    found = tuple(row for row in all_published() if row.benchmark == benchmark)
    if not found:
        known = list(dict.fromkeys(row.benchmark for row in all_published()))
        hint = nearest(benchmark, known) or f": take one of {', '.join(known)}"
        raise SettingError(f"nothing is quoted for {benchmark!r}{hint}")
    return found

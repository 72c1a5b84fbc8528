"""Lines in columns, each of its own length: whole in a narrow terminal and for programs."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Collection, Sequence

_SENTENCE = 60
"""Letters from which on a cell is no number and no name."""


def in_columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Align the cells of rows; columns without any text are left out.

    Args:
        rows: Cells, as many in each row.
        right: Numbers of the columns that are flush right.

    >>> in_columns([("a", "", "10"), ("bcd", "", "9")], right=(2,))
    ['a    10', 'bcd   9']
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:>{width}}" if i in right else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in rows
    ]


def for_a_person(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Set a table with its heads in columns, or, where cells hold sentences, in paragraphs.

    >>> for_a_person([("claim", "found"), ("edges", "They are" + " there" * 9)])
    ['edges', '  They are there there there there there there there there there']
    """
    if max((len(cell) for row in rows[1:] for cell in row), default=0) < _SENTENCE:
        return in_columns(rows, right)
    width = max(40, min(100, shutil.get_terminal_size().columns - 4))
    lines: list[str] = []
    for row in rows[1:]:
        lines.append(row[0])
        for cell in filter(None, row[1:]):
            lines += textwrap.wrap(cell, width, initial_indent="  ", subsequent_indent="  ")
    return lines

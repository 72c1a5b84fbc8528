"""Lines in columns, each of its own length: whole in a narrow terminal and for programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence


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

"""Class names from a file."""

from __future__ import annotations

import csv
from pathlib import Path

from phosphene.errors import FormatError


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Read class names from a file.

    Args:
        path: CSV with a header that has `name`, and `index` if the rows are not in order; or
            plain text with one name a line.

    Raises:
        FormatError: The file is missing, no text, or its indices have gaps.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise FormatError(f"there is no file of labels {path}: check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is no text file of labels ({error})") from None
    header = next(csv.reader(lines[:1]), [])
    if "name" not in header:
        return tuple(line.strip() for line in lines if line.strip())
    rows = list(csv.DictReader(lines))
    if not all(row["name"] for row in rows):
        raise FormatError(f"{path} holds a row without a name")
    if "index" not in header:
        return tuple(row["name"] for row in rows)
    try:
        named = {int(row["index"]): row["name"] for row in rows}
    except (TypeError, ValueError):
        raise FormatError(f"{path} holds an index that is no number") from None
    if sorted(named) != list(range(len(rows))):
        raise FormatError(f"the indices in {path} do not run from 0 to {len(rows) - 1} in one row")
    return tuple(named[i] for i in range(len(named)))

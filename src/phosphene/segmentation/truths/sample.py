"""A list of boxes in one JSON file, beside the photographs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from phosphene.errors import FormatError
from phosphene.segmentation.truths.notation import read_json
from phosphene.segmentation.truths.pixels import inside
from phosphene.segmentation.truths.record import Box, Truth, Truths


def read_boxes_json(
    path: str | Path, photos: str | Path | None = None, *, inclusive: bool = False
) -> Truths:
    """Read boxes from a small JSON file.

    ```json
    {"boxes": {"tench.jpg": {"class": "tench", "difficult": false,
                             "objects": [[24, 88, 292, 206]]}}}
    ```

    Args:
        path: The file. `objects` are x0, y0, x1, y1 in pixels, counted from 0.
        photos: The folder of photographs; the file's own if None.
        inclusive: Whether x1 and y1 are the last pixels of a box; otherwise the first ones after
            it, so that a box to the right border has x1 = the photograph's width.

    Raises:
        FormatError: The file is missing, damaged, or of another kind.
    """
    path = Path(path)
    folder = Path(photos) if photos is not None else path.parent
    root = read_json(path)
    entries = root.get("boxes") if isinstance(root, dict) else None
    if not isinstance(entries, dict):
        raise FormatError(f'{path} has no "boxes": an object of file names and boxes is needed')
    names = list(entries)

    def read(number: int) -> Truth:
        name = names[number]
        boxes = _boxes(entries[name], path, name, 1 if inclusive else 0)
        classes = tuple(dict.fromkeys(box.label for box in boxes))
        return Truth(name, inside(folder, name, path), (), boxes, classes)

    return Truths(names, read)


def _boxes(entry: Any, path: Path, name: str, last: int) -> tuple[Box, ...]:
    fields = entry if isinstance(entry, dict) else {}
    label, objects = fields.get("class"), fields.get("objects")
    if not isinstance(label, str) or not isinstance(objects, list):
        raise FormatError(f'{path} has no "class" and "objects" for {name!r}')
    boxes = []
    for corners in objects:
        plain = isinstance(corners, list) and len(corners) == 4
        if not plain or not all(type(c) in (int, float) and math.isfinite(c) for c in corners):
            raise FormatError(f"{path} has a box for {name!r} that is not four numbers")
        x0, y0, x1, y1 = (float(corner) for corner in corners)
        if x1 + last <= x0 or y1 + last <= y0:
            raise FormatError(f"{path} has the empty box {corners} for {name!r}")
        difficult = fields.get("difficult") is True
        boxes.append(Box(label, x0, y0, x1 + last, y1 + last, difficult))
    return tuple(boxes)

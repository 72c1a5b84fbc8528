"""Files of proposed boxes: those of Girshick's releases, and ours.

```text
.mat     `boxes`: a cell for every photograph, (n, 4) rows (y1, x1, y2, x2), pixels counted from 1,
         first and last inside; `images`: their names. So are voc_2007_trainval.mat and
         voc_2007_test.mat, which Fast R-CNN was published with.
.npz     `names` (n,), `counts` (n,), `boxes` (all, 4): see `Proposals.save`
.json    {"NAME": [[left, top, right, bottom], ...], ...}
```
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError
from phosphene.transfer.detection.proposals.record import Proposals


def read_proposals(path: str | Path, names: Sequence[str] = ()) -> Proposals:
    """Read a file of boxes.

    Args:
        path: A `.mat`, `.npz` or `.json` file; see above.
        names: Of the photographs in the order of the file, for a `.mat` without `images`.

    Raises:
        FormatError: It is missing, damaged or of another kind, or boxes are no boxes.
    """
    path = Path(path)
    readers = {".mat": _of_matlab, ".npz": _of_arrays, ".json": _of_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FormatError(
            f"{path} is no file of proposed boxes: give a .mat of selective search, or .npz or "
            ".json as the documentation has them"
        )
    if not path.is_file():
        raise FormatError(f"there is no file {path}: check the path")
    try:
        held = reader(path, names)
    except FormatError:
        raise
    except Exception as error:  # what a damaged file makes a reader raise can be anything
        raise FormatError(
            f"{path} cannot be read as proposed boxes ({type(error).__name__}: {error}): fetch or "
            "make it again"
        ) from None
    return Proposals({name: _checked(path, name, boxes) for name, boxes in held.items()})


def _of_matlab(path: Path, names: Sequence[str]) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        held = loadmat(str(path), variable_names=["boxes", "images"])
    except NotImplementedError:
        raise FormatError(
            f"{path} is of MATLAB 7.3, which is not read here: save it with -v7"
        ) from None
    if "boxes" not in held:
        raise FormatError(f"{path} holds no `boxes`: give a file of selective search's boxes")
    cells = list(held["boxes"].ravel())
    if "images" in held:
        names = [str(np.asarray(cell).ravel()[0]) for cell in held["images"].ravel()]
    if len(names) != len(cells):
        raise FormatError(
            f"{path} holds boxes of {len(cells)} photographs and names of {len(names)}: give the "
            "photographs that it was made for, in their order"
        )
    found = {}
    for name, cell in zip(names, cells, strict=True):
        boxes = _checked(path, name, cell)
        # From first and last pixels counted from 1 to edges counted from 0.
        found[name] = boxes[:, (1, 0, 3, 2)] - np.array([1.0, 1.0, 0.0, 0.0])
    return found


def _of_arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as held:
        counts, boxes, known = held["counts"], held["boxes"], held["names"]
    if counts.sum() != len(boxes) or len(counts) != len(known) or (counts < 0).any():
        raise FormatError(
            f"{path} says it has {int(counts.sum())} boxes of {len(known)} photographs, and has "
            f"{len(boxes)}: make it again"
        )
    ends = np.cumsum(counts)[:-1]
    return dict(zip(map(str, known), np.split(boxes, ends), strict=True))


def _of_json(path: Path, names: Sequence[str]) -> dict[str, Any]:
    held = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(held, dict):
        raise FormatError(
            f'{path} is no {{"NAME": [[left, top, right, bottom], ...]}}: write it so'
        )
    return held


def _checked(path: Path, name: str, boxes: Any) -> NDArray[np.float64]:
    try:
        made: NDArray[np.float64] = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):
        made = np.full((1, 1), np.nan)
    if made.size == 0:
        return np.zeros((0, 4))
    if made.ndim != 2 or made.shape[1] != 4 or not np.isfinite(made).all():
        raise FormatError(
            f"{path} has for {name!r} {made.shape} numbers that are no boxes: give four finite "
            "numbers a box"
        )
    return made

"""PASCAL VOC classification: which classes are present in a photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phosphene.errors import ImageError
from phosphene.transfer.benchmarks.file_sets import TaggedFiles
from phosphene.transfer.benchmarks.listing import lines_of, many, some
from phosphene.transfer.benchmarks.voc import VocFolder

# In the files: 1 present, -1 not, 0 present as difficult objects alone.
_PRESENT = {"1": 1, "-1": 0, "0": -1}


def open_voc_tags(folder: str | Path, split: str = "trainval", *, year: int = 2007) -> TaggedFiles:
    """Open a split of PASCAL VOC's classification task.

    What is present stands in `ImageSets/Main/CLASS_SPLIT.txt`: 1, -1, or 0 for "difficult" alone,
    which becomes 1, 0 and -1.

    Args:
        folder: `VOC2007`, or a folder that holds it.
        split: "train", "val", "trainval" or "test".
        year: Which VOC, where the folder holds several.

    Raises:
        SettingError: There is no such split.
        ImageError: A list is missing or damaged, or says nothing of a photograph.

    *Reference*: Everingham et al. 2010, "The PASCAL visual object classes challenge".
    """
    voc = VocFolder.find(folder, year)
    listed = voc.split("Main", split)
    notes, classes = listed.notes, voc.classes()
    present = np.zeros((len(listed.names), len(classes)), np.int8)
    extra: dict[str, None] = {}
    for number, class_ in enumerate(classes):
        path = voc.root / "ImageSets" / "Main" / f"{class_}_{split}.txt"
        values = _values(path)
        silent = [name for name in listed.names if name not in values]
        if silent:
            raise ImageError(
                f"{path} says nothing of {many(len(silent), 'photograph')} of the split: "
                f"{some(silent)}: fetch it again"
            )
        present[:, number] = [values[name] for name in listed.names]
        if len(values) > len(listed.names):
            extra.update(dict.fromkeys(values.keys() - set(listed.names)))
    beyond = sorted(extra.keys() - set(listed.missing))
    if beyond:
        notes.append(
            f"the lists of classes name {many(len(beyond), 'photograph')} that {split}.txt does "
            f"not, left out: {some(beyond)}"
        )
    none = [name for name, has in zip(classes, (present == 1).any(0), strict=True) if not has]
    if none:
        notes.append(f"no photograph of {split} shows {some(none)}")
    return TaggedFiles(voc.root, listed.files, classes, present, notes, listed.names)


def _values(path: Path) -> dict[str, int]:
    values = {}
    for number, line in enumerate(lines_of(path), 1):
        words = line.split()
        if len(words) != 2 or words[1] not in _PRESENT:
            raise ImageError(
                f"line {number} of {path} is {line[:80]!r}: a photograph and 1, 0 or -1 are needed"
            )
        values[words[0]] = _PRESENT[words[1]]
    return values

"""Which class each photograph of ImageNet's validation set is of, where no folder says so.

Two orders of the classes are about. Caffe's `val.txt` counts them from 0 in the order of their
WordNet numbers, as folders stand. The development kit's ground truth counts them from 1 in an order
of its own, which only its `meta.mat` (or `map_clsloc.txt`) explains: taken for the other, nearly
every label is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import ImageError
from phosphene.transfer.benchmarks.label_maps import read_matlab
from phosphene.transfer.benchmarks.listing import lines_of

_PLACES = (
    "",
    "devkit",
    "devkit/data",
    "data",
    "ILSVRC2012_devkit_t12/data",
    "ILSVRC2012_devkit_t12",
    "caffe_ilsvrc12",
    "val",
)
_TRUTHS = (
    "ILSVRC2012_validation_ground_truth.txt",
    "ILSVRC2015_clsloc_validation_ground_truth.txt",
)
_NUMBERED = re.compile(r".*_val_\d{8}")
_WORDNET = re.compile(r"n\d{8}")

Truth = Mapping[str, str]
"""WordNet number of each photograph, by its name without folder and suffix."""


def validation_truth(
    folders: Sequence[Path], names: Sequence[str], classes: Sequence[str]
) -> Truth:
    """Find out the classes of photographs.

    Taken is the first that is found of Kaggle's `LOC_val_solution.csv`; `val.txt` with the index of
    the class (in `synsets.txt` where that is beside it, else in `classes`) or its WordNet number;
    and the development kit's ground truth with `meta.mat` or `map_clsloc.txt`.

    Args:
        folders: Where to look, there and in the folders of a development kit.
        names: Names of the photographs, without suffix.
        classes: WordNet numbers in their order; empty where nobody knows.

    Raises:
        ImageError: There is none of them, or one is damaged.
    """
    readers: dict[str, Callable[[Path], Truth]] = {
        "LOC_val_solution.csv": _of_kaggle,
        "val.txt": lambda path: _of_caffe(path, classes),
        **dict.fromkeys(_TRUTHS, lambda path: _of_kit(path, names)),
    }
    for name, read in readers.items():
        for folder in folders:
            for place in _PLACES:
                if (path := folder / place / name).is_file():
                    return read(path)
    raise ImageError(
        f"nothing beside {folders[0]} says which class a photograph of val is of: give each class "
        f"a folder, or put there {_TRUTHS[0]} with meta.mat, val.txt, or LOC_val_solution.csv"
    )


def synsets_of_kit(folder: Path) -> dict[int, str]:
    """Read the development kit's numbers of the classes.

    Args:
        folder: With `meta.mat` or `map_clsloc.txt`.

    Returns:
        WordNet numbers by the kit's, which count from 1.

    Raises:
        ImageError: Neither is there, or it is damaged.
    """
    for place in (folder, folder / "data"):
        if (place / "map_clsloc.txt").is_file():
            rows = [line.split() for line in lines_of(place / "map_clsloc.txt")]
            return _numbered(((row[1:2], row[0]) for row in rows), place / "map_clsloc.txt")
        if (place / "meta.mat").is_file():
            found = np.atleast_1d(read_matlab(place / "meta.mat", "synsets"))
            leaves = [each for each in found if not int(getattr(each, "num_children", 0))]
            fields = (([getattr(e, "ILSVRC2012_ID", "")], getattr(e, "WNID", "")) for e in leaves)
            return _numbered(fields, place / "meta.mat")
    raise ImageError(
        f"{folder} has neither meta.mat nor map_clsloc.txt, without which the numbers of the "
        "development kit's ground truth say nothing: they are not those of sorted folders"
    )


def _numbered(rows: Any, path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for number, wordnet in rows:
        digits = str(number[0]) if number else ""
        if not digits.isdecimal() or not _WORDNET.fullmatch(str(wordnet)):
            raise ImageError(f"{path} has a class that is not a number and a WordNet number")
        found[int(digits)] = str(wordnet)
    return found


def _of_kit(path: Path, names: Sequence[str]) -> Truth:
    synsets = synsets_of_kit(path.parent)
    strange = [name for name in names if not _NUMBERED.fullmatch(name)]
    if strange:
        raise ImageError(
            f"{strange[0]} has no number, by which {path} knows it: ILSVRC2012_val_00000001 is "
            "what the photographs are called"
        )
    begins = names[0][:-8]
    found = {}
    for number, line in enumerate(lines_of(path), 1):
        if not line.isdecimal() or int(line) not in synsets:
            raise ImageError(f"line {number} of {path} is {line[:40]!r}: no known class")
        found[f"{begins}{number:08d}"] = synsets[int(line)]
    return found


def _of_caffe(path: Path, classes: Sequence[str]) -> Truth:
    beside = path.with_name("synsets.txt")
    if beside.is_file():
        classes = [line.split()[0] for line in lines_of(beside)]
    found = {}
    for number, line in enumerate(lines_of(path), 1):
        name, _, value = line.rpartition(" ")
        value, name = value.strip(), name.strip()
        if _WORDNET.fullmatch(value):
            found[_bare(name)] = value
        elif value.isdecimal() and int(value) < len(classes):
            found[_bare(name)] = classes[int(value)]
        else:
            raise ImageError(
                f"line {number} of {path} is {line[:80]!r}: a photograph and the index of its "
                f"class, 0 to {len(classes) - 1}, are needed; put synsets.txt beside it where "
                "there are fewer folders than classes"
            )
    return found


def _of_kaggle(path: Path) -> Truth:
    found = {}
    for line in lines_of(path)[1:]:
        name, _, boxes = line.partition(",")
        wordnet = boxes.split()[0] if boxes.split() else ""
        if not _WORDNET.fullmatch(wordnet):
            raise ImageError(f"{path} has the line {line[:80]!r}: name,WORDNET x y x y is needed")
        found[_bare(name)] = wordnet
    return found


def _bare(name: str) -> str:
    return Path(name).stem

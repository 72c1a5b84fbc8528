"""Layouts of data sets: what they look like, what is known in them, which splits are usual."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from phosphene.errors import PhospheneError, SettingError
from phosphene.transfer.benchmarks.caltech import FOLDERS, open_caltech
from phosphene.transfer.benchmarks.class_folders import open_class_folders
from phosphene.transfer.benchmarks.coco import open_coco
from phosphene.transfer.benchmarks.imagenet import ROOTS, open_imagenet
from phosphene.transfer.benchmarks.listing import folders_in
from phosphene.transfer.benchmarks.sbd import SbdFolder
from phosphene.transfer.benchmarks.tar_shards import open_tar_shards
from phosphene.transfer.benchmarks.voc import VocFolder
from phosphene.transfer.benchmarks.voc_boxes import open_voc_boxes
from phosphene.transfer.benchmarks.voc_labels import (
    AUGMENTED,
    AUGMENTED_LABELS,
    open_sbd,
    open_voc_labels,
)
from phosphene.transfer.benchmarks.voc_tags import open_voc_tags

Kind = Literal["sorted", "tagged", "boxed", "labelled"]
"""What must be known of photographs; each a protocol of `records`."""

_WORDNET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Options:
    """What may be said of a data set beside its folder.

    Attributes:
        split: Which share of it.
        sbd: Folder of SBD, for VOC's augmented training set.
        classes: File of the names of classes, for shards.
        index: File for what the headers of shards say.
        photos: Folder of photographs, for COCO.
    """

    split: str = ""
    sbd: str = ""
    classes: str = ""
    index: str = ""
    photos: str = ""


@dataclass(frozen=True)
class Layout:
    """A layout.

    Attributes:
        fits: Says whether a place looks like it.
        readers: What opens it, by what is to be known.
        splits: Gives the usual splits to train and to test with.
        takes: Options that say something of it.
    """

    fits: Callable[[str], bool]
    readers: Mapping[Kind, Callable[[str, Options], Any]]
    splits: Callable[[str, Kind, Options], tuple[str, str]]
    takes: tuple[str, ...] = ("split",)


def _voc(year: int) -> Layout:
    other = "2012" if year == 2007 else "2007"

    def fits(place: str) -> bool:
        found = _found(lambda: VocFolder.find(place, year))
        return found is not None and other not in found.root.name

    def labels(place: str, options: Options) -> Any:
        return open_voc_labels(place, options.split, year=year, sbd=options.sbd or None)

    def splits(place: str, kind: Kind, options: Options) -> tuple[str, str]:
        if year == 2007:
            return "trainval", "test"
        augmented = options.sbd or (VocFolder.find(place, year).root / AUGMENTED_LABELS).is_dir()
        return (AUGMENTED[0] if kind == "labelled" and augmented else "train"), "val"

    return Layout(
        fits,
        {
            "tagged": lambda place, options: open_voc_tags(place, options.split, year=year),
            "boxed": lambda place, options: open_voc_boxes(place, options.split, year=year),
            "labelled": labels,
        },
        splits,
        ("split", "sbd"),
    )


def _is_imagenet(place: str) -> bool:
    roots = [Path(place) / root for root in ROOTS]
    train = [root / split for root in roots for split in ("train", "val")]
    return any(_WORDNET.fullmatch(n) for t in train if t.is_dir() for n in folders_in(t))


def _is_coco(place: str) -> bool:
    path = Path(place)
    in_folder = path.is_dir() and any((path / "annotations").glob("instances_*.json"))
    return in_folder or (path.is_file() and path.suffix == ".json")


def _are_shards(place: str) -> bool:
    path = Path(place)
    if not path.is_dir():
        return path.suffix == ".tar"
    return any(path.glob("*.tar")) or any(path.glob("*/*.tar"))


def _is_caltech(place: str) -> bool:
    path = Path(place)
    return path.name in FOLDERS or any((path / name).is_dir() for name in FOLDERS)


def _shards(place: str, options: Options) -> Any:
    names, index = options.classes or None, options.index or None
    return open_tar_shards(place, options.split, classes=names, index=index)


def _coco(place: str, options: Options) -> Any:
    return open_coco(place, options.split, photos=options.photos or None)


def _train_and(*tests: str) -> Callable[[str, Kind, Options], tuple[str, str]]:
    """Test with the first of several splits that has a folder; the last if none has."""

    def splits(place: str, kind: Kind, options: Options) -> tuple[str, str]:
        return "train", next((t for t in tests if (Path(place) / t).is_dir()), tests[-1])

    return splits


def _none_usual(place: str, kind: Kind, options: Options) -> tuple[str, str]:
    raise SettingError(
        f"{place} comes without splits: photographs to train and to test with are drawn"
    )


def _found(find: Callable[[], VocFolder]) -> VocFolder | None:
    try:
        return find()
    except PhospheneError:
        return None


def _is_sbd(place: str) -> bool:
    try:
        return bool(SbdFolder.find(place).maps)
    except PhospheneError:
        return False


# In the order they are tried in, the plainest last.
LAYOUTS: dict[str, Layout] = {
    "voc07": _voc(2007),
    "voc12": _voc(2012),
    "sbd": Layout(
        _is_sbd,
        {"labelled": lambda place, options: open_sbd(place, options.split)},
        lambda place, kind, options: ("train", "val"),
    ),
    "coco": Layout(
        _is_coco,
        {"boxed": _coco},
        lambda place, kind, options: ("train2017", "val2017"),
        ("split", "photos"),
    ),
    "imagenet": Layout(
        _is_imagenet,
        {"sorted": lambda place, options: open_imagenet(place, options.split)},
        lambda place, kind, options: ("train", "val"),
    ),
    "shards": Layout(
        _are_shards, {"sorted": _shards}, _train_and("test", "val"), ("split", "classes", "index")
    ),
    "caltech": Layout(
        _is_caltech,
        {"sorted": lambda place, options: open_caltech(place, options.split)},
        _none_usual,
    ),
    "folders": Layout(
        lambda place: Path(place).is_dir(),
        {"sorted": lambda place, options: open_class_folders(place, options.split)},
        _train_and("test", "val"),
    ),
}


def layout_of(place: str, kind: Kind) -> str:
    """Find out a place's layout; empty if none fits that knows what is to be known."""
    # Of both years, 2012 is the one whose pixels are labelled in tables.
    order = sorted(LAYOUTS, key=lambda name: kind == "labelled" and name == "voc07")
    fitting = (name for name in order if kind in LAYOUTS[name].readers)
    return next((name for name in fitting if LAYOUTS[name].fits(place)), "")

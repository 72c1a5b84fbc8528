"""ImageNet (ILSVRC 2012): training photographs in folders, validation in folders or flat."""

from __future__ import annotations

import os
from pathlib import Path

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.transfer.benchmarks.class_folders import class_folders
from phosphene.transfer.benchmarks.file_sets import SortedFiles
from phosphene.transfer.benchmarks.imagenet_truth import validation_truth
from phosphene.transfer.benchmarks.listing import are, folders_in, many, photographs_in, some

ROOTS = ("", "ILSVRC2012", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")


def open_imagenet(folder: str | Path, split: str = "train") -> SortedFiles:
    """Open a split of ImageNet.

    Classes are the folders of `train`, in the order of their WordNet numbers; of 100 such folders
    the validation set has those 100 classes alone. Without `train` they are those of `val`.

    Args:
        folder: With `train` and `val`, or unpacked as Kaggle gives it.
        split: "train" (`train/n01440764/*.JPEG`) or "val": laid out alike, or flat with
            `ILSVRC2012_validation_ground_truth.txt` and `meta.mat` of the development kit,
            `val.txt` or `LOC_val_solution.csv` beside it (see `imagenet_truth`).

    Raises:
        SettingError: There is no such split.
        ImageError: It is not there, or nothing says of which class a photograph is.

    *Reference*: Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge".
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"there is no folder {folder}: check the path")
    root = next((folder / r for r in ROOTS if split and (folder / r / split).is_dir()), None)
    if root is None:
        there = sorted(
            {name for r in ROOTS if (folder / r).is_dir() for name in folders_in(folder / r)}
        )
        hint = nearest(split, there) or ": train and val are looked for"
        raise SettingError(f"{folder} has no split {split!r}{hint}")
    place = root / split
    trained = folders_in(root / "train") if (root / "train").is_dir() else []
    folders = folders_in(place)
    if folders:
        classes = trained or folders
        strange = sorted(set(folders) - set(classes))
        notes = []
        if strange:
            left = many(len(strange), "folder")
            notes.append(
                f"{left} of {place} that are none of {root / 'train'} are left out: {some(strange)}"
            )
        return class_folders(place, classes, notes=notes)
    return _flat(place, [root, folder, root.parent], trained)


def _flat(place: Path, beside: list[Path], classes: list[str]) -> SortedFiles:
    files, others = photographs_in(place)
    if not files:
        raise ImageError(f"{place} holds no photographs: check the path")
    names = [os.path.splitext(file)[0] for file in files]
    truth = validation_truth(beside, names, classes)
    notes = []
    if others and (odd := [o for o in others if not o.endswith((".txt", ".csv"))]):
        count = many(len(odd), "file")
        notes.append(f"{count} of {place} {are(len(odd))} no photograph: {some(odd)}")
    unknown = [name for name in names if name not in truth]
    if unknown:
        notes.append(
            f"{many(len(unknown), 'photograph')} of no known class {are(len(unknown))} left out: "
            f"{some(unknown)}"
        )
    classes = classes or sorted(set(truth.values()))
    known = set(classes)
    missing = sorted(n for n in truth.keys() - set(names) if truth[n] in known)
    if missing:
        notes.append(
            f"{many(len(missing), 'photograph')} that the list of classes names "
            f"{are(len(missing))} missing: {some(missing)}"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    kept = [
        (f, numbers[truth[n]]) for f, n in zip(files, names, strict=True) if truth.get(n) in numbers
    ]
    if not kept:
        raise ImageError(f"of the photographs of {place} none is of a class of train")
    other = len(files) - len(unknown) - len(kept)
    if other:
        notes.append(
            f"{many(other, 'photograph')} of classes that train does not have {are(other)} left out"
        )
    none = sorted(set(range(len(classes))) - {number for _, number in kept})
    if none:
        notes.append(f"no photograph is of {some([classes[number] for number in none])}")
    return SortedFiles(place, [f for f, _ in kept], classes, [number for _, number in kept], notes)

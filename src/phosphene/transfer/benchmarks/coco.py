"""COCO detection: boxes in one JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import FormatError, ImageError, SettingError, nearest
from phosphene.segmentation.truths.notation import list_of, number_of, read_json, text_of
from phosphene.transfer.benchmarks.box_table import BoxTable
from phosphene.transfer.benchmarks.file_sets import BoxedFiles
from phosphene.transfer.benchmarks.listing import are, many, parted, photographs_in, some, within


def open_coco(
    folder: str | Path, split: str = "val2017", *, photos: str | Path | None = None
) -> BoxedFiles:
    """Open a split of COCO's detection task.

    Classes are the categories in the order of their numbers, which have gaps. A crowd is a
    difficult object. Photographs without objects are part of the set, as in COCO's own scores.
    Boxes (x, y, width, height in the file) are clipped to their photographs; empty ones are left
    out. Both are noted.

    Args:
        folder: With `annotations/instances_SPLIT.json` and the folder `SPLIT` of photographs; or
            such a JSON file itself.
        split: "train2017", "val2017", ...
        photos: The folder of photographs, where it is another one.

    Raises:
        SettingError: There is no such split.
        ImageError: The file is damaged or of another kind, or not one photograph is there.

    *Reference*: Lin et al. 2014, "Microsoft COCO: common objects in context".
    """
    folder = Path(folder)
    path = folder if folder.is_file() else folder / "annotations" / f"instances_{split}.json"
    if not path.is_file():
        if not folder.is_dir():
            raise ImageError(f"there is no folder {folder}: check the path")
        found = sorted(
            p.stem.removeprefix("instances_") for p in path.parent.glob("instances_*.json")
        )
        hint = nearest(split, found) or f": there are {some(found) or 'none'}"
        raise SettingError(f"{folder} has no split {split!r}{hint}")
    place = _photos(folder, path, photos)
    try:
        return _opened(read_json(path), path, place)
    except FormatError as error:
        raise ImageError(str(error)) from None


def _photos(folder: Path, path: Path, photos: str | Path | None) -> Path:
    if photos is not None:
        return Path(photos)
    split = path.stem.removeprefix("instances_")
    top = path.parent.parent if folder.is_file() else folder
    places = [top / split, top / "images" / split, top / "images"]
    places += [path.parent] * folder.is_file()
    return next((place for place in places if place.is_dir()), places[0])


def _opened(root: Any, path: Path, place: Path) -> BoxedFiles:
    categories = {
        number_of(c, "id", path): text_of(c, "name", path)
        for c in list_of(root, "categories", path)
    }
    order = {number: index for index, number in enumerate(sorted(categories))}
    classes = tuple(categories[number] for number in order)
    images = {number_of(i, "id", path): i for i in list_of(root, "images", path)}
    objects: dict[int, list[Any]] = {number: [] for number in images}
    for entry in list_of(root, "annotations", path):
        image, category = number_of(entry, "image_id", path), number_of(entry, "category_id", path)
        if image not in images or category not in order:
            what = f"category {category}" if image in images else f"image {image}"
            raise ImageError(f"{path} has an object of {what}, which is not in it")
        objects[image].append(entry)
    files = {number: text_of(image, "file_name", path) for number, image in images.items()}
    for name in files.values():
        within(place, name, path)
    there, missing = parted(list(files.values()), _there(place, files.values()))
    if not there:
        raise ImageError(f"of the photographs of {path} none is in {place}: check the folder")
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of the {many(len(files), 'photograph')} of {path} "
            f"{are(len(missing))} missing and left out: {some(missing)}"
        )
    extra = sorted(set(photographs_in(place)[0]) - set(files.values()))
    if extra:
        notes.append(
            f"{path} does not name {many(len(extra), 'photograph')} of {place}: {some(extra)}"
        )
    kept, table = set(there), BoxTable()
    numbers = [number for number, name in files.items() if name in kept]
    for number in numbers:
        image = images[number]
        table.begin(files[number], (_size(image, "width", path), _size(image, "height", path)))
        for entry in objects[number]:
            corners = _corners(entry, f"{path}, {files[number]}")
            table.add(corners, order[entry["category_id"]], entry.get("iscrowd") == 1)
    bare = sum(not count for count in table.counts)
    if bare:
        notes.append(f"{many(bare, 'photograph')} without an object")
    return BoxedFiles(
        place,
        [files[number] for number in numbers],
        classes,
        table.boxes(),
        table.counts,
        np.array(table.sizes, np.int64),
        [*notes, *table.notes(classes)],
    )


def _there(place: Path, names: Any) -> set[str]:
    """Say which files there are, asking for each folder once."""
    found: set[str] = set()
    for parent in {str(Path(name).parent) for name in names}:
        folder = place / parent
        if folder.is_dir():
            inside = photographs_in(folder)[0]
            found.update(name if parent == "." else f"{parent}/{name}" for name in inside)
    return found


def _corners(entry: Mapping[str, Any], place: str) -> tuple[float, float, float, float]:
    given = entry.get("bbox")
    numbers = given if isinstance(given, list) and len(given) == 4 else [math.nan]
    if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise ImageError(f"{place}: an object has a box that is not four numbers: {given!r:.80}")
    x, y, width, height = (float(n) for n in numbers)
    return x, y, x + width, y + height


def _size(image: Mapping[str, Any], name: str, path: Path) -> int:
    found = number_of(image, name, path)
    if not 0 < found < 10**6:
        raise ImageError(f"{path} has a photograph whose {name} is {found}")
    return found

"""COCO: polygons, run-length encoded masks and boxes in one JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phosphene.errors import FormatError, SettingError, nearest
from phosphene.segmentation.truths.notation import list_of, number_of, read_json, text_of
from phosphene.segmentation.truths.pixels import inside, to_mask
from phosphene.segmentation.truths.polygons import fill_all
from phosphene.segmentation.truths.record import Box, Mask, Truth, Truths
from phosphene.segmentation.truths.rle import LARGEST, decode


def read_coco(
    instances: str | Path,
    photos: str | Path,
    categories: str | Sequence[str] | None = None,
    *,
    of: Literal["foreground", "objects"] = "foreground",
    crowds: Literal["ignore", "foreground"] = "ignore",
) -> Truths:
    """Read the objects of COCO.

    Boxes, in the file x, y, width and height, are those of `Box`; of crowds they are marked
    difficult. Images without an object of the categories are not part of the set.

    Args:
        instances: The file, `instances_val2017.json`. All of it is held in memory.
        photos: The folder of photographs.
        categories: Only objects of these categories (their names), all others being background.
        of: With "foreground" the objects together make one mask; with "objects" each makes one of
            its own.
        crowds: Whether the pixels of crowds (`iscrowd`) are ignored where no single object is, or
            are foreground like any.

    Raises:
        FormatError: The file is missing, damaged or of another kind, or, when it is read, an
            object's mask is damaged.
        SettingError: There is no such category.

    *Reference*: Lin et al. 2014, "Microsoft COCO: common objects in context".
    """
    path, photos = Path(instances), Path(photos)
    root = read_json(path)
    names = {
        number_of(c, "id", path): text_of(c, "name", path)
        for c in list_of(root, "categories", path)
    }
    asked = [categories] if isinstance(categories, str) else categories
    for name in asked or ():
        if name not in names.values():
            raise SettingError(
                f"{path} has no category {name!r}{nearest(name, map(str, names.values()))}"
            )
    objects: dict[int, list[Any]] = {}
    for entry in list_of(root, "annotations", path):
        label = names.get(number_of(entry, "category_id", path))
        if label is None:
            raise FormatError(f"{path} has an object of a category that is not in it")
        if asked is None or label in asked:
            objects.setdefault(number_of(entry, "image_id", path), []).append(entry)
    images = [i for i in list_of(root, "images", path) if number_of(i, "id", path) in objects]
    files = [text_of(image, "file_name", path) for image in images]

    def read(number: int) -> Truth:
        image, place = images[number], f"{path}, {files[number]}"
        size = (number_of(image, "height", path), number_of(image, "width", path))
        if min(size) < 1 or size[0] * size[1] > LARGEST:
            raise FormatError(f"{place}: a photograph of {size[0]} x {size[1]} pixels cannot be")
        entries = objects[image["id"]]
        parts = [(_mask(entry, size, place), _is_crowd(entry)) for entry in entries]
        boxes = tuple(_box(entry, names[entry["category_id"]], place) for entry in entries)
        return Truth(
            files[number],
            inside(photos, files[number], path),
            _masks(parts, size, of, crowds),
            boxes,
            tuple(dict.fromkeys(box.label for box in boxes)),
        )

    return Truths(files, read)


def _masks(
    parts: Sequence[tuple[Mask, bool]], size: tuple[int, int], of: str, crowds: str
) -> tuple[Mask, ...]:
    """Put the masks of objects together, some of them crowds."""
    ignored = np.zeros(size, dtype=bool)
    single = []
    for mask, crowd in parts:
        if crowd and crowds == "ignore":
            ignored |= mask != 0
        else:
            single.append(mask != 0)
    if of == "foreground":
        together = np.any(single, axis=0) if single else np.zeros(size, dtype=bool)
        return (to_mask(together, ignored & ~together),)
    return tuple(to_mask(mask, ignored & ~mask) for mask in single)


def _mask(entry: Mapping[str, Any], size: tuple[int, int], place: str) -> Mask:
    given = entry.get("segmentation")
    try:
        if isinstance(given, list):
            if not all(_is_polygon(polygon) for polygon in given):
                raise FormatError("a polygon is not three or more pairs of numbers")
            return fill_all(given, size)
        if not isinstance(given, dict):
            raise FormatError("an object has neither polygons nor counts")
        if given.get("size") != list(size):
            raise FormatError(f"a mask has the size {given.get('size')}, its photograph {size}")
        counts = given.get("counts")
        if not isinstance(counts, str | list):
            raise FormatError("a mask has no counts")
        return decode(counts, size)
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from None


def _is_polygon(polygon: Any) -> bool:
    return (
        isinstance(polygon, list)
        and len(polygon) >= 6
        and len(polygon) % 2 == 0
        # Corners beyond a million pixels are damage, and would overflow.
        and all(type(c) in (int, float) and abs(c) < 1e6 for c in polygon)
    )


def _box(entry: Mapping[str, Any], label: str, place: str) -> Box:
    given = entry.get("bbox")
    corners = given if isinstance(given, list) and len(given) == 4 else [math.nan]
    if not all(type(c) in (int, float) and math.isfinite(c) for c in corners):
        raise FormatError(f"{place}: an object {label!r} has a box that is not four numbers")
    x, y, width, height = (float(c) for c in corners)
    if width < 0 or height < 0:
        raise FormatError(f"{place}: an object {label!r} has a box of negative size")
    return Box(label, x, y, x + width, y + height, _is_crowd(entry))


def _is_crowd(entry: Mapping[str, Any]) -> bool:
    return entry.get("iscrowd") == 1

"""Masks and boxes in the formats of others: COCO's JSON and PASCAL VOC's XML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args
from xml.sax.saxutils import escape

import numpy as np

from phosphene.errors import SettingError
from phosphene.segmentation.outline import polygons_of
from phosphene.segmentation.region import Box, Mask
from phosphene.segmentation.truths.rle import decode, encode, pack

Masks = Literal["rle", "polygon"]

# Halves of characters, and the two places that are none.
_NO_TEXT = {*range(0xD800, 0xE000), 0xFFFE, 0xFFFF}


def coco(
    file_name: str,
    size: tuple[int, int],
    objects: Sequence[tuple[str, int, float, Mask, Box]],
    masks: Masks = "rle",
) -> dict[str, Any]:
    """Write objects as a data set of one image, as COCO's `instances_*.json`.

    Args:
        file_name: Of the photograph.
        size: (h, w) of it.
        objects: Name, number of the class, score (NaN for none), mask and box of each.
        masks: `"rle"` for run lengths, or `"polygon"` for outlines along the edges of pixels, with
            seams to their holes (`outline`). COCO's code makes the same mask of both.

    Returns:
        What JSON can hold. Numbers of classes are the network's plus 1, as COCO counts from 1.

    Raises:
        SettingError: Masks are not written so.
    """
    if masks not in get_args(Masks):
        known = " or ".join(get_args(Masks))
        raise SettingError(f"masks are not written as {masks!r}: choose {known}")
    annotations = []
    for index, (_, channel, score, mask, (x0, y0, x1, y1)) in enumerate(objects):
        annotation: dict[str, Any] = {
            "id": index + 1,
            "image_id": 1,
            "category_id": channel + 1,
            "iscrowd": 0,
            "area": int(mask.sum()),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": polygons_of(mask) if masks == "polygon" else _runs(mask),
        }
        if not math.isnan(score):
            annotation["score"] = score
        annotations.append(annotation)
    names = {channel + 1: name for name, channel, *_ in objects}
    return {
        "images": [{"id": 1, "file_name": file_name, "height": size[0], "width": size[1]}],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in sorted(names.items())],
    }


def as_polygons(segmentation: Mapping[str, Any]) -> list[list[int]]:
    """Turn the run lengths that `coco` writes of a mask into polygons."""
    height, width = segmentation["size"]
    return polygons_of(decode(segmentation["counts"], (height, width)) > 0)


def _runs(mask: Mask) -> dict[str, Any]:
    return {"size": list(mask.shape), "counts": pack(encode(mask.astype(np.uint8)))}


def voc(file_name: str, size: tuple[int, int], objects: Sequence[tuple[str, Box]]) -> str:
    """Write boxes as PASCAL VOC's XML, whose pixels count from 1 and whose ends lie inside.

    Args:
        file_name: Of the photograph.
        size: (h, w) of it.
        objects: Name and box of each.
    """
    lines = [
        "<annotation>",
        f"  <filename>{_text(file_name)}</filename>",
        f"  <size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    for name, (x0, y0, x1, y1) in objects:
        corners = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
        box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
        lines += [
            "  <object>",
            f"    <name>{_text(name)}</name>",
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
            f"    <bndbox>{box}</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


def _text(given: str) -> str:
    """Escape a text, and leave out what XML cannot hold at all."""
    return escape("".join(c for c in given if c >= " " and ord(c) not in _NO_TEXT))

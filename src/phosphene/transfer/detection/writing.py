"""Detections as files: COCO's JSON, and VOC's text for its competition 4."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from phosphene.errors import SettingError
from phosphene.image import SUFFIXES, replacing
from phosphene.transfer.scores.detections import Detections


def coco_results(
    found: Detections, names: Sequence[str], category_ids: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Say detections as COCO's evaluation takes them.

    Args:
        found: What was detected.
        names: Of the photographs. Where they are all numbers, as COCO's are, these are the
            `image_id`s; else the names themselves.
        category_ids: Of the classes; counted from 1 if not given.

    Returns:
        `image_id`, `category_id`, `bbox` (left, top, width, height) and `score` of each.

    Raises:
        SettingError: There are not as many ids as classes.
    """
    stems = [_stem(name) for name in names]
    ids: Sequence[int | str] = [int(s) for s in stems] if all(map(str.isdigit, stems)) else stems
    most = int(found.classes.max(initial=-1)) + 1
    categories = range(1, most + 1) if category_ids is None else category_ids
    if len(categories) < most:
        raise SettingError(f"{len(categories)} ids are not enough for {most} classes")
    return [
        {
            "image_id": ids[int(photograph)],
            "category_id": int(categories[int(class_)]),
            "bbox": [round(float(v), 3) for v in (*box[:2], *(box[2:] - box[:2]))],
            "score": round(float(score), 6),
        }
        for photograph, class_, box, score in zip(
            found.photographs, found.classes, found.corners, found.scores, strict=True
        )
    ]


def write_coco(
    found: Detections,
    names: Sequence[str],
    path: str | Path,
    category_ids: Sequence[int] | None = None,
) -> Path:
    """Write `coco_results` as a JSON file, whole or not at all.

    Raises:
        OutputError: It cannot be written there.
    """
    with replacing(path) as file:
        file.write(json.dumps(coco_results(found, names, category_ids)).encode())
    return Path(path)


def write_voc(
    found: Detections,
    names: Sequence[str],
    classes: Sequence[str],
    folder: str | Path,
    split: str = "test",
) -> list[Path]:
    """Write a file of every class as VOC's development kit reads them.

    `comp4_det_SPLIT_CLASS.txt` has a line `NAME SCORE X0 Y0 X1 Y1` for every detection: the first
    and the last pixel inside, counted from 1.

    Args:
        found: What was detected.
        names: Of the photographs.
        classes: Names of the classes.
        folder: Where they go.
        split: Name of the set.

    Raises:
        OutputError: They cannot be written there.
    """
    paths = []
    stems = [_stem(name) for name in names]
    for index, class_ in enumerate(classes):
        own = found[found.classes == index]
        pixels = own.corners + np.array([1.0, 1.0, 0.0, 0.0])
        # Six digits: equal scores would be in an order that means nothing.
        lines = [
            f"{stems[int(number)]} {score:.6f} " + " ".join(f"{value:.1f}" for value in box) + "\n"
            for number, score, box in zip(own.photographs, own.scores, pixels, strict=True)
        ]
        path = Path(folder) / f"comp4_det_{split}_{class_}.txt"
        with replacing(path) as file:
            file.write("".join(lines).encode())
        paths.append(path)
    return paths


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name

"""PASCAL VOC detection: boxes around objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from phosphene.errors import FormatError, ImageError, nearest
from phosphene.segmentation.truths.markup import read_boxes, read_xml, text
from phosphene.segmentation.truths.record import Box
from phosphene.segmentation.truths.voc import CLASSES
from phosphene.transfer.benchmarks.box_table import BoxTable
from phosphene.transfer.benchmarks.file_sets import BoxedFiles, size_of
from phosphene.transfer.benchmarks.listing import files_in, many, some
from phosphene.transfer.benchmarks.voc import VocFolder


class _Annotation(NamedTuple):
    size: tuple[int, int]
    boxes: tuple[Box, ...]


def open_voc_boxes(folder: str | Path, split: str = "trainval", *, year: int = 2007) -> BoxedFiles:
    """Open a split of PASCAL VOC's detection task.

    All annotations are read at once (5000 of them take some seconds), so that what is wrong with
    one is known before training. In the files the first pixel is number 1 and a box's last pixels
    lie inside: here the box (1, 1, w, h) around a whole photograph is (0, 0, w, h). Boxes that
    reach beyond the photograph are clipped. Photographs without annotation are left out. Both
    are noted.

    Args:
        folder: `VOC2007`, or a folder that holds it.
        split: "train", "val", "trainval" or "test".
        year: Which VOC, where the folder holds several.

    Raises:
        SettingError: There is no such split.
        ImageError: An annotation is damaged or has a class that there is not, or none is there.

    *Reference*: Everingham et al. 2010, "The PASCAL visual object classes challenge".
    """
    voc = VocFolder.find(folder, year)
    listed = voc.split("Main", split)
    there = {os.path.splitext(name)[0] for name in files_in(voc.root / "Annotations")}
    kept = [(n, f) for n, f in zip(listed.names, listed.files, strict=True) if n in there]
    notes = listed.notes
    lacking = [name for name in listed.names if name not in there]
    if not kept:
        raise ImageError(
            f"of the photographs of {split} none has an annotation in {voc.root / 'Annotations'}: "
            "is it a test set whose truth is not public?"
        )
    if lacking:
        notes.append(
            f"{many(len(lacking), 'photograph')} of {split} without annotation left out: "
            f"{some(lacking)}"
        )
    extra = sorted(there - voc.known())
    if extra:
        where = many(len(extra), "annotation")
        notes.append(f"{where} in {voc.root / 'Annotations'} no list names: {some(extra)}")
    found = [_read(voc.root, name, file) for name, file in kept]
    classes = voc.classes()
    if not any((voc.root / "ImageSets" / "Main").glob(f"*_{split}.txt")):
        labels = {box.label for each in found for box in each.boxes}
        classes = CLASSES if labels <= set(CLASSES) else tuple(sorted(labels))
    table = BoxTable()
    for (name, _), each in zip(kept, found, strict=True):
        table.begin(name, each.size)
        for box in each.boxes:
            if box.label not in classes:
                raise ImageError(
                    f"{voc.root / 'Annotations' / name}.xml has an object of class {box.label!r}, "
                    f"which is none of this VOC{nearest(box.label, classes)}"
                )
            table.add(box.corners, classes.index(box.label), box.difficult)
    return BoxedFiles(
        voc.root,
        [file for _, file in kept],
        classes,
        table.boxes(),
        table.counts,
        np.array(table.sizes, np.int64),
        [*notes, *table.notes(classes)],
        [name for name, _ in kept],
    )


def _read(root: Path, name: str, file: str) -> _Annotation:
    path = root / "Annotations" / f"{name}.xml"
    try:
        element = read_xml(path)
        return _Annotation(_size(element) or size_of(root / file), read_boxes(element, path, 1))
    except FormatError as error:
        raise ImageError(str(error)) from None


def _size(element: Element) -> tuple[int, int] | None:
    """Return width and height as the annotation says them, if it does."""
    size = element.find("size")
    if size is None:
        return None
    given = [text(size, name) for name in ("width", "height")]
    if not all(number.isdecimal() and 0 < int(number) < 10**6 for number in given):
        return None
    return int(given[0]), int(given[1])

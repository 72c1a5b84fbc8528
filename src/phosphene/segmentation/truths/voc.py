"""PASCAL VOC: boxes in XML, label maps in PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from phosphene.errors import FormatError, SettingError, nearest
from phosphene.segmentation.truths.markup import read_boxes, read_xml
from phosphene.segmentation.truths.pixels import inside, read_labels, to_mask
from phosphene.segmentation.truths.record import Box, Mask, Truth, Truths

CLASSES = tuple(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor".split()
)
"""The twenty classes, in the order of their numbers 1 to 20 in `SegmentationClass`."""

IGNORED = 255


def read_voc(
    root: str | Path,
    split: str = "val",
    *,
    task: Literal["Segmentation", "Main"] = "Segmentation",
    class_: str | None = None,
    of: Literal["foreground", "objects"] = "foreground",
) -> Truths:
    """Read a split of PASCAL VOC.

    In the files the first pixel is number 1 and a box's last pixels lie inside; here as `Box` says.
    Borders and objects too hard to tell
    (255) stay ignored.

    Args:
        root: The folder with `Annotations`, `ImageSets` and `JPEGImages`, such as `VOC2012`.
        split: The name of a list in `ImageSets`: "train", "val", "trainval".
        task: "Segmentation" for images with masks and, where there are annotations, boxes; "Main"
            for all images, with boxes and no masks.
        class_: Only images with objects of this class, of which all others are background. (Their
            annotations are read at once to find them.)
        of: With "foreground" the objects together make one mask; with "objects" each makes one of
            its own.

    Raises:
        FormatError: The list or an annotation is missing or damaged.
        ImageError: When it is read: a label map is missing or damaged.
        SettingError: There is no such class.

    *Reference*: Everingham et al. 2010, "The PASCAL visual object classes challenge".
    """
    root = Path(root)
    if class_ is not None and class_ not in CLASSES:
        raise SettingError(f"PASCAL VOC has no class {class_!r}{nearest(class_, CLASSES)}")
    names = _list(root / "ImageSets" / task / f"{split}.txt")
    masks = task == "Segmentation"
    if class_ is not None:
        names = [name for name in names if any(b.label == class_ for b in _boxes(root, name))]

    def read(number: int) -> Truth:
        name = names[number]
        annotated = not masks or (root / "Annotations" / f"{name}.xml").exists()
        boxes = _boxes(root, name) if annotated else ()
        boxes = tuple(box for box in boxes if class_ in (None, box.label))
        return Truth(
            name,
            root / "JPEGImages" / f"{name}.jpg",
            _masks(root, name, class_, of) if masks else (),
            boxes,
            tuple(dict.fromkeys(box.label for box in boxes)),
        )

    return Truths(names, read)


def _list(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        beside = [p.stem for p in path.parent.glob("*.txt")]
        raise FormatError(
            f"{path}, which lists the images of a split, cannot be read{nearest(path.stem, beside)}"
        ) from None
    names = [line.split()[0] for line in lines if line.strip()]
    for name in names:
        inside(path.parent, name, path)
    return names


def _boxes(root: Path, name: str) -> tuple[Box, ...]:
    path = root / "Annotations" / f"{name}.xml"
    return read_boxes(read_xml(path), path, first=1)


def _masks(root: Path, name: str, class_: str | None, of: str) -> tuple[Mask, ...]:
    of_class = read_labels(root / "SegmentationClass" / f"{name}.png")
    ignored = of_class == IGNORED
    wanted = (of_class != 0) if class_ is None else (of_class == 1 + CLASSES.index(class_))
    wanted &= ~ignored
    if of == "foreground":
        return (to_mask(wanted, ignored),)
    path = root / "SegmentationObject" / f"{name}.png"
    objects = read_labels(path)
    if objects.shape != of_class.shape:
        raise FormatError(f"{path} has not the size of the label map of classes beside it")
    ignored |= objects == IGNORED
    numbers = np.unique(objects[wanted & ~ignored & (objects != 0)])
    return tuple(to_mask((objects == number) & wanted, ignored) for number in numbers)

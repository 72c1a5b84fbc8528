"""An image set with the class of every image."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from phosphene.core.network import Network
from phosphene.errors import FormatError, ImageError
from phosphene.survey.images import ImageSet, open_images
from phosphene.survey.images.given import Drawn

Labels = dict[int, int]
"""Class by the image's key."""


def read_labels(net: Network, images: ImageSet, file: str | Path | None = None) -> Labels:
    """Find the class of every image.

    Args:
        net: The network, whose classes are meant.
        images: The images.
        file: A CSV with a column `file` (the image's name, or the last part of it) and a column
            `index` (the class's number) or `class` (its number or name). Without one, drawn scenes
            know their class, and any other image's class is the name of the folder it is in.

    Raises:
        ImageError: The class of an image is not known.
        UnknownClass: The network has no such class.
        FormatError: The file is no such CSV.
    """
    known = _table(Path(file)) if file is not None else None
    found: Labels = {}
    cache: dict[str, int] = {}
    for key, name in images:
        text = _class_of(images, key, name, known)
        if text not in cache:
            cache[text] = net.class_index(int(text) if text.isdigit() else text)
        found[key] = cache[text]
    if not found:
        raise ImageError(f"{images.name} holds no image to measure on")
    return found


def labelled(
    net: Network, source: str | Path, file: str | Path | None = None
) -> tuple[ImageSet, Labels]:
    """Open an image set with its classes.

    Args:
        net: The network.
        source: As for `open_images`.
        file: As for `read_labels`; a `labels.csv` in the folder, if there is one.
    """
    beside = Path(source) / "labels.csv"
    if file is None and beside.is_file():
        file = beside
    images = open_images(source)
    return images, read_labels(net, images, file)


def _class_of(images: ImageSet, key: int, name: str, known: Mapping[str, str] | None) -> str:
    if known is not None:
        for given in (name, os.path.basename(name)):
            if given in known:
                return known[given]
        raise ImageError(
            f"the file of labels says nothing of {name}: add a line for it, or give fewer images"
        )
    part = images.parts[key >> 32]
    if isinstance(part, Drawn):
        from phosphene.worlds.shapes import CLASSES

        seed = part.first + (key & 0xFFFFFFFF)
        return CLASSES[seed % len(CLASSES)]
    folder = os.path.basename(os.path.dirname(name))
    if not folder:
        raise ImageError(
            f"the class of {name} is not known: put images into folders named by their class, or "
            "give a CSV with columns file and class"
        )
    return folder


def _table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} cannot be read as CSV: {error}") from None
    columns = rows[0].keys() if rows else ()
    column = next((c for c in ("index", "class", "label", "name") if c in columns), None)
    if "file" not in columns or column is None:
        raise FormatError(
            f"{path} has the columns {', '.join(map(str, columns)) or 'none'}: it needs file, and "
            "index or class"
        )
    return {str(row["file"]): str(row[column]) for row in rows}

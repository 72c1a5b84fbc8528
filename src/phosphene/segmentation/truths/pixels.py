"""Masks and label maps in image files, and photographs beside them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import FormatError, ImageError, first_line
from phosphene.image import SUFFIXES, read
from phosphene.segmentation.truths.record import Mask


def read_labels(path: Path) -> NDArray[Any]:
    """Read the numbers of a label map: of a palette the indices, of gray the levels.

    Args:
        path: An image of 1 to 16 bits. Colors are taken for gray if all three are the same.

    Returns:
        (h, w) integers, as they are stored: neither upright nor in another profile, since a label
        map has no camera.

    Raises:
        ImageError: The file is missing, damaged, or no image.
        FormatError: It has colors, which say nothing about what is foreground.
    """
    try:
        with Image.open(path) as image:
            image.load()
            mode = image.mode
            array = np.asarray(image.convert("RGB") if mode not in _PLAIN else image)
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        read(path)  # says what is wrong, in the words used for every photograph
        raise ImageError(f"{path} cannot be read as a mask: {first_line(error)}") from None
    if mode in ("RGB", "RGBA"):
        if not bool((array == array[..., :1]).all()):
            raise FormatError(f"{path} has colors: a mask is a gray image, or one with a palette")
        array = array[..., 0]
    if array.ndim == 3:  # gray with transparency
        array = array[..., 0]
    if array.dtype.kind not in "bui":
        raise FormatError(f"{path} holds fractions: a mask is an image of whole numbers")
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def has_palette(path: Path) -> bool:
    """Say whether an image file's numbers are indices of a palette."""
    try:
        with Image.open(path) as image:
            return image.mode == "P"
    except (OSError, ValueError):
        return False


def to_mask(foreground: NDArray[np.bool_], ignored: NDArray[np.bool_] | None = None) -> Mask:
    """Make a mask of 0, 1 and 255 of which pixels are foreground, and which ignored."""
    mask = foreground.astype(np.uint8)
    if ignored is not None:
        mask[ignored] = 255
    return mask


def listed(folder: Path, what: str) -> list[Path]:
    """List a folder's image files, searched recursively and in order.

    Raises:
        ImageError: It is no folder, or holds no image.
    """
    if not folder.is_dir():
        raise ImageError(f"there is no folder {folder}, where {what} should be: check the path")
    found = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
    visible = [p for p in found if not any(q.startswith(".") for q in p.relative_to(folder).parts)]
    if not visible:
        raise ImageError(f"the folder {folder} holds no images, where {what} should be")
    return visible


def inside(folder: Path, name: str, source: Path) -> Path:
    """Return the place of a file that another file names, which must lie in a folder.

    Raises:
        FormatError: The name leads out of the folder.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or "\0" in name or parts.is_absolute() or ".." in parts.parts:
        raise FormatError(f"{source} names the file {name!r}, which lies outside its folder")
    return folder / parts


_PLAIN = ("1", "L", "P", "LA", "La", "PA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")

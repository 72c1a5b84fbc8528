"""The class of every pixel, from an image with a palette or from SBD's Matlab files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError, ImageError, first_line
from phosphene.segmentation.truths.pixels import read_labels
from phosphene.transfer.benchmarks.records import UNKNOWN


def read_label_map(path: Path, classes: int) -> NDArray[np.uint8]:
    """Read the labels of a photograph's pixels.

    Args:
        path: A PNG with a palette or in gray (`SegmentationClass` of VOC), whose numbers are the
            labels; or a .mat of SBD (`GTcls.Segmentation`).
        classes: How many classes there are; labels are 0 (ground), 1 to `classes`, and 255.

    Returns:
        (h, w), 255 (`UNKNOWN`) where pixels do not count.

    Raises:
        ImageError: The file is missing or damaged, holds colors, or has a label of no class.
    """
    labels = read_mat(path) if path.suffix.lower() == ".mat" else _read_image(path)
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        raise ImageError(f"{path} holds no label map: whole numbers (h, w) are needed")
    found = np.unique(labels)
    strange = found[((found < 0) | (found > classes)) & (found != UNKNOWN)]
    if len(strange):
        count = int(np.isin(labels, strange).sum())
        raise ImageError(
            f"{path} has the label {strange[0]} ({count} pixels of such labels), and there are 0 "
            f"for the ground, 1 to {classes} for the classes and {UNKNOWN} for what does not count"
        )
    return labels.astype(np.uint8)


def _read_image(path: Path) -> NDArray[Any]:
    try:
        return read_labels(path)
    except FormatError as error:
        raise ImageError(str(error)) from None


def read_mat(path: Path) -> NDArray[Any]:
    """Read `GTcls.Segmentation` of one of SBD's `cls/*.mat`.

    Raises:
        ImageError: The file is missing or damaged, or is no such file; or SciPy is not installed.
    """
    found = read_matlab(path, "GTcls")
    try:
        return np.asarray(found.Segmentation)
    except AttributeError:
        raise ImageError(f"{path} has no GTcls.Segmentation: give SBD's cls/*.mat") from None


def read_matlab(path: Path, name: str) -> Any:
    """Read a variable of a Matlab file (version 5 to 7), structures as objects.

    Raises:
        ImageError: The file is missing or damaged, or has no such variable; or SciPy is not
            installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ImageError(f"reading {path} needs SciPy: `pip install phosphene[training]`") from None
    if not path.is_file():
        raise ImageError(f"there is no file {path}: check the path")
    try:
        content = loadmat(path, variable_names=[name], struct_as_record=False, squeeze_me=True)
    except Exception as error:  # what a damaged file makes the reader raise can be anything
        raise ImageError(
            f"{path} cannot be read as a Matlab file: {first_line(error)}: fetch it again"
        ) from None
    if name not in content:
        raise ImageError(f"{path} holds no {name}: is it another file?")
    return content[name]

"""Guillaumin's segmentations of ImageNet: `gtsegs_ijcv.mat`, 4276 photographs of 445 synsets.

A MATLAB file of version 7.3, which is HDF5. `value` is a structure of cells, a cell being an array
of references: `img` to photographs, `gt` to cells of masks (one of each annotator), `id` and
`target` to texts (the synset). MATLAB stores columns first, so that all axes are reversed.

*Reference*: Guillaumin, Küttel, Ferrari 2014, "ImageNet auto-annotation with segmentation
propagation", IJCV; the benchmark of Mahendran & Vedaldi 2016, section 3.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError, first_line
from phosphene.segmentation.truths.pixels import to_mask
from phosphene.segmentation.truths.record import Mask, Truth, Truths

_LARGEST = 2**28
_FIELDS = ("img", "gt", "id", "target")


def read_guillaumin(path: str | Path) -> Truths:
    """Read Guillaumin's ground truths.

    The names and synsets of all are read at once, photographs and masks when they are asked for.
    The class of a truth is its synset, over which the benchmark averages.

    Args:
        path: The file, `gtsegs_ijcv.mat`.

    Returns:
        Truths whose `photo` are (h, w, 3) pixels, and whose `masks` are those of the annotators.

    Raises:
        FormatError: The file is missing, damaged or of another kind, or h5py is not installed.
    """
    path = Path(path)
    with _opened(path) as (file, cells):
        counts = {name: len(cell) for name, cell in cells.items()}
        if len(set(counts.values())) > 1:
            raise FormatError(f"{path} has cells of different lengths: {counts}")
        names = [_text(file, reference, path) for reference in cells["id"]]
        synsets = [_text(file, reference, path) for reference in cells["target"]]

    def read(number: int) -> Truth:
        with _opened(path) as (file, cells):
            photo = _photo(_array(file, cells["img"][number], path), path)
            masks = tuple(_masks(file, cells["gt"][number], path))
        if not masks:
            raise FormatError(f"{path} has no mask for the photograph {names[number]}")
        return Truth(names[number], photo, masks, (), (synsets[number],))

    return Truths(names, read)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, NDArray[Any]]]]:
    """Open the file for one reading, so that a set may be shared among processes."""
    try:
        import h5py
    except ImportError:
        raise FormatError(f"reading {path} needs h5py: pip install 'phosphene[hdf5]'") from None
    if not path.is_file():
        raise FormatError(f"there is no file {path}: check the path")
    try:
        with h5py.File(path, "r") as file:
            yield file, {name: _references(file, name, path) for name in _FIELDS}
    except FormatError:
        raise
    except Exception as error:  # what a damaged file makes HDF5 raise can be anything
        raise FormatError(
            f"{path} is no HDF5 file (MATLAB's version 7.3), or damaged: {first_line(error)}"
        ) from None


def _references(file: Any, name: str, path: Path) -> NDArray[Any]:
    group = file.get("value")
    cell: Any = group.get(name) if hasattr(group, "keys") else None
    if getattr(getattr(cell, "dtype", None), "kind", "") != "O":
        raise FormatError(f"{path} has no cells value/{name}: give Guillaumin's gtsegs_ijcv.mat")
    return np.ravel(cell[()])


def _array(file: Any, reference: Any, path: Path) -> NDArray[Any]:
    """Follow a reference to an array, in MATLAB's order of axes."""
    stored = file[reference]
    if stored.size is None or stored.size > _LARGEST:
        raise FormatError(f"{path} has an array of {stored.shape}, too large to be of a photograph")
    array = np.asarray(stored[()])
    # An empty array is stored as its size, with a mark.
    return np.empty(0) if stored.attrs.get("MATLAB_empty", 0) else array.T


def _text(file: Any, reference: Any, path: Path) -> str:
    """Follow a reference to a text, or to a number taken for one."""
    stored = file[reference]
    array = _array(file, reference, path).T.ravel()
    if array.dtype.kind == "u" and stored.attrs.get("MATLAB_class", b"char") == b"char":
        return "".join(chr(code) for code in array)
    if array.size != 1:
        raise FormatError(f"{path} has {array.size} numbers where a name is needed")
    return f"{array[0]:g}"


def _photo(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise FormatError(f"{path} has an array {array.shape} of {array.dtype} for a photograph")
    return np.ascontiguousarray(array)


def _masks(file: Any, reference: Any, path: Path, nested: int = 0) -> Iterator[Mask]:
    """Follow a reference to a mask, or to a cell of such references."""
    array = _array(file, reference, path)
    if array.dtype == object:
        if nested > 1:
            raise FormatError(f"{path} has cells in cells in cells where masks should be")
        for inner in array.T.ravel():
            yield from _masks(file, inner, path, nested + 1)
    elif array.ndim == 2 and array.size and array.dtype.kind in "buif":
        yield to_mask(np.ascontiguousarray(array) != 0)
    elif array.size:
        raise FormatError(f"{path} has an array {array.shape} of {array.dtype} for a mask")

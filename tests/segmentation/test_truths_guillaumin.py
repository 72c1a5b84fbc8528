"""Guillaumin's file, written as MATLAB lays it out: references, columns first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from phosphene.errors import FormatError
from phosphene.segmentation.scores import MaskScores
from phosphene.segmentation.truths import read_guillaumin

rng = np.random.default_rng(0)
PHOTOS = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((4, 7), (5, 3), (6, 6))]
MASKS = [
    [rng.integers(0, 2, photo.shape[:2], dtype=np.uint8) for _ in range(count)]
    for photo, count in zip(PHOTOS, (1, 3, 2), strict=True)
]
NAMES = ["n01440764_18", "n01440764_37", "n02084071_5"]


class Matlab:
    """Writes arrays and cells as MATLAB's version 7.3 does."""

    def __init__(self, path: Path) -> None:
        self.file = h5py.File(path, "w", userblock_size=512)
        self.count = 0

    def array(self, value: np.ndarray, kind: str = "uint8") -> Any:
        self.count += 1
        stored = self.file.create_dataset(f"#refs#/{self.count}", data=value.T)
        stored.attrs["MATLAB_class"] = np.bytes_(kind)
        return stored.ref

    def text(self, value: str) -> Any:
        return self.array(np.array([[ord(c) for c in value]], dtype=np.uint16), "char")

    def cell(self, references: Sequence[Any], name: str = "", row: bool = False) -> Any:
        self.count += 1
        shape = (len(references), 1) if row else (1, len(references))
        cells = np.empty(shape, dtype=h5py.ref_dtype)
        cells.ravel()[:] = references
        stored = self.file.create_dataset(name or f"#refs#/{self.count}", data=cells)
        stored.attrs["MATLAB_class"] = np.bytes_("cell")
        return stored.ref


def write(path: Path, row: bool = True, nested: bool = True, ids: str = "text") -> Path:
    matlab = Matlab(path)
    matlab.cell([matlab.array(photo) for photo in PHOTOS], "value/img", row)
    kind = "logical"
    cells = [
        matlab.cell([matlab.array(mask, kind) for mask in masks], row=not row)
        if nested
        else matlab.array(masks[0], kind)
        for masks in MASKS
    ]
    matlab.cell(cells, "value/gt", row)
    numbers = [matlab.array(np.array([[float(i)]]), "double") for i in range(3)]
    names = [matlab.text(name) for name in NAMES]
    matlab.cell(names if ids == "text" else numbers, "value/id", row)
    matlab.cell([matlab.text(name.split("_")[0]) for name in NAMES], "value/target", row)
    matlab.file.close()
    return path


@pytest.mark.parametrize("row", [True, False])
def test_axes_and_annotators(tmp_path: Path, row: bool) -> None:
    truths = read_guillaumin(write(tmp_path / "gtsegs.mat", row))
    assert truths.names == tuple(NAMES)
    for truth, photo, masks in zip(truths, PHOTOS, MASKS, strict=True):
        np.testing.assert_array_equal(truth.photo, photo)
        assert len(truth.masks) == len(masks)
        for found, mask in zip(truth.masks, masks, strict=True):
            np.testing.assert_array_equal(found, mask)
            assert found.dtype == np.uint8
    assert [truth.classes for truth in truths] == [(name.split("_")[0],) for name in NAMES]


def test_other_layouts(tmp_path: Path) -> None:
    truths = read_guillaumin(write(tmp_path / "gtsegs.mat", nested=False, ids="numbers"))
    assert truths.names == ("0", "1", "2")
    np.testing.assert_array_equal(truths[1].masks[0], MASKS[1][0])


def test_scores_are_averaged_by_synset(tmp_path: Path) -> None:
    scores = MaskScores()
    for truth in read_guillaumin(write(tmp_path / "gtsegs.mat")):
        scores.add(truth.masks[-1], truth.masks, *truth.classes)
    result = scores.result()
    assert (result.accuracy, result.iou) == (1, 1)
    assert {name: count for name, (_, _, count) in result.classes.items()} == {
        "n01440764": 2,
        "n02084071": 1,
    }


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(FormatError, match=r"no file .*a\.mat"):
        read_guillaumin(path)
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))
    with pytest.raises(FormatError, match=r"a\.mat is no HDF5 file"):
        read_guillaumin(path)
    whole = write(tmp_path / "whole.mat").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"a\.mat is no HDF5 file"):
        read_guillaumin(path)
    with h5py.File(path, "w") as file:
        file["value"] = 3
    with pytest.raises(FormatError, match="no cells value/img"):
        read_guillaumin(path)


def break_up(path: Path, name: str, value: Any) -> Path:
    with h5py.File(path, "r+") as file:
        reference = np.ravel(file[name][()])[0]
        inner = file[reference].name
        del file[inner]
        if value is None:
            file[name][0, 0] = h5py.Reference()
        else:
            file[inner] = value
            file[name][0, 0] = file[inner].ref
    return path


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("value/img", np.zeros((2, 4, 4), np.uint8), "for a photograph"),
        ("value/img", np.zeros((3, 4, 4)), "for a photograph"),
        ("value/gt", np.zeros((2, 4, 4)), "for a mask"),
        ("value/gt", np.zeros((0, 0)), "no mask for the photograph"),
    ],
)
def test_damaged_entries_are_refused(tmp_path: Path, name: str, value: Any, message: str) -> None:
    truths = read_guillaumin(break_up(write(tmp_path / "a.mat"), name, value))
    with pytest.raises(FormatError, match=rf"a\.mat .*{message}"):
        truths[0]
    assert truths[1].masks


def test_references_to_nothing_are_refused(tmp_path: Path) -> None:
    truths = read_guillaumin(break_up(write(tmp_path / "a.mat"), "value/img", None))
    with pytest.raises(FormatError, match=r"a\.mat is no HDF5 file .* or damaged"):
        truths[0]
    with pytest.raises(FormatError, match="numbers where a name"):
        read_guillaumin(break_up(write(tmp_path / "b.mat"), "value/id", np.zeros((2, 2))))


def test_cells_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat")
    with h5py.File(path, "r+") as file:
        cells = file["value/id"][:2]
        del file["value/id"]
        file["value/id"] = cells
    with pytest.raises(FormatError, match="different lengths"):
        read_guillaumin(path)


def test_without_h5py_it_says_what_to_install(tmp_path: Path, monkeypatch: Any) -> None:
    path = write(tmp_path / "a.mat")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(FormatError, match=r"pip install 'phosphene\[hdf5\]'"):
        read_guillaumin(path)

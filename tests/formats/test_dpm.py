"""Deformable part models of releases 4 and 5, written as MATLAB would, and files that are none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from phosphene.descriptors.hog import HOG
from phosphene.errors import FormatError
from phosphene.formats.dpm import mirror_order, mirrored, read_dpm
from tests.formats.matlab_writer import cell, row, struct_array

EMPTY = np.empty((0, 0))
FEATURE = 10.0


def filters(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


ROOTS = (filters(0, 5, 4, 32), filters(1, 3, 6, 32))
PARTS = (filters(2, 6, 6, 32), filters(3, 6, 5, 32))
ANCHORS = ((1, 0), (2, 4))
BIASES = (-0.3, 0.2)


def model(release: int = 5, **fields: Any) -> dict[str, Any]:
    """Two components; the second one has two parts, of which the last is a mirrored filter.

    Symbols: 1 is the start, 2 a filter, 3 a movable filter 4 (component 1 and 2), 5 and 7 the
    movable parts 6 and 8.
    """
    blocks = [*ROOTS, *PARTS, *(np.array([[bias]]) for bias in BIASES)]
    weights = [*ROOTS, PARTS[0], np.asarray(mirrored(PARTS[1].astype(np.float32)), float)]
    written = []
    for number, (symbol, w) in enumerate(zip((2, 4, 6, 8), weights, strict=True), 1):
        one = {
            "blocklabel": float(number),
            "size": row(w.shape[:2]),
            "flip": number == 4,
            "symbol": float(symbol),
        }
        written.append(one | {"w": w, "symmetric": "N"} if release == 4 else one)

    def rule(lhs: int, kind: str, rhs: list[int], more: dict[str, Any]) -> dict[str, Any]:
        return {"type": kind, "lhs": float(lhs), "rhs": row(rhs), "i": 1.0, **more}

    def offset(number: int) -> dict[str, Any]:
        label = {"blocklabel": float(5 + number)}
        return label | {"w": BIASES[number]} if release == 4 else label

    places = [cell([row([0, 0, 0])]), cell([row([0, 0, 0]), *(row([*a, 1]) for a in ANCHORS)])]
    start = [
        rule(1, "S", rhs, {"anchor": anchor, "offset": offset(number)})
        for number, (rhs, anchor) in enumerate(zip(([2], [3, 5, 7]), places, strict=True))
    ]
    moved = {s: struct_array([rule(s, "D", [s + 1], {"def": {"flip": False}})]) for s in (3, 5, 7)}
    of = {1: struct_array(start), **moved}
    types = {2: 1, 4: 2, 6: 3, 8: 4}
    whole = {
        "class": "bicycle",
        "start": 1.0,
        "sbin": 8.0,
        "filters": struct_array(written),
        "rules": cell([of.get(s, EMPTY) for s in range(1, 9)]),
        "symbols": struct_array(
            [
                {"type": "T" if s in types else "N", "i": float(s), "filter": types.get(s, EMPTY)}
                for s in range(1, 9)
            ]
        ),
        "interval": 10.0,
        "maxsize": row([6, 6]),
    }
    if release == 5:
        whole["features"] = {"sbin": 8.0, "bias": FEATURE, "dim": 32.0}
        whole["blocks"] = struct_array(
            [
                {"w": w.ravel("F")[:, None], "shape": row(w.shape), "dim": float(w.size)}
                for w in blocks
            ]
        )
    return {**whole, **fields}


def saved(folder: Path, fields: Any, **how: Any) -> Path:
    path = folder / "bicycle_final.mat"
    savemat(path, {"model": fields, "note": "beside"}, **how)
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read_dpm(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("release", [4, 5])
def test_roots_parts_anchors_and_biases(tmp_path: Path, release: int, compressed: bool) -> None:
    found = read_dpm(saved(tmp_path, model(release), do_compression=compressed))
    assert (found.name, found.cell, len(found.components)) == ("bicycle", 8, 2)
    for component, root, bias in zip(found.components, ROOTS, BIASES, strict=True):
        assert component.root.dtype == np.float32
        assert np.array_equal(component.root, root.astype(np.float32))
        assert component.bias == pytest.approx(bias * (FEATURE if release == 5 else 1))
    assert found.components[0].parts == ()
    one, two = found.components[1].parts
    assert (one.anchor, two.anchor) == ANCHORS
    assert np.array_equal(one.weights, PARTS[0].astype(np.float32))
    # Release 5 keeps the block that is mirrored, release 4 what is to be used.
    assert np.array_equal(two.weights, mirrored(PARTS[1].astype(np.float32)))
    assert not np.array_equal(two.weights, PARTS[1].astype(np.float32))


def test_a_model_without_the_last_feature(tmp_path: Path) -> None:
    fields = model(4)
    for one in fields["filters"][0]:
        one["w"] = one["w"][..., :31].astype(np.float32)
    found = read_dpm(saved(tmp_path, fields))
    assert found.components[0].root.shape == (5, 4, 31)
    assert found.components[0].root.flags.writeable
    del fields["class"]
    assert read_dpm(saved(tmp_path, fields)).name == "bicycle_final"


def test_mirrored_filters_see_mirrored_images_as_filters_see_images() -> None:
    """Of bilinear HOG, which has no ties; its textures put in the order of DPM's."""
    image = torch.rand(1, 1, 48, 40, generator=torch.Generator().manual_seed(0)) * 255

    def cells(x: torch.Tensor) -> np.ndarray:
        found = HOG(binning="bilinear")(x)[0].permute(1, 2, 0).numpy()
        return found[..., [*range(27), 30, 28, 29, 27]]

    weights = filters(0, 6, 5, 31).astype(np.float32)
    straight = float((weights * cells(image)).sum())
    turned = float((mirrored(weights) * cells(image.flip(3))).sum())
    assert turned == pytest.approx(straight, abs=1e-3)
    assert abs(float((weights * cells(image.flip(3))).sum()) - straight) > 0.1
    assert np.array_equal(mirrored(mirrored(weights)), weights)
    assert sorted(mirror_order()) == list(range(32))


# -- what is no such model ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["filters", "rules", "symbols", "start"])
def test_a_field_is_missing(tmp_path: Path, name: str) -> None:
    fields = model()
    del fields[name]
    refused(saved(tmp_path, fields), f"has no '{name}', so it is no model of release 4 or 5")


def changed(**where: Any) -> dict[str, Any]:
    """A model with other values: `filters__blocklabel=9.0` in the first of `filters`."""
    fields = model()
    for place, value in where.items():
        table, _, name = place.partition("__")
        if not name:
            fields[table] = value
        elif table == "rules":
            fields["rules"][0, 0][0, 1][name] = value
        else:
            fields[table][0, 0][name] = value
    return fields


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"filters__blocklabel": 9.0}, "filters 1 has 9 in its field 'blocklabel'.* 6 blocks"),
        ({"filters__blocklabel": 0.0}, "has 0 in its field 'blocklabel'.* counted from 1"),
        ({"filters__blocklabel": 1.5}, "whole numbers are needed"),
        ({"filters__blocklabel": EMPTY}, "has 0 numbers in its field 'blocklabel', and needs 1"),
        ({"filters__blocklabel": 5.0}, r"blocks 5 is a filter of shape \(1, 1\)"),
        ({"blocks__shape": row([5, 4, 33])}, r"640 weights, and its shape is \(5, 4, 33\)"),
        ({"blocks__shape": row([-5, -4, 32])}, "it is damaged"),
        ({"blocks__shape": row([5, 8, 16])}, "rows x columns x 31 or 32 are needed"),
        ({"blocks__w": np.full((640, 1), np.nan)}, "not finite numbers"),
        ({"blocks__w": "text"}, "has text in its field 'w'"),
        ({"blocks": EMPTY}, "and there are 0 blocks"),
        ({"features": {"bias": np.inf}}, "has the bias"),
        ({"start": 2.0}, "no rule for its start symbol 2"),
        ({"start": 11.0}, "has 11 in its field 'start', and there are 8 rules"),
        ({"sbin": 0.0}, "cells of 0 pixels"),
        ({"rules": cell([1.0])}, "no rule for its start symbol"),
        ({"rules": cell([cell([1.0])])}, "something else than structures"),
        ({"rules": 3.0}, "there are 0 rules of symbols"),
        ({"rules__rhs": row([3, 5])}, "names 2 filters in 'rhs' and 3 places in 'anchor'"),
        ({"rules__rhs": row([3, 5, 99])}, "rule 2 of symbol 1 has 99 in its field 'rhs'"),
        ({"rules__rhs": row([3, 5, 1])}, "leads to symbol 1, which is no movable filter"),
        ({"rules__anchor": cell([row([0, 0, 0])] * 3)}, "1 octaves are needed"),
        ({"rules__anchor": cell([row([0, 0, 1])] * 3)}, "0 octaves are needed"),
        ({"rules__anchor": cell([row([0, 0, 0]), row([1]), row([1])])}, "'anchor'"),
        ({"symbols": struct_array([{"type": "T", "filter": 1.0}])}, "there are 1 symbols"),
        ({"filters": 4.0}, "has numbers in 'filters', where structures are needed"),
    ],
)  # fmt: skip
def test_models_that_contradict_themselves(
    tmp_path: Path, where: dict[str, Any], message: str
) -> None:
    refused(saved(tmp_path, changed(**where)), message)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "net.mat"
    refused(path, "cannot be read")
    for content in (b"", b"model", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(500)):
        path.write_bytes(content)
        refused(path, "no MATLAB file of version 5 to 7")
    savemat(path, {"net": {"layers": 1.0}})
    refused(path, "holds no structure 'model'")
    for value in (3.0, "text", cell([1.0, 2.0]), struct_array([{"a": 1.0}, {"a": 2.0}])):
        savemat(path, {"model": value})
        refused(path, "holds no structure 'model'")


@pytest.mark.parametrize("compressed", [True, False])
def test_files_that_end_early_or_have_wrong_bytes(tmp_path: Path, compressed: bool) -> None:
    path = saved(tmp_path, model(), do_compression=compressed)
    content = path.read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(20):
        # What follows the model is a note of some bytes.
        path.write_bytes(content[: draw.integers(130, len(content) - 200)])
        refused(path, "damaged")
    for _ in range(200):
        wrong = bytearray(content)
        # The weights fill the middle; their digits may be anything.
        near = len(content) if compressed else 4000
        for at in draw.integers(128, near, 3):
            wrong[at] = draw.integers(256)
        tail = draw.integers(len(content) - 8000, len(content))
        wrong[tail] = draw.integers(256)
        path.write_bytes(wrong)
        with suppress(FormatError):
            read_dpm(path)

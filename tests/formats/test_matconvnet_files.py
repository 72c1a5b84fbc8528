"""Files that hold no network, or one that cannot run: each is one sentence."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from phosphene.errors import FormatError
from phosphene.formats.matconvnet import load_matconvnet
from phosphene.formats.matconvnet_mat5 import Unreadable, read_variables
from tests.formats import matlab_writer as write
from tests.formats.matlab_writer import cell, layer, row
from tests.formats.test_matconvnet import IMAGE_SIZE, SIZE, Chain, numbers, opened, opened_dag

HDF5 = b"\x89HDF\r\n\x1a\n"
V73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        load_matconvnet(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (HDF5 + bytes(2000), "version 7.3.*convert it in MATLAB by `net = load.*-v7"),
        (V73.ljust(512, b"\0") + HDF5 + bytes(2000), "version 7.3.*convert"),
        (V73, "version 7.3"),
        (b"name: 'AlexNet'\nlayer {}\n" * 100, "is no MATLAB file: its first bytes are b\"name:"),
        (b"PK\x03\x04" + bytes(500), "is no MATLAB file"),
        (b"version https://git-lfs.github.com/spec/v1\noid 7", "Git LFS"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", "cut off after its header"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\xff" * 99, "damaged"),
    ],
)  # fmt: skip
def test_files_that_are_something_else(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "net.mat"
    path.write_bytes(content)
    assert re.search(message, refused(path))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "net.mat")
    assert "cannot be read (Is a directory)" in refused(tmp_path)


@pytest.mark.parametrize("compressed", [True, False])
def test_files_that_end_early_or_have_wrong_bytes(tmp_path: Path, compressed: bool) -> None:
    layers = write.chain(Chain())
    normalization = {"imageSize": row([41, 41, 3])}
    path = tmp_path / "net.mat"
    write.save_simplenn(path, layers, normalization=normalization, do_compression=compressed)
    content = path.read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(20):
        path.write_bytes(content[: draw.integers(1, len(content) - 100)])
        refused(path)
    for _ in range(60):
        wrong = bytearray(content)
        for at in draw.integers(128, 4000, 3):
            wrong[at] = draw.integers(256)
        path.write_bytes(wrong)
        # Where a name or a weight was hit, nobody can tell.
        with suppress(FormatError):
            load_matconvnet(path)


@pytest.mark.parametrize(
    "variables",
    [{"x": 1.0}, {"net": 3.0}, {"layers": np.empty((0, 0))}, {"net": {"stats": 1.0}}],
)
def test_files_without_a_network(tmp_path: Path, variables: dict[str, Any]) -> None:
    savemat(tmp_path / "net.mat", variables)
    assert "holds no network: it has no variable `layers`" in refused(tmp_path / "net.mat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (cell([3.0]), "has numbers in 'layers', where structures are needed"),
        (cell(["relu"]), "has text in 'layers'"),
        (csc_matrix(np.eye(3)), "has a sparse matrix in 'layers'"),
        (np.array([[1j, 2]]), "has complex numbers or functions in 'layers'"),
        (cell([{"type": 3.0}]), "layers 1 has numbers in its field 'type', where text is needed"),
        (cell([{"type": "loss"}]), "holds only layers that measure"),
    ],
)
def test_layers_that_are_none(tmp_path: Path, content: Any, message: str) -> None:
    savemat(tmp_path / "net.mat", {"layers": content})
    assert message in refused(tmp_path / "net.mat")


def conv(shape: tuple[int, ...], biases: int | None = None, **options: Any) -> write.Fields:
    weights = [numbers(*shape), numbers(1, biases or shape[-1])]
    return layer("conv", "c", weights=weights, **options)


BAD_LAYERS = {
    "unknown": (layer("rellu", "c"), r"layer 'c' \(rellu\) is of a type that is not supported; did "
                r"you mean 'relu'\?"),
    "no type": ({"name": "c", "pad": 0.0}, r"layer 'c' \(of no type\) is of a type that is not"),
    "channels": (conv((3, 3, 3, 6)), "has 6 filters of 3 channels, and cannot run on a map of 4"),
    "groups": (conv((3, 3, 2, 5)), "has 5 filters of 2 channels, and cannot run on a map of 4"),
    "biases": (conv((3, 3, 4, 6), 5), r"needs 6 numbers as its weights 2, .* shape \(1, 5\)"),
    "axes": (conv((2, 2, 4, 1, 2)), r"shape \(height, width, channels, filters\)"),
    "no filters": (layer("conv", "c"), "needs filters of shape .*holds none"),
    "text filters": (layer("conv", "c", weights=["abc"]), "has text in its field 'weights'"),
    "too large": (conv((12, 3, 4, 6)), "leaves no map of its input, 4x11x9; the size declared"),
    "stride": (conv((3, 3, 4, 6), stride=0.0), r"has \(0,\) as its stride"),
    "half a pad": (conv((3, 3, 4, 6), pad=0.5), r"has \(0.5,\) in its field 'pad', where whole"),
    "three pads": (conv((3, 3, 4, 6), pad=row([1, 1, 1])), r"has \(1, 1, 1\) as its pad"),
    "negative pad": (conv((3, 3, 4, 6), pad=-1.0), "none below 0"),
    "transposed": (layer("convt", "c", weights=[numbers(3, 3, 2, 3)]), "filters of 3 channels"),
    "pool": (layer("pool", "c", method="min", pool=2.0), "pools by 'min', and only"),
    "no pool": (layer("pool", "c"), r"has \(\) as its poolSize"),
    "pool's pad": (layer("pool", "c", pool=2.0, pad=2.0), "less than its windows of 2x2"),
    "param": (layer("lrn", "c", param=row([5, 1, 1])), "N kappa alpha beta"),
    "even": (layer("lrn", "c", param=row([4, 1, 1, 1])), "over 4 channels, and only odd"),
    "rate": (layer("dropout", "c", rate=2.0), "has a rate of 2"),
    "bnorm": (layer("bnorm", "c", weights=[numbers(4, 1)] * 2), "needs multipliers, biases"),
    "moments": (layer("bnorm", "c", weights=[numbers(4, 1), numbers(4, 1), numbers(3, 2)]),
                r"needs moments of shape \(4, 2\), but holds \(3, 2\)"),
    "multipliers": (layer("bnorm", "c", weights=[numbers(3, 1), numbers(4, 1), numbers(4, 2)]),
                    r"needs 4 numbers as its weights 1.*\(3, 1\)"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_LAYERS)
def test_layers_that_cannot_run(tmp_path: Path, what: str) -> None:
    fields, message = BAD_LAYERS[what]
    with pytest.raises(FormatError, match=message) as caught:
        opened(tmp_path, [layer("relu", "first"), fields])
    assert str(caught.value).startswith(f"{tmp_path / 'net.mat'}: layer 'c' (")


RELU, SMALL = layer("relu", "r"), layer("pool", "p", pool=2.0)
BAD_GRAPHS: dict[str, tuple[list[Any], str]] = {
    "two inputs": ([(layer("sum", "s"), ["left", "right"], "y")], "no layer writes are: 'left"),
    "a missing one": ([(layer("sum", "s"), ["data", "right"], "y")], "reads 'right', which no"),
    "a circle": ([(RELU, "a", "b"), (layer("relu", "q"), "b", "a")], "no layer writes are: none"),
    "two read": ([(RELU, "data", "a"), (layer("relu", "q"), ["a", "data"], "y")], "reads 2 var"),
    "sum": ([(SMALL, "data", "a"), (layer("sum", "s"), ["a", "data"], "y")], "different sizes: 4"),
    "concat": ([(SMALL, "data", "a"), (layer("concat", "s"), ["a", "data"], "y")], "do not fit"),
    "dim": ([(layer("concat", "s", dim=4.0), ["data"], "y")], "along axis 4"),
    "scale": ([(RELU, "data", "a"), (layer("scale", "s"), ["a", "data"], "y")], "another variable"),
    "crop": ([(SMALL, "data", "a"), (layer("crop", "s", crop=row([2, 2])), ["data", "a"], "y")],
             "crops 4x10x8 at .2, 2. out of 4x11x9"),
    "cropless": ([(layer("crop", "s"), ["data"], "y")], "reads 1 variables, and needs two"),
    "unknown": ([(layer("Warp", "s"), ["data"], "y")], r"layer 's' \(dagnn.Warp\) is of a"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_GRAPHS)
def test_graphs_that_cannot_run(tmp_path: Path, what: str) -> None:
    layers, message = BAD_GRAPHS[what]
    with pytest.raises(FormatError, match=message):
        opened_dag(tmp_path, layers)


def test_missing_parameters(tmp_path: Path) -> None:
    params = write.struct_array([{"name": "c_0", "value": numbers(3, 3, 4, 6)}])
    wired = [(conv((3, 3, 4, 6)), "data", "y")]
    path = tmp_path / "net.mat"
    write.save_dagnn(path, wired, {"normalization": IMAGE_SIZE}, params=params)
    message = refused(path)
    assert "needs the parameter 'c_1', which the file does not hold; did you mean 'c_0'?" in message


def test_the_size_of_the_input(tmp_path: Path) -> None:
    path = write.save_simplenn(tmp_path / "net.mat", [conv((3, 3, 4, 6))])
    assert "does not say the size of the network's input" in refused(path)
    assert load_matconvnet(path, (11, 9))[0].input_size == (4, 11, 9)
    for field, said, expected in (
        ("imageSize", row([11, 9]), (4, 11, 9)), ("imageSize", row([12]), (4, 12, 12)),
        ("imageSize", row([11, 9, 8, 10]), (8, 11, 9)),
        ("averageImage", numbers(*SIZE), (4, 11, 9)),
    ):  # fmt: skip
        net = opened(tmp_path, [conv((3, 3, 4, 6))], normalization={field: said})
        assert net.input_size == expected
    savemat(path, {"layers": cell([RELU]), "meta": {"inputSize": row([28, 28, 1])}})
    assert load_matconvnet(path)[0].input_size == (1, 28, 28)
    # As the first converter wrote what it did not know.
    unknown = {"imageSize": row([0, 0]), "averageImage": row([0, 0])}
    write.save_simplenn(path, [RELU], normalization=unknown)
    assert "does not say the size" in refused(path)


# -- the file format ------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
def test_what_scipy_writes_is_read(tmp_path: Path, compressed: bool) -> None:
    arrays = {
        f"a_{kind}": (100 * numbers(2, 3, 4)).astype(kind)
        for kind in ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?")
    }
    others = {
        "text": "conv", "umlaut": "Straße", "lines": np.array(["one", "three"]), "none": "",
        "cells": cell(["a", 1.0, cell([]), np.empty((0, 0))]), "long": "x" * 99,
        "deep": {"one": {"two": cell([{"three": 3.0}])}}, "sparse": csc_matrix(np.eye(2)),
    }  # fmt: skip
    path = tmp_path / "all.mat"
    savemat(path, arrays | others, do_compression=compressed)
    found = read_variables(memoryview(path.read_bytes()), {*arrays, *others})
    for name, expected in arrays.items():
        assert found[name].shape == (2, 3, 4)
        np.testing.assert_array_equal(found[name], expected)
    assert (found["text"], found["umlaut"], found["long"]) == ("conv", "Straße", "x" * 99)
    assert found["lines"] == ["one", "three"]
    assert len(found["none"]) == 0
    assert found["cells"][0] == "a"
    assert found["cells"][1].tolist() == [[1.0]]
    assert found["cells"][2] == []
    assert found["cells"][3].size == 0
    assert found["deep"][0]["one"][0]["two"][0][0]["three"].item() == 3
    assert found["sparse"] == Unreadable("a sparse matrix")
    assert set(read_variables(memoryview(path.read_bytes()), ["text"])) == {"text"}


def test_files_of_the_other_byte_order() -> None:
    """Written by hand: one variable, [1 2], as on a SPARC."""

    def element(kind: int, content: bytes) -> bytes:
        head = kind.to_bytes(4, "big") + len(content).to_bytes(4, "big")
        return head + content + bytes(-len(content) % 8)

    parts = element(6, bytes([0, 0, 0, 6, 0, 0, 0, 0])) + element(
        5, bytes([0, 0, 0, 1, 0, 0, 0, 2])
    )
    # The name "ab" and two bytes of content fit into their tags.
    parts += bytes([0, 2, 0, 1]) + b"ab\0\0" + bytes([0, 2, 0, 2, 1, 2, 0, 0])
    content = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element(14, parts)
    assert read_variables(memoryview(content), ["ab"])["ab"].tolist() == [[1, 2]]


def test_an_object_of_a_class_is_named(tmp_path: Path) -> None:
    content = IMAGE_SIZE | {"imageSize": csc_matrix(np.eye(2))}
    path = write.save_simplenn(tmp_path / "net.mat", [RELU], normalization=content)
    assert "has a sparse matrix in its field 'imageSize', where numbers are needed" in refused(path)

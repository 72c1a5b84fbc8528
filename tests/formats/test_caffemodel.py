from __future__ import annotations

import pickle
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.errors import FormatError
from phosphene.formats.caffemodel import read_caffemodel
from phosphene.formats.signatures import not_a_caffemodel
from phosphene.formats.wire import Damaged, Field, fields, varint
from tests.formats import caffe_writer as write

rng = np.random.default_rng(0)
LAYERS = [
    ("conv/1", "Convolution", [rng.normal(size=(4, 3, 2, 2)), rng.normal(size=4)]),
    ("relu", "ReLU", []),
    ("fc", "InnerProduct", [rng.normal(size=(5, 36))]),
]


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "net.caffemodel"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("generation", [0, 1, 2])
@pytest.mark.parametrize("style", ["packed", "pieces", "unpacked", "double", "unpacked double"])
def test_generations_and_storage(tmp_path: Path, generation: int, style: str) -> None:
    layers = read_caffemodel(saved(tmp_path, write.network(LAYERS, generation, style)))
    assert [(layer.name, layer.type) for layer in layers] == [each[:2] for each in LAYERS]
    for layer, (_, _, arrays) in zip(layers, LAYERS, strict=True):
        assert len(layer.blobs) == len(arrays)
        for found, array in zip(layer.blobs, arrays, strict=True):
            shape = array.shape if generation == 2 else (1,) * (4 - array.ndim) + array.shape
            assert found.shape == shape
            assert found.dtype == np.float32
            assert not found.flags.writeable
            np.testing.assert_array_equal(found, array.astype(np.float32).reshape(shape))


@pytest.mark.parametrize("style", ["packed", "unpacked"])
def test_floats_are_views_of_the_file(tmp_path: Path, style: str) -> None:
    layers = read_caffemodel(saved(tmp_path, write.network(LAYERS, 2, style)))
    blob = layers[0].blobs[0]
    assert not blob.flags.owndata
    assert blob.base is not None


def test_a_million_loose_floats_are_read_at_once(tmp_path: Path) -> None:
    values = np.arange(1_000_000, dtype=np.float32)
    loose = np.zeros(len(values), [("tag", "u1"), ("value", "<f4")])
    loose["tag"], loose["value"] = 5 << 3 | 5, values
    layer = write.payload(1, "a") + write.payload(7, loose.tobytes())
    path = saved(tmp_path, write.payload(100, layer))
    start = time.perf_counter()
    (read,) = read_caffemodel(path)
    assert time.perf_counter() - start < 0.5
    np.testing.assert_array_equal(read.blobs[0], values)


def test_alternating_loose_fields_take_linear_time() -> None:
    data = (write.varint(5 << 3 | 5) + b"abcd" + write.varint(6 << 3 | 5) + b"abcd") * 20_000
    start = time.perf_counter()
    assert sum(1 for _ in fields(memoryview(data), 0, len(data))) == 40_000
    assert time.perf_counter() - start < 2


def test_a_blob_without_shape_or_numbers(tmp_path: Path) -> None:
    packed = write.payload(5, np.float32([1, 2, 3]).tobytes())
    scalar = write.payload(5, np.float32([4]).tobytes()) + write.payload(7, b"")
    diff = write.payload(6, b"\0" * 8) + write.number(900, 5)
    layer = write.payload(1, "a") + b"".join(write.payload(7, b) for b in (packed, scalar, diff))
    (read,) = read_caffemodel(saved(tmp_path, write.payload(100, layer)))
    assert [blob.shape for blob in read.blobs] == [(3,), (), (0,)]


def in_layer(content: bytes) -> bytes:
    return write.payload(1, "net") + write.payload(100, write.payload(1, "conv1") + content)


def in_blob(content: bytes) -> bytes:
    return in_layer(write.payload(7, content))


FLOATS = write.payload(5, np.float32([1, 2, 3, 4]).tobytes())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty, and a .caffemodel is needed"),
        (b'name: "net"\nlayer { }\n', "is text, and the weights of a .caffemodel are binary; give"),
        (pickle.dumps({"a": 1}), "is a PyTorch file .* open it as a PyTorch network"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "is an HDF5 file, .*snapshot_format: BINARYPROTO"),
        (b"MATLAB 5.0 MAT-file" + bytes(50), "is a MATLAB file"),
        (b"\x1f\x8b\x08\0", "is compressed; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html>", "is a web page, .* fetch it again"),
        (write.number(1, 1) + write.number(2, 3), "perhaps a mean image .* solver's state"),
        (write.payload(1, "net\0") + write.payload(3, "data"), "without layers, so no Caffe"),
        (
            write.payload(1, "n\0") + b"\xa2\x06\xff\xff\xff\xff\x0f",
            "announces 4,294,967,295 bytes",
        ),
        (in_layer(b"\x3a\xff\x7f"), r"announces 16,383 bytes .* \(in layer 'conv1'\)"),
        (in_layer(b"\x3a"), "breaks off within a number"),
        (in_layer(b"\x3a" + b"\xff" * 12), "a number without an end"),
        (in_layer(b"\x03"), "a field of the unknown kind 3"),
        (in_layer(b"\x02\x00"), "a field without a number"),
        (in_layer(b"\x3d\x00"), "announces 4 bytes at byte"),
        (in_blob(FLOATS[:1] + b"\x03abc"), "has 3 bytes of 32-bit numbers"),
        (in_blob(write.number(5, 1)), "something else than 32-bit numbers"),
        (in_blob(FLOATS + write.payload(7, b"\x08\x05")), "declares a blob of 5 and stores 4"),
        (in_blob(FLOATS + write.number(1, 2) + write.number(2, 3)), "a blob of 2 x 3 x 0 x 0"),
        (
            in_blob(write.payload(7, write.number(1, 0) + write.number(1, 2**64 - 1))),
            "sizes that no array can have",
        ),
        (
            in_blob(FLOATS + write.payload(7, write.number(1, 2**62) + write.number(1, 2**62))),
            "and stores 4 numbers",
        ),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_what_is_no_caffemodel(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(FormatError, match=sentence) as caught:
        read_caffemodel(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_torch_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "net.caffemodel")
    with pytest.raises(FormatError, match="is a PyTorch file"):
        read_caffemodel(tmp_path / "net.caffemodel")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"cannot be read .No such file"):
        read_caffemodel(tmp_path / "net.caffemodel")
    with pytest.raises(FormatError, match=r"cannot be read .Is a directory"):
        read_caffemodel(tmp_path)


def test_every_truncation_is_noticed_or_ends_between_layers(tmp_path: Path) -> None:
    whole = write.network(LAYERS)
    for size in range(1, len(whole)):
        try:
            layers = read_caffemodel(saved(tmp_path, whole[:size]))
        except FormatError:
            continue
        assert whole.startswith(write.network(LAYERS[: len(layers)]))
        assert size == len(write.network(LAYERS[: len(layers)]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.caffemodel"
    for content in (data, in_layer(data), in_blob(data)):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        with suppress(FormatError):
            read_caffemodel(path)


@given(st.integers(0, 2**64 - 1))
def test_varints(number: int) -> None:
    written = write.varint(number)
    assert varint(memoryview(written), 0, len(written)) == (number, len(written))
    with pytest.raises(Damaged):
        varint(memoryview(written), 0, len(written) - 1)


def test_fields_of_each_kind() -> None:
    data = write.number(1, 300) + write.payload(200, "ab") + b"\x1d" + b"abcd"
    assert list(fields(memoryview(data), 0, len(data))) == [
        Field(1, 0, 1, 3, 300),
        Field(200, 2, 6, 8),
        Field(3, 5, 9, 13),
    ]


def test_a_character_cut_in_two_is_still_text() -> None:
    assert "is text" in not_a_caffemodel(("a" * 4095 + "é").encode()[:4096])

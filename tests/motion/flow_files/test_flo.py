"""Middlebury's files: every bit kept, both byte orders, and strict about sizes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow, write_flow
from phosphene.motion.flow_files.flo import decode_flo, encode_flo


def test_the_bytes_are_the_benchmark_s() -> None:
    flow = Flow.of(np.array([[[1.5, -2.0], [0, 0]]]), np.array([[True, False]]))
    tag, width, height, *values = struct.unpack("<fii4f", encode_flo(flow))
    assert (tag, width, height) == (202021.25, 2, 1)
    assert values == [1.5, -2.0, 1e10, 1e10]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (31, 17)])
def test_round_trip_keeps_every_bit(size: tuple[int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    flow = Flow.of(rng.normal(0, 100, (*size, 2)), rng.random(size) < 0.7)
    write_flow(flow, tmp_path / "a.flo")
    back = read_flow(tmp_path / "a.flo")
    np.testing.assert_array_equal(back.vectors, flow.vectors)
    np.testing.assert_array_equal(back.valid, flow.valid)
    assert back.vectors.dtype.isnative


def test_the_other_byte_order_is_read() -> None:
    content = struct.pack(">fii4f", 202021.25, 2, 1, 1.5, -2.0, 3.0, 4.0)
    assert content[:4] == b"HEIP"
    assert decode_flo(content, "a.flo").vectors.tolist() == [[[1.5, -2], [3, 4]]]


def test_what_is_huge_or_nan_is_not_valid() -> None:
    content = struct.pack("<fii6f", 202021.25, 3, 1, np.nan, 0, 1.7e9, 0, 1, 2)
    assert decode_flo(content, "a.flo").valid.tolist() == [[False, False, True]]


@pytest.mark.parametrize("kept", [4, 11, 12, 100])
def test_a_file_cut_short_is_refused(kept: int) -> None:
    content = encode_flo(Flow.of(np.zeros((5, 5, 2))))
    with pytest.raises(FlowError, match=r"^a\.flo is cut short.*fetch or save it again$"):
        decode_flo(content[:kept], "a.flo")


def test_a_file_too_long_is_refused() -> None:
    with pytest.raises(FlowError, match=r"too long: 5 x 5 pixels take 212 bytes, and it has 213"):
        decode_flo(encode_flo(Flow.of(np.zeros((5, 5, 2)))) + b"x", "a.flo")


@pytest.mark.parametrize("sides", [(2**31 - 1, 2**31 - 1), (-1, 5), (0, 0), (65536, 65536)])
def test_hostile_sizes_are_refused(sides: tuple[int, int]) -> None:
    content = struct.pack("<fii", 202021.25, *sides)
    with pytest.raises(FlowError, match=r"a\.flo claims to be .* pixels, which no flow is"):
        decode_flo(content, "a.flo")


def test_another_file_is_refused() -> None:
    with pytest.raises(FlowError, match=r"a\.flo is no \.flo: it does not begin with PIEH"):
        decode_flo(b"nothing of the kind", "a.flo")


def test_opencv_reads_and_writes_the_same(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    vectors = np.random.default_rng(4).normal(0, 30, (7, 11, 2)).astype(np.float32)
    write_flow(Flow.of(vectors), tmp_path / "a.flo")
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), vectors)
    cv2.writeOpticalFlow(str(tmp_path / "b.flo"), vectors)
    np.testing.assert_array_equal(read_flow(tmp_path / "b.flo").vectors, vectors)

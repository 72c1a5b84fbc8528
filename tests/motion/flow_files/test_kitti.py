"""KITTI's coding: right to 1/128 pixel, in the right channels, and strict about files."""

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow, write_flow
from phosphene.motion.flow_files.kitti import decode_png, encode_png
from tests.reference import flow_png

CV2 = pytest.importorskip("cv2")


def random_flow(height: int = 13, width: int = 17, most: float = 511.0, seed: int = 0) -> Flow:
    rng = np.random.default_rng(seed)
    vectors = rng.uniform(-most, most, (height, width, 2))
    return Flow.of(vectors, rng.random((height, width)) < 0.8)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (13, 17), (40, 64)])
@pytest.mark.parametrize("level", [None, 0, 1, 9])
def test_round_trip_is_right_to_half_a_step(size: tuple[int, int], level: int | None) -> None:
    flow = random_flow(*size)
    back = decode_png(encode_png(flow, level=level), "x.png")
    np.testing.assert_array_equal(back.valid, flow.valid)
    assert np.abs(back.vectors - flow.vectors).max(initial=0) <= 1 / 128
    assert back.vectors.dtype == np.float32
    assert back.vectors.flags.c_contiguous
    assert (back.vectors[~back.valid] == 0).all()


def test_what_was_coded_once_stays_as_it_is() -> None:
    once = decode_png(encode_png(random_flow()), "x.png")
    np.testing.assert_array_equal(decode_png(encode_png(once), "x.png").vectors, once.vectors)


def test_another_decoder_reads_the_same() -> None:
    flow = random_flow(9, 11)
    rows = flow_png.flow(encode_png(flow))
    for i, row in enumerate(rows):
        for j, vector in enumerate(row):
            assert (vector is not None) == flow.valid[i, j]
            if vector is not None:
                assert vector[0] == pytest.approx(float(flow.vectors[i, j, 0]), abs=1 / 128)
                assert vector[1] == pytest.approx(float(flow.vectors[i, j, 1]), abs=1 / 128)


def test_what_is_not_valid_is_black_as_in_kitti_s_files() -> None:
    rows = flow_png.pixels(encode_png(Flow.of(np.ones((1, 2, 2)), np.array([[True, False]]))))
    assert rows == [[(32832, 32832, 1), (0, 0, 0)]]


def test_another_encoder_s_files_are_read() -> None:
    rows = [[(32768 + 64, 32768 - 128, 1), (32768 + 1, 32768, 255), (5, 6, 0)]]
    flow = decode_png(flow_png.encoded(rows), "x.png")
    assert flow.vectors.tolist() == [[[1, -2], [1 / 64, 0], [0, 0]]]
    assert flow.valid.tolist() == [[True, True, False]]


@pytest.mark.parametrize(
    ("value", "valid"),
    [(-512.0, True), (511.98, True), (-512.02, False), (512.0, False), (511.995, False),
     (1e8, False), (-3e7, False)],
)  # fmt: skip
def test_what_has_no_code_is_not_valid(value: float, valid: bool) -> None:
    for vector in ([value, 0.0], [0.0, value]):
        back = decode_png(encode_png(Flow.of(np.array([[vector, [1.0, 2.0]]]))), "x.png")
        assert back.valid.tolist() == [[valid, True]]
        expected = vector if valid else [0.0, 0.0]
        np.testing.assert_allclose(back.vectors[0, 0], expected, atol=1 / 128)


def test_nan_is_not_valid() -> None:
    flow = Flow.of(np.array([[[np.nan, 0], [np.inf, 1], [2, 3]]]))
    assert decode_png(encode_png(flow), "x.png").valid.tolist() == [[False, False, True]]


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FlowError, match="level 10 of zlib does not exist: give 0 to 9"):
        encode_png(random_flow(), level=10)


def test_ordinary_pictures_are_refused() -> None:
    grey = flow_png.encoded([[(7,)]])
    with pytest.raises(FlowError, match=r"a\.png is a PNG of 16 bits in grey, where 16 bits in co"):
        decode_png(grey, "a.png")
    eight = flow_png.encoded([[(7, 8, 1)]], bits=8)
    with pytest.raises(FlowError, match=r"a\.png is a PNG of 8 bits in colour, where 16 bits"):
        decode_png(eight, "a.png")


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.7, 0.999])
def test_a_file_cut_short_is_refused(kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    content = encode_png(random_flow(60, 80))
    with pytest.raises(FlowError, match=r"^a\.png is damaged or cut short: fetch or save it again"):
        decode_png(content[: max(8, int(kept * len(content)))], "a.png")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("place", [10, 40, 500, -20, -3])
def test_a_damaged_byte_is_found(place: int) -> None:
    content = bytearray(encode_png(random_flow(60, 80)))
    content[place] ^= 0x10
    with pytest.raises(FlowError, match="damaged"):
        decode_png(bytes(content), "a.png")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: zlib.compress(raw)[:-40],
    "too few rows": lambda raw: zlib.compress(raw[: len(raw) // 2]),
    "no such filter": lambda raw: zlib.compress(b"\x09" + raw[1:]),
    "no zlib": lambda raw: raw,
    "nothing": lambda raw: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_behind_right_checksums_is_found(damage: Callable[[bytes], bytes]) -> None:
    header = struct.pack(">IIBBBBB", 20, 30, 16, 2, 0, 0, 0)
    raw = (b"\0" + np.random.default_rng(0).bytes(20 * 6)) * 30
    chunks = [(b"IHDR", header), (b"IDAT", damage(raw)), (b"IEND", b"")]
    with pytest.raises(FlowError, match="damaged or cut short"):
        decode_png(flow_png.chunked(chunks), "a.png")


@pytest.mark.parametrize("sides", [(2**31 - 1, 2**31 - 1), (0, 5), (20000, 20000), (9000, 9000)])
def test_hostile_sizes_are_refused_before_anything_is_allocated(sides: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *sides, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    with pytest.raises(FlowError, match=r"a\.png .*damaged"):
        decode_png(flow_png.chunked(chunks), "a.png")


def test_a_transparent_colour_is_no_fourth_channel() -> None:
    content = flow_png.encoded([[(32768, 32768, 1)]])
    chunks = [(b"IHDR", content[16:29]), (b"tRNS", bytes(6))]
    rest = content[33:]
    assert decode_png(flow_png.chunked(chunks) + rest, "a.png").valid.all()


def test_no_opencv_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(FlowError, match="needs OpenCV: `pip install phosphene"):
        encode_png(random_flow())


def test_it_is_written_and_read_as_a_file(tmp_path: Path) -> None:
    flow = random_flow()
    write_flow(flow, tmp_path / "deep" / "a.PNG")
    back = read_flow(tmp_path / "deep" / "a.PNG")
    assert np.abs(back.vectors - flow.vectors).max() <= 1 / 128


def test_flow_of_real_video(shared: Path) -> None:
    frames = sorted((shared / "data" / "davis" / "frames" / "camel").iterdir())
    one, two = (CV2.imread(str(frames[i]), CV2.IMREAD_GRAYSCALE) for i in (0, 5))
    found = CV2.DISOpticalFlow_create(CV2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(one, two, None)
    flow = Flow.of(found)
    content = encode_png(flow)
    back = decode_png(content, "a.png")
    assert back.valid.all()
    assert np.abs(back.vectors - flow.vectors).max() <= 1 / 128
    assert len(content) < flow.vectors.nbytes / 3

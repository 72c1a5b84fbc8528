from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError
from phosphene.motion.video import films, open_video
from tests.motion.filmed import film, panned

av = pytest.importorskip("av")

KINDS = {
    "a.mp4": ("libx264", {"bf": "3"}),
    "a.mkv": ("libx264", {"bf": "3"}),
    "open.mp4": ("libx264", {"x264-params": "open-gop=1:bframes=3"}),
    "a.avi": ("mpeg4", {"bf": "2"}),
    "a.ts": ("libx264", {}),
    "a.mpg": ("mpeg2video", {"bf": "2"}),
    "a.webm": ("libvpx", {"deadline": "realtime", "auto-alt-ref": "1"}),
    "raw.h264": ("libx264", {"bf": "2"}),
}


def sequential(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_a_pass_from_the_beginning(tmp_path: Path, name: str) -> None:
    codec, options = KINDS[name]
    form = "h264" if name.endswith("h264") else None
    path = film(tmp_path / name, panned(45), codec, options=options, form=form)
    every, video = sequential(path), open_video(path)
    assert len(video) == len(every) == 45
    wanted = [0, 1, 9, 10, 11, 27, 30, 44]
    found = list(video.frames(wanted))
    assert [frame.number for frame in found] == wanted
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, every[frame.number])
        assert frame.original == (64, 96)
    assert video.trouble == ""
    assert len(list(video.glances(range(20, 26)))) == 6


def test_only_what_is_needed_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4", panned(100, step=(1, 1)), options={"bf": "0"})
    decoded = 0
    whole = films._stream_of

    def counted(*given: object):
        nonlocal decoded
        for frame in whole(*given):
            decoded += 1
            yield frame

    monkeypatch.setattr(films, "_stream_of", counted)
    assert len(list(open_video(path).frames([53, 55, 92]))) == 3
    assert decoded <= 6 + 3 + 3


def test_frames_that_last_differently_are_counted_all_the_same(tmp_path: Path) -> None:
    times = list(np.cumsum([20, 40, 90, 200] * 6))
    frames = panned(24)
    path = film(tmp_path / "a.mkv", frames, times=[int(time) for time in times])
    every, found = sequential(path), list(open_video(path).frames([3, 4, 17]))
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, every[frame.number])
        assert frame.time == pytest.approx(times[frame.number] / 1000, abs=0.021)
    assert found[1].time - found[0].time == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_phone_held_otherwise_is_turned_upright(tmp_path: Path, angle: int, turns: int) -> None:
    path = film(tmp_path / "a.mp4", panned(6), rotation=angle, options={"crf": "10"})
    upright = np.rot90(panned(6)[2], turns)
    whole, small = (next(open_video(path).frames([2], side)) for side in (None, 48))
    assert whole.original == whole.pixels.shape[:2] == upright.shape[:2]
    assert np.abs(whole.pixels.astype(int) - upright).mean() < 12
    assert small.original == upright.shape[:2]
    assert sorted(small.pixels.shape[:2]) == [48, 72]


def test_pixels_become_square_and_odd_sizes_stay(tmp_path: Path) -> None:
    wide = film(tmp_path / "a.mkv", panned(4), aspect=Fraction(3, 2))
    narrow = film(tmp_path / "b.mkv", panned(4), aspect=Fraction(2, 3))
    odd = film(tmp_path / "c.mkv", panned(4, (63, 97)), "ffv1", pixels="bgr0")
    shapes = [next(open_video(p).frames([1])).pixels.shape[:2] for p in (wide, narrow, odd)]
    assert shapes == [(43, 96), (64, 64), (63, 97)]
    (lossless,) = open_video(odd).frames([2])
    np.testing.assert_array_equal(lossless.pixels, panned(4, (63, 97))[2])


def test_nothing_is_enlarged(tmp_path: Path) -> None:
    video = open_video(film(tmp_path / "a.mp4", panned(4)))
    assert next(video.frames([0], 64)).pixels.shape == (64, 96, 3)
    assert next(video.frames([0], 1000)).pixels.shape == (64, 96, 3)
    assert next(video.frames([0], 21)).pixels.shape == (21, 32, 3)


@pytest.mark.parametrize(
    ("name", "container"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {}), ("a.ts", {})]
)
def test_of_a_film_cut_short_the_rest_is_read(
    tmp_path: Path, name: str, container: dict[str, str]
) -> None:
    path = film(tmp_path / name, panned(60, seed=3), container=container)
    every = sequential(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    video = open_video(path)
    assert 10 < len(video) < 58
    found = list(video.frames([0, 7, 12]))
    assert len(found) == 3
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, every[frame.number])
    # A transport stream does not say how long it is.
    assert name == "a.ts" or "cut short" in video.trouble
    assert open_video(film(tmp_path / f"b{name}", panned(60))).trouble == ""
    last = list(video.frames([len(video) - 1]))
    assert not last or np.abs(last[0].pixels.astype(int) - every[last[0].number]).mean() < 60


def test_over_what_is_damaged_it_is_read_on(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", panned(60), container={"movflags": "faststart"})
    every, content = sequential(path), bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes(range(250)) * 6
    path.write_bytes(content)
    video = open_video(path)
    found = {frame.number: frame for frame in video.frames(range(len(video)))}
    assert {0, 1, 59} <= found.keys()
    np.testing.assert_array_equal(found[1].pixels, every[1])
    np.testing.assert_array_equal(found[59].pixels, every[59])


@pytest.mark.parametrize("content", [b"", b"no film", bytes(5000), b"\x00\x00\x00\x18ftypmp42"])
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"decoded|no frames|no video"):
        len(open_video(path))


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(ImageError, match="no video"):
        len(open_video(tmp_path / "a.mkv"))


def test_a_film_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no video"):
        open_video(tmp_path / "a.mp4")

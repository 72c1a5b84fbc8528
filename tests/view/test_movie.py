import os
import sys

import av
import numpy as np
import pytest
from PIL import Image

from phosphene.errors import OutputError
from phosphene.view import save_movie
from tests.view.panels import noise

VIDEOS = (".mp4", ".webm")


def smooth(count=6, size=(64, 48)):
    """Frames that grow lighter from the left, each different from all others."""
    ramp = np.linspace(0, 120, size[0])[None, :, None].repeat(size[1], 0).repeat(3, 2)
    return [
        Image.fromarray(np.add(ramp, [20 * k, 10 * k, 120 - 20 * k]).clip(0, 255).astype(np.uint8))
        for k in range(count)
    ]


def read_gif(path):
    with Image.open(path) as image:
        frames, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(image.convert("RGB"))
            durations.append(image.info["duration"])
        return frames, durations, image.info.get("loop")


def read_video(path):
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [
            f.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
            for f in file.decode(video=0)
        ]
        return frames, stream.average_rate, stream.codec_context


def distance(one, two):
    return np.abs(np.asarray(one, float) - np.asarray(two, float)).mean()


@pytest.mark.parametrize("name", ["m.gif", "m.GIF", "new/folder/m.gif"])
def test_gif(tmp_path, name):
    path = save_movie(smooth(), tmp_path / name)
    assert path == tmp_path / name
    frames, durations, loop = read_gif(path)
    assert [frame.size for frame in frames] == [(64, 48)] * 6
    assert loop == 0
    assert sum(durations[:5]) == pytest.approx(5 * 1000 / 12, abs=10)
    assert durations[5] == 1500
    assert all(distance(a, b) < 2 for a, b in zip(frames, smooth(), strict=True))


def test_gif_of_few_colors_is_exact(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    frames = [Image.fromarray(np.roll(pixels, k, 0).reshape(16, 16, 3)) for k in range(4)]
    stored, _, _ = read_gif(save_movie(frames, tmp_path / "m.gif"))
    assert [s.tobytes() for s in stored] == [f.tobytes() for f in frames]


@pytest.mark.parametrize(("fps", "total"), [(10, 500), (30, 170), (100, 100), (0.5, 10000)])
def test_gif_keeps_its_speed(tmp_path, fps, total):
    _, durations, _ = read_gif(save_movie(smooth(), tmp_path / "m.gif", fps))
    assert sum(durations[:5]) == total
    assert min(durations) >= 20
    assert durations[-1] == max(1500, 1000 / fps)


def test_frames_that_are_equal_last(tmp_path):
    frames = smooth(1) * 3 + smooth(2)[1:]
    _, durations, _ = read_gif(save_movie(frames, tmp_path / "m.gif", 10))
    assert sum(durations) == 300 + 1500


@pytest.mark.parametrize("suffix", VIDEOS)
@pytest.mark.parametrize("size", [(64, 48), (63, 47), (64, 47), (17, 200)])
def test_videos(tmp_path, suffix, size):
    path = save_movie(smooth(size=size), tmp_path / f"m{suffix}", fps=12)
    frames, rate, codec = read_video(path)
    assert rate == 12
    assert codec.name == {".mp4": "h264", ".webm": "vp9"}[suffix]
    assert codec.pix_fmt == "yuv420p"
    assert len(frames) == 6
    for stored, frame in zip(frames, smooth(size=size), strict=True):
        height, width = stored.shape[:2]
        assert (width, height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert distance(stored[: size[1], : size[0]], frame) < 3
        assert distance(stored[-1, : size[0]], np.asarray(frame)[-1]) < 6  # not black


@pytest.mark.parametrize("suffix", VIDEOS)
@pytest.mark.parametrize("color", [(255, 0, 0), (0, 0, 255), (255, 255, 255), (128, 64, 200)])
def test_colors_of_videos(tmp_path, suffix, color):
    path = save_movie([Image.new("RGB", (32, 32), color)] * 2, tmp_path / f"m{suffix}")
    frame = read_video(path)[0][1]
    assert np.abs(frame.astype(int) - color).max() <= 3


def test_the_index_of_an_mp4_comes_first(tmp_path):
    content = save_movie(smooth(), tmp_path / "m.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("suffix", VIDEOS)
def test_frames_are_taken_one_by_one(tmp_path, monkeypatch, suffix):
    from phosphene.view import movie

    taken, encoded = [], []
    planes = movie._planes
    monkeypatch.setattr(movie, "_planes", lambda *a: (encoded.append(len(taken)), planes(*a))[1])
    save_movie(
        (taken.append(k) or frame for k, frame in enumerate(smooth())), tmp_path / f"m{suffix}"
    )
    assert encoded == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
@pytest.mark.parametrize("suffix", [".gif", *VIDEOS])
def test_other_modes(tmp_path, mode, suffix):
    frames = [noise(20, seed=k).convert(mode) for k in range(2)]
    assert save_movie(frames, str(tmp_path / f"m{suffix}")).stat().st_size > 100


@pytest.mark.parametrize("suffix", [".gif", *VIDEOS])
def test_one_frame(tmp_path, suffix):
    path = save_movie([noise(20)], tmp_path / f"m{suffix}")
    count = len(read_gif(path)[0] if suffix == ".gif" else read_video(path)[0])
    assert count == 1


@pytest.mark.parametrize("name", ["m.avi", "m", "m.png"])
def test_an_unknown_suffix(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.gif, \.mp4, \.webm"):
        save_movie(smooth(), tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".gif", *VIDEOS])
def test_what_is_no_movie(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    with pytest.raises(OutputError, match="no frame"):
        save_movie([], path)
    with pytest.raises(OutputError, match="frame 3 has 20 x 20 pixels, the first 64 x 48"):
        save_movie([*smooth(2), noise(20)], path)
    with pytest.raises(OutputError, match="at least one pixel"):
        save_movie([Image.new("RGB", (0, 5))], path)
    for fps in (0, -1, float("nan"), 1e9):
        with pytest.raises(OutputError, match="frames a second"):
            save_movie(smooth(), path, fps)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".gif", *VIDEOS])
def test_a_failure_leaves_what_was_there(tmp_path, suffix):
    path = save_movie(smooth(), tmp_path / f"m{suffix}")
    before = path.read_bytes()

    def failing():
        yield from smooth(3)
        raise KeyError("no more")

    with pytest.raises(KeyError, match="no more"):
        save_movie(failing(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".gif", *VIDEOS])
def test_a_place_that_cannot_be_written(tmp_path, suffix):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        save_movie(smooth(), tmp_path / "file" / f"m{suffix}")


def test_an_encoder_that_fails(tmp_path, monkeypatch):
    from phosphene.view import movie

    def fail(*_):
        raise av.error.InvalidDataError(1, "broken")

    monkeypatch.setattr(movie, "_planes", fail)
    with pytest.raises(OutputError, match="broken"):
        save_movie(smooth(), tmp_path / "m.mp4")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", VIDEOS)
def test_without_pyav(tmp_path, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OutputError, match=r"pip install phosphene\[video\].*\.gif"):
        save_movie(smooth(), tmp_path / f"m{suffix}")
    assert save_movie(smooth(), tmp_path / "m.gif").exists()
    assert os.listdir(tmp_path) == ["m.gif"]

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.motion.video import open_video, videos_of
from phosphene.motion.video.sampling import drawn
from tests.motion.filmed import folder, panned


def test_frames_are_in_natural_order(tmp_path: Path) -> None:
    frames = panned(12)
    video = open_video(folder(tmp_path / "v", frames, "png"))
    assert len(video) == 12
    for frame in video.frames([2, 9, 10, 11]):
        np.testing.assert_array_equal(frame.pixels, frames[frame.number])
        assert frame.time is None
        assert frame.content == b""


def test_a_jpeg_that_nothing_is_done_to_comes_along(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", panned(3))
    (frame,) = open_video(path).frames([1], 64)
    assert frame.content == (path / "1.jpg").read_bytes()
    np.testing.assert_array_equal(frame.pixels, np.asarray(Image.open(io.BytesIO(frame.content))))
    (small,) = open_video(path).frames([1], 32)
    assert (small.pixels.shape, small.original, small.content) == ((32, 48, 3), (64, 96), b"")


def test_large_jpegs_are_scaled_while_they_are_decoded(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", panned(2, (640, 960)))
    (frame,) = open_video(path).frames([1], 80)
    assert (frame.pixels.shape, frame.original) == ((80, 120, 3), (640, 960))
    exact = np.asarray(Image.open(path / "1.jpg").resize((120, 80), Image.Resampling.BOX))
    assert np.abs(frame.pixels.astype(int) - exact).mean() < 3


def test_a_turned_or_grey_photograph_is_made_upright_rgb(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(panned(1)[0])
    image.save(tmp_path / "v" / "0.jpg", exif=exif)
    image.convert("L").save(tmp_path / "v" / "1.jpg")
    turned, grey = open_video(tmp_path / "v").frames([0, 1], 64)
    assert (turned.original, turned.pixels.shape, turned.content) == ((96, 64), (96, 64, 3), b"")
    assert (grey.pixels.shape, grey.content) == ((64, 96, 3), b"")


def test_damaged_frames_are_left_out_and_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", panned(4))
    (path / "1.jpg").write_bytes(b"no image")
    (path / "2.jpg").write_bytes((path / "2.jpg").read_bytes()[:300])
    video = open_video(path)
    assert [frame.number for frame in video.frames(range(4))] == [0, 3]
    assert "2 frames cannot be read, as 1.jpg" in video.trouble


def test_videos_are_found_in_folders(tmp_path: Path) -> None:
    for name in ("a/one", "a/two/deep", "b"):
        folder(tmp_path / "in" / name, panned(2))
    for name in ("film.mp4", "a/one/film.mkv", "a/.hidden.mp4", "a/notes.md"):
        (tmp_path / "in" / name).write_bytes(b"")
    found = videos_of(tmp_path / "in")
    # Beside a film images are no frames.
    assert list(found.names) == ["a/one/film.mkv", "a/two/deep", "b", "film.mp4"]
    assert Path(found.paths[1]) == tmp_path / "in/a/two/deep"
    single = videos_of(str(tmp_path / "in" / "b"))
    assert list(single.names) == ["b"]


def test_lists_patterns_and_several_sources(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "v", panned(2))
    for name in ("1.mp4", "2.mp4", "x/3.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "all.txt").write_text("# films\nx/3.mp4\n\nv\n")
    assert list(videos_of("all.txt").names) == ["v", "x/3.mp4"]
    assert list(videos_of(["*.mp4", "v", "2.mp4"]).names) == ["1.mp4", "2.mp4", "v"]
    shutil.copy("1.mp4", "x/1.mp4")
    with pytest.raises(ImageError, match=r"two videos go by the name 1\.mp4"):
        videos_of(["1.mp4", "x/1.mp4"])


@pytest.mark.parametrize("given", ["nowhere", "empty", "bad.txt", "none.txt", "a.png"])
def test_what_names_no_video(tmp_path: Path, monkeypatch, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.txt").write_bytes(b"\x00\x01")
    (tmp_path / "none.txt").write_text("# nothing\n")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ImageError):
        videos_of(given)


def test_draws_are_random_each_once_and_alike_everywhere() -> None:
    numbers = list(drawn(3, "cows", 500))
    assert sorted(numbers) == list(range(500))
    assert numbers != list(drawn(4, "cows", 500))
    assert numbers != list(drawn(3, "dog", 500))
    # Written down once: every version is to draw the same.
    assert numbers[:8] == NUMBERS
    first = np.array([next(drawn(seed, "x", 10)) for seed in range(2000)])
    assert np.bincount(first, minlength=10).min() > 150


NUMBERS = [97, 397, 249, 284, 415, 268, 61, 463]

"""Image sets: every source in one order, names and images by key, and what cannot be read."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.errors import ImageError
from phosphene.survey.images import ImageSet, key, open_images, place
from phosphene.survey.images.names import Names
from tests.survey.image_files import folder, noise, pixels, png, shard


def read_all(images: ImageSet) -> list[tuple[int, str, np.ndarray]]:
    """Read a set as a sweep does: part by part, in order."""
    found = []
    for number, part in enumerate(images.parts):
        for entry in part.images():
            found.append((key(number, entry.index), entry.name, pixels(entry.read())))
    return found


def check(images: ImageSet) -> list[str]:
    """Every image is found again by its key, also after pickling; return the names."""
    again = pickle.loads(pickle.dumps(images))
    found = read_all(images)
    keys = [k for k, _, _ in found]
    assert keys == sorted(set(keys))
    for k, name, image in reversed(found):
        assert again.name_of(k) == name
        np.testing.assert_array_equal(pixels(again.read(k)), image)
    assert [(k, name) for k, name, _ in found] == list(again)
    return [name for _, name, _ in found]


def test_keys_grow_with_parts_and_places() -> None:
    assert place(key(5, 9)) == (5, 9)
    assert key(0, 2**32 - 1) < key(1, 0)


def test_a_folder_tree(tmp_path: Path) -> None:
    folder(tmp_path / "b", 3)
    folder(tmp_path / "a" / "deep", 2)
    folder(tmp_path / ".hidden", 1)
    (tmp_path / "notes.md").write_text("no image")
    noise(9).save(tmp_path / "c.png")
    images = open_images(tmp_path)
    assert check(images) == [
        "a/deep/000.png", "a/deep/001.png", "b/000.png", "b/001.png", "b/002.png", "c.png",
    ]  # fmt: skip
    assert images.count == 6


def test_parts_are_runs_of_64_files(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path, 130, (2, 2)))
    assert [part.count for part in images.parts] == [64, 64, 2]
    assert images.name_of(key(1, 0)) == "064.png"
    entries = list(images.parts[1].images(start=62))
    assert [(e.index, e.name) for e in entries] == [(62, "126.png"), (63, "127.png")]
    with pytest.raises(ImageError, match="no image 2"):
        images.read(key(2, 2))
    with pytest.raises(ImageError, match="3 parts"):
        images.name_of(key(3, 0))


def test_a_list_is_relative_to_itself(tmp_path: Path) -> None:
    folder(tmp_path / "pictures", 3)
    (tmp_path / "lists").mkdir()
    listing = tmp_path / "lists" / "some.txt"
    listing.write_text("# two of three\n\n../pictures/002.png\r\n  ../pictures/000.png  \n")
    images = open_images(listing)
    assert check(images) == ["../pictures/002.png", "../pictures/000.png"]
    np.testing.assert_array_equal(pixels(images.read(0)), pixels(noise(2)))


def test_a_list_with_a_line_that_is_no_path(tmp_path: Path) -> None:
    listing = tmp_path / "some.txt"
    listing.write_bytes(b"a.png\n\x00\x01\x02\n")
    with pytest.raises(ImageError, match=r"line 2 of .*some\.txt is no path"):
        open_images(listing)
    listing.write_text("# nothing\n\n")
    with pytest.raises(ImageError, match="names no images"):
        open_images(listing)


def test_tar_shards_by_samples(tmp_path: Path) -> None:
    for number in range(3):
        members = {}
        for i in range(2):
            members[f"train/{number}{i}.cls"] = b"7"
            members[f"train/{number}{i}.png"] = png(10 * number + i)
        shard(tmp_path / f"x-{number:03d}.tar", members)
    images = open_images(f"{tmp_path}/x-{{000..002}}.tar")
    names = check(images)
    assert names[:3] == ["x-000.tar/train/00", "x-000.tar/train/01", "x-001.tar/train/10"]
    assert len(names) == 6
    np.testing.assert_array_equal(pixels(images.read(key(2, 1))), pixels(noise(21)))
    by_folder = open_images(tmp_path)
    assert [name for _, name in by_folder] == names
    assert [e.name for e in images.parts[1].images(1)] == ["x-001.tar/train/11"]


def test_samples_of_several_images(tmp_path: Path) -> None:
    path = shard(
        tmp_path / "x.tar",
        {"0.jpg": png(1), "0.seg.png": png(2), "1.jpg": png(3), "1.seg.png": png(4)},
    )
    with pytest.raises(ImageError, match=r"'0' of x.tar holds several images \(jpg, seg.png\)"):
        open_images(path)
    images = open_images(path, member="seg.png")
    assert check(images) == ["x.tar/0", "x.tar/1"]
    np.testing.assert_array_equal(pixels(images.read(1)), pixels(noise(4)))


def test_names_in_a_tar_are_only_names(tmp_path: Path) -> None:
    path = shard(tmp_path / "in" / "x.tar", {"../../out.png": png(1), "/etc/passwd.png": png(2)})
    before = sorted(tmp_path.rglob("*"))
    assert check(open_images(path)) == ["x.tar/../../out", "x.tar//etc/passwd"]
    assert sorted(tmp_path.rglob("*")) == before


def test_tars_that_cannot_be_read(tmp_path: Path) -> None:
    plain = shard(tmp_path / "x.tar", {f"{i}.png": png(i) for i in range(3)})
    packed = tmp_path / "x.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(ImageError, match=r"x.tar.gz is packed.*unpack it to a plain .tar"):
        open_images(packed)
    disguised = tmp_path / "y.tar"
    disguised.write_bytes(packed.read_bytes())
    with pytest.raises(ImageError, match=r"y.tar is packed by gzip"):
        open_images(disguised)
    with pytest.raises(ImageError, match="holds no images"):
        open_images(shard(tmp_path / "z.tar", {"readme.txt": b"hello"}))
    rubbish = tmp_path / "r.tar"
    rubbish.write_bytes(b"no tar at all" * 100)
    with pytest.raises(ImageError, match=r"r.tar is damaged"):
        open_images(rubbish)


def test_a_tar_that_ends_too_early(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.tar", {f"{i}.png": png(i) for i in range(3)})
    path.write_bytes(path.read_bytes()[:6000])
    images = open_images(path)
    entries = images.parts[0].images()
    assert [next(entries).name, next(entries).name] == ["x.tar/0", "x.tar/1"]
    assert images.read(1).size == (32, 24)
    with pytest.raises(ImageError, match="damaged behind its image 2"):
        next(entries)


def test_a_tar_that_changes_meanwhile(tmp_path: Path) -> None:
    images = open_images(shard(tmp_path / "x.tar", {"0.png": png(0)}))
    shard(tmp_path / "x.tar", {f"{i}.png": png(i) for i in range(9)})
    with pytest.raises(ImageError, match="has changed"):
        images.read(0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twenty frames of growing brightness, as encoders write them: many refer to later ones."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"g": "8", "bf": "2", "crf": "5"}
        for i in range(20):
            frame = np.full((48, 64, 3), 10 * i, np.uint8)
            frame[:, 3 * i : 3 * i + 4] = (200, 50, 50)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_every_frame_of_a_video_is_found_again(clip: Path) -> None:
    images = open_images(clip)
    names = check(images)
    assert names == [f"clip.mp4 frame {i}" for i in range(20)]
    corner = [pixels(images.read(key(0, i)))[:, -3:].mean() for i in range(20)]
    np.testing.assert_allclose(corner[:18], 10 * np.arange(18), atol=4)


def test_every_third_frame(clip: Path) -> None:
    images = open_images(clip, every_nth=3)
    assert check(images) == [f"clip.mp4 frame {i}" for i in range(0, 20, 3)]
    assert [e.index for e in images.parts[0].images(5)] == [5, 6]
    with pytest.raises(ImageError, match=r"ends before clip.mp4 frame 21"):
        images.read(key(0, 7))
    assert images.fingerprint != open_images(clip).fingerprint


def test_a_damaged_video(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:600])
    with pytest.raises(ImageError, match=r"broken.mp4 cannot be decoded"):
        list(open_images(broken).parts[0].images())


def test_images_in_memory() -> None:
    array = np.random.default_rng(0).random((8, 9, 3))
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    images = open_images([array, noise(1), tensor])
    assert check(images) == ["image 0", "image 1", "image 2"]
    np.testing.assert_array_equal(pixels(images.read(0)), pixels(images.read(2)))
    assert open_images([array]).fingerprint != open_images([array[::-1]]).fingerprint
    with pytest.raises(ImageError, match=r"image 0: an array of shape \(2, 2, 2\)"):
        open_images([np.zeros((2, 2, 2))]).read(0)


def test_drawn_scenes() -> None:
    assert open_images("demo").count == 12
    images = open_images("demo:70")
    assert images.count == 70
    assert len(images.parts) == 2
    assert images.read(key(1, 5)).size == (96, 96)
    assert images.name_of(0) != images.name_of(1)


def test_several_sources_follow_one_another(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", 2), folder(tmp_path / "two", 1)
    tar = shard(tmp_path / "x.tar", {"0.png": png(5)})
    names = check(open_images([one, tar, two, two / "000.png"]))
    assert names == [
        f"{one}/000.png", f"{one}/001.png", "x.tar/0", f"{two}/000.png", f"{two}/000.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda at: at, "holds no image files, tar shards or videos"),
        (lambda at: at / "missing", "there is no file or folder"),
        (lambda at: at / "missing.png", "there is no file"),
        (lambda at: f"{at}/x-{{3..1}}.tar", "begin with the smaller"),
        (lambda at: [], "no images were given"),
        (lambda at: "demo:0", "no scenes"),
    ],
)
def test_sets_that_are_none(tmp_path: Path, make: object, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        open_images(make(tmp_path))  # type: ignore[operator]


def test_a_folder_of_several_kinds_is_not_guessed_about(tmp_path: Path) -> None:
    folder(tmp_path, 2)
    shard(tmp_path / "x.tar", {"0.png": png(0)})
    with pytest.raises(ImageError, match="2 images and 1 tar shards"):
        open_images(tmp_path)


def test_the_fingerprint_tells_names_and_sizes(tmp_path: Path) -> None:
    first = open_images(folder(tmp_path / "a", 3)).fingerprint
    assert first == open_images(folder(tmp_path / "b", 3)).fingerprint
    (tmp_path / "b" / "001.png").rename(tmp_path / "b" / "009.png")
    assert open_images(tmp_path / "b").fingerprint != first
    noise(5, (9, 9)).save(tmp_path / "a" / "001.png")
    assert open_images(tmp_path / "a").fingerprint != first


def test_names_take_any_text() -> None:
    given = ["", "a", "ä/ö", "\udcff.png", "x" * 1000]
    names = Names(given)
    assert list(names) == given
    assert names[-1] == given[-1]
    assert names[1:3] == given[1:3]
    with pytest.raises(IndexError):
        names[5]


def test_files_named_from_elsewhere_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "photos", 2)
    noise(5).save(tmp_path / "cat.png")
    monkeypatch.chdir(tmp_path)
    given = open_images(["photos", "cat.png"])
    monkeypatch.chdir("/")
    assert given.source is not None
    again = open_images(given.source["paths"])
    assert again.fingerprint == given.fingerprint
    assert again.count == 3
    noise(6, (30, 30)).save(tmp_path / "cat.png")
    assert open_images(given.source["paths"]).fingerprint != given.fingerprint

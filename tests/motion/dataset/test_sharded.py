from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError, ImageError, SettingError
from phosphene.motion.dataset import open_pairs
from phosphene.motion.dataset import sharded as under_test
from phosphene.motion.dataset.frames import decoded
from tests.motion.dataset import sets_on_disk as on_disk
from tests.motion.dataset.test_opening import names, speeds


def test_any_pair_in_any_order(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    pairs = open_pairs(tmp_path)
    assert len(pairs) == 12
    assert tuple(pairs.parts) == (5, 3, 4)
    assert pairs.skipped == ()
    for index in (11, 0, 5, 7, 4, 8):
        pair = pairs[index]
        assert pair.name == pairs.name(index) == f"v-{index:04d}"
        assert (pair.flow.vectors == (index, -index)).all()
        want = np.asarray(Image.open(io.BytesIO(on_disk.jpeg(index))))
        np.testing.assert_array_equal(pair.first, want)
        assert pair.second is None
    for wrong in (12, -1):
        with pytest.raises(IndexError):
            pairs[wrong]


def test_the_later_frame_is_read_when_asked_for(tmp_path: Path) -> None:
    def without(number: int, members: dict[str, bytes]) -> None:
        if number == 1:
            del members["second.jpg"]

    on_disk.shards(tmp_path, (2,), without)
    pairs = open_pairs(tmp_path, second=True)
    want = np.asarray(Image.open(io.BytesIO(on_disk.jpeg(1))))
    np.testing.assert_array_equal(pairs[0].second, want)
    assert pairs[1].second is None


def test_patterns_lists_and_ranges(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    assert len(open_pairs(str(tmp_path / "pairs-{000001..000002}.tar"))) == 7
    assert len(open_pairs(str(tmp_path / "pairs-*0.tar"))) == 5
    assert len(open_pairs([tmp_path / "pairs-000002.tar", tmp_path / "pairs-000000.tar"])) == 9
    assert len(open_pairs(f"shards:{tmp_path}")) == 12
    with pytest.raises(SettingError, match="split says nothing of shards: leave it out"):
        open_pairs(tmp_path, split="train")


def test_a_shard_without_an_index_as_webdataset_writes_it(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    (tmp_path / "pairs-000001.json").unlink()
    assert speeds(open_pairs(tmp_path)) == list(range(12))


def test_a_shard_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    cut = tmp_path / "pairs-000001.tar"
    os.truncate(cut, int(cut.stat().st_size * 0.6))
    pairs = open_pairs(tmp_path)
    assert 10 <= len(pairs) < 12
    assert names(pairs)[:6] == [f"v-{i:04d}" for i in range(6)]
    assert names(pairs)[-4:] == [f"v-{i:04d}" for i in range(8, 12)]
    assert "was cut short" in pairs.skipped[0]
    assert "pairs-000001.tar" in pairs.skipped[0]
    for index in range(len(pairs)):
        assert pairs[index].flow.valid.all()


def test_a_shard_cut_short_later_on(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    pairs = open_pairs(tmp_path)
    os.truncate(tmp_path / "pairs-000001.tar", 2000)
    with pytest.raises(FlowError, match=r"ends before v-0006"):
        pairs[6]


def test_a_shard_that_is_none(tmp_path: Path) -> None:
    on_disk.shards(tmp_path, (2,))
    (tmp_path / "pairs-000001.tar").write_bytes(b"nothing" * 1000)
    pairs = open_pairs(tmp_path)
    assert len(pairs) == 2
    assert "pairs-000001.tar holds no samples" in pairs.skipped[0]
    with pytest.raises(FlowError, match="holds no samples"):
        open_pairs(tmp_path / "pairs-000001.tar")


def test_samples_that_are_no_pairs_are_left_out(tmp_path: Path) -> None:
    def without(number: int, members: dict[str, bytes]) -> None:
        if number in (1, 4):
            del members["flow.png" if number == 1 else "jpg"]

    on_disk.shards(tmp_path, (3, 3), without)
    pairs = open_pairs(tmp_path)
    assert speeds(pairs) == [0, 2, 3, 5]
    assert len(pairs.skipped) == 2
    assert "1 sample of" in pairs.skipped[0]
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(__file__, "a.txt")
    with pytest.raises(FlowError, match="holds no pairs"):
        open_pairs(tmp_path / "other.tar")


def test_damaged_members_are_errors(tmp_path: Path) -> None:
    def damaged(number: int, members: dict[str, bytes]) -> None:
        if number == 0:
            members["jpg"] = members["jpg"][:200]
        if number == 1:
            members["flow.png"] = members["flow.png"][:-30]
        if number == 2:
            members["jpg"] = b"\x89PNG no more"

    on_disk.shards(tmp_path, (4,), damaged)
    pairs = open_pairs(tmp_path)
    with pytest.raises(ImageError, match="frame of v-0000 is damaged or cut short"):
        pairs[0]
    with pytest.raises(FlowError, match="v-0001"):
        pairs[1]
    with pytest.raises(ImageError, match="frame of v-0002 cannot be read"):
        pairs[2]
    assert pairs[3].flow.valid.all()


def test_frames_as_png_and_in_grey(tmp_path: Path) -> None:
    grey = Image.fromarray(np.arange(24 * 32, dtype=np.uint8).reshape(24, 32))
    for kind in ("PNG", "JPEG", "WEBP"):
        held = io.BytesIO()
        grey.save(held, kind)
        pixels = decoded(held.getvalue(), "x")
        assert pixels.shape == (24, 32, 3)
        assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


def test_few_files_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk.shards(tmp_path, (1,) * 9)
    monkeypatch.setattr(under_test, "_OPEN", 3)
    pairs = open_pairs(tmp_path)
    folder = Path("/proc/self/fd")

    def held() -> int:
        return sum(".tar" in os.readlink(fd) for fd in folder.iterdir() if fd.is_symlink())

    for index in (0, 1, 2, 3, 8, 0, 5):
        assert speeds_of(pairs, index) == index
        if folder.is_dir():
            assert held() <= 3
    del pairs
    if folder.is_dir():
        assert held() == 0


def speeds_of(pairs: object, index: int) -> float:
    return float(pairs[index].flow.vectors[0, 0, 0])  # type: ignore[index]


def test_pickled_it_opens_its_files_anew(tmp_path: Path) -> None:
    on_disk.shards(tmp_path)
    pairs = open_pairs(tmp_path)
    assert speeds_of(pairs, 3) == 3
    other = pickle.loads(pickle.dumps(pairs))
    assert speeds(other) == list(range(12))

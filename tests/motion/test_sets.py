"""Sets of worlds: what is written, read again, gone on with, and refused."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError, ImageError, OutputError, SettingError
from phosphene.motion.flow_files.sintel import read_sintel
from phosphene.motion.sets import SetPlan, read_set, write_set, writing
from phosphene.worlds.instant import Instant
from phosphene.worlds.moving_photographs import MovingPhotographs, moving_photographs

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
PLAN = SetPlan(("a", "b", "c"), {"world": "test", "size": (32, 40)}, {"train": ("a", "b")})


def world(seed: int, index: int, frames: int = 3) -> MovingPhotographs:
    return moving_photographs(
        [PHOTO], seed=10 * seed + index, frames=frames, size=(32, 40), objects=(1, 1), speed=2.0
    )


make = partial(world, 0)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_the_layout_is_sintels(tmp_path: Path) -> None:
    assert write_set(tmp_path / "set", make, PLAN) == 3
    names = [name for name in files(tmp_path / "set") if "/b/" in name or "/" not in name]
    assert sorted(names) == sorted(
        ["world.json"]
        + [
            f"{kind}/b/frame_000{i}.png"
            for kind in ("clean", "objects", "parts")
            for i in (1, 2, 3)
        ]
        + [f"flow/b/frame_000{i}.flo" for i in (1, 2)]
        + [f"occlusions/b/frame_000{i}.png" for i in (1, 2)]
    )
    truth = make(1).instant(1)
    found = read_sintel(tmp_path / "set" / "flow" / "b" / "frame_0002.flo")
    np.testing.assert_array_equal(found.flow.vectors, truth.flow.astype(np.float32))
    assert found.flow.valid.all()
    assert found.occluded is not None
    np.testing.assert_array_equal(found.occluded, truth.occluded)
    with Image.open(tmp_path / "set" / "objects" / "b" / "frame_0002.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), truth.objects)
        assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 0)
    facts = json.loads((tmp_path / "set" / "world.json").read_text())
    assert facts["world"] == "test"
    assert facts["sequences"] == ["a", "b", "c"]
    assert facts["splits"] == {"train": ["a", "b"]}
    assert "phosphene" in facts


def test_what_is_read_is_what_was_made(tmp_path: Path) -> None:
    write_set(tmp_path, make, PLAN)
    found = read_set(tmp_path)
    assert len(found) == 3
    assert [each.name for each in found] == ["a", "b", "c"]
    assert [each.name for each in found.split("train")] == ["a", "b"]
    for index, sequence in enumerate(found):
        assert (sequence.frames, len(sequence)) == (3, 2)
        moments = list(sequence)
        for t, truth in enumerate(make(index)):
            np.testing.assert_array_equal(sequence.image(t), truth.image)
            np.testing.assert_array_equal(sequence.objects(t), truth.objects)
            np.testing.assert_array_equal(sequence.parts(t), truth.parts)
            if t < 2:
                np.testing.assert_allclose(moments[t].flow, truth.flow, rtol=1e-6, atol=1e-6)
                np.testing.assert_array_equal(moments[t].occluded, truth.occluded)
                assert moments[t].flow.dtype == np.float64
                assert moments[t].objects.dtype == np.int32
    with pytest.raises(SettingError, match="a has no flow of frame 2: give 0 to 1"):
        found[0].instant(2)
    with pytest.raises(SettingError, match="has no split 'test': there are train"):
        found.split("test")


def test_the_bytes_are_the_same_whatever_the_workers(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_set(tmp_path / "one", make, PLAN)
    write_set(tmp_path / "two", make, PLAN, workers=2, tick=lambda *far: seen.append(far))
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


class Stopped(Exception):
    pass


def stopping(index: int) -> Iterator[Instant]:
    """Like `make`, but ends in the middle of the second sequence."""
    for t, instant in enumerate(make(index)):
        if (index, t) == (1, 2):
            raise Stopped
        yield instant


def ended(index: int) -> Iterator[Instant]:
    """Like `make`, but its process is killed in the second sequence."""
    if index == 1:
        os._exit(9)
    return iter(make(index))


def test_a_process_that_is_killed_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="was ended from outside, as happens where memory runs"):
        write_set(tmp_path, ended, PLAN, workers=2)
    assert write_set(tmp_path, make, PLAN) >= 1
    assert len(read_set(tmp_path)) == 3


def test_what_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    write_set(tmp_path / "whole", make, PLAN)
    folder = tmp_path / "set"
    with pytest.raises(Stopped):
        write_set(folder, stopping, PLAN)
    assert sorted(p.name for p in (folder / "clean").iterdir()) == ["a"]
    with pytest.raises(FlowError, match="lacks 2 of its 3 sequences, b first"):
        read_set(folder)
    before = (folder / "clean" / "a" / "frame_0001.png").stat().st_mtime_ns
    assert write_set(folder, make, PLAN) == 2
    assert (folder / "clean" / "a" / "frame_0001.png").stat().st_mtime_ns == before
    assert files(folder) == files(tmp_path / "whole")
    assert write_set(folder, make, PLAN) == 0


def test_what_was_stopped_between_two_renamings_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_set(folder, make, PLAN)
    whole = files(folder)
    (folder / "clean" / "c").rename(tmp_path / "gone")  # frames go last
    (folder / "flow" / "c" / "frame_0001.flo").write_bytes(b"half")
    assert write_set(folder, make, PLAN) == 1
    assert files(folder) == whole


def test_another_set_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_set(folder, make, PLAN)
    whole = files(folder)
    for plan, what in (
        (SetPlan(PLAN.names, {**PLAN.about, "size": (32, 41)}, PLAN.splits), "size"),
        (SetPlan(("a", "b"), PLAN.about, PLAN.splits), "sequences"),
        (SetPlan(PLAN.names, {"world": "test"}, PLAN.splits), "size"),
    ):
        with pytest.raises(OutputError, match=f"holds another set \\(of other {what}\\)"):
            write_set(folder, make, plan)
    assert files(folder) == whole
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="holds other things"):
        write_set(other, make, PLAN)
    assert [p.name for p in other.iterdir()] == ["letter.txt"]


def test_a_set_that_never_began_may_be_changed(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="a sequence of 1 frame"):
        write_set(tmp_path, partial(world, 0, frames=1), SetPlan(("a",), {"frames": 1}, {}))
    assert write_set(tmp_path, make, PLAN) == 3


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "labels_image", full)
    with pytest.raises(OutputError, match="cannot be written: the disk is full"):
        write_set(tmp_path / "set", make, PLAN)


def test_plans_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="0 sequences cannot be"):
        SetPlan((), {}, {})
    with pytest.raises(SettingError, match="2 sequences cannot be"):
        SetPlan(("a", "a"), {}, {})
    with pytest.raises(SettingError, match="a split holds 'd', which is no sequence"):
        SetPlan(("a",), {}, {"train": ("a", "d")})
    with pytest.raises(SettingError, match="0 workers"):
        write_set("nowhere", make, PLAN, workers=0)


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"holds no world\.json: give a folder that"):
        read_set(tmp_path)
    (tmp_path / "world.json").write_text('{"sequences": 3}')
    with pytest.raises(FlowError, match=r"world\.json is damaged"):
        read_set(tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write_set(tmp_path, make, PLAN)
    sequence = read_set(tmp_path)[0]
    labels = tmp_path / "objects" / "a" / "frame_0001.png"
    labels.write_bytes(labels.read_bytes()[:40])
    with pytest.raises(ImageError, match=r"objects/a/frame_0001\.png is damaged"):
        sequence.instant(0)
    Image.new("L", (5, 5)).save(labels)
    with pytest.raises(FlowError, match=r"objects of .* do not fit a frame of"):
        sequence.instant(0)
    labels.unlink()
    with pytest.raises(ImageError, match="there is no file"):
        sequence.instant(0)
    flow = tmp_path / "flow" / "a" / "frame_0002.flo"
    flow.write_bytes(flow.read_bytes()[:100])
    with pytest.raises(FlowError, match=r"frame_0002\.flo"):
        sequence.instant(1)


def test_many_labels_take_two_bytes(tmp_path: Path) -> None:
    labels = np.arange(32 * 40, dtype=np.int32).reshape(32, 40)
    image = writing.labels_image(labels)
    image.save(tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as back:
        np.testing.assert_array_equal(np.asarray(back), labels)

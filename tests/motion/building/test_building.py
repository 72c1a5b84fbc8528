import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import OutputError, SettingError
from phosphene.motion.building import Settings, build, planned
from phosphene.motion.building.one_shard import build_shard
from phosphene.motion.building.one_video import gather
from phosphene.motion.building.ranks import rank
from phosphene.motion.building.rounding import Rounding
from phosphene.motion.dataset import open_pairs
from phosphene.motion.estimators import open_estimator
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.kitti import decode_png, encode_png
from phosphene.motion.shards import ShardIndex
from phosphene.motion.video import open_video
from tests.motion.filmed import film, folder, panned

TWO = Settings(pairs=2)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos: films and folders of several sizes, one with a cut, one too short."""
    path = tmp_path_factory.mktemp("videos")
    film(path / "b.mp4", panned(20, (80, 120), seed=1))
    folder(path / "a" / "frames", panned(12, (64, 97), (1, 2), seed=2))
    film(path / "cut.mkv", [*panned(12, seed=3), *panned(12, seed=4)])
    film(path / "short.mp4", panned(5))
    (path / "bad.mp4").write_bytes(b"no film")
    return path


def contents(path: Path) -> dict[str, str]:
    """Name and hash of every file."""
    files = (file for file in path.iterdir() if file.name != "pairs.json")
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_pairs_are_what_the_videos_show(videos: Path, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    built = build(videos, tmp_path, Settings(), tick=lambda *at: ticks.append(at))
    assert ticks[-1] == (5, 5)
    assert (built.videos, built.shards, built.interrupted) == (5, 5, False)
    assert built.failed == {
        "bad.mp4": "it cannot be decoded (Invalid data found when processing input)",
        "short.mp4": "it has 5 frames, and a pair 5 apart needs 6",
    }
    assert built.notes == {
        "a/frames": "7 of 8 pairs: it has 12 frames, and so only 7 pairs 5 apart"
    }
    assert built.pairs == 8 + 7 + 8
    pairs = open_pairs(tmp_path)
    assert len(pairs) == built.pairs
    steps = {"a_frames": (1, 2), "b": (2, 1), "cut": (2, 1)}
    for i in range(len(pairs)):
        pair = pairs[i]
        x, y = steps[pair.name.split("-")[1]]
        # A pan of 5 steps: most of what is found is that.
        inside = pair.flow.vectors[16:-16, 16:-16].reshape(-1, 2)
        np.testing.assert_allclose(np.median(inside, 0), (5 * x, 5 * y), atol=0.5)


def test_no_pair_crosses_the_end_of_a_scene(videos: Path, tmp_path: Path) -> None:
    build(videos / "cut.mkv", tmp_path / "kept", Settings(pairs=14))
    frames = [int(key.rsplit("-", 1)[1]) for key in _index(tmp_path / "kept", 0).keys]
    assert frames == [*range(7), *range(12, 19)]
    build(videos / "cut.mkv", tmp_path / "all", Settings(pairs=19, cuts=True))
    assert len(_index(tmp_path / "all", 0)) == 19
    none = gather(
        open_video(videos / "cut.mkv"), 0, Settings(gap=13), open_estimator("dis:fast")
    )  # fmt: skip
    assert "a scene ends in between (11 tried)" in none.failed


def _index(folder: Path, shard: int) -> ShardIndex:
    return ShardIndex.read(folder / f"pairs-{shard:06d}.tar")


def test_a_sample_says_where_it_comes_from(videos: Path, tmp_path: Path) -> None:
    settings = Settings(pairs=1, gap=4, first=True, short_side=40, second=True, lossless=True)
    build(videos / "b.mp4", tmp_path, settings)
    index = _index(tmp_path, 0)
    assert list(index.keys) == ["000000-b-000000"]
    assert sorted(index.members) == ["flow.png", "json", "png", "second.png"]
    offset, size = index.members["json"][0]
    facts = json.loads((tmp_path / "pairs-000000.tar").read_bytes()[offset : offset + size])
    assert (facts["video"], facts["frame"], facts["second_frame"]) == ("b.mp4", 0, 4)
    assert facts["original"] == [80, 120]
    assert facts["second_time"] - facts["time"] == pytest.approx(0.16)
    pair = open_pairs(tmp_path, second=True)[0]
    assert pair.first.shape == pair.second.shape == (40, 60, 3)
    exact = open_video(videos / "b.mp4").frames([0, 4], 40)
    for stored, frame in zip((pair.first, pair.second), exact, strict=True):
        np.testing.assert_array_equal(stored, frame.pixels)
    assert index.facts["sizes"] == {"60x40": 1}
    assert index.facts["videos"] == {"b.mp4": 1}


def test_jpegs_stay_as_they_are(videos: Path, tmp_path: Path) -> None:
    build(videos / "a", tmp_path, TWO)
    index = _index(tmp_path, 0)
    content = (tmp_path / "pairs-000000.tar").read_bytes()
    for key, (offset, size) in zip(index.keys, index.members["jpg"], strict=True):
        number = int(key.rsplit("-", 1)[1])
        given = (videos / "a" / "frames" / f"{number}.jpg").read_bytes()
        assert content[offset : offset + size] == given


def test_workers_ranks_and_stops_change_no_byte(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(videos, tmp_path / "one", TWO, per_shard=2)
    expected = contents(tmp_path / "one")
    assert len(expected) == 6
    build(videos, tmp_path / "workers", TWO, per_shard=2, workers=2)
    assert contents(tmp_path / "workers") == expected
    for number in (2, 0, 1):
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("WORLD_SIZE", "3")
        part = build(videos, tmp_path / "ranks", TWO, per_shard=2)
        assert part.shards == part.of == 1
    assert contents(tmp_path / "ranks") == expected
    monkeypatch.undo()

    plan, estimator = planned(videos, tmp_path / "stops", TWO, per_shard=2), open_estimator("dis")
    plan.begin()
    for shard in range(plan.shards):
        for many in (1, 0, 1, 5):  # videos until it is asked to stop
            left = [False] * many + [True] * 9
            build_shard(plan, shard, estimator, lambda left=left: left.pop(0), lambda *_: None)
        assert plan.done(shard)
    assert contents(tmp_path / "stops") == expected
    # Videos give the same pairs whichever others there are.
    build(videos / "b.mp4", tmp_path / "alone", TWO)
    alone = [key.split("-")[1:] for key in _index(tmp_path / "alone", 0).keys]
    together = [key.split("-")[1:] for key in _index(tmp_path / "one", 0).keys]
    assert [key for key in together if key[0] == "b"] == alone or "b" not in str(together)


def test_a_lost_or_damaged_shard_is_built_again(videos: Path, tmp_path: Path) -> None:
    build(videos, tmp_path, TWO)
    expected = contents(tmp_path)
    (tmp_path / "pairs-000001.tar").write_bytes(b"short")
    (tmp_path / "pairs-000002.json").unlink()
    (tmp_path / "pairs-000000.tar").unlink()
    untouched = (tmp_path / "pairs-000003.tar").stat().st_mtime_ns
    build(videos, tmp_path, TWO)
    assert contents(tmp_path) == expected
    assert (tmp_path / "pairs-000003.tar").stat().st_mtime_ns == untouched


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gap": 3}, "gap 5, and not 3"),
        ({"seed": 1, "pairs": 3}, "pairs 2, and not 3; seed 0, and not 1"),
        ({"short_side": None}, "short side 240, and not unset"),
        ({"lossless": True}, "lossless off, and not on"),
        ({"estimator": "dis:fast"}, "estimator dis:medium, and not dis:fast"),
    ],
)
def test_other_settings_are_refused(
    videos: Path, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    planned(videos, tmp_path, TWO).begin()
    given = Settings(**{"pairs": 2, **change})  # type: ignore[arg-type]
    with pytest.raises(OutputError, match=said):
        build(videos, tmp_path, given)


def test_other_videos_are_refused(videos: Path, tmp_path: Path) -> None:
    planned(videos, tmp_path, TWO).begin()
    with pytest.raises(OutputError, match="5 videos, and now there are 1"):
        build(videos / "a", tmp_path, TWO)
    with pytest.raises(OutputError, match="1 videos a shard, and not 3"):
        build(videos, tmp_path, TWO, per_shard=3)
    (tmp_path / "pairs.json").write_text("{}")
    with pytest.raises(OutputError, match="no description of pairs"):
        build(videos, tmp_path, TWO)


def test_what_a_killed_process_left_is_removed_a_day_later(videos: Path, tmp_path: Path) -> None:
    old, new = tmp_path / ".0123.part", tmp_path / ".4567.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    planned(videos, tmp_path, TWO).begin()
    assert (old.exists(), new.exists()) == (False, True)


def test_shards_of_unknown_origin_are_left_alone(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs-000000.tar").write_bytes(b"mine")
    with pytest.raises(OutputError, match="nothing says how"):
        build(videos, tmp_path, TWO)


def test_frames_of_several_sizes_make_no_pair(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", panned(6))
    shutil.copy(folder(tmp_path / "w", panned(1, (70, 96))) / "0.jpg", path / "5.jpg")
    gathered = gather(open_video(path), 0, TWO, open_estimator("dis:fast"))
    assert "the size changes in between" in gathered.failed


def test_a_film_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", panned(80, seed=9), container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    gathered = gather(open_video(path), 0, TWO, open_estimator("dis:fast"))
    assert len(gathered.samples) == 2
    assert "cut short" in gathered.note


def test_flow_that_16_bits_cannot_hold_is_counted() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 300, (30, 40, 2)).astype(np.float32)
    valid = rng.random((30, 40)) < 0.8
    flow = Flow.of(vectors, valid)
    rounding = Rounding()
    rounding.add(flow)
    stored = decode_png(encode_png(flow), "it")
    error = np.abs(stored.vectors - flow.vectors)[stored.valid].astype(np.float64)
    assert rounding.largest == pytest.approx(error.max())
    assert rounding.total == pytest.approx(error.sum(), rel=1e-4)
    assert rounding.vectors == valid.sum()
    assert rounding.out_of_range == valid.sum() - stored.valid.sum() > 0
    assert rounding.largest <= 1 / 128
    assert Rounding.of(json.loads(json.dumps(rounding.facts))) == rounding


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (2, 4)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "0"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (0, 1)),
    ],
)
def test_ranks_are_taken_from_who_started_it(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: tuple[int, int]
) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert rank() == expected


def test_ranks_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "4")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(SettingError, match="process 4 of 4"):
        rank()


@pytest.mark.parametrize(
    "wrong",
    [{"pairs": 0}, {"gap": 0}, {"short_side": 3}, {"quality": 101}, {"first": True, "pairs": 2}],
)
def test_settings_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError):
        Settings(**wrong)  # type: ignore[arg-type]

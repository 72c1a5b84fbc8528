from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError, ImageError, PhospheneError, SettingError
from phosphene.motion.dataset import PairSet, open_pairs
from phosphene.motion.flow import Flow
from phosphene.motion.sets import SetPlan, write_set
from phosphene.worlds.cubes.sequences import single_cube
from tests.motion.dataset import sets_on_disk as on_disk


def names(pairs: PairSet) -> list[str]:
    return [pairs.name(i) for i in range(len(pairs))]


def speeds(pairs: PairSet) -> list[float]:
    return [round(float(pairs[i].flow.vectors[-1, 0, 0]), 3) for i in range(len(pairs))]


def still(first: np.ndarray, second: np.ndarray) -> Flow:
    """Estimate nothing, but say which frames were given: by their differences."""
    return Flow.of(np.full((*first.shape[:2], 2), float(np.abs(first - second).mean())))


still.name = "still"  # type: ignore[attr-defined]


def test_sintel(tmp_path: Path) -> None:
    on_disk.sintel(tmp_path)
    pairs = open_pairs(tmp_path)
    assert names(pairs)[:3] == ["alley_1/frame_0001", "alley_1/frame_0002", "market_2/frame_0001"]
    assert speeds(pairs) == [1, 2, 11, 12, 21, 22]
    assert pairs.skipped == ()
    assert not pairs[0].flow.valid[:12].any()
    assert pairs[0].flow.valid[12:].all()
    assert pairs[0].second is None
    assert pairs.labels(0) is None
    assert sum(pairs.parts) == len(pairs) == 6
    later = open_pairs(tmp_path, second=True)[0].second
    assert later is not None
    want = np.asarray(Image.open(tmp_path / "training/clean/alley_1/frame_0002.png"))
    np.testing.assert_array_equal(later, want)


def test_the_splits_of_sintel_are_the_thesis_s(tmp_path: Path) -> None:
    from phosphene.motion.dataset.layouts.sintel import SPLITS

    assert len(set(SPLITS["train"])) == 20
    assert len(set(SPLITS["test"])) == 3
    assert not set(SPLITS["train"]) & set(SPLITS["test"])
    on_disk.sintel(tmp_path)
    train, test = (open_pairs(f"sintel:{tmp_path},split={s}") for s in ("train", "test"))
    assert speeds(train) == [1, 2, 11, 12]
    assert names(test) == ["temple_2/frame_0001", "temple_2/frame_0002"]
    assert "2 sequences are missing: sleeping_2, temple_3" in test.skipped
    assert "18 sequences are missing" in train.skipped[0]


def test_sintel_s_choices(tmp_path: Path) -> None:
    on_disk.sintel(tmp_path, ("alley_1",))
    (tmp_path / "training/invalid").rename(tmp_path / "put_away")
    assert open_pairs(tmp_path)[0].flow.valid.all()
    assert not open_pairs(tmp_path / "training", flow="noc")[0].flow.valid.all()
    assert len(open_pairs(f"sintel:{tmp_path},frames=final,flow=noc")) == 2
    with pytest.raises(SettingError, match="clean or final"):
        open_pairs(tmp_path, frames="albedo")
    with pytest.raises(SettingError, match="train or test"):
        open_pairs(tmp_path, split="val")


def test_missing_and_superfluous_files_of_sintel(tmp_path: Path) -> None:
    on_disk.sintel(tmp_path)
    (tmp_path / "training/flow/alley_1/frame_0002.flo").unlink()
    (tmp_path / "training/clean/market_2/frame_0002.png").unlink()
    (tmp_path / "training/clean/temple_2/.DS_Store").write_text("")
    (tmp_path / "training/clean/temple_2/notes.txt").write_text("")
    (tmp_path / "training/flow/temple_2/frame_0009.flo").write_text("")
    pairs = open_pairs(tmp_path)
    assert names(pairs) == ["alley_1/frame_0001", "temple_2/frame_0001", "temple_2/frame_0002"]
    assert len(pairs.skipped) == 2
    assert "1 pair lacks flow" in pairs.skipped[0]
    assert "frame_0002.flo" in pairs.skipped[0]
    assert "1 pair lacks the later frame" in pairs.skipped[1]


@pytest.mark.parametrize("frames", ["image_2", "colored_0", "image_0"])
def test_kitti(tmp_path: Path, frames: str) -> None:
    on_disk.kitti(tmp_path, frames)
    assert speeds(open_pairs(tmp_path)) == [0, 1, 2]
    assert speeds(open_pairs(f"kitti:{tmp_path},flow=noc")) == [100, 101, 102]
    assert names(open_pairs(tmp_path)) == ["000000_10", "000001_10", "000002_10"]
    (tmp_path / "training" / frames / "000001_11.png").unlink()
    assert "1 pair lacks the later frame" in open_pairs(tmp_path).skipped[0]


def test_kitti_s_objects_are_labels(tmp_path: Path) -> None:
    on_disk.kitti(tmp_path)
    objects = tmp_path / "training" / "obj_map"
    objects.mkdir()
    Image.fromarray(np.full((24, 32), 3, np.uint8)).save(objects / "000001_10.png")
    pairs = open_pairs(tmp_path)
    assert pairs.labels(0) is None
    found = pairs.labels(1)
    assert found is not None
    assert (found == 3).all()


def test_hd1k(tmp_path: Path) -> None:
    on_disk.hd1k(tmp_path)
    pairs = open_pairs(tmp_path)
    assert names(pairs) == ["000000_0010", "000000_0011", "000004_0010"]
    assert speeds(pairs) == [0.094, 0.109, 4.094]  # in steps of 1/64


def test_flying_chairs(tmp_path: Path) -> None:
    on_disk.chairs(tmp_path)
    assert speeds(open_pairs(tmp_path)) == [1, 2, 3, 4]
    assert speeds(open_pairs(tmp_path, split="train")) == [1, 3, 4]
    assert speeds(open_pairs(tmp_path / "data", split="val")) == [2]
    with pytest.raises(SettingError, match="train or val"):
        open_pairs(tmp_path, split="test")
    (tmp_path / "FlyingChairs_train_val.txt").unlink()
    with pytest.raises(SettingError, match=r"there is no FlyingChairs_train_val\.txt"):
        open_pairs(tmp_path, split="val")


def test_youtube_objects(tmp_path: Path) -> None:
    on_disk.youtube(tmp_path)
    pairs = open_pairs(tmp_path, estimator=still)
    assert names(pairs) == [
        "cat/data/0001/shots/001/frame0001",
        "cat/data/0001/shots/001/frame0002",
        "cat/data/0001/shots/001/frame0003",
        "dog/data/0007/shots/001/frame0001",
    ]
    assert "1 pair lacks a frame 5 later" in pairs.skipped[0]
    assert pairs[0].flow.valid.all()
    assert len(open_pairs(tmp_path, gap=1, estimator=still)) == 7 + 2 + 5
    assert len(open_pairs(f"youtube-objects:{tmp_path},split=dog", estimator=still)) == 1
    with pytest.raises(SettingError, match="cat or dog"):
        open_pairs(tmp_path, split="cow")
    # Flow beside the frames goes before an estimate.
    shot = tmp_path / "dog/data/0007/shots/001"
    on_disk.flow_file(shot / "flow" / "frame0001.png", 3)
    assert speeds(open_pairs(tmp_path, split="dog")) == [3]
    on_disk.flow_file(tmp_path / "cat/data/0001/shots/001/frame0002.flo", 5)
    assert speeds(open_pairs(tmp_path, split="cat", estimator=still))[1] == 5


@pytest.mark.parametrize(
    ("frames", "masks"), [("JPEGImages/480p", "Annotations/480p"), ("frames", "masks")]
)
def test_davis(tmp_path: Path, frames: str, masks: str) -> None:
    on_disk.davis(tmp_path, frames, masks)
    pairs = open_pairs(tmp_path, estimator=still)
    assert names(pairs) == ["bear/00000", "bear/00001", "camel/00000", "camel/00001"]
    labels = pairs.labels(1)
    assert labels is not None
    assert (labels[:12] == 1).all()
    assert (labels[12:] == 0).all()
    assert names(open_pairs(tmp_path, split="train", estimator=still))[-1] == "bear/00001"
    val = open_pairs(tmp_path, split="val", estimator=still)
    assert names(val) == ["camel/00000", "camel/00001"]
    assert "1 sequences are missing: lucia" in val.skipped


def test_options_that_would_change_nothing(tmp_path: Path) -> None:
    on_disk.kitti(tmp_path)
    with pytest.raises(SettingError, match="split says nothing of kitti: it takes frames and flow"):
        open_pairs(tmp_path, split="train")
    with pytest.raises(SettingError, match="gap says nothing of kitti"):
        open_pairs(f"{tmp_path},gap=2")


def test_real_davis_with_dis(shared: Path) -> None:
    pairs = open_pairs(shared / "data" / "davis", gap=5)
    index = names(pairs).index("car-shadow/00010")
    found, labels = pairs[index], pairs.labels(index)
    assert labels is not None
    assert found.flow.size == labels.shape
    assert set(np.unique(labels)) == {0, 1}
    assert found.flow.magnitude[labels == 1].mean() > 2


def test_folders_of_frames(tmp_path: Path) -> None:
    for number in (1, 2, 10):  # by number, not by letter
        on_disk.picture(tmp_path / "clip" / f"{number}.png", number)
    assert names(open_pairs(tmp_path, estimator=still)) == ["clip/1", "clip/2"]
    assert names(open_pairs(f"frames:{tmp_path},gap=2", estimator=still)) == ["clip/1"]
    with pytest.raises(FlowError, match="1 pair lacks a frame 7 later"):
        open_pairs(tmp_path, gap=7)


def test_worlds(tmp_path: Path) -> None:
    plan = SetPlan(("w-0", "w-1"), {}, {"train": ("w-1",), "test": ("w-0",)})
    write_set(tmp_path / "world", lambda seed: single_cube(seed, 3, (32, 40)), plan)
    pairs = open_pairs(tmp_path / "world")
    assert names(pairs) == ["w-0/frame_0001", "w-0/frame_0002", "w-1/frame_0001", "w-1/frame_0002"]
    assert names(open_pairs(f"worlds:{tmp_path}/world,split=train"))[0] == "w-1/frame_0001"
    want = single_cube(1, 3, (32, 40)).instant(1)
    np.testing.assert_allclose(pairs[3].flow.vectors, want.flow, atol=1e-6)
    np.testing.assert_array_equal(pairs[3].first, want.image)
    np.testing.assert_array_equal(pairs.labels(3), want.objects)
    parts = open_pairs(tmp_path / "world", labels="parts", flow="noc")
    np.testing.assert_array_equal(parts.labels(3), want.parts)
    np.testing.assert_array_equal(parts[3].flow.valid, ~want.occluded)
    for wrong, says in (({"split": "val"}, "no split"), ({"labels": "x"}, "objects or parts")):
        with pytest.raises(SettingError, match=says):
            open_pairs(tmp_path / "world", **wrong)  # type: ignore[arg-type]


def test_a_set_can_be_pickled(tmp_path: Path) -> None:
    on_disk.chairs(tmp_path)
    pairs = pickle.loads(pickle.dumps(open_pairs(tmp_path)))
    assert speeds(pairs) == [1, 2, 3, 4]
    with pytest.raises(IndexError):
        pairs[4]


def test_files_that_do_not_fit_or_are_damaged(tmp_path: Path) -> None:
    on_disk.chairs(tmp_path)
    on_disk.flow_file(tmp_path / "data/00001_flow.flo", 1, (24, 30))
    (tmp_path / "data/00002_img1.ppm").write_bytes(b"P6 32 24 255\n")
    cut = tmp_path / "data/00003_flow.flo"
    cut.write_bytes(cut.read_bytes()[:-100])
    pairs = open_pairs(tmp_path)
    with pytest.raises(FlowError, match="does not fit"):
        pairs[0]
    with pytest.raises(ImageError, match=r"00002_img1\.ppm"):
        pairs[1]
    with pytest.raises(FlowError, match=r"00003_flow\.flo"):
        pairs[2]


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("nowhere", FlowError, "there is no folder"),
        ("nowhere.tar", FlowError, "there is no shard"),
        ("sintl:here", SettingError, "did you mean 'sintel'"),
        ("kitti:.", FlowError, "not laid out as KITTI"),
        ("hd1k:.", FlowError, "not laid out as HD1K"),
        ("sintel:.", FlowError, "not laid out as Sintel"),
        ("chairs:.", FlowError, "not laid out as FlyingChairs"),
        ("davis:.", FlowError, "not laid out as DAVIS"),
        ("youtube-objects:.", FlowError, "not laid out as YouTube-Objects"),
        ("frames:.", FlowError, "no folders of frames"),
        ("shards:.", FlowError, "holds no shards"),
        (".", FlowError, "like no set of pairs"),
        (".,gap=0", SettingError, "gap of '0'"),
    ],
)
def test_what_cannot_be_opened(
    source: str,
    error: type[PhospheneError],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says):
        open_pairs(source)

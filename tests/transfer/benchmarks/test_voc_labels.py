"""PASCAL VOC 2012's label maps, and SBD's."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError, SettingError
from phosphene.segmentation.truths.voc import CLASSES
from phosphene.transfer.benchmarks import open_sbd, open_voc_labels, overlap
from phosphene.transfer.benchmarks.label_maps import read_label_map
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.layouts import write_sbd_map, write_voc12

TRAIN, VAL = range(6), range(6, 10)
SBD = {"train": [2, 3, 8, 11, 12], "val": [7, 13, 14]}
AUGMENTED = [*TRAIN, 11, 12, 13, 14]


@pytest.fixture(scope="module")
def whole(drawn: InMemory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voc12")
    splits = {"train": TRAIN, "val": VAL}
    write_voc12(drawn, folder, splits, augmented=AUGMENTED, sbd=SBD)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_labels_are_those_written(drawn: InMemory, whole: Path):
    found = open_voc_labels(whole, "train")
    assert found.classes == drawn.classes
    assert not found.notes
    assert len(found) == len(TRAIN)
    for index in TRAIN:
        labels = found.labels(index)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, drawn.labels(index))
    assert (found.labels(3) == 255).any()
    copy = pickle.loads(pickle.dumps(found))
    assert np.array_equal(copy.labels(3), found.labels(3))


def test_the_augmented_set_of_pngs(drawn: InMemory, whole: Path):
    found = open_voc_labels(whole, "train_aug")
    assert [found.name(i) for i in range(len(found))] == [f"2012_{n:06d}" for n in AUGMENTED]
    assert all(np.array_equal(found.labels(i), drawn.labels(n)) for i, n in enumerate(AUGMENTED))


def test_the_augmented_set_of_sbd_itself(drawn: InMemory, folder: Path):
    voc = folder / "VOCdevkit" / "VOC2012"
    (voc / "ImageSets" / "Segmentation" / "train_aug.txt").unlink()
    shutil.rmtree(voc / "SegmentationClassAug")
    # SBD knows no border: where VOC has labels itself, they are taken.
    write_sbd_map(
        np.where(drawn.labels(3) == 255, 0, drawn.labels(3)),
        folder / "benchmark_RELEASE" / "dataset" / "cls" / "2012_000003.mat",
    )
    found = open_voc_labels(folder, "train_aug", sbd=folder)
    names = [found.name(i) for i in range(len(found))]
    # All of VOC's and SBD's, less VOC's val (7 and 8).
    assert sorted(names) == [f"2012_{n:06d}" for n in AUGMENTED]
    for index, name in enumerate(names):
        assert np.array_equal(found.labels(index), drawn.labels(int(name[-6:])))
    with pytest.raises(ImageError, match=r"no SegmentationClassAug: give the folder of SBD"):
        open_voc_labels(folder, "train_aug")
    with pytest.raises(SettingError, match="SBD says nothing of the split 'val'"):
        open_voc_labels(folder, "val", sbd=folder)


def test_sbd_by_itself(drawn: InMemory, whole: Path):
    found = open_sbd(whole, "val")
    assert found.classes == CLASSES
    assert [found.name(i) for i in range(3)] == [f"2012_{n:06d}" for n in SBD["val"]]
    assert np.array_equal(found.labels(1), drawn.labels(13))
    assert found.image(1).size == (64, 48)
    with pytest.raises(SettingError, match="lists no split 'test': there are train, val"):
        open_sbd(whole, "test")
    with pytest.raises(ImageError, match="holds no SBD"):
        open_sbd(whole / "VOCdevkit")


def test_photographs_of_vocs_val_in_sbd_are_found(whole: Path):
    val = open_voc_labels(whole, "val")
    assert overlap(open_sbd(whole, "train"), val) == ("2012_000008",)
    assert overlap(open_sbd(whole, "val"), val) == ("2012_000007",)
    assert overlap(open_voc_labels(whole, "train_aug"), val) == ()


@pytest.mark.parametrize("suffix", [".png", ".mat"])
def test_unknown_labels_are_refused(tmp_path: Path, suffix: str):
    labels = np.zeros((5, 6), np.uint8)
    labels[0, :4] = 7, 21, 99, 255
    path = tmp_path / f"map{suffix}"
    write_sbd_map(labels, path) if suffix == ".mat" else Image.fromarray(labels).save(path)
    assert np.array_equal(read_label_map(path, 99), labels)
    with pytest.raises(
        ImageError, match=rf"map{suffix} has the label 99 \(1 pixels .*1 to 21 for the classes"
    ):
        read_label_map(path, 21)


def test_unknown_labels_are_found_in_a_set(folder: Path):
    path = folder / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2012_000001.png"
    Image.fromarray(np.full((48, 64), 7, np.uint8)).save(path)
    found = open_voc_labels(folder, "train")
    found.labels(0)
    with pytest.raises(ImageError, match=r"2012_000001.png has the label 7 "):
        found.labels(1)


def test_a_label_map_must_have_the_size_of_its_photograph(folder: Path):
    path = folder / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2012_000001.png"
    Image.fromarray(np.zeros((64, 48), np.uint8)).save(path)
    with pytest.raises(ImageError, match=r"has 48x64 pixels, and the photograph .* has 64x48"):
        open_voc_labels(folder, "train").labels(1)


def test_damaged_label_maps_are_named(folder: Path):
    classes = folder / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    found = open_voc_labels(folder, "train")
    content = (classes / "2012_000001.png").read_bytes()
    (classes / "2012_000001.png").write_bytes(content[:90])
    with pytest.raises(ImageError, match=r"2012_000001.png"):
        found.labels(1)
    Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(
        classes / "2012_000001.png"
    )
    with pytest.raises(ImageError, match=r"2012_000001.png has colors"):
        found.labels(1)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"MATLAB 5.0 MAT-file" + b"\x7f" * 300])
def test_damaged_matlab_files_are_named(tmp_path: Path, content: bytes):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ImageError, match=r"a.mat (cannot be read as a Matlab file|holds no GTcls)"):
        read_label_map(tmp_path / "a.mat", 20)
    with pytest.raises(ImageError, match="there is no file"):
        read_label_map(tmp_path / "b.mat", 20)


def test_a_matlab_file_of_another_kind_is_refused(tmp_path: Path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"GTinst": 3})
    savemat(tmp_path / "b.mat", {"GTcls": 3})
    savemat(tmp_path / "c.mat", {"GTcls": {"Segmentation": np.ones((2, 2)) / 3}})
    with pytest.raises(ImageError, match=r"a.mat holds no GTcls"):
        read_label_map(tmp_path / "a.mat", 20)
    with pytest.raises(ImageError, match=r"b.mat has no GTcls.Segmentation"):
        read_label_map(tmp_path / "b.mat", 20)
    with pytest.raises(ImageError, match=r"c.mat holds no label map"):
        read_label_map(tmp_path / "c.mat", 20)


def test_missing_and_extra_label_maps_are_said(folder: Path):
    classes = folder / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    (classes / "2012_000002.png").rename(classes / "2012_777777.png")
    found = open_voc_labels(folder, "train")
    assert len(found) == len(TRAIN) - 1
    assert "1 photograph without label map left out: 2012_000002" in found.notes
    assert any("no list names 1 label map" in n and "2012_777777" in n for n in found.notes)
    for path in classes.glob("*.png"):
        path.unlink()
    with pytest.raises(ImageError, match="none has a label map"):
        open_voc_labels(folder, "train")

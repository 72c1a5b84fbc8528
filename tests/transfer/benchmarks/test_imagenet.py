"""ImageNet's folders and lists."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import open_imagenet
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.drawn import drawn_sorted
from tests.transfer.layouts import wordnet, write_imagenet

TRUTHS = ["folders", "kit", "caffe", "kaggle"]


@pytest.fixture(scope="module")
def val() -> InMemory:
    return drawn_sorted(2, seed=7, size=(40, 40))


@pytest.mark.parametrize("truth", TRUTHS)
def test_every_truth_says_the_same(classes: InMemory, val: InMemory, tmp_path: Path, truth: str):
    write_imagenet(classes, val, tmp_path, truth)
    train, found = open_imagenet(tmp_path, "train"), open_imagenet(tmp_path, "val")
    wordnets = tuple(wordnet(class_) for class_ in range(6))
    assert train.classes == found.classes == wordnets
    # As strings 10 comes before 2.
    assert sorted(train.class_of.tolist()) == classes.class_of.tolist()
    for index in range(len(train)):
        number = int(train.name(index).rpartition("_")[2].removesuffix(".JPEG"))
        assert train.class_of[index] == classes.class_of[number]
    assert np.array_equal(found.class_of, val.class_of)
    assert found.notes == ()
    error = np.asarray(found.image(3), float) - np.asarray(val.image(3), float)
    assert np.abs(error).mean() < 6


def test_the_kits_numbers_need_the_kits_table(classes: InMemory, val: InMemory, tmp_path: Path):
    write_imagenet(classes, val, tmp_path, "kit")
    data = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    (data / "meta.mat").unlink()
    with pytest.raises(ImageError, match=r"neither meta.mat nor map_clsloc.txt, .* say nothing"):
        open_imagenet(tmp_path, "val")
    rows = [f"{wordnet(class_)} {6 - class_} word" for class_ in range(6)]
    (data / "map_clsloc.txt").write_text("\n".join(rows))
    assert np.array_equal(open_imagenet(tmp_path, "val").class_of, val.class_of)
    (data / "map_clsloc.txt").write_text("cat 1 word")
    with pytest.raises(ImageError, match="not a number and a WordNet number"):
        open_imagenet(tmp_path, "val")


def test_missing_photographs_are_said(classes: InMemory, val: InMemory, tmp_path: Path):
    write_imagenet(classes, val, tmp_path, "kit")
    (tmp_path / "val" / "ILSVRC2012_val_00000004.JPEG").unlink()
    found = open_imagenet(tmp_path, "val")
    assert found.class_of.tolist() == np.delete(val.class_of, 3).tolist()
    assert found.notes == (
        "1 photograph that the list of classes names is missing: ILSVRC2012_val_00000004",
    )


@pytest.mark.parametrize("truth", TRUTHS)
def test_of_some_classes_only_those_are_tested(
    classes: InMemory, val: InMemory, tmp_path: Path, truth: str
):
    write_imagenet(classes, val, tmp_path, truth)
    shutil.rmtree(tmp_path / "train" / wordnet(1))
    if truth == "caffe":
        # Indices count all classes, of which there are fewer folders.
        with pytest.raises(ImageError, match=r"line 11 of .*val.txt .*put synsets.txt beside"):
            open_imagenet(tmp_path, "val")
        (tmp_path / "synsets.txt").write_text("\n".join(map(wordnet, range(6))))
    found = open_imagenet(tmp_path, "val")
    assert found.classes == tuple(wordnet(class_) for class_ in (0, 2, 3, 4, 5))
    assert found.class_of.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(found.notes) == 1
    assert "left out" in found.notes[0]


def test_without_training_photographs(classes: InMemory, val: InMemory, tmp_path: Path):
    write_imagenet(classes, val, tmp_path, "kaggle")
    shutil.rmtree(tmp_path / "train")
    assert np.array_equal(open_imagenet(tmp_path, "val").class_of, val.class_of)
    with pytest.raises(SettingError, match="has no split 'train': train and val"):
        open_imagenet(tmp_path, "train")


def test_the_folders_that_kaggle_gives(classes: InMemory, val: InMemory, tmp_path: Path):
    write_imagenet(classes, val, tmp_path / "ILSVRC" / "Data" / "CLS-LOC", "kaggle")
    solution = tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "LOC_val_solution.csv"
    solution.rename(tmp_path / "LOC_val_solution.csv")
    assert np.array_equal(open_imagenet(tmp_path, "val").class_of, val.class_of)


def test_no_truth_is_an_error(classes: InMemory, val: InMemory, tmp_path: Path):
    write_imagenet(classes, val, tmp_path, "caffe")
    (tmp_path / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG\n")
    with pytest.raises(ImageError, match="the index of its class, 0 to 5, are needed"):
        open_imagenet(tmp_path, "val")
    (tmp_path / "val.txt").unlink()
    with pytest.raises(ImageError, match=r"nothing beside .* says which class .* give each class"):
        open_imagenet(tmp_path, "val")

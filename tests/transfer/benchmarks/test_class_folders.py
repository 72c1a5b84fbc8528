"""A folder per class, and Caltech's."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import open_caltech, open_class_folders, overlap, random_splits
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.layouts import write_caltech, write_class_folders


def test_classes_are_folders(classes: InMemory, tmp_path: Path):
    write_class_folders(classes, tmp_path)
    found = open_class_folders(tmp_path)
    assert found.classes == classes.classes
    assert found.class_of.dtype == np.int64
    assert np.array_equal(found.class_of, classes.class_of)
    assert found.name(5) == f"cactus/{classes.name(5)}.jpg"
    assert found.image(0).size == (40, 40)
    assert found.notes == ()
    assert pickle.loads(pickle.dumps(found)).name(5) == found.name(5)


def test_splits_are_folders(classes: InMemory, tmp_path: Path):
    write_class_folders(classes, tmp_path / "train")
    assert len(open_class_folders(tmp_path, "train")) == len(classes)
    with pytest.raises(SettingError, match="has no split 'trian'; did you mean 'train'"):
        open_class_folders(tmp_path, "trian")


def test_what_is_strange_in_folders_is_said(classes: InMemory, tmp_path: Path):
    write_class_folders(classes, tmp_path)
    (tmp_path / "gear" / "RENAME2").write_text("no photograph")
    (tmp_path / "gear" / ".hidden.jpg").write_text("no photograph")
    (tmp_path / "gear" / "inner").mkdir()
    name = f"{classes.name(8)}.jpg"
    (tmp_path / "gear" / name).rename(tmp_path / "gear" / "inner" / name)
    (tmp_path / "nothing").mkdir()
    found = open_class_folders(tmp_path)
    assert len(found) == len(classes)
    assert found.notes == (
        "1 file is no photograph: gear/RENAME2",
        "no photograph is of nothing",
    )
    classes.image(0).save(tmp_path / "own.png")
    with pytest.raises(ImageError, match=r"holds photographs \(own.png\) beside folders \(arrow"):
        open_class_folders(tmp_path)


def test_no_photographs_are_an_error(tmp_path: Path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(ImageError, match="no photographs in folders"):
        open_class_folders(tmp_path)
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        open_class_folders(tmp_path / "nowhere")


@pytest.mark.parametrize("which", [101, 256])
def test_caltech_comes_without_its_backgrounds(classes: InMemory, tmp_path: Path, which: int):
    root = write_caltech(classes, tmp_path, which)
    for folder in (root, tmp_path):
        found = open_caltech(folder)
        assert found.classes == classes.classes
        assert np.array_equal(found.class_of, classes.class_of)
        ground = "257.clutter" if which == 256 else "BACKGROUND_Google"
        assert found.notes == (f"{ground} is left out: it is no class of objects",)
    with pytest.raises(SettingError, match="so many a class"):
        open_caltech(root, "train")


def test_random_splits_take_so_many_of_each_class(classes: InMemory):
    splits = random_splits(classes, 2, 1, splits=3, seed=4)
    assert len(splits) == 3
    drawn = set()
    for train, test in splits:
        assert np.bincount(train.class_of).tolist() == [2] * 6
        assert np.bincount(test.class_of).tolist() == [1] * 6
        assert not overlap(train, test)
        assert all(train.name(i) == classes.name(_number(classes, train.name(i))) for i in (0, 3))
        drawn.add(tuple(train.name(i) for i in range(len(train))))
    assert len(drawn) == 3
    train, test = random_splits(classes, 3, None, splits=1)[0]
    assert len(train) == 18
    assert len(test) == 6


def test_random_splits_hang_on_the_seed_alone(classes: InMemory):
    def names(seed: int, train: int) -> list[str]:
        found = random_splits(classes, train, splits=1, seed=seed)[0][0]
        return [found.name(i) for i in range(len(found))]

    assert names(1, 2) == names(1, 2) != names(2, 2)
    assert set(names(1, 1)) < set(names(1, 2))


def test_splits_that_cannot_be(classes: InMemory):
    with pytest.raises(SettingError, match=r"arrow has 4 photographs: 4 a class .* give 3 at most"):
        random_splits(classes, 4)
    with pytest.raises(SettingError, match="give 1 or more"):
        random_splits(classes, 0)


def _number(set_: InMemory, name: str) -> int:
    return next(i for i in range(len(set_)) if set_.name(i) == name)

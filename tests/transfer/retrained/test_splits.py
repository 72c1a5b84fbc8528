from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.caltech import random_splits
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.retrained.splits import split_of

CLASSES = ("cat", "dog", "key")
CLASS_OF = np.array([0] * 9 + [1] * 14 + [2] * 30)


def test_every_class_has_as_many() -> None:
    split = split_of(CLASS_OF, CLASSES, 5, 10, 0, seed=1)
    assert np.bincount(CLASS_OF[split.train]).tolist() == [5, 5, 5]
    assert np.bincount(CLASS_OF[split.test]).tolist() == [4, 9, 10]
    assert not set(split.train) & set(split.test)
    whole = split_of(CLASS_OF, CLASSES, 5, None, 0, seed=1)
    assert len(whole.train) + len(whole.test) == len(CLASS_OF)


def test_splits_hang_on_seed_and_number_and_larger_ones_take_in_smaller() -> None:
    def drawn(count: int, number: int, seed: int) -> set[int]:
        return set(split_of(CLASS_OF, CLASSES, count, 10, number, seed).train.tolist())

    assert drawn(5, 0, 1) == drawn(5, 0, 1)
    assert drawn(5, 0, 1) < drawn(8, 0, 1)
    assert len({frozenset(drawn(5, n, s)) for n in range(3) for s in range(3)}) == 9


def test_they_are_those_of_the_benchmark() -> None:
    images = [Image.new("RGB", (8, 8))] * len(CLASS_OF)
    photographs = InMemory(images, CLASSES, class_of=CLASS_OF.tolist())
    for number, (train, test) in enumerate(random_splits(photographs, 5, 10, splits=3, seed=4)):
        split = split_of(CLASS_OF, CLASSES, 5, 10, number, seed=4)
        for part, own in ((train, split.train), (test, split.test)):
            names = {part.name(index) for index in range(len(part))}
            assert names == {photographs.name(index) for index in own.tolist()}


def test_a_test_set_of_its_own_is_drawn_from() -> None:
    others = np.array([0, 1, 2] * 20)
    split = split_of(CLASS_OF, CLASSES, 9, 10, 0, 0, others)
    assert len(split.train) == 27
    assert np.bincount(others[split.test]).tolist() == [10, 10, 10]


def test_classes_that_are_too_small_are_named() -> None:
    with pytest.raises(SettingError, match="'cat' has 9 photographs, which is too few"):
        split_of(CLASS_OF, CLASSES, 9, 10, 0, 0)
    with pytest.raises(SettingError, match="'key' has 30 photographs and 0 to test"):
        split_of(CLASS_OF, CLASSES, 9, 10, 0, 0, np.array([0, 1, 0, 1]))

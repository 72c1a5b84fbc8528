"""Small sets that the readers' tests share."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.transfer.benchmarks.records import Boxes, InMemory
from tests.transfer.drawn import drawn_set, drawn_sorted


@pytest.fixture(scope="session")
def drawn() -> InMemory:
    """Twenty pictures, wider than high; in some an object is difficult, or pixels do not count."""
    given = drawn_set(20, seed=5, size=(48, 64), objects=(1, 2))
    boxes, labels = [given.boxes(i) for i in range(20)], [given.labels(i) for i in range(20)]
    for index in (3, 4):
        boxes[index] = Boxes(
            boxes[index].corners,
            boxes[index].classes,
            np.arange(len(boxes[index])) == 0,
        )
        class_ = int(boxes[index].classes[0])
        if (boxes[index].classes == class_).sum() == 1:
            given.present[index, class_] = -1
        labels[index][:3] = 255
    assert (given.present == -1).any()
    return InMemory(
        [given.image(i) for i in range(20)],
        given.classes,
        present=given.present,
        boxes=boxes,
        labels=labels,
    )


@pytest.fixture(scope="session")
def classes() -> InMemory:
    """Four pictures of each of six classes."""
    return drawn_sorted(4, seed=6, size=(40, 40))

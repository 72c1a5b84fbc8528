"""The drawn sets that tests of transfer work on hold what they say."""

from __future__ import annotations

import numpy as np

from phosphene.worlds.parts import CLASSES as DEMO
from tests.transfer.drawn import CLASSES, drawn_set, drawn_sorted


def test_all_that_is_known_of_a_picture_agrees():
    drawn = drawn_set(30, seed=1)
    assert len(CLASSES) >= 5
    assert not set(CLASSES) & set(DEMO)
    assert set(np.unique(drawn.present)) == {0, 1}
    for index in range(30):
        labels, boxes = drawn.labels(index), drawn.boxes(index)
        assert drawn.image(index).size == (96, 96)
        assert 1 <= len(boxes) <= 3
        found = np.zeros_like(labels, bool)
        for (x0, y0, x1, y1), class_ in zip(boxes.corners.astype(int), boxes.classes, strict=True):
            inside = labels[y0:y1, x0:x1] == class_ + 1
            # Tight: the object touches all four sides.
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
            found[y0:y1, x0:x1] = True
        assert not labels[~found].any()
        assert np.array_equal(np.flatnonzero(drawn.present[index]), np.unique(boxes.classes))
        assert np.array_equal(np.unique(labels[labels > 0]) - 1, np.unique(boxes.classes))


def test_a_picture_hangs_on_its_seed_and_number_alone():
    some, more, other = drawn_set(2, seed=1), drawn_set(4, seed=1), drawn_set(2, seed=2)
    assert some.image(1).tobytes() == more.image(1).tobytes()
    assert some.image(1).tobytes() != other.image(1).tobytes()


def test_sorted_pictures_show_one_object():
    drawn = drawn_sorted(3, seed=1, size=(40, 56))
    assert drawn.class_of.tolist() == np.repeat(range(len(CLASSES)), 3).tolist()
    assert all(drawn.boxes(i).classes.tolist() == [drawn.class_of[i]] for i in range(len(drawn)))
    assert drawn.image(0).size == (56, 40)

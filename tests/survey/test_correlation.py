from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.errors import UnitError
from phosphene.survey.correlation import Correlation
from tests.reference import survey as reference
from tests.survey.collected import LAYER, fed, shared


def _make() -> Correlation:
    return Correlation([LAYER])


def _codes(seed: int, images: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.standard_normal((images, 5, 2, 3)).astype(np.float32)
    codes[:, 1] = 2 * codes[:, 0] + 1
    codes[:, 2] = 0.5
    return list(codes)


@given(st.integers(0, 10**6), st.integers(2, 12), st.randoms())
@settings(deadline=None, max_examples=50)
def test_any_order_and_any_shards_find_what_the_formula_says(seed, images, random) -> None:
    codes, keys = _codes(seed, images), list(range(images))
    order = list(keys)
    random.shuffle(order)
    cut = random.randint(0, images)
    wanted = reference.correlation(codes)
    for made in (shared(_make, codes, keys, [order[cut:], order[:cut]]), fed(_make, codes, keys)):
        assert made.matrix(LAYER).numpy() == pytest.approx(wanted, abs=1e-9)


def test_neighbours_come_most_alike_first() -> None:
    made = fed(_make, _codes(0, 30), list(range(30)))
    first, *others = made.neighbours(LAYER, 0, 4)
    assert first == (1, pytest.approx(1.0))
    matrix = made.matrix(LAYER)
    assert [value for _, value in others] == sorted((v for _, v in others), reverse=True)
    assert others[0][1] == float(matrix[0, others[0][0]])
    assert made.neighbours(LAYER, 2) == []
    assert len(made.neighbours(LAYER, 0, 99)) == 4
    with pytest.raises(UnitError):
        made.neighbours(LAYER, 5)
    with pytest.raises(UnitError):
        made.matrix("other")

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.training.made import Made, in_turn


def make(index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    return torch.tensor(index), torch.tensor(rng.random())


def square(index: int) -> int:
    return index * index


def flat(batches: Made, epochs: int, start: int = 0) -> list[list[float]]:
    found = []
    for number in range(epochs):
        for indices, drawn in batches.epoch(number, start if number == 0 else 0):
            found.append([*indices.tolist(), *drawn.tolist()])
    return found


def test_a_pass_shows_every_example_once_and_others_in_another_order() -> None:
    batches = Made(12, make, 4)
    assert len(batches) == 3
    passes = [[i for b in batches.epoch(n) for i in b[0].tolist()] for n in range(3)]
    assert all(sorted(each) == list(range(12)) for each in passes)
    assert passes[0] != passes[1] != passes[2]


@pytest.mark.parametrize("updates", [None, 2, 5])
def test_an_epoch_taken_up_again_is_the_same(updates: int | None) -> None:
    batches = Made(11, make, 3, updates=updates, seed=4)
    whole = flat(batches, 4)
    assert len(whole) == 4 * (updates or 3)
    assert flat(Made(11, make, 3, updates=updates, seed=4), 4, start=1) == whole[1:]
    assert flat(Made(11, make, 3, updates=updates, seed=5), 4) != whole


def test_what_is_drawn_hangs_on_the_pass() -> None:
    batches = Made(4, make, 4)
    drawn = [dict(zip(*(t.tolist() for t in next(batches.epoch(n))), strict=True)) for n in (0, 1)]
    assert drawn[0].keys() == drawn[1].keys()
    assert all(drawn[0][i] != drawn[1][i] for i in drawn[0])


def test_processes_that_read_change_nothing() -> None:
    assert flat(Made(8, make, 4, workers=2), 2) == flat(Made(8, make, 4), 2)
    assert list(in_turn(5, square, 2)) == list(in_turn(5, square)) == [0, 1, 4, 9, 16]


def test_processes_that_learn_share_every_batch() -> None:
    whole = flat(Made(8, make, 4), 2)
    parts = [flat(Made(8, make, 4, share=(rank, 2)), 2) for rank in (0, 1)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert batch[:4] == [one[0], other[0], one[1], other[1]]


def test_a_batch_may_be_put_together_otherwise() -> None:
    batches = Made(4, make, 2, together=lambda rows: [int(index) for index, _ in rows])
    assert sorted(i for batch in batches.epoch(0) for i in batch) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_others_draw_is_left_alone(workers: int) -> None:
    before = torch.get_rng_state()
    list(Made(4, make, 2, workers=workers).epoch(0))
    list(in_turn(2, square, workers))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be() -> None:
    with pytest.raises(SettingError, match="3 examples do not fill a batch of 4"):
        Made(3, make, 4)
    with pytest.raises(SettingError, match="shared evenly by 2"):
        Made(9, make, 3, share=(0, 2))
    with pytest.raises(SettingError, match="no end"):
        Made(9, make, 3, updates=0)

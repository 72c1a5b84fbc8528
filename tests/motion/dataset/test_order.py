from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.motion.dataset import ShuffledOrder

PARTS = (7, 30, 1, 12, 25, 9, 16, 4, 20, 3)  # 127 pairs


def indices(order: ShuffledOrder, epoch: int = 0, position: int = 0) -> list[int]:
    return [index for turn in order.epoch(epoch, position) for index in turn.indices]


@pytest.mark.parametrize("group", [1, 3, 16])
@pytest.mark.parametrize("batch", [1, 8, 50, 127, 200])
def test_every_pair_comes_once_an_epoch(batch: int, group: int) -> None:
    order = ShuffledOrder(PARTS, batch, group=group, keep_last=True)
    assert sorted(indices(order)) == list(range(127))
    turns = list(order.epoch(0))
    assert len(turns) == order.batches
    assert [turn.position for turn in turns] == list(range(order.batches))
    assert all(len(turn.indices) == batch for turn in turns[:-1])


def test_a_short_last_batch_is_dropped() -> None:
    order = ShuffledOrder(PARTS, 8)
    assert order.batches == 15
    assert [len(turn.indices) for turn in order.epoch(3)] == [8] * 15
    assert len(set(indices(order, 3))) == 120


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    order = ShuffledOrder(PARTS, 8)
    assert indices(order, 2) == indices(ShuffledOrder(PARTS, 8), 2)
    others = [indices(order, 3), indices(ShuffledOrder(PARTS, 8, seed=1), 2)]
    for other in others:
        assert np.mean(np.array(other) == indices(order, 2)) < 0.1


@pytest.mark.parametrize("group", [1, 2, 16])
def test_it_goes_on_where_it_was(group: int) -> None:
    order = ShuffledOrder(PARTS, 8, seed=5, group=group)
    whole = list(islice(order.at(), 40))
    for begun, turn in enumerate(whole[:-3]):
        assert list(islice(order.at(turn.epoch, turn.position), 3)) == whole[begun : begun + 3]
        after = order.at(turn.epoch, turn.position + 1)
        assert next(after) == whole[begun + 1]
    assert {turn.epoch for turn in whole} == {0, 1, 2}
    assert [t.epoch for t in order.at(4, 14, epochs=6)] == [4] + [5] * 15


@pytest.mark.parametrize("keep_last", [False, True])
@pytest.mark.parametrize("ranks", [2, 4])
def test_the_slices_of_all_processes_are_the_batches_of_one(ranks: int, keep_last: bool) -> None:
    one = ShuffledOrder(PARTS, 8, keep_last=keep_last)
    shares = [
        list(ShuffledOrder(PARTS, 8, rank=r, ranks=ranks, keep_last=keep_last).epoch(1))
        for r in range(ranks)
    ]
    for turn in one.epoch(1):
        own = [t.indices for share in shares for t in share if t.position == turn.position]
        assert sum(own, ()) == turn.indices
        if turn.position < 15:
            assert {len(each) for each in own} == {8 // ranks}


def test_batches_are_well_mixed_and_reading_stays_near() -> None:
    parts, batch, group = (100,) * 64, 32, 16
    order = ShuffledOrder(parts, batch, group=group)
    shards = np.array(indices(order)).reshape(-1, batch) // 100
    distinct = [len(set(row)) for row in shards.tolist()]
    # Thirty-two at random out of 16 shards hold 16 (1 - (15/16)^32) = 14 of them.
    assert 13 < np.mean(distinct) < 15
    assert max(np.bincount(row).max() for row in shards) <= 12
    # Yet within a group of batches no more than a group of shards is open.
    for first in range(0, len(shards) - 50, 50):
        assert len(np.unique(shards[first : first + 50])) == group
    # Neighbours in a shard (frames of one video) do not stay neighbours.
    steps = np.abs(np.diff(indices(order)))
    assert np.mean(steps <= 2) < 0.01
    # Nor does what came early in one epoch come early in the next.
    early, late = (np.argsort(indices(order, epoch)) for epoch in (0, 1))
    assert abs(np.corrcoef(early, late)[0, 1]) < 0.25


def test_unshuffled_it_counts() -> None:
    order = ShuffledOrder(PARTS, 8, shuffle=False, keep_last=True, group=2)
    assert indices(order) == list(range(127))


def test_batches_are_a_sampler_for_pytorch() -> None:
    from torch.utils.data import DataLoader

    order = ShuffledOrder((20,), 6)
    batches = [turn.indices for turn in order.epoch(0)]
    loaded = DataLoader(range(20), batch_sampler=batches)  # type: ignore[arg-type]
    assert [tuple(batch.tolist()) for batch in loaded] == batches


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"batch": 200}, "127 pairs are fewer than a batch of 200"),
        ({"batch": 9, "ranks": 2}, "multiple of 2"),
        ({"batch": 8, "ranks": 2, "rank": 2}, "from 0"),
        ({"batch": 8, "group": 0}, "group is 0"),
        ({"batch": 8, "seed": -1}, "seed is -1"),
        ({"batch": 8, "parts": (), "keep_last": True}, "no pairs"),
    ],
)
def test_what_cannot_be(setting: dict, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        ShuffledOrder(**({"parts": PARTS} | setting))


def test_a_position_beyond_the_epoch() -> None:
    with pytest.raises(SettingError, match="an epoch has 15 batches"):
        ShuffledOrder(PARTS, 8).at(0, 16)

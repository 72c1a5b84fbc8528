from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.errors import FlowError, OutOfMemory, SettingError
from phosphene.motion.dataset import (
    Augmentation,
    Batch,
    MemoryPairs,
    PairSet,
    loader,
    materialised,
    open_pairs,
)
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair
from phosphene.worlds.instant import Instant
from tests.motion.dataset import sets_on_disk as on_disk

SMALL = Augmentation(size=16)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    folder = tmp_path_factory.mktemp("shards")
    on_disk.shards(folder, (5, 3, 4, 6, 2))
    return open_pairs(folder)


def same(one: Batch, other: Batch) -> bool:
    return (
        one.names == other.names
        and one.state == other.state
        and torch.equal(one.image, other.image)
        and torch.equal(one.flow, other.flow)
        and torch.equal(one.valid, other.valid)
        and torch.equal(one.indices, other.indices)
    )


def test_what_a_batch_is(pairs: PairSet) -> None:
    batches = list(loader(pairs, SMALL, 6, epochs=2))
    assert [batch.position for batch in batches] == [0, 1, 2] * 2
    assert [batch.epoch for batch in batches] == [0] * 3 + [1] * 3
    for batch in batches:
        assert len(batch) == 6
        assert (batch.image.shape, batch.image.dtype) == ((6, 3, 16, 16), torch.float32)
        assert (batch.flow.shape, batch.flow.dtype) == ((6, 2, 16, 16), torch.float32)
        assert (batch.valid.shape, batch.valid.dtype) == ((6, 16, 16), torch.bool)
        assert batch.names == tuple(f"v-{i:04d}" for i in batch.indices.tolist())
        assert batch.labels is None
        # The flow says which pair it is: |u| is its number times the scale.
        scale = 16 / 24
        for index, flow in zip(batch.indices.tolist(), batch.flow, strict=True):
            assert 1.0099 * scale * index <= flow[1].abs().mean() + 1e-4
            assert flow[1].abs().mean() <= 1.501 * scale * index + 1e-4
            assert (flow[1] <= 0).all()  # y is never flipped
    assert len({batch.names for batch in batches}) == 6
    signs = torch.cat([batch.flow[:, 0].mean((1, 2)) for batch in batches]).sign()
    assert {-1, 1} <= set(signs.tolist())


def test_workers_change_nothing(pairs: PairSet) -> None:
    alone = list(loader(pairs, SMALL, 6, epochs=2, seed=3))
    for workers in (1, 2):
        shared = list(loader(pairs, SMALL, 6, epochs=2, seed=3, workers=workers))
        assert len(shared) == len(alone)
        assert all(map(same, alone, shared))
    other = next(iter(loader(pairs, SMALL, 6, seed=4)))
    assert not same(alone[0], other)


@pytest.mark.slow
def test_spawned_workers_change_nothing(pairs: PairSet) -> None:
    alone = list(loader(pairs, SMALL, 6, epochs=1))
    spawned = list(loader(pairs, SMALL, 6, epochs=1, workers=1, context="spawn"))
    assert all(map(same, alone, spawned))


@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_where_it_was(pairs: PairSet, workers: int) -> None:
    whole = list(islice(loader(pairs, SMALL, 6, seed=1), 8))
    for used in (1, 3, 5):
        rest = loader(pairs, SMALL, 6, seed=1, start=whole[used - 1].state, workers=workers)
        for want, found in zip(whole[used:], rest, strict=False):
            # The end of an epoch and the beginning of the next are one place.
            assert same(want, found)


def test_processes_share_the_batches_of_one(pairs: PairSet) -> None:
    one = list(loader(pairs, SMALL, 6, epochs=1))
    shares = [list(loader(pairs, SMALL, 6, epochs=1, rank=r, ranks=3)) for r in range(3)]
    for want, *parts in zip(one, *shares, strict=True):
        assert torch.equal(want.image, torch.cat([part.image for part in parts]))
        assert torch.equal(want.flow, torch.cat([part.flow for part in parts]))
        assert want.names == sum((part.names for part in parts), ())
        assert {part.state for part in parts} == {want.state}


def test_the_global_random_state_is_left_alone(pairs: PairSet) -> None:
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index,union-attr]
    list(loader(pairs, SMALL, 6, epochs=1, workers=1))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # type: ignore[index]
    assert random.getstate() == states[2]


def test_validation_goes_through_all_once_in_order(pairs: PairSet) -> None:
    middle = Augmentation.preset("validation", 16)
    batches = list(loader(pairs, middle, 6, epochs=1, shuffle=False, keep_last=True))
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(20))
    assert [len(batch) for batch in batches] == [6, 6, 6, 2]


def test_damaged_pairs_have_others_in_their_place(tmp_path: Path) -> None:
    def damaged(number: int, members: dict[str, bytes]) -> None:
        if number in (2, 6, 7):
            members["flow.png"] = members["flow.png"][:-20]

    on_disk.shards(tmp_path, (4, 4), damaged)
    pairs = open_pairs(tmp_path)
    found = loader(pairs, SMALL, 4, epochs=2)
    batches = list(found)
    assert [len(batch) for batch in batches] == [4] * 4
    assert set(found.failures) == {"v-0002", "v-0006", "v-0007"}
    assert "damaged or cut short" in found.failures["v-0002"]
    taken = torch.cat([batch.indices for batch in batches[:2]]).tolist()
    assert sorted(taken) == [0, 0, 0, 1, 3, 3, 4, 5]  # the next that can be read
    again = list(loader(pairs, SMALL, 4, epochs=2, workers=1))
    assert all(map(same, batches, again))
    assert [batch.failures for batch in batches] == [batch.failures for batch in again]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_set_of_damaged_pairs(tmp_path: Path, workers: int) -> None:
    def damaged(number: int, members: dict[str, bytes]) -> None:
        members["jpg"] = members["jpg"][:-50]

    on_disk.shards(tmp_path, (4,), damaged)
    with pytest.raises(FlowError, match=r"^4 pairs in a row cannot be read.*frame of v-000"):
        list(loader(open_pairs(tmp_path), SMALL, 4, epochs=1, workers=workers))


FORKED = """
import sys, time
import cv2, numpy as np
from phosphene.motion.dataset import Augmentation, loader, open_pairs

cv2.setNumThreads(2)
frames = np.random.default_rng(0).integers(0, 256, (2, 400, 600)).astype(np.uint8)
cv2.DISOpticalFlow_create().calc(frames[0], frames[1], None)  # starts OpenCV's threads
time.sleep(0.5)  # which then wait
pairs = open_pairs(sys.argv[1])
print(sum(len(b) for b in loader(pairs, Augmentation(size=16), 4, workers=1, epochs=1)))
assert cv2.getNumThreads() == 2
cv2.DISOpticalFlow_create().calc(frames[0], frames[1], None)
"""


def test_workers_do_not_hang_after_opencv_had_threads(tmp_path: Path) -> None:
    on_disk.shards(tmp_path, (4, 4))
    ran = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    assert ran.stdout.strip() == "8", ran.stderr


class Deadly(MemoryPairs):
    """A set one of whose pairs kills who reads it."""

    def __getitem__(self, index: int) -> Pair:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_lost_worker() -> None:
    pair = Pair(np.zeros((9, 9, 3), np.uint8), Flow.of(np.zeros((9, 9, 2))))
    with pytest.raises(OutOfMemory, match=r"was lost \((is killed by signal|exited)") as caught:
        list(loader(Deadly([pair] * 8), SMALL, 2, workers=1, epochs=1))
    assert "fewer workers" in str(caught.value)


def test_mixed_sizes_need_an_augmentation(tmp_path: Path) -> None:
    sizes = [(20, 30), (31, 17), (20, 30), (8, 9)]
    mixed = MemoryPairs(
        Pair(np.zeros((*size, 3), np.uint8), Flow.of(np.ones((*size, 2)))) for size in sizes
    )
    (batch,) = loader(mixed, SMALL, 4, epochs=1)
    assert batch.flow.shape == (4, 2, 16, 16)
    with pytest.raises(SettingError, match="make no batch"):
        list(loader(mixed, None, 4, epochs=1))
    (plain, *_) = loader(mixed, None, 1, epochs=1, shuffle=False)
    assert plain.flow.shape == (1, 2, 20, 30)
    assert (plain.flow == 1).all()


def test_labels_go_along(tmp_path: Path) -> None:
    on_disk.davis(tmp_path)
    pairs = open_pairs(tmp_path, estimator="dis:ultrafast")
    middle = Augmentation.preset("validation", 24)
    (batch,) = loader(pairs, middle, 4, epochs=1, labels=True, shuffle=False)
    assert batch.labels is not None
    assert (batch.labels[:, :12] == 1).all()
    assert (batch.labels[:, 12:] == 0).all()
    with pytest.raises(SettingError, match="has no labels"):
        next(iter(loader(MemoryPairs([pairs[0]]), middle, 1, labels=True)))


def test_a_world_in_memory() -> None:
    zeros = np.zeros((6, 8), np.int32)
    instants = [
        Instant(
            np.full((6, 8, 3), t, np.uint8),
            np.full((6, 8, 2), t + 0.5),
            zeros + t,
            zeros + 2 * t,
            zeros > 0,
        )
        for t in range(3)
    ]
    pairs = MemoryPairs.of_world(iter(instants), "cube")
    assert [pairs.name(i) for i in range(len(pairs))] == ["cube 0", "cube 1", "cube 2"]
    assert (pairs[1].flow.vectors == 1.5).all()
    second = pairs[1].second
    assert second is not None
    assert (second == 2).all()
    assert pairs[2].second is None
    labels = pairs.labels(2)
    assert labels is not None
    assert (labels == 2).all()
    parts: Labels | None = MemoryPairs.of_world(instants, parts=True).labels(2)
    assert parts is not None
    assert (parts == 4).all()
    with pytest.raises(SettingError, match="2 label maps"):
        MemoryPairs([pairs[0]], [zeros, zeros])


def test_a_set_read_into_memory(tmp_path: Path, pairs: PairSet) -> None:
    held = materialised(pairs)
    assert [held.name(i) for i in range(20)] == [pairs.name(i) for i in range(20)]
    np.testing.assert_array_equal(held[7].first, pairs[7].first)
    assert held.labels(0) is None
    on_disk.davis(tmp_path)
    labels = materialised(open_pairs(tmp_path, estimator="dis:ultrafast")).labels(0)
    assert labels is not None
    assert labels.any()
    with pytest.raises(SettingError, match="20 pairs are more than 5"):
        materialised(pairs, most=5)


def test_settings_that_cannot_be(pairs: PairSet) -> None:
    with pytest.raises(SettingError, match="20 pairs are fewer than a batch of 21"):
        loader(pairs, SMALL, 21)
    with pytest.raises(SettingError, match="an epoch has 3 batches"):
        loader(pairs, SMALL, 6, start=(0, 4))
    with pytest.raises(SettingError, match="workers"):
        loader(pairs, SMALL, 6, workers=-1)


def test_a_batch_moves_to_a_device(pairs: PairSet) -> None:
    batch = next(iter(loader(pairs, SMALL, 6)))
    moved = batch.to("meta")
    assert moved.image.is_meta
    assert moved.valid.is_meta
    assert moved.names == batch.names
    assert replace(batch, epoch=2).state == (2, 1)

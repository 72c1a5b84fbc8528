"""Learners: they learn from worlds, the same in any number of processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NotFinite, SettingError
from phosphene.motion.dataset.augmentation import Augmentation
from phosphene.motion.dataset.pair_sets import MemoryPairs
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.pair import Pair
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.flow_targets import FlowClassLoss, FlowRegressionLoss, ForegroundLoss
from phosphene.pretext.grouping import ConstantLoss, EntropyLoss
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.pretext.learners import (
    GroupingLearner,
    PixelLearner,
    RotationLearner,
    SupervisedLearner,
)
from phosphene.pretext.pair_batches import PairBatches
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.training.loop import Trained, train
from phosphene.training.recipe import Recipe, adam
from phosphene.worlds.cubes import single_cube
from phosphene.zoo.fcn import Fcn

SIZE = 32


def loss_of(learner: nn.Module, batch: Batch) -> Tensor:
    return learner(batch)


def backbone() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
    )
    return Network(module, Preprocessing((SIZE, SIZE), mean=(0.5,) * 3, std=(0.25,) * 3))


@pytest.fixture(scope="module")
def pairs() -> MemoryPairs:
    world = single_cube(0, frames=8, size=(40, 40))
    return MemoryPairs.of_world([world.instant(i) for i in range(8)], parts=True)


def batches(pairs: MemoryPairs, **more: Any) -> PairBatches:
    return PairBatches(pairs, Augmentation(size=SIZE, hue=0), 4, **more)


def pixel_learner(loss: Any, outputs: int = 16) -> PixelLearner:
    net = backbone()
    network = PixelNetwork(Hypercolumn(net, ["1", "4"]), outputs, 32)
    return PixelLearner(network, net.preprocessing, loss, pixels=64)


def taught(learner: nn.Module, pairs: MemoryPairs, epochs: int = 30, rate: float = 3e-3) -> Trained:
    return train(learner, batches(pairs), loss_of, Recipe(epochs, adam(rate)))


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (CrossPixelLoss(), 16),
        (CrossPixelLoss("alignment"), 16),
        (FlowClassLoss(), 32),
        (FlowRegressionLoss(), 2),
        (ForegroundLoss(), 1),
    ],
    ids=["cross-entropy", "alignment", "classes", "regression", "foreground"],
)
def test_pixels_learn_from_flow(pairs, loss, outputs):
    found = taught(pixel_learner(loss, outputs), pairs).history
    first, last = found[0].loss, sum(e.loss for e in found[-3:]) / 3
    if isinstance(loss, CrossPixelLoss) and loss.kind == "cross-entropy":
        # Of the little that there is between log n and the entropy of S_f.
        assert last < first - 0.003
    else:
        assert last < 0.85 * first


@pytest.mark.parametrize("loss", [ConstantLoss(), EntropyLoss()], ids=["constant", "entropy"])
def test_regions_learn_from_flow(pairs, loss):
    net = backbone()
    learner = GroupingLearner(Fcn(net, ["1", "4"], 3), net.preprocessing, loss)
    found = taught(learner, pairs).history
    assert found[-1].loss < 0.85 * found[0].loss
    masks = learner.masks(next(batches(pairs).epoch(0)).image)
    torch.testing.assert_close(masks.sum(1), torch.ones(4, SIZE, SIZE))


def test_frames_and_images_teach_classes(pairs):
    learner = RotationLearner(backbone(), "4")
    assert taught(learner, pairs, 20, 0.01).history[-1].loss < 1.3
    # Colors as they are, and upside down.
    class_of = torch.tensor([0, 1] * 4)
    given = [pairs[i] for i in range(8)]
    swapped = [
        Pair(pair.first[:, :, ::-1].copy() if i % 2 else pair.first, pair.flow)
        for i, pair in enumerate(given)
    ]
    supervised = SupervisedLearner(backbone(), "4", class_of)
    assert taught(supervised, MemoryPairs(swapped), 60, 0.01).history[-1].loss < 0.4
    with pytest.raises(SettingError, match="two or more"):
        SupervisedLearner(backbone(), "4", class_of * 0)


def test_pixels_hang_on_the_pair_and_the_epoch_alone(pairs):
    learner = pixel_learner(CrossPixelLoss())
    whole = next(batches(pairs).epoch(2))
    halves = [next(batches(pairs, share=(rank, 2)).epoch(2)) for rank in (0, 1)]
    drawn = torch.cat([learner.drawn(half)[0] for half in halves])
    order = torch.cat([half.indices for half in halves])
    assert order.tolist() == whole.indices.tolist()
    assert torch.equal(drawn, learner.drawn(whole)[0])
    other = next(batches(pairs).epoch(3))
    assert not torch.equal(learner.drawn(other)[0], drawn)


def test_epochs_may_be_shorter_than_the_data(pairs):
    longer = [b.names for e in range(3) for b in batches(pairs).epoch(e)]
    shorter = batches(pairs, updates=1)
    assert len(shorter) == 1
    assert [b.names for e in range(6) for b in shorter.epoch(e)] == longer
    across = batches(pairs, updates=3)  # one and a half times the data
    assert [b.names for e in range(2) for b in across.epoch(e)] == longer
    assert [b.names for b in across.epoch(1, 2)] == longer[5:]
    with pytest.raises(SettingError):
        batches(pairs, updates=0)


def test_stopped_and_resumed_is_bit_identical(tmp_path: Path, pairs: MemoryPairs) -> None:
    class Stop(Exception):
        pass

    def weights(learner: nn.Module) -> Tensor:
        return torch.cat([p.detach().flatten() for p in learner.parameters()])

    whole = pixel_learner(CrossPixelLoss(learned=True))
    expected = train(whole, batches(pairs), loss_of, Recipe(3, adam(1e-3)))
    parted = pixel_learner(CrossPixelLoss(learned=True))
    left = [5]

    def dies(learner: nn.Module, batch: Batch) -> Tensor:
        left[0] -= 1
        if left[0] < 0:
            raise Stop
        return loss_of(learner, batch)

    recipe = Recipe(3, adam(1e-3))
    with pytest.raises(Stop):
        train(parted, batches(pairs), dies, recipe, folder=tmp_path, every=1e-9)
    again = pixel_learner(CrossPixelLoss(learned=True))
    found = train(again, batches(pairs), loss_of, recipe, folder=tmp_path)
    assert found.history == expected.history
    assert torch.equal(weights(again), weights(whole))


def test_a_loss_that_is_not_finite_names_its_batch(pairs):
    learner = pixel_learner(CrossPixelLoss())

    def wrong(learner: nn.Module, batch: Batch) -> Tensor:
        return loss_of(learner, batch) * float("nan")

    with pytest.raises(NotFinite, match=r"loss is not finite .*world \d.* and 1 more"):
        train(learner, batches(pairs), wrong, Recipe(1, adam()))


def test_other_pixels_are_looked_at_in_every_epoch_and_by_every_seed(pairs: MemoryPairs):
    batch = next(PairBatches(pairs, Augmentation.preset("validation", SIZE), 4).epoch(0))
    seen = set()
    for seed in (0, 1):
        learner = pixel_learner(CrossPixelLoss(), 16)
        learner.seed = seed
        for epoch in (0, 1):
            points, _ = learner.drawn(replace(batch, epoch=epoch))
            seen.add(tuple(points.flatten().tolist()))
    assert len(seen) == 4

"""Pictures of what learners learn say what the formulas say, and leave learners as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.motion.dataset import Batch, MemoryPairs
from phosphene.motion.dataset.augmentation import Augmentation
from phosphene.motion.normalization import denormalized, normalized
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.flow_targets import (
    FlowClassLoss,
    FlowRegressionLoss,
    ForegroundLoss,
    flow_class,
)
from phosphene.pretext.grouping import AffineLoss
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.pretext.learners import (
    GroupingLearner,
    PixelLearner,
    RotationLearner,
    SupervisedLearner,
)
from phosphene.pretext.pair_batches import PairBatches
from phosphene.pretext.pictures import (
    KernelRows,
    kernel_rows,
    pictures_of,
    predictions,
    projected,
    region_pictures,
)
from phosphene.pretext.pictures.kernels import differing
from phosphene.pretext.pictures.looked_at import dense
from phosphene.pretext.pictures.regions import region_colors
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.worlds.cubes import single_cube
from phosphene.zoo.fcn import Fcn
from tests.pretext.test_learners import backbone
from tests.reference import cross_pixel as literal

SIZE = 32


@pytest.fixture(scope="module")
def batch() -> Batch:
    world = single_cube(0, frames=4, size=(40, 40))
    pairs = MemoryPairs.of_world([world.instant(i) for i in range(4)], parts=True)
    batches = PairBatches(pairs, Augmentation.preset("validation", SIZE), 4, labels=True)
    return next(batches.epoch(0))


def pixel_learner(loss: Any, outputs: int = 16) -> PixelLearner:
    net = backbone()
    network = PixelNetwork(Hypercolumn(net, ["1", "4"]), outputs, 32)
    return PixelLearner(network, net.preprocessing, loss, pixels=64)


def grouping_learner(count: int = 3) -> GroupingLearner:
    net = backbone()
    fcn = Fcn(net, ["1", "4"], count, deviation=0.5)
    return GroupingLearner(fcn, net.preprocessing, AffineLoss())


LEARNERS = {
    "cross-pixel": lambda: pixel_learner(CrossPixelLoss()),
    "classes": lambda: pixel_learner(FlowClassLoss(), 32),
    "regression": lambda: pixel_learner(FlowRegressionLoss(), 2),
    "foreground": lambda: pixel_learner(ForegroundLoss(), 1),
    "grouping": grouping_learner,
    "rotation": lambda: RotationLearner(backbone(), "4"),
    "supervised": lambda: SupervisedLearner(backbone(), "4", torch.tensor([0, 1, 2, 1])),
}


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_learner_has_its_pictures_and_learns_on(batch, kind, tmp_path):
    learner = LEARNERS[kind]()
    learner.train()
    next(m for m in learner.modules() if isinstance(m, nn.Conv2d)).eval()  # someone's own choice
    modes = [module.training for module in learner.modules()]
    held = {k: v.clone() for k, v in learner.state_dict().items()}
    state = torch.get_rng_state()
    shown = pictures_of(learner, batch, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in learner.modules()] == modes
    assert all(torch.equal(v, learner.state_dict()[k]) for k, v in held.items())
    panel = shown.panel()
    assert panel.title
    assert all(tile.caption for _, row in panel.rows for tile in row)
    assert shown.save(tmp_path / "shown.png").stat().st_size > 1000
    again = pictures_of(learner, batch, 2).panel()
    assert again.facts == panel.facts


def test_a_projection_is_the_same_at_all_times():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 16, 5, 6, generator=generator)
    colors = projected(values, 4)
    assert torch.equal(colors, projected(values, 4))
    assert not torch.equal(colors, projected(values, 5))
    assert torch.equal(colors[1:], projected(values[1:], 4))
    assert torch.equal(colors.amin((2, 3)), torch.zeros(2, 3))
    torch.testing.assert_close(colors.amax((2, 3)), torch.ones(2, 3))
    # Colours are affine in the values.
    mixed = values.clone()
    mixed[0, :, 1, 1] = (values[0, :, 2, 2] + values[0, :, 3, 3]) / 2
    found = projected(mixed, 4)[0]
    torch.testing.assert_close(found[:, 1, 1], (found[:, 2, 2] + found[:, 3, 3]) / 2)
    assert torch.equal(projected(torch.full((1, 16, 3, 3), 0.3)), torch.full((1, 3, 3, 3), 0.5))


def test_readings_stand_where_they_were_made():
    network = pixel_learner(CrossPixelLoss()).network.eval()
    x = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    every = network.dense(x, 1)
    coarse = dense(network, x, 4)
    torch.testing.assert_close(coarse[:, :, ::4, ::4], every[:, :, ::4, ::4])
    between = (coarse[:, :, 4, 8] + coarse[:, :, 4, 12]) / 2
    torch.testing.assert_close(coarse[:, :, 4, 10], between)
    assert torch.equal(dense(network, x, 1), every)


def test_rows_of_kernels_are_the_paper_s(batch):
    learner = pixel_learner(CrossPixelLoss(sigma2=0.02))
    points = [(3, 5), (17, 20)]
    found = kernel_rows(learner, batch, 1, points, every=1)
    learner.eval()
    embedding = learner.network.dense(learner.preprocessing.normalize(batch.image[:1]), 1)[0]
    flow = normalized(batch.flow[:1])[0]
    some = [*points, (0, 0), (31, 31), (16, 16), (9, 28)]
    k_phi = literal.cosine_kernel([embedding[:, y, x].tolist() for x, y in some])
    k_f = literal.flow_kernel([flow[:, y, x].tolist() for x, y in some], 0.02)
    for number in range(2):
        for other, (x, y) in enumerate(some):
            assert float(found.by_embedding[0][number, y, x]) == pytest.approx(
                k_phi[number][other], abs=1e-5
            )
            assert float(found.by_flow[0][number, y, x]) == pytest.approx(
                k_f[number][other], abs=1e-5
            )
    assert len(found.panel().rows[0][1]) == 2 + len(points)


def test_pixels_that_differ_are_chosen():
    flow = torch.zeros(2, 40, 60)
    flow[0, 10:20, 5:15] = 0.5
    flow[1, 25:35, 40:50] = -0.4
    valid = torch.ones(40, 60, dtype=torch.bool)
    flow[:, 0, 0], valid[0, 0] = 1e3, False
    moving = differing(torch.where(valid, flow, 0), valid)
    kinds = {tuple(round(v, 3) for v in flow[:, y, x].tolist()) for x, y in moving}
    assert kinds == {(0.5, 0.0), (0.0, -0.4), (0.0, 0.0)}
    still = differing(torch.zeros(2, 40, 60), valid)
    assert len(set(still)) == 3
    nowhere = differing(torch.zeros(2, 8, 8), torch.zeros(8, 8, dtype=torch.bool), 2)
    assert len(nowhere) == 2


class _Fixed(nn.Module):
    """A pixel network that says what it is told, whatever it is shown."""

    def __init__(self, said: Tensor) -> None:
        super().__init__()
        self.said = nn.Parameter(said)

    def dense(self, x: Tensor, every: int = 1, unit: bool = False) -> Tensor:
        return self.said[: len(x), :, ::every, ::every]


def test_flow_as_it_is_predicted_comes_back_in_pixels(batch):
    learner: Any = pixel_learner(FlowRegressionLoss(), 2)
    learner.network = _Fixed(normalized(batch.flow))
    found = predictions(learner, batch, 2, every=1)
    torch.testing.assert_close(found.said, batch.flow[:2], atol=1e-4, rtol=1e-4)
    assert "0.00 px off" in found.panel().rows[1][1][0].caption
    learner = pixel_learner(FlowClassLoss(), 32)
    classes = flow_class(normalized(batch.flow))
    logits = 50.0 * nn.functional.one_hot(classes, 16).movedim(4, 2).flatten(1, 2)
    learner.network = _Fixed(logits)
    found = predictions(learner, batch, 2, every=1)
    assert torch.equal(flow_class(normalized(found.said)), classes[:2])
    middle = denormalized((classes[:2] + 0.5) / 8 - 1)
    torch.testing.assert_close(found.said, middle, atol=1e-4, rtol=1e-4)
    with pytest.raises(SettingError, match="predicts neither"):
        predictions(pixel_learner(CrossPixelLoss()), batch)


def test_true_regions_have_iou_1_and_explain_their_flow(batch):
    learner: Any = grouping_learner(5)
    labels = batch.labels
    assert labels is not None
    names = labels.unique()
    assert 2 <= len(names) <= 5
    # The truth, its names in another order.
    truth = torch.stack([(labels == k).float() for k in names.flip(0)], 1)
    learner.masks = lambda image: truth[: len(image)]
    found = region_pictures(learner, batch, 3)
    assert [found.iou(place) for place in range(3)] == pytest.approx([1, 1, 1])
    off = (found.flow - batch.flow[:3]).norm(dim=1)
    # Resampling mixes the flow of faces at their edges; inside it is affine.
    assert float(off.median()) < 0.02
    panel = found.panel()
    assert panel.facts["matched IoU"] == "1.000 over 3 frames"
    tiles = panel.rows[0][1]
    assert [tile.caption for tile in tiles].index("truth") == 3
    # Truth has the colours of the regions that match it.
    assert np.array_equal(np.asarray(tiles[1].image), np.asarray(tiles[3].image))


def test_batches_without_labels_or_flow_are_shown_too(batch):
    blind = replace(
        batch, labels=None, valid=torch.zeros_like(batch.valid), flow=torch.zeros_like(batch.flow)
    )
    for kind in ("grouping", "cross-pixel", "foreground", "regression"):
        panel = pictures_of(LEARNERS[kind](), blind, 1).panel()
        assert "matched IoU" not in panel.facts


def test_colors_of_regions_stay_and_differ():
    many = region_colors(20)
    assert torch.equal(many[:5], region_colors(5))
    apart = torch.cdist(many[:10], many[:10]) + torch.eye(10) * 9
    assert float(apart.min()) > 0.25
    assert len(torch.unique(many, dim=0)) == 20


def test_what_cannot_be_shown_is_refused(batch):
    learner = pixel_learner(CrossPixelLoss())
    with pytest.raises(SettingError, match="no learner"):
        pictures_of(nn.Linear(2, 2), batch)
    with pytest.raises(SettingError, match="1 or more"):
        pictures_of(learner, batch, 0)
    with pytest.raises(SettingError, match="not in a frame of 32x32"):
        kernel_rows(learner, batch, 1, [(32, 0)])
    with pytest.raises(SettingError, match="one or more"):
        kernel_rows(learner, batch, 1, [])
    with pytest.raises(SettingError, match="compares no pixels"):
        kernel_rows(pixel_learner(FlowRegressionLoss(), 2), batch)
    with pytest.raises(SettingError, match="every 0 pixels"):
        kernel_rows(learner, batch, every=0)
    assert isinstance(kernel_rows(learner, batch), KernelRows)

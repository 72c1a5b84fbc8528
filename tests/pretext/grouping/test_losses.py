from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.pretext.grouping import (
    AffineLoss,
    ConstantLoss,
    EntropyLoss,
    RigidLoss,
    regions,
)
from phosphene.pretext.grouping.affine import reconstructed
from tests.reference import grouping as literal

LOSSES = {
    "constant": (ConstantLoss(), literal.constant),
    "mixed": (AffineLoss(), lambda m, f: literal.affine(m, f, "mixed")),
    "weighted": (AffineLoss("weighted"), lambda m, f: literal.affine(m, f, "weighted")),
    "rigid": (RigidLoss(), literal.rigid),
    "rigid, a low knee": (RigidLoss(knee=0.01), lambda m, f: literal.rigid(m, f, 0.01)),
    "entropy": (EntropyLoss(16, 50.0), lambda m, f: literal.entropy(m, f, 16, 50.0)),
}
ALL = [pytest.param(loss, id=name) for name, (loss, _) in LOSSES.items()]


def drawn(b: int = 2, regions: int = 3, h: int = 7, w: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    scores = torch.randn(b, regions, h, w, generator=generator, dtype=torch.float64)
    flow = torch.randn(b, 2, h, w, generator=generator, dtype=torch.float64) * 3
    return scores.softmax(1), flow


@pytest.mark.parametrize("name", LOSSES)
def test_it_is_the_paper_s(name):
    loss, written = LOSSES[name]
    masks, flow = drawn()
    each = [written(m.numpy(), f.numpy()) for m, f in zip(masks, flow, strict=True)]
    # The ridge of 1e-6 is not in the paper.
    assert float(loss(masks, flow)) == pytest.approx(sum(each) / len(each), rel=2e-6)


@pytest.mark.parametrize("loss", ALL)
def test_its_derivatives_are_right(loss):
    masks, flow = drawn()
    valid = torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(1)) < 0.8
    if isinstance(loss, RigidLoss):
        # Raw coordinates are too badly scaled for differences.
        loss = RigidLoss(normalized=True, knee=loss.knee)
    assert torch.autograd.gradcheck(
        lambda m: loss(m, flow, valid), (masks.requires_grad_(),), atol=1e-5
    )


@pytest.mark.parametrize("loss", ALL)
def test_pixels_without_flow_do_not_count(loss):
    masks, flow = drawn()
    valid = torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(1)) < 0.8
    wild = torch.where(valid[:, None], flow, math.nan)
    masks.requires_grad_()
    value = loss(masks, wild, valid)
    (slope,) = torch.autograd.grad(value, masks)
    assert value.isfinite()
    assert slope.isfinite().all()
    assert float(slope[~valid[:, None].expand_as(slope)].abs().max()) < 1e-12
    assert float(loss(masks.detach(), torch.where(valid[:, None], flow, 9e9), valid)) == float(
        value.detach()
    )


@pytest.mark.parametrize("loss", ALL)
def test_nothing_known_of_a_whole_image_is_0(loss):
    masks, flow = drawn()
    masks.requires_grad_()
    value = loss(masks, flow, torch.zeros(2, 7, 9, dtype=torch.bool))
    (slope,) = torch.autograd.grad(value, masks)
    assert abs(float(value.detach())) < 1e-9
    assert slope.isfinite().all()


@pytest.mark.parametrize("loss", ALL)
def test_empty_regions_and_still_flow_are_finite(loss):
    masks = torch.zeros(1, 4, 6, 6, dtype=torch.float64)
    masks[:, 0] = 1
    masks.requires_grad_()
    value = loss(masks, torch.zeros(1, 2, 6, 6, dtype=torch.float64))
    (slope,) = torch.autograd.grad(value, masks)
    assert abs(float(value.detach())) < 1e-9
    assert slope.isfinite().all()


@pytest.mark.parametrize("loss", ALL)
def test_order_of_regions_does_not_matter(loss):
    masks, flow = drawn()
    assert float(loss(masks[:, [2, 0, 1]], flow)) == pytest.approx(float(loss(masks, flow)))


def affine_world(h: int = 12, w: int = 10) -> tuple[Tensor, Tensor]:
    """Three regions, each of which moves affinely."""
    generator = torch.Generator().manual_seed(2)
    label = torch.randint(0, 3, (2, h, w), generator=generator)
    masks = torch.nn.functional.one_hot(label, 3).permute(0, 3, 1, 2).double()
    theta = torch.randn(2, 3, 2, 3, generator=generator, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    place = torch.stack((x, y, torch.ones_like(x)), -1).double()
    return masks, torch.einsum("blck,hwk,blhw->bchw", theta, place, masks)


def test_affine_regions_cost_nothing_and_are_put_together_again():
    masks, flow = affine_world()
    for loss in (AffineLoss(), AffineLoss("weighted")):
        assert float(loss(masks, flow)) < 1e-8
        assert float(loss(masks.flip(3), flow)) > 0.1
    assert float((reconstructed(masks, flow) - flow).abs().max()) < 1e-3


def test_soft_regions_may_mix_models_in_one_reading_only():
    # Flow that grows with the square of x is a mixture of two constants, and no region's own.
    x = torch.linspace(0, 1, 32, dtype=torch.float64)
    share = (x * x).expand(1, 1, 8, 32)
    masks = torch.cat((share, 1 - share), 1)
    flow = torch.zeros(1, 2, 8, 32, dtype=torch.float64)
    flow[:, :1] = 4 * share
    assert float(AffineLoss()(masks, flow)) < 0.6 * float(AffineLoss("weighted")(masks, flow))


def epipolar_flow(h: int = 12, w: int = 14) -> Tensor:
    """Flow of points at random depths before a camera that turns and moves."""
    generator = torch.Generator().manual_seed(4)
    depth = 4 + torch.rand(h, w, generator=generator, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(h).double(), torch.arange(w).double(), indexing="ij")
    focal, cx, cy = 20.0, (w - 1) / 2, (h - 1) / 2
    points = torch.stack(((x - cx) / focal * depth, (y - cy) / focal * depth, depth), -1)
    angle = 0.03
    turn = torch.tensor(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]],
        dtype=torch.float64,
    )
    moved = points @ turn.T + torch.tensor([0.3, -0.1, 0.2], dtype=torch.float64)
    u = focal * moved[..., 0] / moved[..., 2] + cx - x
    v = focal * moved[..., 1] / moved[..., 2] + cy - y
    return torch.stack((u, v))[None]


def test_a_rigid_scene_costs_nothing():
    flow = epipolar_flow()
    one = torch.ones(1, 1, *flow.shape[2:], dtype=torch.float64)
    assert float(RigidLoss()(one, flow)) < 1e-12
    shaken = flow + torch.randn(flow.shape, dtype=torch.float64, generator=torch.Generator())
    assert float(RigidLoss()(one, shaken)) > 1e-8


def test_the_slope_of_the_squared_residual_needs_no_slope_of_the_eigenvector():
    # Its sum is the smallest eigenvalue, whose derivative takes the eigenvector for given.
    masks, flow = drawn()
    values = {}
    for through in ("eigenvector", "residual"):
        given = (masks * 1e-3).requires_grad_()  # residuals below 1: smooth L1 is a square
        loss = RigidLoss(through, normalized=True)
        (values[through],) = torch.autograd.grad(loss(given, flow * 1e-2), given)
    gap = (values["eigenvector"] - values["residual"]).abs().max()
    assert float(gap) < 1e-6 * float(values["residual"].abs().max())


def test_entropy_lies_between_one_bin_and_all():
    masks, flow = affine_world()
    label = masks.argmax(1)
    lengths = torch.tensor([1.0, 6.0, 30.0], dtype=torch.float64)[label]
    grouped = torch.stack((lengths, torch.zeros_like(lengths)), 1)
    assert float(EntropyLoss()(masks, grouped)) == pytest.approx(0, abs=1e-9)
    one = torch.ones(2, 1, 12, 10, dtype=torch.float64)
    assert 0.5 < float(EntropyLoss()(one, grouped)) <= math.log(3) + 1e-9
    assert float(EntropyLoss(4)(one, flow * 20)) <= math.log(4)


def test_flow_beyond_the_largest_falls_into_the_last_bin():
    masks = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    flow = torch.zeros(1, 2, 2, 2, dtype=torch.float64)
    flow[0, 0] = torch.tensor([[60.0, 1e6], [50.0, 5e3]])
    assert float(EntropyLoss()(masks, flow)) == pytest.approx(0, abs=1e-9)


def test_regions_sharpen_by_multiplying():
    scores = torch.zeros(1, 5, 1, 1)
    scores[0, 0] = 50.0
    scores[0, 1:] = -50.0
    assert float(regions(scores, 10.0)[0, 0]) == pytest.approx(1 - 1e-8, abs=1e-7)
    m = 2 * torch.sigmoid(torch.tensor(0.7)) - 1
    wanted = torch.exp(10 * m) / (torch.exp(10 * m) + 1)
    pair = regions(torch.tensor([0.7, 0.0])[None, :, None, None])
    assert float(pair[0, 0]) == pytest.approx(float(wanted), rel=1e-6)
    assert float(regions(scores).sum(1)) == pytest.approx(1)


def test_what_cannot_be_is_refused():
    masks, flow = drawn()
    with pytest.raises(SettingError, match="do not fit"):
        AffineLoss()(masks, flow[:, :1])
    with pytest.raises(SettingError, match="mixed, weighted"):
        AffineLoss("soft")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="eigenvector, residual"):
        RigidLoss("all")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="a knee at 0"):
        RigidLoss(knee=0)
    with pytest.raises(SettingError, match="2 or more"):
        EntropyLoss(1)
    with pytest.raises(SettingError, match="above 0"):
        regions(masks, 0.0)

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.pretext.cross_pixel import CrossPixelLoss
from tests.reference import cross_pixel as literal

KINDS = ("cross-entropy", "reversed", "alignment")


def given(b: int = 4, n: int = 17, d: int = 6, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    embedding = torch.randn(b, n, d, generator=generator, dtype=dtype)
    flow = torch.rand(b, n, 2, generator=generator, dtype=dtype) * 0.3 - 0.15
    return [embedding, flow]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_paper_s(kind):
    embedding, flow = given()
    found = float(CrossPixelLoss(kind, 0.01)(embedding, flow))
    every = [
        literal.loss(kind, e.tolist(), f.tolist(), 0.01)
        for e, f in zip(embedding.double(), flow.double(), strict=True)
    ]
    assert found == pytest.approx(sum(every) / len(every), rel=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_that_do_not_count_are_as_if_not_there(kind):
    embedding, flow = given()
    valid = torch.rand(4, 17, generator=torch.Generator().manual_seed(1)) < 0.6
    valid[2] = False
    valid[2, 5] = True  # one pixel has nothing to be compared with
    flow = torch.where(valid[:, :, None], flow, math.nan).nan_to_num(1e6)
    found = float(CrossPixelLoss(kind, 0.01)(embedding, flow, valid))
    kept = [i for i in range(4) if i != 2]
    each = [
        literal.loss(
            kind,
            embedding[i, valid[i]].double().tolist(),
            flow[i, valid[i]].double().tolist(),
            0.01,
        )
        for i in kept
    ]
    # Cross entropies are means over all pixels, the alignment over images.
    weights = [1 if kind == "alignment" else int(valid[i].sum()) for i in kept]
    wanted = sum(w * e for w, e in zip(weights, each, strict=True)) / sum(weights)
    assert found == pytest.approx(wanted, rel=2e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_its_derivatives_are_right(kind, share):
    embedding, flow = given(3, 9, 4, torch.float64)
    valid = torch.rand(3, 9, generator=torch.Generator().manual_seed(2)) <= share
    loss = CrossPixelLoss(kind, 0.02, learned=True).double()

    def value(embedding, log_variance):
        return torch.func.functional_call(
            loss, {"log_variance": log_variance}, (embedding, flow, valid)
        )

    variance = loss.log_variance.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (embedding.requires_grad_(), variance))


def clusters(n: int) -> tuple[Tensor, Tensor]:
    """Two halves of an image that move apart, embedded as opposites."""
    side = torch.arange(n) < n // 2
    flow = torch.where(side[:, None], 1.0, -1.0).expand(n, 2)
    embedding = torch.where(side[:, None], 1.0, -1.0) * torch.ones(1, 16)
    return embedding[None], flow[None]


def test_the_floors_that_were_worked_out():
    n = 512
    embedding, flow = clusters(n)
    still = torch.zeros_like(flow)
    same = torch.ones_like(embedding)
    loss = CrossPixelLoss()
    entropy = CrossPixelLoss("reversed")
    # The entropy of S_f where two halves move: all mass e on one's own half, 1 elsewhere.
    row = torch.where(flow[0, :, 0] == flow[0, 0, 0], math.e, 1.0)
    row[0] = 1.0
    share = row / row.sum()
    floor = float(-(share * share.log()).sum())
    assert floor == pytest.approx(6.1271, abs=5e-5)
    assert float(loss(embedding, flow)) == pytest.approx(6.1537, abs=5e-5)
    # Everything alike: all but one's own logit are one, and the distributions nearly flat.
    assert float(loss(same, still)) == pytest.approx(math.log(n), abs=3e-3)
    uniform = torch.eye(n)[None]  # no two pixels alike: all logits are 0
    assert float(loss(uniform, flow)) == pytest.approx(6.23832, abs=5e-6)
    assert float(entropy(uniform, flow)) > math.log(n)
    aligned = CrossPixelLoss("alignment")
    assert float(aligned(same, still)) == pytest.approx(0, abs=1e-6)


def test_only_directions_count_and_the_diagonal_does_not():
    embedding, flow = given()
    loss = CrossPixelLoss()
    assert float(loss(embedding * 7, flow)) == pytest.approx(float(loss(embedding, flow)), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_flow_of_any_length_is_compared_as_printed(kind):
    # From numbers that underflow in single precision to those that hardly differ.
    embedding, _ = given(2, 24)
    generator = torch.Generator().manual_seed(4)
    flow = torch.rand(2, 24, 2, generator=generator) * 2 - 1
    flow[:, 12:] = flow[:, :12] * 1.02
    found = float(CrossPixelLoss(kind)(embedding, flow))
    every = [
        literal.loss(kind, e.tolist(), f.tolist(), 0.0036)
        for e, f in zip(embedding.double(), flow.double(), strict=True)
    ]
    assert found == pytest.approx(sum(every) / len(every), rel=2e-6)


def test_still_images_learn_nothing_odd():
    embedding, flow = given()
    embedding.requires_grad_()
    value = CrossPixelLoss()(embedding, torch.zeros_like(flow))
    value.backward()
    assert value.isfinite()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()


def test_a_batch_in_which_nothing_counts_is_0():
    embedding, flow = given()
    embedding.requires_grad_()
    value = CrossPixelLoss()(embedding, flow, torch.zeros(4, 17, dtype=torch.bool))
    value.backward()
    assert float(value.detach()) == 0
    assert float(embedding.grad.abs().sum()) == 0


def test_a_learned_variance_goes_where_it_falls():
    embedding, flow = given(8, 40)
    loss = CrossPixelLoss("cross-entropy", 0.0036, learned=True)
    before = float(loss(embedding, flow).detach())
    optimizer = torch.optim.SGD(loss.parameters(), 5.0)
    for _ in range(20):
        optimizer.zero_grad()
        loss(embedding, flow).backward()
        optimizer.step()
    assert float(loss(embedding, flow).detach()) < before
    assert float(loss.log_variance.detach()) != pytest.approx(math.log(0.0036), abs=1e-3)


def test_half_precision_is_compared_in_single():
    embedding, flow = given()
    half = CrossPixelLoss()(embedding.bfloat16(), flow)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(CrossPixelLoss()(embedding, flow)), rel=1e-3)


def test_what_cannot_be_is_refused():
    embedding, flow = given()
    with pytest.raises(SettingError, match="none of cross-entropy"):
        CrossPixelLoss("entropy")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="above 0"):
        CrossPixelLoss(sigma2=0.0)
    with pytest.raises(SettingError, match="do not fit"):
        CrossPixelLoss()(embedding, flow[:, :3])

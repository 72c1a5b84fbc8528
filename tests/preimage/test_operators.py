"""Operators against literal loops, and against SciPy, which the authors used."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from phosphene.errors import SettingError
from phosphene.preimage.operators import (
    TABLE_1,
    Blur,
    ClipSmallContribution,
    ClipSmallNorm,
    Decay,
    Operator,
)
from tests.reference import operators as reference

OPERATORS: list[Operator] = [
    Decay(0.3), Blur(1.0), Blur(0.5), ClipSmallNorm(0.5), ClipSmallNorm(0.2),
    ClipSmallContribution(0.9), ClipSmallContribution(0.35),
]  # fmt: skip


def draw(seed: int, size: tuple[int, int] = (6, 5), batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, *size, generator=generator, dtype=torch.float64) * 40


def literal(operator: Operator, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    match operator:
        case Decay(rate):
            return x * (1 - rate)
        case Blur(sigma, _):
            return reference.blur(x, sigma)
        case ClipSmallNorm(share):
            return reference.clip_small_norm(x, share)
        case ClipSmallContribution(share):
            return reference.clip_small_contribution(x, gradient, share)
    raise AssertionError(operator)


@pytest.mark.parametrize("size", [(6, 5), (3, 9), (1, 1)], ids=str)
@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_operators_are_the_loops(operator: Operator, size: tuple[int, int]) -> None:
    x, gradient = draw(0, size), draw(1, size)
    want = [literal(operator, a.numpy(), g.numpy()) for a, g in zip(x, gradient, strict=True)]
    kept = gradient.clone()
    operator.apply(x, gradient, 0)
    np.testing.assert_allclose(x, np.stack(want), rtol=1e-12, atol=1e-12)
    assert torch.equal(gradient, kept)


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_images_of_a_batch_do_not_meet(operator: Operator) -> None:
    x, gradient = draw(2, (9, 8), 3), draw(3, (9, 8), 3)
    x[1] *= 1e-3
    gradient[2] *= 1e4
    alone = [(x[i : i + 1].clone(), gradient[i : i + 1]) for i in range(3)]
    operator.apply(x, gradient, 0)
    for one, slope in alone:
        operator.apply(one, slope, 0)
    assert torch.allclose(x, torch.cat([one for one, _ in alone]), rtol=1e-12, atol=0)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 3.0])
def test_blur_is_the_authors(sigma: float) -> None:
    x = draw(4, (11, 7))
    want = [[scipy.ndimage.gaussian_filter(c, sigma) for c in one] for one in x.numpy()]
    total = x.sum((2, 3))
    Blur(sigma).apply(x, torch.zeros_like(x), 0)
    np.testing.assert_allclose(x, want, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(x.sum((2, 3)), total, msg="the mirrored border keeps the mean")


def test_blur_waits_its_turn() -> None:
    x = draw(5)
    changed = []
    for number in range(9):
        before = x.clone()
        Blur(0.8, every=3).apply(x, x, number)
        changed.append(not torch.equal(x, before))
    assert changed == [True, False, False] * 3


@pytest.mark.parametrize("operator", [ClipSmallNorm(0.5), ClipSmallContribution(0.5)], ids=str)
def test_clipping_takes_its_share_and_leaves_the_rest(operator: Operator) -> None:
    x, gradient = draw(6, (10, 10)), draw(7, (10, 10))
    before = x.clone()
    operator.apply(x, gradient, 3)
    gone = (x == 0).all(1)
    assert (gone.sum((1, 2)) == 50).all()
    kept = (~gone)[:, None].expand_as(x)
    assert torch.equal(x[kept], before[kept])
    worth = before.norm(dim=1) if isinstance(operator, ClipSmallNorm) else None
    if worth is not None:
        assert all(worth[i][gone[i]].max() < worth[i][~gone[i]].min() for i in range(2))


@pytest.mark.parametrize("make", [ClipSmallNorm, ClipSmallContribution])
def test_a_share_of_nothing_and_of_ties_clips_nothing(make) -> None:  # type: ignore[no-untyped-def]
    x = draw(8)
    before = x.clone()
    make(0.0).apply(x, torch.ones_like(x), 0)
    assert torch.equal(x, before)
    flat = torch.full((1, 3, 4, 4), 7.0)
    make(0.5).apply(flat, torch.ones_like(flat), 0)
    assert (flat == 7).all()


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_single_precision_and_other_layouts(operator: Operator) -> None:
    x, gradient = draw(9), draw(10)
    turned = x.float().permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    operator.apply(turned, gradient.float(), 0)
    operator.apply(x, gradient, 0)
    assert turned.dtype == torch.float32
    torch.testing.assert_close(turned.double(), x, rtol=1e-5, atol=1e-4)


def test_presets_are_the_table() -> None:
    names = [[str(o) for o in preset.operators] for preset in TABLE_1]
    assert names == [
        ["blur 0.5 every 4", "clip 50% by norm"],
        ["decay 0.3", "clip 20% by norm"],
        ["decay 0.0001", "blur 1 every 4"],
        ["blur 0.5 every 4", "clip 90% by contribution"],
    ]
    assert [p.steps for p in TABLE_1] == [500, 750, 1000, 1000]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Decay(-0.1), lambda: Decay(1.1), lambda: Blur(0), lambda: Blur(1, 0),
        lambda: Blur(float("nan")), lambda: ClipSmallNorm(50), lambda: ClipSmallContribution(-1),
    ],
)  # fmt: skip
def test_impossible_constants_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match=r"takes? .* not "):
        make()

"""Similarity, reach and place of signals, against the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from phosphene.core.preprocessing import Frame
from phosphene.segmentation.truths import Box, Truth
from phosphene.studies.inside import (
    averaged_over,
    energy_of,
    framed,
    object_of,
    share_inside,
    summed,
)
from phosphene.studies.on_objects import matched
from phosphene.studies.similarity import clipped, correlation, cosine
from phosphene.studies.support import (
    effective_side,
    extent,
    fall_off,
    gaussian,
    inside,
    renormalised,
)
from tests.reference import signals as reference

BOXES = ((0.0, 0.0, 9.0, 11.0), (-2.0, 3.0, 7.0, 20.0), (1.5, 2.5, 4.0, 5.0))


def maps(count: int, size: tuple[int, int] = (9, 11), seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((count, *size), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("box", BOXES)
def test_similarity_is_a_correlation_inside_the_field(
    box: tuple[float, float, float, float],
) -> None:
    a, b = maps(2)
    expected = reference.similarity(a.tolist(), b.tolist(), box)
    assert correlation(a, b, box) == pytest.approx(expected, abs=1e-12)
    rows, columns = clipped(box, (9, 11))
    changed = b.clone()
    changed[rows, columns] = 0
    outside = b - changed  # what lies outside makes no difference
    assert correlation(a, outside + 7 * changed, box) == pytest.approx(expected, abs=1e-12)


def test_similarity_minds_neither_strength_nor_plain() -> None:
    a, b = maps(2)
    assert correlation(a, 3 * a + 2) == pytest.approx(1)
    assert correlation(a, 1e-30 * b) == pytest.approx(correlation(a, b))
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, torch.ones(9, 11)) is None
    assert correlation(a, b, (50.0, 50.0, 3.0, 3.0)) is None
    a[0, 0] = math.nan
    assert correlation(a, b) == pytest.approx(
        correlation(a.flatten()[None, 1:], b.flatten()[None, 1:])
    )


def test_cosine_minds_polarity() -> None:
    a, b = maps(2) - 0.5
    assert cosine(a, -2 * a) == pytest.approx(-1)
    expected = float((a * b).sum() / (a.norm() * b.norm()))
    assert cosine(a, b) == pytest.approx(expected)
    assert cosine(a, 0 * b) is None


@pytest.mark.parametrize("middle", [(4.0, 5.0), (3.5, 4.5), (0.0, 10.0)])
@pytest.mark.parametrize("held", [0.5, 0.95, 1.0])
def test_the_effective_side_holds_the_energy(middle: tuple[float, float], held: float) -> None:
    values = maps(1)[0] ** 3
    expected = reference.effective_side(values.tolist(), middle, held)
    assert effective_side(values, middle, held) == expected
    assert effective_side(1e-25 * values, middle, held) == expected


def test_rings_and_their_gaussian() -> None:
    values = maps(1)[0]
    found = fall_off(values, (4.0, 5.0), 4.5, 4)
    assert found == pytest.approx(reference.fall_off(values.tolist(), (4.0, 5.0), 4.5, 4))
    sigma = 3.0
    profile = [5 * math.exp(-(((i + 0.5) * 10 / 8) ** 2) / (2 * sigma**2)) for i in range(8)]
    fit = gaussian([*profile], 10.0)
    assert fit == pytest.approx((sigma, 1.0))
    assert gaussian([1.0, None, 0.5], 10.0) is None
    assert gaussian([1.0, 2.0, 3.0], 10.0) == pytest.approx((math.inf, 0.889), abs=0.01)


def test_extent_and_what_lies_in_it() -> None:
    values = torch.zeros(9, 11)
    assert extent(values) is None
    assert inside(values, (0, 0, 3, 3)) is None
    values[2, 3] = values[5, 7] = 1e-20
    assert extent(values) == (2, 3, 4, 5)
    assert inside(values, (2.0, 3.0, 4.0, 5.0)) == 1
    assert inside(values, (2.0, 3.0, 4.0, 4.0)) == pytest.approx(0.5)


def test_what_is_weak_is_lifted() -> None:
    lifted = renormalised(torch.tensor([-1e-10, 0.0, 1.0]))
    assert lifted.tolist() == pytest.approx([-0.1, 0.0, 1.0])


def test_the_share_inside_is_of_the_energy() -> None:
    values, mask = maps(1)[0], (maps(1, seed=1)[0] > 0.4).double()
    expected = reference.share_inside(values.tolist(), mask.tolist())
    assert share_inside(energy_of(values), mask.numpy()) == pytest.approx(expected)
    assert share_inside(energy_of(0 * values), mask.numpy()) is None


def test_a_grid_keeps_sums_and_means() -> None:
    values = maps(1)[0].numpy()
    assert summed(values, 4).shape == (4, 4)
    assert summed(values, 4).sum() == pytest.approx(values.sum())
    assert summed(values, 4)[0, 0] == pytest.approx(values[:2, :2].sum())
    assert averaged_over(values, 4)[3, 3] == pytest.approx(values[6:, 8:].mean())
    assert (summed(values, 100) == values).all()


def test_signals_of_others_are_the_measure() -> None:
    spreads, objects = maps(2, (5, 6))[0], maps(2, (5, 6))[1]
    shares = (spreads / spreads.sum(1, keepdim=True)) @ objects.T
    found = matched(spreads.tolist(), objects.tolist())
    expected = reference.matched(shares.tolist())
    assert found == pytest.approx(expected, abs=1e-9)
    assert sum(found) / 5 == pytest.approx(
        float(shares.trace() / 5 - (shares.sum() - shares.trace()) / 20)
    )  # type: ignore[arg-type]
    eye = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert matched([[0.0, 0.0, 0.0], *eye], [[1.0, 1.0, 1.0], *eye]) == [None, 1, 1, 1]
    assert matched(eye[:2], eye[:2]) == [None, None]
    # Neither the size of an object nor the reach of a signal counts, without a match.
    assert matched([[3.0, 1.0]] * 3, [[1, 1], [0.5, 0], [0, 1]]) == pytest.approx(
        [0, 0, 0], abs=1e-12
    )


def test_masks_are_brought_to_what_the_network_sees() -> None:
    whole = np.zeros((20, 40), bool)
    whole[:, 20:] = True
    assert (framed(whole, Frame((20, 40), (10, 20), (0, 5, 10, 10))) == whole[:10, 15:25]).all()
    beyond = framed(~whole, Frame((20, 40), (20, 40), (-5, -5, 10, 10)))
    assert beyond[5:, 5:].all()
    assert beyond.sum() == 25


def test_objects_are_all_masks_else_all_boxes() -> None:
    masks = np.array([[0, 1, 255]], np.uint8), np.array([[1, 0, 255]], np.uint8)
    box = Box("x", -1, 0, 2, 1)
    assert object_of(Truth("a", masks[0], masks, (box,))).tolist() == [[True, True, False]]  # type: ignore[union-attr]
    assert object_of(Truth("a", masks[0], (), (box,)), (2, 3)).tolist() == [  # type: ignore[union-attr]
        [True, True, False],
        [False, False, False],
    ]
    assert object_of(Truth("a", masks[0])) is None

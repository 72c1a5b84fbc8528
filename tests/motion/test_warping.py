"""Warping, consistency and residual against literal references and known motion."""

from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.warping import consistent, residual, warped
from tests.reference import flow_warping as literal

RNG = np.random.default_rng(0)


def random_flow(size: tuple[int, int] = (7, 9), most: float = 4) -> Flow:
    return Flow.of(RNG.uniform(-most, most, (*size, 2)), RNG.random(size) < 0.8)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 9), (8, 3)])
def test_warping_agrees_with_the_reference(size: tuple[int, int]) -> None:
    image = RNG.random((*size, 3))
    flow = random_flow(size)
    found, inside = warped(image, flow)
    expected = literal.warped(image, flow.vectors, flow.valid)
    np.testing.assert_array_equal(inside, ~np.isnan(expected[:, :, 0]))
    np.testing.assert_allclose(found, np.nan_to_num(expected), atol=1e-6)
    assert found.dtype == np.float32


def test_the_true_flow_brings_the_first_frame_back() -> None:
    """A linear picture is read off exactly between pixels, too."""
    y, x = np.mgrid[:20, :30].astype(float)
    flow = Flow.of(np.stack([0.3 + 0.02 * x, -0.7 + 0.01 * y], 2))
    first = 3 * (x + flow.vectors[:, :, 0]) - 2 * (y + flow.vectors[:, :, 1])
    found, inside = warped(3 * x - 2 * y, flow)
    assert inside.mean() > 0.8
    np.testing.assert_allclose(found[inside], first[inside], atol=1e-4)


def test_whole_pixels_are_moved_exactly_up_to_the_edge() -> None:
    image = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    found, inside = warped(image, Flow.of(np.broadcast_to([2.0, -1.0], (6, 8, 2))))
    np.testing.assert_array_equal(found[1:, :6], image[:-1, 2:])
    expected = np.zeros((6, 8), bool)
    expected[1:, :6] = True
    np.testing.assert_array_equal(inside, expected)


def test_huge_vectors_end_outside() -> None:
    flow = Flow.of(np.array([[[9e8, 0.0], [-9e8, 9e8]]]))
    found, inside = warped(np.ones((1, 2)), flow)
    assert not inside.any()
    assert (found == 0).all()


@pytest.mark.parametrize(("relative", "absolute"), [(0.01, 0.5), (0.5, 2.0)])
def test_consistency_agrees_with_the_reference(relative: float, absolute: float) -> None:
    size = (9, 11)
    base = RNG.uniform(-2, 2, 2)
    forward = Flow.of(base + RNG.normal(0, 0.6, (*size, 2)), RNG.random(size) < 0.9)
    backward = Flow.of(-base + RNG.normal(0, 0.6, (*size, 2)), RNG.random(size) < 0.9)
    found = consistent(forward, backward, relative, absolute)
    expected = literal.consistent(
        forward.vectors, forward.valid, backward.vectors, backward.valid, relative, absolute
    )
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.mean() < 1


def test_what_a_square_hides_is_not_consistent() -> None:
    """A square goes 4 pixels right over a still ground, and hides 4 columns of it."""
    forward, backward = np.zeros((30, 40, 2)), np.zeros((30, 40, 2))
    forward[10:20, 10:20, 0] = 4
    backward[10:20, 14:24, 0] = -4
    found = consistent(Flow.of(forward), Flow.of(backward))
    expected = np.ones((30, 40), bool)
    expected[10:20, 20:24] = False
    np.testing.assert_array_equal(found, expected)


def test_the_residual_of_the_true_flow_is_zero() -> None:
    second = RNG.integers(0, 256, (12, 16, 3), np.uint8)
    first = np.roll(second, -3, axis=1)
    found = residual(first, second, Flow.of(np.broadcast_to([3.0, 0.0], (12, 16, 2))))
    assert np.isnan(found[:, 13:]).all()
    assert (found[:, :13] == 0).all()
    brighter = residual(first[:, :, 0] * 0.5, second[:, :, 0] * 0.5 + 7, Flow.of(
        np.broadcast_to([3.0, 0.0], (12, 16, 2))))  # fmt: skip
    np.testing.assert_allclose(brighter[:, :13], 7, atol=1e-4)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(FlowError, match=r"an image of shape \(5, 5\) cannot be warped by flow of"):
        warped(np.zeros((5, 5)), random_flow())
    with pytest.raises(FlowError, match="give the same size"):
        consistent(random_flow(), random_flow((7, 8)))
    with pytest.raises(FlowError, match="cannot be compared"):
        residual(np.zeros((7, 9, 3)), np.zeros((7, 9)), random_flow())


def test_real_flow_brings_a_real_frame_back(shared: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    frames = sorted((shared / "data" / "davis" / "frames" / "camel").iterdir())
    first, second = (cv2.imread(str(frames[i]), cv2.IMREAD_GRAYSCALE) for i in (0, 5))
    estimate = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc
    forward, backward = (
        Flow.of(estimate(one, two, None)) for one, two in ((first, second), (second, first))
    )
    left = residual(first, second, forward)
    still = np.abs(first.astype(float) - second)
    assert np.nanmean(left) < 0.5 * still.mean()
    agreed = consistent(forward, backward)
    assert 0.5 < agreed.mean() < 1
    assert np.nanmean(left[agreed]) < 0.7 * np.nanmean(left[~agreed])

from __future__ import annotations

import numpy as np
import pytest

from phosphene.motion.dataset.resampling import Window
from phosphene.motion.flow import Flow
from phosphene.motion.warping import warped
from tests.reference import augmentation as reference

WINDOWS = [
    Window(0, 0, 17, 17),  # as it is
    Window(2.3, 1.7, 11.4, 16),  # enlarged
    Window(0.6, 0.2, 16.5, 7),  # shrunk
    Window(8, 0, 17, 5, flipped=True),  # to the right edge
    Window(3.25, 4.5, 5, 9, flipped=True),
]


def frame(seed: int = 0, height: int = 17, width: int = 25) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def motion(seed: int = 1, height: int = 17, width: int = 25, holes: float = 0.0) -> Flow:
    rng = np.random.default_rng(seed)
    return Flow.of(rng.normal(0, 9, (height, width, 2)), rng.random((height, width)) >= holes)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_picture_agrees_with_the_formula(window: Window) -> None:
    pixels = frame()
    want, _ = reference.shown(
        pixels, np.ones((17, 25)), window.left, window.top, window.side, window.size
    )
    if window.flipped:
        want = want[:, ::-1]
    assert np.abs(window.image(pixels) - want).max() <= 1.01  # Pillow rounds to 8 bits twice


@pytest.mark.parametrize("holes", [0, 0.3, 0.8])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_flow_agrees_with_the_formula(window: Window, holes: float) -> None:
    flow = motion(holes=holes)
    want, share = reference.shown(
        flow.vectors, flow.valid, window.left, window.top, window.side, window.size
    )
    want *= window.size / window.side
    if window.flipped:
        want, share = want[:, ::-1] * [-1, 1], share[:, ::-1]
    found = window.flow(flow)
    clear = np.abs(share - 0.5) > 1e-4
    np.testing.assert_array_equal(found.valid[clear], (share >= 0.5)[clear])
    both = found.valid & clear
    np.testing.assert_allclose(found.vectors[both], want[both], atol=2e-4)
    assert (found.vectors[~found.valid] == 0).all()


def test_a_constant_flow_stays_constant_up_to_the_rim_of_its_holes() -> None:
    valid = np.random.default_rng(3).random((40, 60)) > 0.4
    found = Window(3.7, 2.1, 31.3, 50).flow(Flow.of(np.full((40, 60, 2), (4.0, -2.0)), valid))
    assert 0.2 < found.valid.mean() < 0.9
    expected = np.array([4, -2]) * 50 / 31.3
    np.testing.assert_allclose(
        found.vectors[found.valid], expected[None].repeat(found.valid.sum(), 0), rtol=1e-5
    )


def test_flipped_twice_nothing_has_changed() -> None:
    whole = Window(0, 0, 21, 21, flipped=True)
    pixels, flow = frame(height=21, width=21), motion(height=21, width=21, holes=0.2)
    np.testing.assert_array_equal(whole.image(whole.image(pixels)), pixels)
    again = whole.flow(whole.flow(flow))
    np.testing.assert_array_equal(again.vectors, flow.vectors)
    np.testing.assert_array_equal(again.valid, flow.valid)
    np.testing.assert_array_equal(whole.flow(flow).vectors[:, ::-1] * [-1, 1], flow.vectors)


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_flow_of_a_resized_frame_is_the_resized_flow_times_the_factor(factor: float) -> None:
    rows, columns = np.mgrid[:60, :60]
    u = np.stack([0.05 * columns - 0.02 * rows + 1, 0.03 * rows - 2], 2)
    size = round(60 * factor)
    found = Window(0, 0, 60, size).flow(Flow.of(u)).vectors
    there = (np.mgrid[:size, :size] + 0.5) / factor - 0.5
    want = factor * np.stack([0.05 * there[1] - 0.02 * there[0] + 1, 0.03 * there[0] - 2], 2)
    inner = slice(3, -3)  # at the rim the triangle is cut off
    np.testing.assert_allclose(found[inner, inner], want[inner, inner], atol=2e-5)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("side", "size"), [(60.5, 90), (101.3, 64)])
def test_the_later_frame_leads_back_to_the_first_by_the_flow(
    side: float, size: int, flipped: bool
) -> None:
    """What holds before (second at p + u(p) is first at p) holds after the same change of both."""
    height, width = 121, 161
    rows, columns = np.mgrid[:height, :width].astype(float)
    u = np.stack([3 + 0.03 * columns - 0.02 * rows, -2 + 0.04 * rows + 0.01 * columns], 2)

    def painted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        waves = [np.sin(x / 9 + y / 17), np.cos(x / 13 - y / 8), np.sin(x / 21) * np.cos(y / 11)]
        return np.rint(127 + 120 * np.stack(waves, 2)).astype(np.uint8)

    first, second = painted(columns + u[:, :, 0], rows + u[:, :, 1]), painted(columns, rows)
    window = Window(14.3, 11.8, side, size, flipped)
    found, inside = warped(window.image(second), window.flow(Flow.of(u)))
    error = np.abs(found - window.image(first))[inside]
    assert inside.mean() > 0.6
    assert error.mean() < 1
    assert error.max() < 5
    # A wrong sign or factor is no small matter.
    wrong = Flow.of(window.flow(Flow.of(u)).vectors * [-1, 1])
    other, inside = warped(window.image(second), wrong)
    assert np.abs(other - window.image(first))[inside].mean() > 10


def test_labels_are_those_at_the_centres() -> None:
    labels = np.arange(17 * 25, dtype=np.int32).reshape(17, 25)
    np.testing.assert_array_equal(Window(3, 2, 10, 10).labels(labels), labels[2:12, 3:13])
    np.testing.assert_array_equal(Window(3, 2, 10, 10, True).labels(labels), labels[2:12, 12:2:-1])
    twice = Window(3, 2, 10, 20).labels(labels)
    np.testing.assert_array_equal(twice, labels[2:12, 3:13].repeat(2, 0).repeat(2, 1))

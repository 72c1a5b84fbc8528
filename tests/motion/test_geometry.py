"""Flow of pictures that are flipped, resized and cropped."""

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.geometry import cropped, flipped, resized
from tests.reference import flow_warping as literal

RNG = np.random.default_rng(0)


def random_flow(size: tuple[int, int] = (7, 10), known: float = 0.7) -> Flow:
    return Flow.of(RNG.uniform(-9, 9, (*size, 2)), RNG.random(size) < known)


def same(one: Flow, other: Flow) -> None:
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(one.valid, other.valid)


def test_flipping_turns_x_around() -> None:
    flow = flipped(Flow.of(np.array([[[1.0, 2.0], [3, 4]]]), np.array([[True, False]])))
    assert flow.vectors.tolist() == [[[0, 0], [-1, 2]]]
    assert flow.valid.tolist() == [[False, True]]


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 8)])
def test_flipping_twice_changes_nothing(size: tuple[int, int]) -> None:
    flow = random_flow(size)
    same(flipped(flipped(flow)), flow)


@pytest.mark.parametrize(
    "size", [(7, 10), (14, 20), (3, 5), (1, 1), (9, 4), (5, 23), (7, 11), (21, 10)]
)
@pytest.mark.parametrize("known", [1.0, 0.7, 0.2])
def test_resizing_agrees_with_the_reference(size: tuple[int, int], known: float) -> None:
    flow = random_flow(known=known)
    found = resized(flow, size)
    vectors, valid = literal.resized(flow.vectors, flow.valid, size)
    np.testing.assert_array_equal(found.valid, valid)
    np.testing.assert_allclose(found.vectors, vectors, atol=2e-5)
    assert found.vectors.dtype == np.float32


@pytest.mark.parametrize("size", [(24, 45), (8, 15), (17, 91)])
def test_vectors_grow_with_the_picture(size: tuple[int, int]) -> None:
    """Flow of s pictures is s times their flow: an affine motion stays what it is."""
    y, x = np.mgrid[:16, :30].astype(float)

    def moved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([0.5 + 0.1 * x - 0.05 * y, -1 + 0.02 * x + 0.07 * y], 2)

    scale = np.array([size[1] / 30, size[0] / 16])
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    old_x, old_y = (columns + 0.5) / scale[0] - 0.5, (rows + 0.5) / scale[1] - 0.5
    inside = (old_x >= 0) & (old_x <= 29) & (old_y >= 0) & (old_y <= 15)
    found = resized(Flow.of(moved(x, y)), size)
    np.testing.assert_allclose(
        found.vectors[inside], (moved(old_x, old_y) * scale)[inside], atol=1e-4
    )


def test_resizing_constant_flow_scales_each_axis() -> None:
    found = resized(Flow.of(np.broadcast_to([3.0, 4.0], (10, 20, 2))), (5, 60))
    np.testing.assert_allclose(found.vectors, np.broadcast_to([9.0, 2.0], (5, 60, 2)), rtol=1e-6)


def test_resizing_and_flipping_change_places() -> None:
    flow = random_flow()
    one, other = resized(flipped(flow), (9, 14)), flipped(resized(flow, (9, 14)))
    np.testing.assert_array_equal(one.valid, other.valid)
    np.testing.assert_allclose(one.vectors, other.vectors, atol=2e-5)


def test_the_unknown_does_not_bleed() -> None:
    """Next to the unknown, known vectors keep their value and do not shrink towards 0."""
    valid = np.ones((8, 8), bool)
    valid[:, 4:] = False
    found = resized(Flow.of(np.broadcast_to([6.0, 0.0], (8, 8, 2)), valid), (16, 16))
    np.testing.assert_allclose(found.vectors[found.valid][:, 0], 12, rtol=1e-6)
    assert found.valid[:, :8].all()
    assert not found.valid[:, 8:].any()


def test_cropping_keeps_vectors() -> None:
    flow = random_flow()
    part = cropped(flow, 2, 3, 4, 5)
    np.testing.assert_array_equal(part.vectors, flow.vectors[2:6, 3:8])
    np.testing.assert_array_equal(part.valid, flow.valid[2:6, 3:8])
    assert part.vectors.base is None


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 9, 2, 2), (0, 0, 8, 2), (0, 0, 0, 2)])
def test_what_reaches_beyond_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(FlowError, match="cannot be cut out of flow of 7 x 10"):
        cropped(random_flow(), *box)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(FlowError, match=r"cannot be resized to \(0, 4\)"):
        resized(random_flow(), (0, 4))

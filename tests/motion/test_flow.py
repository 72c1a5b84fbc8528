"""Flow as it comes: any numbers, and what is not known."""

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "f2", "i1", "i4", "u2", "u8"])
def test_any_numbers_become_float32(kind: str) -> None:
    flow = Flow.of(np.arange(24).reshape(3, 4, 2).astype(kind))
    assert flow.vectors.dtype == np.dtype(np.float32)
    assert flow.vectors.dtype.isnative
    assert flow.vectors[2, 3].tolist() == [22, 23]
    assert flow.valid.all()
    assert flow.size == (3, 4)


def test_the_unknown_is_zero_and_not_valid() -> None:
    wild = [[np.nan, 1], [1, np.inf], [-np.inf, 0], [1e9, 0], [0, -1e10], [1e300, 0], [9e8, 3]]
    flow = Flow.of(np.array([wild]))
    assert flow.valid.tolist() == [[False] * 6 + [True]]
    assert (flow.vectors[0, :6] == 0).all()
    assert flow.magnitude[0, :6].tolist() == [0] * 6


def test_validity_may_be_any_number() -> None:
    flow = Flow.of(np.ones((1, 3, 2)), np.array([[0, 1, 255]], np.uint8))
    assert flow.valid.tolist() == [[False, True, True]]
    assert flow.magnitude.tolist() == [[0, pytest.approx(2**0.5), pytest.approx(2**0.5)]]


def test_what_was_given_stays_as_it_is() -> None:
    given = np.ones((2, 2, 2), np.float32)
    Flow.of(given).vectors[:] = 7
    assert (given == 1).all()


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (2, 4, 5), (0, 5, 2), (1, 4, 5, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FlowError, match=r"is no flow: give \(height, width, 2\), x first"):
        Flow.of(np.zeros(shape))


@pytest.mark.parametrize("kind", ["c8", "?", "U3", "O"])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(FlowError, match="give floats"):
        Flow.of(np.zeros((2, 2, 2)).astype(kind))


def test_validity_of_another_size_is_refused() -> None:
    with pytest.raises(FlowError, match=r"validity of shape \(2, 3\) does not fit a flow of \(2, "):
        Flow.of(np.zeros((2, 2, 2)), np.ones((2, 3)))

"""The colour wheel against its literal reference, and colours one knows."""

import math

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.motion.flow import Flow
from phosphene.motion.wheel import colored, key, wheel
from tests.reference import flow_wheel

RNG = np.random.default_rng(0)


def test_the_wheel_is_the_benchmark_s() -> None:
    assert [tuple(color) for color in wheel().tolist()] == flow_wheel.wheel()
    assert wheel().shape == (55, 3)
    assert wheel()[[0, 15, 21, 25, 36, 49]].tolist() == [
        [255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255], [0, 0, 255], [255, 0, 255],
    ]  # fmt: skip


@pytest.mark.parametrize("largest", [None, 4.0, 30.0])
def test_colours_agree_with_the_reference(largest: float | None) -> None:
    flow = Flow.of(RNG.normal(0, 5, (12, 19, 2)))
    scale = float(flow.magnitude.max()) * (1 + 1e-6) if largest is None else largest
    found = colored(flow, largest)
    for i in range(12):
        for j in range(19):
            expected = flow_wheel.color(*(float(v) for v in flow.vectors[i, j]), scale)
            # Rounding down may go either way for values that are all but whole.
            assert all(
                math.floor(e - 1e-2) <= int(f) <= math.floor(e + 1e-2)
                for e, f in zip(expected, found[i, j], strict=True)
            )


def test_colours_one_knows() -> None:
    """Red right, yellow down, cyan left, violet up; white still, black unknown."""
    right, down, left, up, still = [2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0], [0.0, 0.0]
    flow = Flow.of(np.array([[right, down, left, up, still, [math.nan, 0]]]))
    assert colored(flow).tolist() == [
        [[255, 0, 0], [255, 229, 0], [0, 209, 255], [88, 0, 255], [255, 255, 255], [0, 0, 0]]
    ]


def test_what_is_longer_is_darker() -> None:
    assert colored(Flow.of(np.array([[[2.0, 0], [3, 0]]])), 2.0).tolist() == [
        [[255, 0, 0], [191, 0, 0]]
    ]


def test_minus_zero_is_zero() -> None:
    assert colored(Flow.of(np.array([[[2.0, -0.0]]]))).tolist() == [[[255, 0, 0]]]


def test_no_motion_and_huge_motion() -> None:
    assert (colored(Flow.of(np.zeros((3, 5, 2)))) == 255).all()
    assert (colored(Flow.of(np.full((3, 5, 2), np.nan))) == 0).all()
    wild = np.zeros((3, 5, 2))
    wild[1, 1] = 9e8
    assert (colored(Flow.of(wild))[0] == 255).all()


@pytest.mark.parametrize("largest", [0.0, -1.0, math.nan, math.inf])
def test_lengths_that_cannot_be_are_refused(largest: float) -> None:
    with pytest.raises(SettingError, match="give a length above 0"):
        colored(Flow.of(np.zeros((2, 2, 2))), largest)


def test_the_key_shows_where_each_colour_goes() -> None:
    picture = np.asarray(key(100)).astype(int)
    assert picture.shape == (100, 100, 3)
    assert picture[0, 0].tolist() == [255, 255, 255]
    red, green, blue = picture[51, 97]
    assert red > 240
    assert green < 30
    assert blue < 50
    red, green, blue = picture[97, 50]
    assert min(red, green) > 215
    assert blue < 30
    assert picture[50, 50].min() > 235

"""Arrows: where they are, how long, and that they are seen on any ground."""

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError, SettingError
from phosphene.motion.arrows import arrow_scale, arrows
from phosphene.motion.flow import Flow


def moving(x: float, y: float, size: tuple[int, int] = (64, 96)) -> Flow:
    return Flow.of(np.broadcast_to([x, y], (*size, 2)))


def drawn(flow: Flow, gray: int = 128, every: int = 32, **settings: float) -> np.ndarray:
    ground = np.full((*flow.size, 3), gray, np.uint8)
    return np.asarray(arrows(ground, flow, every, **settings)).astype(int)


def test_an_arrow_lies_where_it_goes() -> None:
    picture = drawn(moving(20, 0))
    assert picture.shape == (64, 96, 3)
    white = picture.min(2) > 200
    for x in (18, 26, 34):  # from the middle of the first square, 15.5, to 35.5
        assert white[14:18, x].any()
    assert not white[:9].any()
    assert not white[:, :12].any()


def test_the_head_is_at_the_end() -> None:
    white = drawn(moving(0, 20), every=32).min(2) > 200
    column = white[:32, 8:24].sum(1)
    assert column[28:36].max() > column[18:24].max()


@pytest.mark.parametrize("gray", [0, 90, 255])
def test_it_is_seen_on_any_ground(gray: int) -> None:
    picture = drawn(moving(20, 5), gray)
    assert picture.max() - picture.min() > 150


def test_a_dot_stands_for_what_stands_still_and_nothing_for_the_unknown() -> None:
    still = drawn(moving(0, 0))
    assert (still.min(2) > 200).any()
    assert (still != 128).any(2).sum() < 6 * 80
    assert (drawn(Flow.of(np.full((64, 96, 2), np.nan))) == 128).all()


def test_a_wild_vector_does_not_show() -> None:
    vectors = np.broadcast_to([10.0, 0.0], (64, 96, 2)).copy()
    vectors[5, 5] = [0, 500]
    np.testing.assert_array_equal(drawn(Flow.of(vectors)), drawn(moving(10, 0)))


@pytest.mark.parametrize(
    ("length", "scale"),
    [(10, 1), (16, 1), (8, 1), (7.9, 2), (20, 0.8), (160, 0.1), (0, 1), (1, 10)],
)
def test_lengths_fit_the_grid(length: float, scale: float) -> None:
    assert arrow_scale(moving(length, 0), 16) == pytest.approx(scale)
    assert length * scale <= 16


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 31), (16, 16)])
def test_any_size_does(size: tuple[int, int]) -> None:
    assert drawn(moving(3, 3, size), every=16).shape == (*size, 3)


def test_bad_input_is_refused() -> None:
    with pytest.raises(FlowError, match=r"a picture of \(64, 95\) does not fit a flow of \(64, 96"):
        arrows(Image.new("RGB", (95, 64)), moving(1, 1))
    with pytest.raises(SettingError, match="give 4 or more"):
        drawn(moving(1, 1), every=3)

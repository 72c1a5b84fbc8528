from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset import Augmentation, View, Window, augment, seen
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair


def pair(height: int = 41, width: int = 67, seed: int = 0) -> Pair:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Pair(pixels, Flow.of(rng.normal(0, 3, (height, width, 2))), f"pair {seed}")


def test_what_comes_out() -> None:
    labels = np.ones((41, 67), np.int32)
    sample = augment(pair(), np.random.default_rng(0), Augmentation(size=24), labels, 7)
    assert (sample.image.shape, sample.image.dtype) == ((3, 24, 24), torch.float32)
    assert (sample.flow.shape, sample.flow.dtype) == ((2, 24, 24), torch.float32)
    assert (sample.valid.shape, sample.valid.dtype) == ((24, 24), torch.bool)
    assert (sample.name, sample.index) == ("pair 0", 7)
    assert sample.labels is not None
    assert (sample.labels == 1).all()
    assert 0 <= sample.image.min() <= sample.image.max() <= 1
    assert all(t.is_contiguous() for t in (sample.image, sample.flow, sample.valid))


def test_the_same_numbers_give_the_same_sample() -> None:
    one, same, other = (
        augment(pair(), np.random.default_rng(seed), Augmentation(size=24)) for seed in (3, 3, 4)
    )
    assert torch.equal(one.image, same.image)
    assert torch.equal(one.flow, same.flow)
    assert not torch.equal(one.flow, other.flow)


def test_as_it_is_nothing_changes() -> None:
    given = pair(32, 32)
    sample = seen(given, View(Window(0, 0, 32, 32)))
    np.testing.assert_allclose(
        sample.image.numpy(), np.moveaxis(given.first / 255, 2, 0), atol=1e-6
    )
    np.testing.assert_array_equal(sample.flow.numpy(), np.moveaxis(given.flow.vectors, 2, 0))


@pytest.mark.parametrize("frame", [(240, 320), (320, 241), (31, 500), (1, 1), (3, 2)])
def test_what_is_drawn_lies_in_the_thesis_ranges_and_in_the_frame(frame: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    views = [Augmentation().draw(frame, rng) for _ in range(400)]
    for view in views:
        window = view.window
        assert 1.01 - 1e-9 <= min(frame) * window.factor / 224 <= 1.5 + 1e-9
        assert 0 <= window.left <= window.left + window.side <= frame[1] + 1e-9
        assert 0 <= window.top <= window.top + window.side <= frame[0] + 1e-9
        assert abs(view.brightness) <= 0.12
        assert 0.2 <= view.contrast <= 1.8
        assert abs(view.hue) <= 0.1
    shares = {
        "scale": np.array([min(frame) * v.window.factor / 224 for v in views]) - 1.01,
        "contrast": np.array([v.contrast for v in views]) - 0.2,
        "hue": np.array([v.hue for v in views]) + 0.1,
        "brightness": np.array([v.brightness for v in views]) + 0.12,
    }
    for name, most in {"scale": 0.49, "contrast": 1.6, "hue": 0.2, "brightness": 0.24}.items():
        assert np.mean(shares[name]) == pytest.approx(most / 2, rel=0.12)
        assert np.std(shares[name]) == pytest.approx(most / 12**0.5, rel=0.12)
    assert np.mean([view.window.flipped for view in views]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 1), (239, 317), (64, 3)])
def test_odd_and_small_frames_are_enlarged_to_fit(height: int, width: int) -> None:
    given = Pair(
        np.full((height, width, 3), 128, np.uint8), Flow.of(np.full((height, width, 2), 0.5))
    )
    sample = augment(given, np.random.default_rng(1), Augmentation(size=33, contrast=(1, 1)))
    assert sample.flow.shape == (2, 33, 33)
    assert sample.valid.all()
    grown = 33 / min(height, width)
    assert (
        0.5 * grown * 1.0099 <= sample.flow[1].min() <= sample.flow[1].max() <= 0.5 * grown * 1.51
    )


def test_what_is_not_valid_stays_so_and_never_leaks() -> None:
    vectors = np.full((60, 80, 2), 2.0)
    vectors[10:30, 20:50] = np.nan
    vectors[40, 60] = 1e10
    given = Pair(np.zeros((60, 80, 3), np.uint8), Flow.of(vectors))
    for seed in range(8):
        sample = augment(given, np.random.default_rng(seed), Augmentation(size=50))
        assert sample.flow.isfinite().all()
        assert not sample.valid.all()
        speeds = sample.flow[:, sample.valid].abs()
        assert torch.allclose(speeds, speeds[0, 0].expand_as(speeds), rtol=1e-4)
        assert (sample.flow[:, ~sample.valid] == 0).all()


def test_validation_takes_the_middle_and_nothing_at_random() -> None:
    given, chosen = pair(40, 60), Augmentation.preset("validation", 40)
    one, other = (augment(given, np.random.default_rng(seed), chosen) for seed in (0, 1))
    assert torch.equal(one.image, other.image)
    np.testing.assert_allclose(
        one.image.numpy(), np.moveaxis(given.first[:, 10:50] / 255, 2, 0), atol=1e-6
    )


def test_switching_colour_off_leaves_the_crops_what_they_were() -> None:
    all_of_it = Augmentation(size=24)
    plain = replace(Augmentation.preset("sintel"), size=24)
    for seed in range(5):
        one, other = (
            chosen.draw((50, 70), np.random.default_rng(seed)) for chosen in (all_of_it, plain)
        )
        assert one.window == other.window
        assert (other.brightness, other.contrast, other.hue) == (0, 1, 0)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"size": 0}, "1 or more"),
        ({"scale": (0.5, 1)}, "hold the crop"),
        ({"scale": (1.5, 1.01)}, "lower first"),
        ({"contrast": (-1, 1)}, "from 0 on"),
        ({"hue": 2}, "give 0 to 1"),
        ({"brightness": float("nan")}, "give 0 to 1"),
    ],
)
def test_settings_that_cannot_be(setting: dict, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        Augmentation(**setting)


def test_an_unknown_preset() -> None:
    with pytest.raises(SettingError, match="did you mean 'sintel'"):
        Augmentation.preset("sintl")


def test_cut_crops_are_parts_of_the_frame_as_it_is() -> None:
    given = pair(20, 30)
    cut, rng = Augmentation.preset("cut", 16), np.random.default_rng(0)
    corners = set()
    for _ in range(400):
        view = cut.draw((20, 30), rng)
        left, top = int(view.window.left), int(view.window.top)
        corners.add((left, top))
        sample = seen(given, view)
        rows, columns = slice(top, top + 16), slice(left, left + 16)
        turn = np.s_[:, ::-1] if view.window.flipped else np.s_[:, :]
        vectors = given.flow.vectors[rows, columns][turn]
        if view.window.flipped:
            vectors = vectors * (-1, 1)
        np.testing.assert_array_equal(np.moveaxis(sample.flow.numpy(), 0, 2), vectors)
        pixels = np.moveaxis(sample.image.numpy() * 255, 0, 2)
        np.testing.assert_allclose(pixels, given.first[rows, columns][turn], atol=1e-4)
    # Every place, the last row and column included, comes up.
    assert corners == {(x, y) for x in range(15) for y in range(5)}


def test_a_frame_that_does_not_hold_a_cut_crop_is_refused() -> None:
    with pytest.raises(FlowError, match="a frame of 30x20 pixels does not hold a crop of 24"):
        augment(pair(20, 30), np.random.default_rng(0), Augmentation.preset("cut", 24))


@pytest.mark.parametrize("name", ["cross-pixel", "sintel", "cut", "validation"])
def test_what_is_validated_with_draws_nothing(name: str) -> None:
    still = Augmentation.preset(name, 12).still()
    one, other = (still.draw((20, 31), np.random.default_rng(seed)) for seed in (0, 1))
    assert one == other
    assert not one.window.flipped
    middle = one.window.left + one.window.side / 2
    assert middle == pytest.approx(15.5, abs=0.51)
    assert one.window.side == (12 if name == "cut" else 20)

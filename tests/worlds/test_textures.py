"""Textures: the same from the same seed, with contrast everywhere, fitted without distortion."""

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.worlds.patterns import COLORS
from phosphene.worlds.textures import KINDS, backdrop, fitted, noise, photograph, texture


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_has_contrast_everywhere_and_at_all_scales(kind: str) -> None:
    for seed in range(4):
        drawn = texture(kind, 64, rng(seed))
        assert drawn.shape == (64, 64, 3)
        assert drawn.dtype == np.uint8
        np.testing.assert_array_equal(drawn, texture(kind, 64, rng(seed)))
        light = drawn.mean(axis=2)
        tiles = light.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
        assert np.quantile(tiles.std(axis=1), 0.1) > 2.5, "in each tile of 8 x 8"
        for scale in (1, 2, 4, 8):
            coarse = light.reshape(64 // scale, scale, 64 // scale, scale).mean(axis=(1, 3))
            assert np.abs(np.diff(coarse, axis=0)).mean() > 1.0, scale


def test_kinds_and_seeds_differ() -> None:
    drawn = [texture(kind, 32, rng(), color="blue") for kind in KINDS]
    drawn.append(texture(KINDS[0], 32, rng(1), color="blue"))
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert np.abs(one.astype(int) - other).mean() > 5


def test_a_color_is_kept() -> None:
    means = np.stack([texture("checked", 64, rng(2), color=c).mean(axis=(0, 1)) for c in COLORS])
    red, blue = means[COLORS.index("red")], means[COLORS.index("blue")]
    assert red[0] > red[2] + 40
    assert blue[2] > blue[0] + 40


@pytest.mark.parametrize("shape", [(8, 8), (33, 130), (300, 40)])
def test_noise_is_of_mean_0_and_deviation_1_without_a_grid(shape: tuple[int, int]) -> None:
    found = noise(*shape, rng())
    assert found.shape == shape
    assert found.dtype == np.float32
    assert abs(float(found.mean())) < 1e-4
    assert float(found.std()) == pytest.approx(1.0, abs=1e-3)


def test_noise_is_as_rough_at_its_borders_as_inside() -> None:
    steps = np.mean([np.abs(np.diff(noise(64, 64, rng(i)), axis=0)).mean(1) for i in range(20)], 0)
    assert steps[0] == pytest.approx(steps.mean(), rel=0.3)
    assert steps[-1] == pytest.approx(steps.mean(), rel=0.3)


def test_backdrops_are_muted_and_of_any_form() -> None:
    drawn = backdrop(48, 100, rng(3))
    assert drawn.shape == (48, 100, 3)
    assert 8 < drawn.mean(axis=2).std() < 60


def test_a_texture_is_cropped_to_its_middle_and_keeps_its_form() -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200
    assert (fitted(wide, 20, 20) == 200).all()
    small = fitted(wide, 10, 30)
    assert small.shape == (10, 30, 3)
    assert small[5, 15].tolist() == [200] * 3
    assert fitted(wide, 20, 60) is wide
    # One texel in two, alternating: without filtering the mean would be 0 or 255.
    fine = np.zeros((64, 64, 3), dtype=np.uint8)
    fine[:, ::2] = 255
    assert np.abs(fitted(fine, 16, 16)[2:-2, 2:-2].astype(int) - 128).max() < 12


def test_photographs_become_bytes_of_their_own() -> None:
    grey = np.linspace(0, 1, 12).reshape(3, 4)
    found = photograph(grey)
    assert found.shape == (3, 4, 3)
    assert found[0, 0, 0] == 0
    assert found[-1, -1, 0] == 255
    found[0] = 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "tartan"}, "there is no texture 'tartan': take one of clouded"),
        ({"color": "mauve"}, "there is no color 'mauve': take one of black"),
        ({"side": 4}, "a texture of 4 pixels was asked for: give 8 to 4096"),
        ({"contrast": 1.5}, "the contrast 1.5 cannot be: give 0 to 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, says: str) -> None:
    given = {"kind": "striped", "side": 16, "rng": rng(), **arguments}
    with pytest.raises(SettingError, match=says):
        texture(**given)

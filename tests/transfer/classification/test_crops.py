from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phosphene.transfer.classification.crops import Cropping, Way
from tests.reference.classification import padded_crop


def photograph(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    small = rng.integers(1, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


@pytest.mark.parametrize("shape", [(50, 40), (97, 31), (20, 90), (200, 130)])
@pytest.mark.parametrize("seed", range(6))
def test_a_padded_crop_is_the_scaled_photograph_cut_out(shape: tuple[int, int], seed: int) -> None:
    photo, size = photograph(*shape), (48, 56)
    scale, across, down, turn = np.random.default_rng(seed).random(4)
    factor = 0.5 + 1.5 * scale
    resized = photo.resize(
        (int(photo.width * factor), int(photo.height * factor)), Image.Resampling.BILINEAR
    )
    expected = padded_crop(np.asarray(resized), size, (across, down))
    if turn < 0.5:
        expected = expected[:, ::-1]
    found = Cropping(size)(photo, np.random.default_rng(seed))
    # Scaling a part alone rounds otherwise, by one level.
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2
    assert ((found == 0).all(2) == (expected == 0).all(2)).all()


@pytest.mark.parametrize("shape", [(50, 40), (97, 31), (20, 90), (300, 200)])
def test_a_crop_inside_is_never_padded(shape: tuple[int, int]) -> None:
    photo, cropping = photograph(*shape), Cropping((48, 56), way="inside")
    for seed in range(10):
        crop = cropping(photo, np.random.default_rng(seed))
        assert crop.shape == (48, 56, 3)
        assert crop.min() > 0


def test_a_crop_inside_covers_what_the_formula_says() -> None:
    # Brightness is the place, so that a crop tells what it covers.
    ramp = np.tile(np.arange(240, dtype=np.uint8)[None, :, None], (240, 1, 3))
    photo = Image.fromarray(ramp)
    widths = []
    for seed in range(200):
        crop = Cropping((60, 60), mirror=False, way="inside")(photo, np.random.default_rng(seed))
        widths.append((float(crop[0, -1, 0]) - float(crop[0, 0, 0])) / 59 * 60)
    assert min(widths) == pytest.approx(30, abs=3)
    assert max(widths) == pytest.approx(120, abs=3)
    assert np.mean(widths) == pytest.approx(75, abs=6)


@pytest.mark.parametrize("way", ["padded", "inside"])
def test_networks_of_other_inputs_see_the_same_places(way: Way) -> None:
    ramp = np.tile(np.arange(250, dtype=np.uint8)[None, :, None], (250, 1, 3))
    photo = Image.fromarray(ramp)
    for seed in range(8):
        mirrored = []
        for side in (50, 100):
            crop = Cropping((side, side), (1, 1), way=way)(photo, np.random.default_rng(seed))
            mirrored.append(crop[0, 0, 0] > crop[0, -1, 0])
        assert mirrored[0] == mirrored[1]


def test_half_are_mirrored() -> None:
    ramp = np.tile(np.arange(250, dtype=np.uint8)[None, :, None], (250, 1, 3))
    cropping = Cropping((50, 50), (1, 1))
    crops = [cropping(Image.fromarray(ramp), np.random.default_rng(seed)) for seed in range(100)]
    share = np.mean([crop[0, 0, 0] > crop[0, -1, 0] for crop in crops])
    assert 0.35 < share < 0.65
    assert not any(c[0, 0, 0] > c[0, -1, 0] for c in (
        Cropping((50, 50), (1, 1), mirror=False)(Image.fromarray(ramp), np.random.default_rng(s))
        for s in range(10)
    ))  # fmt: skip

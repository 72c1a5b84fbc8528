"""Where codes say that images are flat, and holding them flat there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phosphene.descriptors import DSIFT, HOG
from phosphene.descriptors.flat import Level, flat_regions
from phosphene.worlds.shapes import scene

ALL = [HOG(8), HOG(5), HOG(8, variant="network"), DSIFT(8, window="network")]
SIZE = (96, 128)


@pytest.fixture
def image() -> Tensor:
    """Black and white halves that touch, with noise inside the black one."""
    image = torch.zeros(1, 1, *SIZE)
    image[..., 64:] = 200
    noise = torch.rand(40, 30, generator=torch.Generator().manual_seed(0))
    image[..., 30:70, 20:50] += 50 * noise
    return image


@pytest.mark.parametrize("descriptor", ALL, ids=str)
def test_what_is_said_to_be_flat_is(descriptor: HOG | DSIFT, image: Tensor) -> None:
    (regions,) = flat_regions(descriptor, descriptor(image), SIZE)
    assert set(regions.unique().tolist()) == {0, 1, 2}
    assert (regions > 0).float().mean() > 0.5
    for number in (1, 2):
        assert len(image[0, 0][regions == number].unique()) == 1
    # Black and white touch, and are told apart.
    assert regions[10, 30] != regions[10, 110]
    assert regions[50, 35] == 0


def test_sift_on_pixels_tells_nothing(image: Tensor) -> None:
    sift = DSIFT(8)
    assert not flat_regions(sift, sift(image), SIZE).any()


def test_nothing_is_flat_in_noise() -> None:
    noise = torch.rand(2, 1, *SIZE) * 255
    assert not flat_regions(HOG(8), HOG(8)(noise), SIZE).any()


def test_levelling_is_the_nearest_flat_image(image: Tensor) -> None:
    hog = HOG(8)
    regions = flat_regions(hog, hog(image), SIZE)
    level = Level(regions)
    kept = image.clone()
    level.apply(kept, kept, 0)
    assert torch.equal(kept, image)
    x = torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(1)) * 80
    once = x.clone()
    level.apply(once, once, 0)
    assert torch.equal(once[0, 0][regions[0] == 0], x[0, 0][regions[0] == 0])
    for number in (1, 2):
        inside = regions[0] == number
        expected = x[0, 0][inside].double().mean()
        torch.testing.assert_close(
            once[0, 0][inside], expected.float().expand(int(inside.sum())), atol=1e-4, rtol=0
        )
    twice = once.clone()
    level.apply(twice, twice, 1)
    assert torch.equal(twice, once)
    # What is 0 in the code is 0 in that of what was levelled, and was not before.
    empty = (hog(image) == 0).all(1)[0]
    assert empty.any()
    assert (hog(once)[0][:, empty] == 0).all()
    assert (hog(x)[0][:, empty] > 0).any()


def test_each_image_of_a_batch_by_itself() -> None:
    scenes = [torch.from_numpy(scene(seed).image).float().mean(-1) for seed in (1, 2)]
    images = torch.stack(scenes)[:, None]
    images[0, :, :60] = 17
    hog = HOG(8)
    together = flat_regions(hog, hog(images), tuple(images.shape[2:]))  # type: ignore[arg-type]
    for one, image in zip(together, images, strict=True):
        alone = flat_regions(hog, hog(image), tuple(images.shape[2:]))  # type: ignore[arg-type]
        assert torch.equal(one, alone[0])
    assert together[0].any()
    assert "level where the code is 0" in str(Level(together))

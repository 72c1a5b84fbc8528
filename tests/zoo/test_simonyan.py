"""Simonyan's network and its random zeroing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import ImageError
from phosphene.zoo.simonyan import RandomZeroing, simonyan
from tests.zoo.natives import check_census, check_classifier, check_fully_convolutional


@pytest.fixture(scope="module")
def network() -> Network:
    return simonyan()


def test_the_configuration_of_section_1(network: Network) -> None:
    weights = [layer for layer in network.layers() if layer.parameters]
    assert [layer.name for layer in weights] == [
        "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8",
    ]  # fmt: skip
    assert [layer.shape[0] for layer in weights] == [64, 256, 256, 256, 256, 4096, 4096, 1000]
    # CNN-F's maps.
    assert [layer.shape[1] for layer in weights] == [54, 27, 13, 13, 13, 1, 1, 1]


def test_a_classifier(network: Network) -> None:
    check_classifier(network, 224)
    check_census(network, "relu 7, pool 3, lrn 2")
    check_fully_convolutional(network, 256)


# Random zeroing


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def zeros(x: Tensor) -> Tensor:
    """The part of each image that is zero, in all channels."""
    return (x == 0).all(1).flatten(1).double().mean(1)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(8, 60), st.integers(8, 60)),
    low=st.floats(0.05, 0.5),
    spread=st.floats(0.15, 0.5),
    parts=st.integers(0, 3),
)
def test_the_area_is_within_its_bounds(
    seed: int, size: tuple[int, int], low: float, spread: float, parts: int
) -> None:
    zeroing = RandomZeroing(parts, (low, low + spread))
    lost = zeros(zeroing(torch.ones(3, 2, *size), generator(seed)))
    if parts == 0:
        assert not lost.any()
        return
    # As exactly as a mean of whole numbers may be.
    assert (lost >= low - 1e-12).all()
    assert (lost <= parts * (low + spread) + 1e-12).all()
    for top, left, height, width in zeroing.draw(size, generator(seed)):
        assert low <= height * width / (size[0] * size[1]) <= low + spread
        assert 0 <= top <= size[0] - height
        assert 0 <= left <= size[1] - width


def test_the_rest_is_left_as_it_is() -> None:
    x = torch.randn(4, 3, 40, 50, generator=generator(1))
    before = x.clone()
    zeroed = RandomZeroing(parts=2)(x, generator())
    assert torch.equal(x, before)
    kept = (zeroed != 0).any(1, keepdim=True).expand_as(x)
    assert torch.equal(zeroed[kept], x[kept])
    assert (zeroed[~kept] == 0).all()
    assert zeroed.dtype == x.dtype


def test_zero_is_the_mean_colour(network: Network) -> None:
    x = network.preprocessing.normalize(torch.rand(1, 3, 64, 64, generator=generator(2)))
    zeroed = RandomZeroing(fraction=(0.2, 0.3))(x, generator())
    image = 255 * network.preprocessing.denormalize(zeroed)
    mean = torch.tensor(network.preprocessing.mean)
    gray = (image[0] - mean[:, None, None]).abs().amax(0) < 1e-3
    assert 0.2 <= gray.double().mean() <= 0.31


def test_a_seed_says_it_all_and_images_differ() -> None:
    x, zeroing = torch.ones(4, 1, 32, 32), RandomZeroing()
    before = torch.random.get_rng_state()
    one, same = zeroing(x, generator(3)), zeroing(x, generator(3))
    assert torch.equal(one, same)
    assert not torch.equal(one, zeroing(x, generator(4)))
    assert not torch.equal(one[0], one[1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_place_may_be_zeroed() -> None:
    x = torch.ones(400, 1, 16, 16)
    lost = (RandomZeroing(fraction=(0.05, 0.3))(x, generator()) == 0).double().mean(0)
    assert (lost > 0).all()


@pytest.mark.parametrize(
    ("zeroing", "says"),
    [
        ({"fraction": (0.3, 0.1)}, "is no range"),
        ({"fraction": (0.0, 0.1)}, "is no range"),
        ({"fraction": (0.5, 1.2)}, "none above 1"),
        ({"aspect": (0.0, 1.0)}, "aspect"),
        ({"parts": -1}, "0 or more"),
    ],
)
def test_what_cannot_be_drawn(zeroing: dict[str, object], says: str) -> None:
    with pytest.raises(ImageError, match=says):
        RandomZeroing(**zeroing)


def test_an_image_too_small_for_the_area() -> None:
    with pytest.raises(ImageError, match=r"whole pixels covers 0\.3 to 0\.4"):
        RandomZeroing(fraction=(0.3, 0.4))(torch.ones(1, 1, 2, 2), generator())

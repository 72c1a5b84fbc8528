from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.errors import SettingError
from phosphene.transfer.probing.grids import Grid, Resize, side_of
from tests.reference import probing as reference


@pytest.mark.parametrize(
    ("channels", "size", "side"),
    [
        (96, 55, 10), (96, 27, 10), (256, 27, 6), (256, 13, 6), (384, 13, 5), (256, 6, 6),
        (96, 111, 10), (512, 27, 4), (32, 47, 17), (4096, 1, 1), (20_000, 3, 1), (48, 11, 11),
    ],
)  # fmt: skip
def test_sides_are_the_published_ones_and_the_nearest_elsewhere(channels, size, side) -> None:
    assert side_of(channels, (size, size)) == (side, side)
    assert side_of(channels, (size, size)) == reference.side(channels, size, size)


def test_maps_that_are_not_square() -> None:
    assert side_of(64, (10, 12)) == reference.side(64, 10, 12) == (10, 12)
    assert side_of(64, (40, 3)) == reference.side(64, 40, 3) == (40, 3)
    assert side_of(640, (40, 3)) == reference.side(640, 40, 3) == (3, 3)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("resize", ["bilinear", "average"])
@pytest.mark.parametrize("size", [(55, 55), (27, 30), (14, 13)])
def test_resizing_is_that_of_the_formulas(resize: Resize, size, order) -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 96, *size))
    values = torch.from_numpy(maps).contiguous(memory_format=order)
    grid = Grid.of("conv", values, resize)
    assert grid.side == (10, 10)
    assert grid.numbers == 9600
    slow = reference.bilinear if resize == "bilinear" else reference.average
    found = grid(values)
    assert found.shape == (2, 10, 10, 96)
    for image, expected in zip(found.numpy(), maps, strict=True):
        np.testing.assert_allclose(image[..., :5], slow(expected[:5], 10, 10), atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "size", "kernel", "stride", "side"),
    [(96, 55, 19, 4, 10), (256, 27, 12, 3, 6), (384, 13, 9, 1, 5), (256, 13, 8, 1, 6)],
)
def test_the_windows_of_fairs_alexnet(channels, size, kernel, stride, side) -> None:
    maps = np.random.default_rng(0).normal(size=(1, channels, size, size))
    grid = Grid.of("conv", torch.from_numpy(maps), "fair")
    assert grid.side == (side, side)
    found = grid(torch.from_numpy(maps))[0].numpy()
    expected = reference.windows(maps[0, :3], kernel, stride)
    np.testing.assert_allclose(found[..., :3], expected, atol=1e-6)
    assert grid.way == f"average over {kernel}x{kernel} every {stride}"


def test_small_maps_and_codes_are_taken_as_they_are() -> None:
    maps = torch.randn(2, 256, 6, 6)
    for resize in ("bilinear", "average", "fair"):
        grid = Grid.of("pool5", maps, resize)
        assert torch.equal(grid(maps), maps.permute(0, 2, 3, 1))
        assert grid.way == "as it is"
    code = torch.randn(2, 4096)
    assert torch.equal(Grid.of("fc6", code, "bilinear")(code)[:, 0, 0], code)


def test_what_cannot_be() -> None:
    with pytest.raises(SettingError, match="which are no maps"):
        Grid.of("block", torch.zeros(2, 197, 768), "bilinear")
    with pytest.raises(SettingError, match=r"knows AlexNet's layers.*'average'"):
        Grid.of("conv", torch.zeros(2, 64, 27, 27), "fair")
    grid = Grid.of("conv", torch.zeros(2, 96, 55, 55), "bilinear")
    with pytest.raises(SettingError, match="images of one size"):
        grid(torch.zeros(2, 96, 54, 55))

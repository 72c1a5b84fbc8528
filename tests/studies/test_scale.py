"""Sizes of things, and distances of repeats."""

from __future__ import annotations

import math
from statistics import mean
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from phosphene.image import to_tensor
from phosphene.studies import tabulated
from phosphene.studies.magnification import Scaled, blurred, early_layer, resized
from phosphene.studies.scale import _table, _verdict, apart, scale
from tests.studies.plans import demo, planned


def texture(seed: int, size: int = 192) -> Tensor:
    """Draw discs of sizes about 6 pixels at random places: statistics alike everywhere."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(size)[:, None] + 0.0
    columns = torch.arange(size)[None] + 0.0
    image = torch.full((3, size, size), 0.5)
    for _ in range(260):
        y, x, r, *color = torch.rand(6, generator=generator).tolist()
        disc = (rows - y * size) ** 2 + (columns - x * size) ** 2 < (2 + 5 * r) ** 2
        image[:, disc] = torch.tensor(color)[:, None]
    return blurred(image[None], 0.7)


def window(image: Tensor, corner: bool) -> Tensor:
    """Cut 96 x 96 pixels out."""
    return image[..., -96:, -96:] if corner else image[..., :96, :96]


@pytest.fixture(scope="module")
def rulers() -> list[tuple[Tensor, Scaled]]:
    layer = early_layer(demo())
    images = [texture(seed) for seed in range(4)]
    return [(image, Scaled.of(demo(), window(image, False), layer)) for image in images]


def found(rulers: list[tuple[Tensor, Scaled]], change) -> float:  # type: ignore[no-untyped-def]
    """Average in the logarithm, as the study does; of places that the ruler has not seen."""
    return math.exp(mean(math.log(r.factor(window(change(i), True))) for i, r in rulers))


@pytest.mark.parametrize("factor", [1.0, 1.2, 1.7])
def test_the_factor_of_magnified_images_is_found(
    rulers: list[tuple[Tensor, Scaled]], factor: float
) -> None:
    assert found(rulers, lambda i: resized(i, factor)) == pytest.approx(factor, rel=0.12)


@pytest.mark.parametrize("factor", [1.0, 1.7])
def test_blur_is_not_taken_for_size(rulers: list[tuple[Tensor, Scaled]], factor: float) -> None:
    seen = found(rulers, lambda i: blurred(resized(i, factor), 1.3))
    assert seen == pytest.approx(factor, rel=0.15)


def test_an_image_is_as_large_as_itself(rulers: list[tuple[Tensor, Scaled]]) -> None:
    for image, ruler in rulers:
        assert ruler.factor(window(image, False)) == pytest.approx(1, abs=0.05)


def test_blur_is_a_gaussian() -> None:
    image = torch.zeros(1, 1, 31, 31)
    image[..., 15, 15] = 1
    seen = blurred(image, 2.0)
    assert float(seen.sum()) == pytest.approx(1)
    spread = (seen[0, 0].sum(0) * (torch.arange(31) - 15.0) ** 2).sum()
    assert float(spread) == pytest.approx(4, rel=0.05)
    assert torch.equal(blurred(image, 0.0), image)


def test_independent_points_lie_a_root_of_two_apart() -> None:
    points = torch.randn(6, 4000, generator=torch.Generator().manual_seed(0))
    assert apart(points, torch.zeros(1, 4000)) == pytest.approx(math.sqrt(2), rel=0.02)
    assert apart(points[:1].expand(4, -1), torch.zeros(1, 4000)) == pytest.approx(0, abs=1e-6)
    assert apart(points[:1], torch.zeros(1, 4000)) is None


def test_answers_off_scale_are_no_answers() -> None:
    def entry(ends: float) -> dict[str, Any]:
        known = tabulated.averaged([0.3, 0.3, 0.31])
        factor = {"mean": 1.35, "low": 1.34, "high": 1.36, "ends": ends, "count": 3}
        return {"logarithm": known, "factor": factor, "pixels": known, "codes": known}

    found = {"conv1": entry(0.0), "fc8": entry(1.0)}
    said = _verdict(("conv1", "fc8"), found, 2)
    assert "surely larger than in the originals at 1 of 1 layers" in said
    assert "too unlike" in _verdict(("fc8",), found, 2)
    assert _table(found, said).rows[1][1] == "1.35 (1.34 to 1.36), 100% off scale"


def test_sizes_and_distances_of_inversions() -> None:
    plan = planned(1, layers=("conv1", "fc8"), steps=30, repeats=2, quality="fast")
    result = scale(plan)
    first, last = result.data["layers"]
    assert plan.ledger.made == 2 * 2 + 2
    assert first["factor"]["mean"] == pytest.approx(1, abs=0.15)  # conv1 leaves nothing open
    assert first["pixels"]["mean"] < last["pixels"]["mean"]
    assert result.data["verdict"] == result.tables[0].note
    tile = result.rows[0][1][0]
    assert isinstance(tile.image, Image.Image)
    assert to_tensor(tile.image).shape == (3, 96, 96)
    assert scale(plan).as_json() == result.as_json()
    assert plan.ledger.made == 6

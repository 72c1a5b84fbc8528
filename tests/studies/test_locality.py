"""The central units alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import UnitError
from phosphene.studies.locality import clipped, expected, locality, union
from phosphene.studies.montage import RED
from phosphene.studies.setting import known_layers
from tests.studies.plans import planned


def test_the_box_is_the_union_of_the_fields() -> None:
    known = known_layers(planned(), ("conv1", "pool5"))
    # 47 units: the window begins at ceil(43 / 2) = 22, from 1; fields of 7 at stride 2, middle 1.
    assert union(known["conv1"], 5) == (1 + 2 * 21 - 3, 40, 7 + 4 * 2, 15)
    box = union(known["pool5"], 5)
    assert box == (15 - 49, -34, 99 + 4 * 16, 163)
    assert clipped(box, (96, 96)) == (0, 0, 96, 96)
    assert clipped((10, -4, 20, 20), (96, 96)) == (10, 0, 20, 16)


def test_what_is_expected_is_what_the_photograph_needs_in_the_box() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    box = (20.0, 20.0, 51.0, 51.0)
    everywhere = expected(Image.fromarray(noise), box)
    assert everywhere == pytest.approx(51 * math.sqrt(0.9), abs=2)
    noise[31:60, 31:60] //= 8  # quiet in the middle: more of the box is needed
    assert everywhere < expected(Image.fromarray(noise), box) <= 51
    assert expected(Image.new("RGB", (90, 90)), box) == 0


def test_what_the_central_units_see_is_where_the_pre_image_is_busy() -> None:
    plan = planned(layers=("conv2", "pool2", "fc8"), steps=100)
    found = locality(plan)
    conv2, pool2 = found.data["windows"]
    assert conv2["box"] == 43
    assert conv2["side"] < pool2["side"] < 96
    assert conv2["side"] < 1.5 * conv2["box"]
    assert pool2["inside"] > 0.8
    assert 30 < conv2["expected"] <= 43
    assert all(row["error"] < 0.5 for row in (conv2, pool2))
    assert found.data["left_out"] == ["fc8"]
    assert found.facts["left out, of smaller maps"] == "fc8"
    assert "2 layers whose box fits into the image" in found.data["verdict"]
    ((_, tiles),) = found.rows
    assert tiles[1].caption == f"conv2: {conv2['side']:.0f} of 43 px"
    assert tiles[1].image.getpixel((40, 25)) == RED
    made = plan.ledger.made
    locality(plan)
    assert plan.ledger.made == made == 2


def test_layers_without_maps_are_refused() -> None:
    with pytest.raises(UnitError, match="no layer has a map of 5x5"):
        locality(planned(layers=("fc7", "fc8")))

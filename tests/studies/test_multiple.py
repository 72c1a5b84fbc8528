"""Several pre-images of one code."""

from __future__ import annotations

import pytest
import torch

from phosphene.image import to_tensor
from phosphene.studies.multiple import multiple
from tests.studies.plans import demo, planned


def test_repeats_differ_in_pixels_more_than_in_code() -> None:
    plan = planned(layers=("conv1", "fc7"), repeats=3)
    found = multiple(plan)
    early, deep = found.data["codes"]
    assert early["pixels"] < 0.3 < 0.8 < deep["pixels"] < 1.2
    assert deep["code"] < 0.5 * deep["pixels"]
    assert len(deep["errors"]) == 3
    assert "farther, at fc7" in found.data["verdict"]
    assert [len(tiles) for _, tiles in found.rows] == [4, 4]
    pictures = [tile.image for tile in found.rows[1][1]]
    with torch.no_grad():
        codes = [demo()["fc7"](to_tensor(picture)[None]).flatten() for picture in pictures]
    pairs = [(1, 2), (1, 3), (2, 3)]
    expected = sum(float((codes[i] - codes[j]).norm()) for i, j in pairs) / 3
    assert deep["code"] == pytest.approx(expected / float(codes[0].norm()), rel=1e-4)
    made = plan.ledger.made
    multiple(plan)
    assert plan.ledger.made == made


def test_one_repeat_is_refused() -> None:
    with pytest.raises(ValueError, match="2 repeats or more"):
        multiple(planned(repeats=1))

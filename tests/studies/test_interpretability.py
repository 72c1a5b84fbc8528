"""The page of pairs, made from inversions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.studies.errors import errors
from phosphene.studies.interpretability import pairs
from phosphene.studies.ledger import Ledger
from tests.studies.plans import planned


def test_the_page_asks_for_every_photograph_and_layer(tmp_path: Path) -> None:
    plan = planned(2, layers=("conv1", "fc8"), steps=6, ledger=Ledger(tmp_path / "cells"))
    found = pairs(plan)
    assert found.data["questions"] == 4
    assert {row["strength"] for row in found.data["inversions"]} == {"none", "100", "1"}
    assert "asked 4 times" in found.data["verdict"]
    assert "3 pairs of strengths" in found.data["verdict"]
    assert [t.caption for t in found.rows[0][1]] == ["no prior", "C = 100", "C = 1"]
    page = found.save(tmp_path / "out").with_name("pairs.html").read_text()
    assert page == found.files["pairs.html"]
    assert page.count("data:image/png") == 12
    assert json.dumps("image 1") in page
    # Whoever asks for the same inversions finds them.
    other = replace(plan, strengths=(math.inf, 1.0), ledger=Ledger(tmp_path / "cells"))
    errors(other)
    assert (other.ledger.made, other.ledger.kept) == (0, 8)


def test_one_strength_makes_no_pair() -> None:
    with pytest.raises(ValueError, match="one strength makes no pair"):
        pairs(planned(strengths=(1.0,)))

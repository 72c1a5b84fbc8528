"""Drift of the mean colour, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from phosphene.studies import bias as biases
from phosphene.studies.bias import bias, measured, turned_green
from phosphene.studies.inversion import inversion, strength_of
from phosphene.studies.ledger import Cell
from tests.studies.plans import demo, planned

START = (0.5, 0.5, 0.5)


def cells(*pairs: tuple[tuple[float, ...], tuple[float, ...]]) -> list[Cell]:
    return [Cell({"mean": now, "mean_original": was, "error": 0.1}) for now, was in pairs]


def test_drifts_are_in_gray_levels() -> None:
    found = measured(cells(((0.4, 0.6, 0.4), (0.4, 0.5, 0.5))), START)
    assert found["R"]["mean"] == pytest.approx(0)
    assert found["G"]["mean"] == pytest.approx(25.5)
    assert found["B"]["mean"] == pytest.approx(-25.5)
    assert found["green"]["mean"] == pytest.approx(255 * (0.2 - 0.05))
    assert found["over_start"]["mean"] == pytest.approx(255 * 0.2)


def test_green_is_greener_than_both_original_and_start() -> None:
    gray, green = (0.5, 0.5, 0.5), (0.4, 0.5, 0.4)
    purple = (0.5, 0.4, 0.5)
    wobble = ((0.4, 0.5, 0.41), gray)
    assert turned_green(measured(cells((green, gray), (green, gray), wobble), START))
    # Greener than the original, but only as far as the start is.
    assert not turned_green(measured(cells(*[(gray, purple)] * 3), START))
    assert not turned_green(measured(cells((green, gray)), START))  # one is no evidence


@pytest.mark.parametrize(
    ("without", "words"), [(9.0, "the network's, not the prior's"), (-2.0, "mostly the prior's")]
)
def test_whose_the_green_is(without: float, words: str) -> None:
    def entry(green: float) -> dict[str, Any]:
        sign = {"mean": green, "interval": 1.0, "count": 5}
        return {"green": sign, "over_start": sign}

    found = {("fc8", 1.0): entry(8.0), ("fc8", 0.0): entry(without)}
    assert words in biases._verdict(("fc8",), found)
    assert "At none of 1 layers" in biases._verdict(("fc8",), {("fc8", 1.0): entry(-8.0)})


def test_the_priors_are_removed_step_by_step() -> None:
    plan = planned(2, layers=("fc8",), steps=20)
    found = bias(plan)
    assert plan.ledger.made == 8
    assert [entry["weight"] for entry in found.data["drifts"]] == [1, 0.3, 0.1, 0]
    # The first column is the plain inversion, shared with other studies.
    cell = inversion(plan, 0, "fc8", strength_of(plan, "fc8"))
    assert plan.ledger.made == 8
    was, now = cell.values["mean_original"], cell.values["mean"]
    other = inversion(plan, 1, "fc8", strength_of(plan, "fc8")).values
    drift = 255 * ((now[0] - was[0]) + (other["mean"][0] - other["mean_original"][0])) / 2
    assert found.data["drifts"][0]["R"]["mean"] == pytest.approx(drift)
    assert len({tile.image.tobytes() for tile in found.rows[0][1]}) == 5
    assert found.data["start"] == pytest.approx(
        demo().preprocessing.denormalize(demo().blank() * 0)[0, :, 0, 0].tolist()
    )

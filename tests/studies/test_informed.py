"""The study of informed inverses: the papers' order, confirmed, contradicted or open."""

from __future__ import annotations

from typing import Any

import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.inverse.settings import TOLD
from phosphene.studies.findings import Findings
from phosphene.studies.informed import informed, least_crop
from phosphene.studies.informed_judged import judged, plots, tables
from phosphene.studies.ledger import Ledger
from phosphene.studies.plan import Plan
from tests.studies.plans import demo, planned


def values(
    errors: dict[str, float], seeds: int = 3, photographs: int = 8
) -> dict[tuple[str, int], Any]:
    """Make what cells hold: every photograph errs by its condition, and a little of its own."""
    found = {}
    for seed in range(seeds):
        for told in TOLD:
            energies = [10.0 + n for n in range(photographs)]
            own = [errors[told] * (1 + 0.01 * ((7 * n + seed) % 5)) for n in range(photographs)]
            absolute = [e * energy for e, energy in zip(own, energies, strict=True)]
            squared = sum(absolute) / sum(energies)
            found[told, seed] = {
                "squared": squared,
                "root": squared**0.5,
                "untrained": 2.0,
                "losses": [1.0, squared],
                "photographs": [f"{seed}-{n}" for n in range(photographs)],
                "errors": absolute,
                "energies": energies,
            }
    return found


PAPERS = {"both": 0.54, "switches": 0.64, "masks": 1.0, "neither": 1.2}


def test_the_papers_order_is_confirmed_with_its_figures() -> None:
    given = values(PAPERS)
    found = judged(given)
    assert found.verdict.startswith("The papers' order (masks < switches < both) is confirmed; ")
    assert (
        "told both, the squared error is 16 % lower than told switches (paper: 15 % lower); told "
        "both, the squared error is 46 % lower than told masks (paper: 46 % lower); told switches, "
        "the squared error is 36 % lower than told masks (paper: 36 % lower)" in found.verdict
    )
    assert "Better than told nothing: both, switches, masks." in found.verdict
    pairs = {(d["less"], d["more"]): d for d in found.differences}
    assert len(pairs) == 6
    assert pairs["both", "masks"]["squared"] == pytest.approx(0.46)
    assert pairs["both", "masks"]["root"] == pytest.approx(1 - 0.54**0.5)
    assert pairs["both", "masks"]["squared_deviation"] == pytest.approx(0, abs=1e-9)
    assert [len(table.rows) for table in tables(given, found)] == [6, 4]
    assert len(plots(given)) == 2


def test_swapped_it_is_contradicted() -> None:
    swapped = {**PAPERS, "switches": PAPERS["masks"], "masks": PAPERS["switches"]}
    found = judged(values(swapped))
    assert "is contradicted: masks tell more than switches; " in found.verdict
    assert "told switches, the squared error is 56 % higher than told masks" in found.verdict


def test_what_is_not_sure_is_said_so() -> None:
    given = values({**PAPERS, "switches": 1.0})
    for seed in range(3):  # one way and the other, photograph by photograph
        entry = given["switches", seed]
        entry["errors"] = [e * (1.5, 0.5)[n % 2] for n, e in enumerate(entry["errors"])]
    found = judged(given)
    assert "cannot be told: switches and masks are not surely apart" in found.verdict
    # Photographs agree, and a seed does not.
    given = values(PAPERS)
    given["switches", 1] = values({**PAPERS, "switches": 1.01})["switches", 1]
    assert "cannot be told: switches and masks" in judged(given).verdict
    # A single seed and two photographs are too few.
    assert "cannot be told" in judged(values(PAPERS, 1, 2)).verdict


def planned_briefly(ledger: Ledger | None = None) -> Plan:
    return planned(12, steps=12, batch=6, **({"ledger": ledger} if ledger else {}))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    ledger = Ledger(tmp_path_factory.mktemp("informed"))
    found = informed(planned_briefly(ledger), crop=48, rate=0.01)
    assert ledger.made == 4
    assert ledger.folder is not None
    assert not list((ledger.folder / "learning").iterdir())
    again = informed(planned_briefly(ledger), crop=48, rate=0.01)
    assert ledger.made == ledger.kept == 4
    assert again.data["errors"] == found.data["errors"]
    return found


def test_on_the_demo_network(found: Findings) -> None:
    errors = {row["told"]: row["squared"] for row in found.data["errors"]}
    # Masks tell more of drawn scenes than switches do, in this network.
    assert errors["both"] < errors["switches"]
    assert errors["masks"] < errors["switches"]
    assert found.data["verdict"] in found.tables[0].note
    runs = {row["told"]: row for row in found.data["runs"]}
    assert len({tuple(row["photographs"]) for row in runs.values()}) == 1
    assert len({tuple(row["energies"]) for row in runs.values()}) == 1
    assert found.facts["layer"] == "pool5"
    assert "a map of 2x2" in found.facts["crops"]
    assert any("tested with 2 photographs only" in warning for warning in found.warnings)


def test_a_sheet(found: Findings) -> None:
    assert len(found.rows) == 2
    captions = [tile.caption.partition(":")[0] for tile in found.rows[0][1]]
    assert captions == ["photograph", *TOLD]
    assert found.picture().size[0] > 100


def test_crops_that_are_large_enough() -> None:
    plan = Plan(demo())
    assert least_crop(plan, "pool5") == 64
    assert least_crop(plan, "fc8") == 96


def test_too_little_is_refused() -> None:
    with pytest.raises(ImageError, match="needs photographs"):
        informed(planned(0))
    with pytest.raises(SettingError, match="and 4 were given: give 5 or more"):
        informed(planned(4))
    with pytest.raises(SettingError, match="inverts one layer"):
        informed(planned(6, layers=("pool1", "pool5")))

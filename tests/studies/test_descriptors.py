"""The study of descriptors."""

from __future__ import annotations

import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.studies.descriptors import descriptors
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Ledger
from phosphene.studies.plan import Plan
from phosphene.worlds.shapes import scene
from tests.studies.plans import demo


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("photos")
    files = []
    for seed in range(4):
        files.append(folder / f"{seed}.png")
        # Sizes may differ.
        Image.fromarray(scene(seed).image).resize((96, 96 + 8 * seed)).save(files[-1])
    return Plan(demo(), photos=tuple(files), steps=60, ledger=Ledger(folder / "out"))


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return descriptors(plan)


def test_the_order_of_the_papers(found: Findings) -> None:
    errors = {row["method"]: row["error"] for row in found.data["methods"]}
    assert list(errors) == ["hoggles", "hog", "hogb", "dsift"]
    assert errors["hoggles"] > 1.5 * errors["hog"]
    assert errors["hog"] > errors["hogb"]
    papers = {row["method"]: row["papers"] for row in found.data["methods"]}
    assert papers == {"hoggles": 60.1, "hog": 36.6, "hogb": 11.5, "dsift": 9.4}
    for row in found.data["methods"]:
        assert row["squared"] == pytest.approx(row["error"] ** 2, rel=0.6)
        assert row["seconds"] > 0


def test_rows_of_figure_4(found: Findings) -> None:
    assert len(found.rows) == 4
    heading, tiles = found.rows[0]
    assert heading == "0.png"
    captions = [tile.caption.partition(":")[0] for tile in tiles]
    assert captions == ["image", "HOG glyphs", "HOGgles", "HOG", "HOGb", "DSIFT"]
    assert found.picture().size[0] > 100


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert descriptors(plan).as_json() == found.as_json()
    assert plan.ledger.made == made == 16


def test_one_photograph_leaves_nothing_to_learn_from(plan: Plan) -> None:
    alone = descriptors(Plan(demo(), photos=plan.photos[:1], steps=5))
    assert [row["method"] for row in alone.data["methods"]] == ["hog", "hogb", "dsift"]


def test_without_photographs() -> None:
    with pytest.raises(ImageError, match="the study descriptors needs photographs"):
        descriptors(Plan(demo()))

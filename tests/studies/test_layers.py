"""Rows of inversions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.studies.layers import layers
from phosphene.studies.ledger import Ledger
from tests.studies.plans import planned


def test_deeper_layers_keep_less_of_the_picture(tmp_path: Path) -> None:
    plan = planned(layers=("conv1", "conv4", "fc8"), ledger=Ledger(tmp_path))
    found = layers(plan)
    rows = {row["layer"]: row for row in found.data["inversions"]}
    assert rows["conv1"]["apart"] < 0.5 < rows["conv4"]["apart"] < 1.01
    assert all(0 < row["error"] < 0.6 for row in rows.values())
    assert [rows[layer]["strength"] for layer in rows] == ["300", "300", "20"]
    assert rows["conv1"]["class"] == rows["conv1"]["class_before"] == "house"
    assert found.tables[0].note == found.data["verdict"]
    assert f"from {rows['conv1']['apart']:.2f} at conv1" in found.data["verdict"]
    ((heading, tiles),) = found.rows
    assert heading == "image 0"
    assert [tile.image.size for tile in tiles] == [(96, 96)] * 4
    assert tiles[3].caption.startswith("fc8, C = 20: ")
    assert found.facts["C"] == "300 (conv1 to conv4), 20 (fc8)"
    assert found.picture().width > 600
    assert plan.ledger.made == 3
    again = layers(replace(plan, ledger=Ledger(tmp_path)))
    assert again.as_json() == found.as_json()


def test_strengths_that_are_asked_for_make_a_row_each() -> None:
    found = layers(planned(2, layers=("conv1",), strengths=(300.0, 1.0), steps=15))
    assert [heading for heading, _ in found.rows] == [
        "image 0, C = 300",
        "image 0, C = 1",
        "image 1, C = 300",
        "image 1, C = 1",
    ]
    assert [series.name for series in found.plots[0].series] == ["C = 300", "C = 1"]
    assert [table.title for table in found.tables] == [
        "means of 2 photographs",
        "image 0",
        "image 1",
    ]
    weak, strong = (
        sum(r["error"] for r in found.data["inversions"] if r["strength"] == c)
        for c in ("300", "1")
    )
    assert weak < strong


def test_interrupted_it_goes_on(tmp_path: Path) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    plan = planned(layers=("conv1", "pool1"), steps=2, ledger=Ledger(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        layers(replace(plan, tick=stop))
    after = replace(plan, ledger=Ledger(tmp_path))
    layers(after)
    assert (after.ledger.kept, after.ledger.made) == (1, 1)

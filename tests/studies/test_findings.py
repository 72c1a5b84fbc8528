"""What a study ends in, shown and written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.errors import OutputError
from phosphene.panel import Table, Tile
from phosphene.studies.findings import Findings
from phosphene.studies.plain import digest, encoded, plain


def findings() -> Findings:
    return Findings(
        "errors",
        "Errors <b>",
        tables=(Table("t", ("layer", "error"), (("conv1", 0.5),)),),
        rows=(("a", (Tile(Image.new("RGB", (8, 8), "red"), "a"),)),),
        facts={"network": "demo"},
        warnings=("mind",),
        data={"error": [0.5, math.nan, np.float32(2), math.inf], "by": {1: (True, None)}},
        files={"more.html": "<p>ü</p>"},
    )


def test_the_panel_holds_everything() -> None:
    made = findings()
    panel = made.panel()
    assert panel.title == "Errors <b>"
    assert panel.tables == made.tables
    assert panel.rows == made.rows
    assert panel.plots == ()
    assert panel.warnings == ("mind",)


def test_a_folder_gets_all_numbers(tmp_path: Path) -> None:
    page = findings().save(tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    text = (tmp_path / "out" / "data.json").read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["study"] == "errors"
    assert found["data"] == {"error": [0.5, None, 2.0, None], "by": {"1": [True, None]}}
    assert found["warnings"] == ["mind"]
    assert '\n "study"' in text
    assert (tmp_path / "out" / "more.html").read_text(encoding="utf-8") == "<p>ü</p>"
    assert "Errors &lt;b&gt;" in page.read_text()
    assert not list((tmp_path / "out").glob(".*"))


def test_a_page_or_a_picture_stands_alone(tmp_path: Path) -> None:
    for name in ("a.html", "a.png"):
        assert findings().save(tmp_path / name) == tmp_path / name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.png"]


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        findings().save(tmp_path / "file" / "out")


def test_plain_values() -> None:
    assert plain({"a": torch.tensor([1.0, float("nan")]), "b": {2, 1}, "c": Path("x")}) == {
        "a": [1.0, None],
        "b": [1, 2],
        "c": "x",
    }
    assert plain(np.arange(3)) == [0, 1, 2]
    assert plain(np.True_) is True
    assert encoded([math.inf]) == b"[\n null\n]\n"
    with pytest.raises(TypeError, match="object has no plain form"):
        plain([object()])


def test_digests_tell_what_differs() -> None:
    assert digest([20]) == digest([20.0]) == digest((np.float64(20),))
    different = [None, math.nan, math.inf, -math.inf, 0, "0", False, [], {}, 0.5, "nan"]
    assert len({digest(value) for value in different}) == len(different)

"""`phosphene find`, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
WHERE = ("-m", "nets.py:net", "-l", "act", "--images", "demo:12", "-n", "3")


def test_a_picture(run: Run, desk: Path) -> None:
    done = run("find", "cat.png", *WHERE, "--level", "0.8", "-o", "out")
    assert done.code == 0
    assert "Units that answer to cat.png: open out/index.html" in done.err
    assert "tiny, act" in done.err
    part = run("find", "cat.png", *WHERE, "--region", "8,4,20,16", "--json")
    told = json.loads(part.out)
    assert told["output"] is None
    assert len(told["units"]) == 3
    assert told["facts"]["region"] == "8,4,20,16"
    assert any("12 images are too few" in text for text in told["warnings"])


def test_a_concept(run: Run, desk: Path) -> None:
    done = run("find", "--concept", "texture:striped", *WHERE, "--by", "auc", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    areas = [unit["auc"] for unit in told["units"]]
    assert areas == sorted(areas, reverse=True)
    assert told["facts"]["ranked by"] == "AUC"


def test_what_is_refused(run: Run, desk: Path) -> None:
    for given in ((), ("cat.png", "--concept", "red")):
        refused = run("find", *given, *WHERE)
        assert refused.code == 2
        assert "say what to find" in refused.err
    assert run("find", "--concept", "red", "--region", "0,0,4,4", *WHERE).code == 2
    assert run("find", "cat.png", "--by", "auc", *WHERE).code == 2
    assert "is no region" in run("find", "cat.png", "--region", "4,4,0,0", *WHERE).err
    beyond = run("find", "cat.png", "--region", "900,900,950,950", *WHERE)
    assert "is no part of what the network sees" in beyond.err
    assert "there is no file none.png" in run("find", "none.png", *WHERE).err
    assert "know no concept 'wombat'" in run("find", "--concept", "wombat", *WHERE).err
    assert (
        "is a photograph to find units for" in run("find", "cat.png", "-o", "cat.png", *WHERE).err
    )

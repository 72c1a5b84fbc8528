"""`phosphene compare`, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NETS = ("nets.py:net", "nets.py:smooth")
HOW = ("-l", "act", "--images", "demo:6", "--units", "2", "--steps", "2")


def test_two_networks(run: Run, desk: Path) -> None:
    done = run("compare", *NETS, *HOW, "-p", "photos", "--limit", "1", "-o", "out")
    assert done.code == 0
    assert "2 networks: open out/index.html" in done.err
    assert "act, tiny" in done.err
    told = json.loads(Path("out/comparison.json").read_text())
    assert told["networks"] == ["tiny", "smooth"]
    assert list(told["entries"][0][0]["inversion"]) == ["a.png"]
    assert told["facts"]["M"].startswith("the largest activation")
    assert any("units of a layer are few" in text for text in told["warnings"])
    again = run("compare", *NETS, *HOW, "-p", "photos", "--limit", "1", "-o", "out", "--json")
    assert again.code == 0
    assert json.loads(again.out)["entries"] == told["entries"]


def test_what_is_refused(run: Run, desk: Path) -> None:
    assert "name 2 or more to compare" in run("compare", NETS[0]).err
    lacking = run("compare", *NETS, "-l", "act", "-l", "nothing", "-o", "out")
    assert lacking.code == 1
    assert "no network has a layer 'nothing'" in lacking.err
    assert "is no folder" in run("compare", *NETS, "-o", "out.html").err
    assert "'finest' is no quality" in run("compare", *NETS, "--quality", "finest").err
    assert "there is no file none.png" in run("compare", *NETS, "-p", "none.png").err
    number = run("compare", *NETS, *HOW, "--unit", "9", "-o", "out")
    assert "has units 0 to 4, and so no unit 9" in number.err


def test_results_are_not_written_among_the_images(run: Run, desk: Path) -> None:
    done = run("compare", *NETS, "--images", ".", "--steps", "2")
    assert done.code == 1
    assert "comparison lies in ., whose pictures are the image set" in done.err
    found = run("find", "cat.png", "--images", ".", "-o", "out/", "--level", "0.5")
    assert "lies in ., whose pictures are the image set" in found.err

"""What the sanity controls among the studies can be asked for besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from phosphene.cli.options import NetworkOptions
from phosphene.cli.study_controls import StudyControls
from phosphene.errors import UnknownModel
from phosphene.studies.registry import STUDIES


def test_options_go_to_the_studies_that_take_them() -> None:
    assert StudyControls().given() == []
    asked = StudyControls(rule=["guided"], randomise="redrawn", independent=True, unscaled=True)
    assert asked.given("cascade") == ["--unscaled"]
    assert asked.given("infidelity") == ["--randomise", "--independent"]
    assert asked.given("errors") == ["--rule", "--randomise", "--independent", "--unscaled"]
    demo = NetworkOptions("demo")
    assert asked.arguments("cascade", demo) == {
        "methods": ("guided",),
        "how": "redrawn",
        "independent": True,
    }
    assert asked.arguments("infidelity", demo) == {"methods": ("guided",), "scaled": False}
    assert StudyControls().arguments("deletion", demo) == {}
    taking = {name for name, info in STUDIES.items() if "controls" in info.needs}
    assert taking == {"cascade", "labels", "deletion", "infidelity"}


def test_networks_to_compare_with_are_opened(tmp_path: Path) -> None:
    found = StudyControls(against="demo").arguments("labels", NetworkOptions("demo"))
    assert found["against"].name == "demo"
    with pytest.raises(UnknownModel):
        StudyControls(again="nix").arguments("labels", NetworkOptions("demo"))

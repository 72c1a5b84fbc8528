"""What the study `informed` can be asked for besides."""

from __future__ import annotations

from typer.testing import CliRunner

from phosphene.cli.app import app
from phosphene.cli.study_inverse import StudyInverse


def test_options() -> None:
    assert StudyInverse().given() == []
    assert StudyInverse().arguments() == {"bias": False, "rectified": True}
    asked = StudyInverse(crop=96, rate=0.01, held_out=0.5, bias=True, linear=True)
    assert asked.given() == ["--crop", "--rate", "--held-out", "--bias", "--linear"]
    assert asked.arguments() == {
        "crop": 96,
        "rate": 0.01,
        "held_out": 0.5,
        "bias": True,
        "rectified": False,
    }


def test_other_studies_take_none_of_them() -> None:
    found = CliRunner().invoke(app, ["study", "errors", "--crop", "96"])
    assert found.exit_code == 2
    assert "the study errors takes no --crop" in " ".join(found.output.split())

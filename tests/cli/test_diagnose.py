"""`phosphene diagnose`: what is wrong is said in sentences, and the exit code tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_weights_alone(run: Run, desk: Path) -> None:
    done = run("diagnose", "--weights-only")
    assert done.code == 0
    assert "no fault(s) in demo: open diagnosis.html" in done.err
    assert "Spectrum of conv1" in Path("diagnosis.html").read_text()


def test_a_broken_network_fails_where_that_is_asked_for(run: Run, desk: Path) -> None:
    given = ("diagnose", "-m", "nets.py:nan_weights", "--images", "photos", "-o", "d.html")
    assert run(*given).code == 0
    done = run(*given, "--strict", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["healthy"] is False
    assert found["findings"][0]["kind"] == "not finite"


def test_images_must_be_named_for_other_networks(run: Run, desk: Path) -> None:
    done = run("diagnose", "-m", "nets.py:net")
    assert done.code == 2
    assert "name what it is shown" in done.err

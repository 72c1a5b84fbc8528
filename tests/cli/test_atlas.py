"""`phosphene atlas`, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("nets.py:net", "--images", "photos", "-l", "act", "--maximise", "none")


def test_a_site(run: Run, desk: Path) -> None:
    done = run("atlas", *NET, "-o", "site")
    assert done.code == 0
    assert "5 units: open site/index.html" in done.err
    assert "only 2 images, fewer than the 9" in done.err
    assert (desk / "site" / "units" / "act" / "4.html").is_file()
    again = run("atlas", *NET, "-o", "site", "--json")
    assert json.loads(again.out)["layers"] == {"act": 5}
    other = run("atlas", *NET, "-o", "site", "--rule", "none")
    assert other.code == 1
    assert "site holds an atlas with other rules" in other.err


def test_the_network_by_argument_or_option(run: Run, desk: Path) -> None:
    done = run("atlas", "-m", *NET, "-o", "site", "--concepts", "none", "--limit-units", "2")
    assert done.code == 0
    assert "2 units" in done.err
    twice = run("atlas", "nets.py:net", "-m", "nets.py:dead", "--images", "photos")
    assert twice.code == 2
    assert "two networks are named" in twice.err
    none = run("atlas", "nets.py:net")
    assert none.code == 2
    assert "--images FOLDER" in none.err


def test_concepts(run: Run, desk: Path) -> None:
    drawn = run("atlas", *NET, "-o", "site", "--concepts", "demo:3", "--rule", "none")
    assert drawn.code == 0
    page = next((desk / "site" / "units" / "act").glob("*.html")).read_text()
    assert "object" in page or "texture" in page or "part" in page
    photos = run("atlas", *NET, "-o", "other", "--concepts", "photos")
    assert photos.code == 0
    assert run("atlas", *NET, "-o", "third", "--concepts", "demo:x").code == 2


def test_damaged_images_are_named(run: Run, desk: Path) -> None:
    (desk / "photos" / "0.png").touch()
    done = run("atlas", *NET, "-o", "site")
    assert done.code == 1
    assert "! 0.png: " in done.err
    assert "1 image could not be read: 0.png" in done.err


def test_interrupted(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("phosphene.atlas.gather.gather_patches", pressed)
        stopped = run("atlas", *NET, "-o", "site")
    assert stopped.code == 130
    assert "the same command goes on from here" in stopped.err
    assert run("atlas", *NET, "-o", "site").code == 0

"""`phosphene dissect`, from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.survey.dissection.broden import open_broden
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net", "-l", "act")


def test_scenes(run: Run, desk: Path) -> None:
    done = run("dissect", "demo:6", *NET, "-l", "conv", "-o", "out", "--size", "48", "--shown", "1")
    assert done.code == 0
    assert "6 images: open out/index.html" in done.err
    told = json.loads(Path("out/dissection.json").read_text())
    assert [layer["layer"] for layer in told["layers"]] == ["act", "conv"]
    assert told["facts"]["scenes"] == "6 of series 7"
    with open("out/act-result.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5
    assert not (desk / "out" / ".passes").exists()


def test_photographs_and_masks(run: Run, desk: Path) -> None:
    (desk / "film" / "frames" / "cat").mkdir(parents=True)
    (desk / "film" / "masks" / "cat").mkdir(parents=True)
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(noise).save(desk / f"film/frames/cat/{index}.png")
        Image.fromarray(np.tri(24, 32, dtype=np.uint8)).save(f"film/masks/cat/{index}.png")
    done = run("dissect", "film", *NET, "--json", "-o", "a", "--level", "0.3")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["facts"]["photographs"] == "3, 3 with a mask"
    labels = {c["label"] for r in told["layers"][0]["results"] for c in r["concepts"]}
    assert {"cat", "foreground"} & labels
    plain = run("dissect", "photos", *NET, "--json", "-o", "b", "--level", "0.3")
    assert {c["category"] for r in json.loads(plain.out)["layers"][0]["results"]
            for c in r["concepts"]} == {"color"}  # fmt: skip
    refused = run("dissect", "photos", *NET, "--masks", "film/masks")
    assert refused.code == 1
    assert "no mask in film/masks belongs to a photograph" in refused.err


def test_export_and_back(run: Run, desk: Path) -> None:
    done = run("dissect", "demo:4", "--export", "world")
    assert done.code == 0
    assert "4 images of drawn scenes: open world" in done.err
    assert len(open_broden(desk / "world")) == 4
    again = run(
        "dissect", "world", *NET, "-o", "out", "--upsampling", "plain", "--counting", "lite"
    )
    assert again.code == 0
    facts = json.loads(Path("out/dissection.json").read_text())["facts"]
    assert (facts["upsampling"], facts["counting"]) == ("plain", "lite")
    refused = run("dissect", "demo:4", "--export", "photos")
    assert refused.code == 1
    assert "photos holds other files" in refused.err


def test_a_damaged_image_is_named(run: Run, desk: Path) -> None:
    (desk / "photos" / "0.png").touch()
    done = run("dissect", "photos", *NET, "-o", "out")
    assert done.code == 1
    assert "! 0.png was left out" in done.err
    assert "2 images: open" in done.err


def test_an_interrupted_run_goes_on(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.survey.dissection.recollection import Recollection
    from phosphene.survey.dissection.tally import Tally

    see = Tally.see

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tally, "see", stop)
    monkeypatch.setattr(Recollection, "see", stop)
    dissect = ("dissect", "demo:6", *NET, "--size", "32", "-o", "out")
    stopped = run(*dissect)
    assert stopped.code == 130
    assert "the same command begins anew" in stopped.err
    stopped = run(*dissect, "--memory", "0")
    assert stopped.code == 130
    assert "the same command goes on" in stopped.err
    assert list((desk / "out").glob(".passes/*/thresholds/state-0.safetensors"))
    monkeypatch.setattr(Tally, "see", see)
    assert run(*dissect).code == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("demo:6", 2, "name one or more layers"),
        ("demo:none -l act", 2, "no number of scenes"),
        ("demo:2 -l act --level 2", 1, "no share of positions"),
        ("demo:2 -l act --size 20", 1, "objects need 32 x 32"),
        ("demo:2 -l acts --size 32", 1, "did you mean 'act'"),
        ("demo:2 -l act --upsampling cubic", 2, "cubic"),
        ("nowhere -l act", 1, "there is no file nowhere"),
    ],
)
def test_what_cannot_be(run: Run, desk: Path, words: str, code: int, sentence: str) -> None:
    done = run("dissect", *words.split(), "-m", "nets.py:net", "-o", "out")
    assert done.code == code
    assert sentence in done.err


def test_a_broken_broden_directory_is_told(run: Run, desk: Path) -> None:
    (desk / "world").mkdir()
    (desk / "world" / "index.csv").write_text("image,split\n")
    done = run("dissect", "world", *NET, "-o", "out")
    assert done.code == 1
    assert "no folder 'images'" in done.err

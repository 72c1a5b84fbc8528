"""The other verbs of pre-images: activate, caricature, class-model, texture, style."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.cli.activate import read_units
from phosphene.preimage.maxima import Maxima
from tests.cli.conftest import Ran
from tests.cli.pressing import press_at

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")
QUICK = ("--steps", "3", "--json")
ACTIVATE = ("activate", *NET, "-l", "act")


def found(done: Ran) -> dict[str, object]:
    assert done.code == 0, done.err
    return json.loads(done.out)  # type: ignore[no-any-return]


def names(done: Ran) -> list[str]:
    return [value["name"] for value in found(done)["results"]]  # type: ignore[attr-defined]


def facts(done: Ran) -> dict[str, str]:
    return found(done)["facts"]  # type: ignore[return-value]


def test_units_measured_over_photographs(run: Run, desk: Path) -> None:
    (desk / "photos" / "bad.png").write_text("no")
    done = run(*ACTIVATE, "-u", "3", "-u", "0-1", "--images", "photos", *QUICK, "-o", "new/a.png")
    assert done.code == 1
    assert "! photos/bad.png is no image" in done.err
    assert "new/maxima-act.safetensors: 5 units over 2 images of photos" in done.err
    results = json.loads(done.out)
    assert [value["name"] for value in results["results"]] == ["unit 3", "unit 0", "unit 1"]
    assert results["facts"]["maxima"] == "over 2 images of photos"
    kept = desk / "new" / "maxima-act.safetensors"
    assert len(Maxima.open(kept).values) == 5
    again = run(*ACTIVATE, "-u", "0-4", "--maxima", kept, *QUICK, "-n", "2", "--size", "12x14")
    assert len(names(again)) == 10
    assert facts(again)["size"] == "12x14"
    assert "bad" not in again.err


def test_the_demo_network_brings_its_images(run: Run, desk: Path) -> None:
    done = run("activate", "-l", "conv2", "-u", "0-3", "--steps", "3", "-o", "out/")
    assert done.code == 0
    assert "measured over the demo network's scenes; --images takes others" in done.err
    assert (desk / "out" / "maxima-conv2.safetensors").exists()
    assert done.err.endswith("4 images: open out/index.html")
    # Four units fill a square.
    rows = json.loads((desk / "out" / "facts.json").read_text())["panels"][0]["rows"]
    assert [[tile["caption"] for tile in row["tiles"]] for row in rows] == [
        ["unit 0", "unit 1"],
        ["unit 2", "unit 3"],
    ]


def test_dead_units_are_named_and_passed(run: Run, desk: Path) -> None:
    import torch

    Maxima(torch.tensor([1.0, 0.0, 2.0, -1.0, 3.0]), "tiny", "act", 7).save(desk / "m.safetensors")
    maxima = ("--maxima", "m.safetensors", "--steps", "3")
    done = run(*ACTIVATE, "-u", "0-4", *maxima)
    assert done.code == 1
    assert "! unit 1 of 'act' was never active over 7 images" in done.err
    assert "2 could not be done" in done.err
    assert "3 images: open activation.html" in done.err
    alone = run(*ACTIVATE, "-u", "3", *maxima)
    assert (alone.code, alone.err.count("was never active")) == (1, 1)
    together = run(*ACTIVATE, "-u", "0-4", *maxima, "--joint", "--json")
    assert json.loads(together.out)["results"][0]["name"] == "unit 0, unit 2, unit 4"


def test_classes_and_directions(run: Run, desk: Path) -> None:
    done = run("activate", *NET, "-c", "dog", "-c", "0", "-c", "cat", "--images", "photos", *QUICK)
    assert names(done) == ["dog", "cat, house cat"]
    assert facts(done)["layer"] == "scores"
    np.save(desk / "d.npy", np.eye(5, dtype=np.float32)[:2])
    mixed = run(*ACTIVATE, "--direction", "d.npy", "-u", "4", "--images", "photos", *QUICK)
    assert names(mixed) == ["unit 4", "d 0", "d 1"]
    np.save(desk / "d.npy", np.ones((2, 3), np.float32))
    wrong = run(*ACTIVATE, "--direction", "d.npy", "--images", "photos", *QUICK)
    assert wrong.code == 1
    assert "d 0 has weights of shape (3,), and 5 numbers are needed" in wrong.err
    np.save(desk / "d.npy", np.ones(5, np.float32))
    flat = run(*ACTIVATE, "--direction", "d.npy", "--images", "photos")
    assert "--direction takes one vector a row: d.npy holds" in flat.err
    np.save(desk / "d.npy", np.ones((2, 3, 3), np.float32))
    assert (
        "numbers of shape (2, 3, 3)" in run(*ACTIVATE, "--direction", "d.npy", "--images", ".").err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("-u 3 -l act", 2, "how active units get on real photographs has to be known: give"),
        ("-u 3 -l act --images photos --maxima m", 2, "not both"),
        ("-u 5 -l act --images photos", 1, "layer 'act' has units 0 to 4, and so no unit 5"),
        ("-u x -l act --images photos", 2, "'x' is no unit: give a channel (7), or a range"),
        ("-u 3-1 -l act --images photos", 2, "'3-1' is no unit"),
        ("-l act --images photos", 2, "say what to excite: -u UNIT (7, or 0-24), -c CLASS"),
        ("-u 3 --images photos", 2, "give a layer with -l"),
        ("-u 3 -c dog --images photos", 2, "--class names units of the class scores: leave out"),
        ("-c zebra --images photos", 1, "the network has no class 'zebra'"),
        ("-u 3 -l act --maxima cat.png", 1, "cat.png is no file of maxima"),
        ("-u 3 -l act --maxima other.safetensors", 1, "maxima are of layer 'conv', and 'act' was"),
        ("-u 3 -l act --images nix", 1, "there is no file nix"),
        ("-u 3 -l act --images photos --direction nix.npy", 1, "nix.npy does not exist"),
        ("-u 3 -l act --images photos --size 0", 2, "--size '0' is no size"),
    ],
)
def test_activate_says_what_is_wrong(
    run: Run, desk: Path, arguments: str, code: int, words: str
) -> None:
    import torch

    Maxima(torch.ones(5), "tiny", "conv", 7).save(desk / "other.safetensors")
    before = sorted(desk.iterdir())
    done = run("activate", *NET, *arguments.split())
    assert words in done.err, done.err
    assert done.code == code
    assert [p for p in sorted(desk.iterdir()) if p.name != "__pycache__"] == before


def test_units() -> None:
    assert read_units(["0-2", "7", "1"]) == [0, 1, 2, 7]


def test_caricature(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("caricature", "photos", "cat.png", *NET, "-l", "act", "--steps", "5", "-C", "10")
    done = run(*command, "--octaves", "3", "--ratio", "1.2", "-o", "a.html")
    assert done.code == 0
    assert done.err.endswith("3 images: open a.html")
    assert "15 steps" in done.err
    seen = press_at(monkeypatch, 0)
    octaves = run(*command, "--octaves", "3", "--batch", "2", "--json", "--quality", "fast")
    assert facts(octaves)["octaves"] == "3, ratio 1.4"
    # The bar runs once from one end to the other, over octaves and batches.
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {30}
    assert seen[-1] == (30, 30)


def test_an_interrupted_caricature_goes_on_in_its_octave(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("caricature", "cat.png", *NET, "-l", "act", "--steps", "6", "--octaves", "2")
    command += ("--quality", "paper", "-o", "a.png", "--trace", "t.csv")
    assert run(*command).code == 0
    whole = (desk / "t.csv").read_text()
    press_at(monkeypatch, 9)
    assert run(*command).code == 130
    seen = press_at(monkeypatch, 0)
    assert run(*command, "--resume").code == 0
    assert seen[-1] == (12, 12)
    assert (desk / "t.csv").read_text() == whole


def test_class_model(run: Run, desk: Path) -> None:
    command = ("class-model", *NET, "-c", "dog", "-c", "cat", "-c", "1", *QUICK)
    done = run(*command)
    assert names(done) == ["dog", "cat, house cat"]
    assert "decay" in facts(done)["recipe"]
    assert facts(done)["energy"] == "maximize"
    posterior = facts(run(*command, "--posterior", "--tv", "0.5", "--size", "20"))
    assert posterior["energy"] == "log-posterior + 0.5 * total variation (beta 2)"
    assert posterior["size"] == "20x20"
    best = run(*command, "--quality", "best", "-n", "2")
    assert len(names(best)) == 4
    spectrum = facts(run(*command, "--spectrum"))["recipe"]
    assert "spectrum" in spectrum
    assert "decay" not in spectrum


def test_texture(run: Run, desk: Path) -> None:
    done = run("texture", "photos", *NET, *QUICK, "-n", "2", "--size", "12x20", "-l", "conv")
    assert names(done) == ["a.png", "a.png", "b.png", "b.png"]
    assert "100 * texture at conv" in facts(done)["energy"]
    assert facts(done)["size"] == "12x20"
    usual = facts(run("texture", "cat.png", *NET, *QUICK, "--no-priors"))["energy"]
    assert "bounded range" not in usual


def test_style(run: Run, desk: Path) -> None:
    command = ("style", "photos", "--of", "cat.png", *NET, "-l", "act", *QUICK)
    done = run(*command, "--style-layer", "conv", "--weight", "7", "-C", "2")
    assert names(done) == ["a.png", "b.png"]
    energy = facts(done)["energy"]
    assert energy.startswith("2 * match")
    assert "7 * texture at conv" in energy
    noise = run(*command, "--from-noise")
    assert found(noise)["results"] != found(run(*command))["results"]


def test_video(run: Run, desk: Path) -> None:
    pytest.importorskip("av")
    command = ("class-model", *NET, "-c", "dog", "--steps", "4", "-o", "a.png")
    assert run(*command, "--movie", "m.mp4", "--frames", "3").code == 0
    assert (desk / "m.mp4").stat().st_size > 500


def test_too_many_for_a_picture(run: Run, desk: Path) -> None:
    for i in range(51):
        Image.new("RGB", (16, 16), (i, 0, 0)).save(desk / "photos" / f"{i}.png")
    done = run("invert", "photos", *NET, "-l", "conv", "-o", "a.png")
    assert done.code == 1
    assert "a.png would hold 53 rows of pictures, more than 50: write -o results.html" in done.err

"""`phosphene survey`: a folder from beginning to end, gone on with, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phosphene.cli import progress
from phosphene.survey.choice import default_layers
from phosphene.survey.store import Survey
from phosphene.zoo.demo import demo
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_survey_of_drawn_scenes(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("survey", "demo:40", "-m", "demo", "-l", "relu1", "-l", "fc7", "-n", 3, "--shown", 2,
              "-o", out)  # fmt: skip
    assert ran.code == 0
    assert ran.out.splitlines()[0].split()[:3] == ["layer", "units", "map"]
    assert "40 images at" in ran.err
    units = table(out / "units.csv")
    assert len(units) == 32 + 96
    first = units[0]
    values = [float(v) for v in first["top values"].split(";")]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert float(first["maximum"]) == values[0]
    assert float(first["quantile"]) <= values[0]
    survey = Survey.open(out)
    assert survey.count == 40
    assert survey.facts["about"]["network"]["model"] == "demo"
    peak = survey.collector("top patches").of("relu1", 0)[0]
    assert survey.images().name_of(peak.key) == first["top images"].split(";")[0]
    page = (out / "index.html").read_text()
    assert "relu1: size 7, stride 2, centre 1" in page
    assert "scene 70" in page
    assert (out / "figure2.png").is_file()


def test_the_same_command_has_nothing_to_do(run: Run, desk: Path) -> None:
    arguments = ("survey", "photos", "-m", "demo", "-l", "relu1", "-o", "out")
    first = run(*arguments)
    state = (desk / "out" / "survey.safetensors").read_bytes()
    again = run(*arguments)
    assert (first.code, again.code) == (0, 0)
    assert (desk / "out" / "survey.safetensors").read_bytes() == state
    other = run("survey", "photos", "-m", "demo", "-l", "relu2", "-o", "out")
    assert other.code == 1
    assert "out holds a sweep with other layers (there relu1, here relu2)" in other.err


def test_layers_are_chosen_and_said(run: Run, desk: Path) -> None:
    ran = run("survey", "demo", "-m", "demo", "-o", "out", "--shown", 0, "--json")
    assert ran.code == 0
    assert "surveying relu1, relu2, relu3, relu4, relu5, relu6, relu7" in ran.err
    found = json.loads(ran.out)
    assert found["images"] == 12
    assert [layer["name"] for layer in found["layers"]] == list(default_layers(demo()))
    assert len(found["layers"][0]["maximum"]) == 32


def test_exact_quantiles(run: Run, desk: Path) -> None:
    ran = run(
        "survey", "demo:20", "-m", "demo", "-l", "relu5", "-o", "out", "--exact", "--shown", 0
    )
    assert ran.code == 0
    survey = Survey.open(desk / "out")
    codes = []
    net, images = demo(), survey.images()
    for key, _ in images:
        codes.append(net["relu5"](net.prepare(images.read(key))[0]).detach()[0].flatten(1))
    import torch

    wanted = torch.cat(codes, 1).numpy()
    import numpy as np

    exact = np.quantile(wanted, 0.995, axis=1, method="inverted_cdf")
    np.testing.assert_allclose(survey.quantiles("relu5").numpy(), exact, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_read_is_named(run: Run, desk: Path) -> None:
    (desk / "photos" / "c.png").write_bytes(b"no image")
    ran = run("survey", "photos", "-m", "demo", "-l", "relu1", "-o", "out")
    assert ran.code == 1
    assert "c.png: " in ran.err
    assert "1 could not be read" in ran.err
    assert list(Survey.open(desk / "out").failed) == ["c.png"]
    for name in ("a.png", "b.png"):
        (desk / "photos" / name).write_bytes(b"")
    ran = run("survey", "photos", "-m", "demo", "-l", "relu1", "-o", "none")
    assert ran.code == 1
    assert "none of the images of photos could be read" in ran.err


def test_interrupted_and_gone_on_with(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[tuple[int, int | None]] = []

    @contextmanager
    def pressed(what: str) -> Iterator[Callable[[int, int | None], None]]:
        def tick(done: int, total: int | None) -> None:
            ticks.append((done, total))
            if len(ticks) == 2:
                os.kill(os.getpid(), signal.SIGINT)

        yield tick

    monkeypatch.setattr(progress, "swept_over", pressed)
    arguments = ("survey", "demo:20", "-m", "demo", "-l", "relu1", "--shown", 0,
                 "-o", "out", "--batch", 4)  # fmt: skip
    first = run(*arguments)
    assert first.code == 130
    assert "interrupted after 8 of 20 images; the same command goes on from here" in first.err
    second = run(*arguments)
    assert second.code == 0
    assert ticks == [(4, 20), (8, 20), (12, 20), (16, 20), (20, 20)]
    whole = run(*arguments[:-4], "-o", "whole", "--batch", 4)
    assert whole.code == 0
    both = [(desk / name / "units.csv").read_text() for name in ("out", "whole")]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("empty",), "holds no image files, tar shards or videos"),
        (("missing/",), "there is no file or folder"),
        (("photos", "-l", "relu9"), "has no layer 'relu9'"),
        (("x.tar.gz",), "unpack it to a plain .tar"),
    ],
)
def test_what_it_refuses(run: Run, desk: Path, arguments: tuple[str, ...], says: str) -> None:
    (desk / "empty").mkdir()
    (desk / "x.tar.gz").write_bytes(b"\x1f\x8b")
    ran = run("survey", *arguments, "-m", "demo", "-o", "out")
    assert ran.code == 1
    assert says in ran.err

"""`phosphene flow`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene.motion import proving
from phosphene.motion.estimators import describe, open_estimator
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow, write_flow
from phosphene.motion.trial import Trial
from tests.cli.conftest import Ran
from tests.motion.scenes import moved

Run = Callable[..., Ran]
TRUTH = Flow.of(np.broadcast_to([2.0, -1.0], (60, 80, 2)))


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two frames and the flow between them."""
    for name, frame in zip(("a.png", "b.png"), moved(60, 80, 2, -1), strict=True):
        Image.fromarray(frame).save(tmp_path / name)
    write_flow(TRUTH, tmp_path / "true.flo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_between_frames(run: Run, walk: Path) -> None:
    done = run("flow", "a.png", "b.png")
    assert done.code == 0
    assert done.out.startswith("dis:medium: 2.2")
    assert "written to flow.html" in done.err
    assert (walk / "flow.html").stat().st_size > 10_000


def test_saves_what_the_estimator_finds(run: Run, walk: Path) -> None:
    expected = open_estimator("dis")(*moved(60, 80, 2, -1)).vectors
    for name in ("f.flo", "f.npz", "f.png"):
        assert run("flow", "a.png", "b.png", "--save", name).code == 0
        assert not (walk / "flow.html").exists()
        assert np.abs(read_flow(name).vectors - expected).max() <= (
            1 / 128 if name == "f.png" else 0
        )


def test_several_beside_the_truth(run: Run, walk: Path) -> None:
    done = run(
        "flow", "a.png", "b.png", "-e", "dis", "-e", "farneback", "--truth", "true.flo",
        "-o", "out.png", "--json",
    )  # fmt: skip
    assert done.code == 0
    told = json.loads(done.out)
    assert [e["estimator"] for e in told["estimates"]] == ["dis:medium", "farneback"]
    assert all(e["error_px"] < 0.5 for e in told["estimates"])
    assert told["facts"] == {"frames": "a.png, b.png", "size": "80x60", "truth": "true.flo"}
    assert told["output"] == "out.png"
    assert (walk / "out.png").exists()


def test_a_file_of_flow(run: Run, walk: Path) -> None:
    done = run("flow", "true.flo", "--frame", "a.png", "--truth", "true.flo", "-o", "page.html")
    assert done.code == 0
    assert "80x60, 100% valid, 2.24 px median" in done.out
    assert "error 0.000 px over 4800 pixels, Fl 0.00%" in done.out
    told = json.loads(run("flow", "true.flo", "--json", "--save", "true.npz").out)
    assert told["saved"] == "true.npz"
    assert told["output"] is None
    assert np.array_equal(read_flow("true.npz").vectors, TRUTH.vectors)


def test_own_program(run: Run, walk: Path) -> None:
    body = "import sys, shutil; shutil.copy('true.flo', sys.argv[1])"
    (walk / "mine.py").write_text(body)
    spec = f"command:{sys.executable} mine.py {{flow}} {{first}} {{second}}"
    told = json.loads(
        run("flow", "a.png", "b.png", "-e", spec, "--truth", "true.flo", "--json").out
    )
    assert told["estimates"][0]["error_px"] == 0
    (walk / "mine.py").write_text("import time; time.sleep(30)")
    done = run("flow", "a.png", "b.png", "-e", spec, "--limit", "0.3")
    assert done.code == 1
    assert "longer than 0.3 seconds" in done.err


def test_ranks(run: Run, walk: Path) -> None:
    done = run("flow", "--rank", "--sequences", 1, "--size", "64x48", "-e", "dis", "-e", "dis:fast")
    assert done.code == 0
    assert "cubes" in done.out
    assert "moving photographs" in done.out
    assert (walk / "ranking.html").exists()
    done = run("flow", "--rank", "a.png", "--sequences", 1, "--size", "64x48", "--json")
    told = json.loads(done.out)
    assert len(told["scores"]) == 8
    assert told["facts"]["size"] == "64x48"
    assert told["facts"]["photographs"] == "1"
    assert told["output"] is None


def test_a_rank_with_one_that_fails(run: Run, walk: Path) -> None:
    spec = f"command:{sys.executable} -c 0 {{first}} {{second}} {{flow}}"
    done = run("flow", "--rank", "--sequences", 1, "--size", "64x48", "-e", "dis", "-e", spec)
    assert done.code == 1
    assert "left no flow" in done.err
    assert "dis:medium" in done.out


@pytest.mark.parametrize("after", [0, 2])
def test_an_interrupted_rank(
    run: Run, walk: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Ctrl-C lets the pair under way come to its end."""

    def pressing(*arguments: Any) -> Iterator[Trial]:
        for number, trial in enumerate(proving.proving_ground(*arguments)):
            if number == after:
                os.kill(os.getpid(), signal.SIGINT)
            yield trial

    found = SimpleNamespace(proving_ground=pressing)
    monkeypatch.setitem(sys.modules, "phosphene.motion.proving", found)
    done = run("flow", "--rank", "--sequences", 3, "--size", "64x48", "-e", "dis")
    assert done.code == 130
    assert "interrupted" in done.err
    assert (walk / "ranking.html").exists() == (after > 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.png", "b.png", "-e", "diss"), "did you mean 'dis'"),
        (("a.png", "b.png", "a.png"), "3 files were given"),
        (("a.png", "b.png", "--frame", "a.png"), "--frame goes with a file of flow"),
        (("a.png", "b.png", "-e", "dis", "-e", "tvl1", "--save", "x.flo"), "of one estimator"),
        (("a.png", "b.png", "--save", "x.jpg"), "let it end in .flo"),
        (("a.png", "b.png", "-o", "x.flo"), "--save x.flo"),
        (("a.png", "b.png", "-o", "x.png", "-s", "x.png"), "name two files"),
        (("true.flo", "-e", "dis"), "needs no estimator"),
        (("--rank", "--truth", "true.flo"), "truths of its own"),
        (("--rank", "--size", "big"), "as 320x240"),
        (("--json",), "0 files were given"),
    ],
)
def test_misuse(run: Run, walk: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("flow", *arguments)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.png", "none.png"), "there is no file none.png"),
        (("a.png", "small.png"), "a frame of 80x60 and one of 8x6"),
        (("a.png", "true.flo"), "true.flo is flow, where a frame is needed"),
        (("a.png",), "between two frames give both"),
        (("none.flo",), "none.flo"),
        (("true.flo", "--frame", "small.png"), "a frame of 8x6 does not fit a flow of 80x60"),
        (("a.png", "b.png", "--save", "sub/../a.png"), "would be overwritten"),
        (("a.png", "b.png", "-e", "raft:none.pth"), "there is no file none.pth"),
        (("--rank", "none/", "--sequences", "1"), "there is no file none"),
    ],
)
def test_failures(run: Run, walk: Path, arguments: tuple[str, ...], said: str) -> None:
    (walk / "sub").mkdir()
    Image.new("RGB", (8, 6)).save("small.png")
    before = (walk / "a.png").read_bytes()
    done = run("flow", *arguments)
    assert done.code == 1
    assert said in done.err
    assert (walk / "a.png").read_bytes() == before
    assert not (walk / "flow.html").exists()


def test_help_names_every_estimator(run: Run) -> None:
    done = run("flow", "--help")
    for name, _ in describe():
        assert name.partition(":")[0].partition(",")[0].partition("[")[0] in done.out

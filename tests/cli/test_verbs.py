"""The other verbs, and the help of all of them."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_layers(run: Run, desk: Path) -> None:
    done = run("layers", "nets.py:net")
    assert done.code == 0
    heads, *rows = [line.split() for line in done.out.splitlines()]
    assert heads == "layer kind channels map kernel field stride centre weights".split()
    assert rows == [
        ["conv", "Conv2d", "5", "16x16", "3", "3", "1", "0", "140"],
        ["act", "ReLU", "5", "16x16", "1", "3", "1", "0"],
        ["scores", "Conv2d", "4", "7x7", "3", "5", "2", "1", "184"],
    ]
    assert "tiny on cpu, shown 16x16" in done.err
    assert not any(line.endswith(" ") for line in done.out.splitlines())


def test_layers_for_another_input(run: Run, desk: Path) -> None:
    done = run("layers", "nets.py:net", "--input-size", "20x30", "--json")
    conv, act, scores = json.loads(done.out)
    assert conv["shape"] == [5, 20, 30]
    assert act["kind"] == "ReLU"
    assert scores["receptive_field"] == {"size": [5, 5], "stride": [2, 2], "centre": [1, 1]}


def test_layers_of_what_is_no_network(run: Run, desk: Path) -> None:
    done = run("layers", "nix")
    assert done.code == 1
    assert "there is no network 'nix'" in done.err
    assert run("layers", "nets.py:net", "--input-size", "0").code == 2


def test_layers_of_a_real_network(run: Run, shared: Path) -> None:
    model = shared / "data" / "squeezenet" / "squeezenet.caffemodel"
    rows = [line.split() for line in run("layers", model).out.splitlines()]
    assert ["conv1", "Conv2d", "96", "111x111", "7", "7", "2", "3", "14,208"] in rows


@pytest.mark.parametrize("out", ["report.html", "report.png", "report/"])
def test_demo(run: Run, desk: Path, out: str) -> None:
    done = run("demo", "-o", out)
    assert done.code == 0
    assert "3 chapters: open report" in done.err
    assert (desk / out).exists()
    if out.endswith("html"):
        page = (desk / out).read_text()
        assert "Eight ways to reverse a network" in page
        assert "scene 12: " in page


def test_demo_that_cannot_be_written(run: Run, desk: Path) -> None:
    done = run("demo", "-o", "cat.png/demo.html")
    assert done.code == 1
    assert "cannot be written: cat.png is no folder" in done.err


@pytest.mark.parametrize("verb", ["explain", "layers"])
def test_without_arguments_a_verb_helps(run: Run, verb: str) -> None:
    done = run(verb)
    assert f"Usage: phosphene {verb}" in done.out + done.err


def test_help_teaches(run: Run) -> None:
    done = run("explain", "--help")
    assert done.code == 0
    for words in ("Examples", "guided", "OUT.html", "131@centre", "tabby@positive", "[default:"):
        assert words in done.out, words
    # Examples are to be copied: none is broken over two lines.
    examples = [line for line in done.out.splitlines() if line.strip().startswith("phosphene ")]
    assert len(examples) >= 4
    assert all(len(line) <= 80 for line in examples)
    assert "phosphene demo" in run("--help").out
    assert run("--version").out.startswith("phosphene ")


def test_what_is_no_command(run: Run) -> None:
    assert run("explian").code == 2
    assert run("explain", "a.png", "--nix").code == 2


def test_help_loads_nothing_heavy() -> None:
    code = """if True:
        import sys
        from phosphene.cli.app import main
        for verb in ([], ["explain"], ["layers"], ["demo"]):
            try:
                main([*verb, "--help"])
            except SystemExit as left:
                assert not left.code
        heavy = {"torch", "numpy", "PIL", "jinja2"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_python_m(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["__main__.py", "--version"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("phosphene", run_name="__main__")
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("phosphene ")

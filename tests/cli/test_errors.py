"""Bad input: one clear sentence, an exit code, no traceback, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phosphene.cli import app as cli
from tests.cli import nets
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = "-m nets.py:net"

SAID = {
    # what is asked of the network
    f"{NET} -l conb": (1, "no layer 'conb'; did you mean 'conv'?"),
    f"{NET} -l act --to nix": (1, "no layer 'nix'"),
    f"{NET} -l conv --to scores": (1, "has no part in 'conv'"),
    f"{NET} -c dgo": (1, "the network has no class 'dgo'; did you mean 'dog'?"),
    f"{NET} -c robin": (1, "several classes: give an index of 2 (robin), 3 (robin)"),
    f"{NET} -c 4": (1, "classes 0 to 3, and no class 4"),
    f"{NET} -c dog@top": (2, "'top' is no position"),
    f"{NET} -c dog@99,0": (1, "has no position (99, 0)"),
    f"{NET} -c dog -u 3": (2, "give --unit or --class, not both"),
    f"{NET} -c dog -l conv": (1, "leave out the layer, or give a channel number"),
    f"{NET} -l conv -u 5": (1, "units 0 to 4, and so no unit 5"),
    f"{NET} -l conv -u 1@16,0": (1, "16x16, and so has no position (16, 0)"),
    f"{NET} -u best": (2, "'best' is no unit: give a channel (131)"),
    f"{NET} -r gided": (2, "no rule 'gided'; did you mean 'guided'?"),
    f"{NET} -r mask/top": (2, "'top' reverses nothing"),
    f"{NET} -r excitaton": (2, "no rule 'excitaton'"),
    f"{NET} -r grad-cam@covn": (1, "no layer 'covn'; did you mean 'conv'?"),
    f"{NET} --ten-crop -l conv": (2, "--ten-crop explains one class"),
    f"{NET} --ten-crop -c dog@centre": (2, "give the class alone"),
    f"{NET} --batch 0": (2, "--batch"),
    # what the network is shown
    f"{NET} --mean 1,x": (2, "--mean '1,x' is no list of numbers"),
    f"{NET} --mean 1,2": (1, "mean (1, 2) does not fit RGB: give one number"),
    f"{NET} --mean nan": (2, "is no list of numbers"),
    f"{NET} --std 0": (2, "--std must not be 0"),
    f"{NET} --scale 0": (2, "--scale 0 is no range"),
    f"{NET} --order RBG": (2, "--order"),
    f"{NET} --input-size 0": (2, "'0' is no size: give 224 or 224x320"),
    f"{NET} --input-size 1x2x3": (2, "is no size"),
    f"{NET} --input-size 1": (1, "the network does not take an input of 1x3x1x1"),
    f"{NET} --resize-to 9": (2, "--resize-to 9 leaves photographs smaller than"),
    # which network
    "-m nix": (1, "there is no network 'nix'"),
    "-m nix.caffemodel": (1, "nix.caffemodel cannot be read"),
    "-m cat.caffemodel": (1, "cat.caffemodel"),
    "-m nix.py:net": (1, "there is no file nix.py"),
    "-m nets.py:nte": (1, "nets.py has no function 'nte'; did you mean"),
    "-m nets.py:number": (1, "returned int, where a torch.nn.Module"),
    "-m nets.py:broken": (1, "raised an error: RuntimeError: no [bold]luck[/bold]"),
    "-m w.safetensors": (1, "holds weights and no architecture"),
    "-m demo --weights w.pt": (2, "--weights go with --model FILE.py:FUNCTION"),
    "-m demo --prototxt w.pt": (2, "--prototxt goes with --model NET.caffemodel"),
    f"{NET} --weights nix.pt": (1, "there is no file of weights nix.pt"),
    f"{NET} --weights w.safetensors": (1, "w.safetensors does not fit: 'conv.weight' is (1,)"),
    f"{NET} --weights pickle.pt": (1, "does not load without running the code in it"),
    f"{NET} --weights cat.png": (1, "cat.png does not load"),
    f"{NET} --labels nix.csv": (1, "there is no file of labels nix.csv"),
    f"{NET} --device nix": (1, "there is no device 'nix'"),
    # what is wrong with it
    "-m nets.py:nan_weights": (1, "the weight of layer 'scores' holds 1 NaN"),
    "-m nets.py:nan_activations": (1, "layer 'act' is the first to put out NaN"),
    "-m nets.py:smooth -r guided": (1, "'guided' changes ReLUs, and below this unit there are"),
    # where the result goes
    f"{NET} -o a.pdf": (1, "a.pdf is nothing phosphene writes: end it in .png or .html"),
    f"{NET} -o cat.png/a.png": (1, "cat.png/a.png cannot be written: cat.png is no folder"),
    f"{NET} -o nets.py/": (1, "nets.py cannot be written: nets.py is no folder"),
    f"{NET} -o /proc/a/b.png": (1, "/proc/a/b.png cannot be written: No such file"),
}


@pytest.fixture
def shelf(desk: Path) -> Path:
    (desk / "cat.caffemodel").write_bytes(b"meow")
    state = {name: torch.zeros(1) for name in nets.tiny().state_dict()}
    save_file(state, desk / "w.safetensors")
    torch.save(nets.tiny(), desk / "pickle.pt")
    return desk


@pytest.mark.parametrize("arguments", SAID, ids=lambda text: text.replace(" ", "_"))
def test_one_sentence_and_a_code(run: Run, shelf: Path, arguments: str) -> None:
    before = sorted(shelf.rglob("*"))
    code, sentence = SAID[arguments]
    done = run("explain", "cat.png", *arguments.split())
    assert sentence in done.err, done.err
    assert done.code == code
    assert done.out == ""
    left = [path for path in sorted(shelf.rglob("*")) if "__pycache__" not in str(path)]
    assert left == before


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        ("nix.png", "there is no file nix.png: check the path"),
        ("empty", "the folder empty holds no image files"),
    ],
)
def test_no_photograph(run: Run, desk: Path, photo: str, sentence: str) -> None:
    (desk / "empty").mkdir()
    done = run("explain", photo, *NET.split())
    assert (done.code, done.err) == (1, f"phosphene: {sentence}")


def test_a_signal_of_zeros_is_said(run: Run, desk: Path) -> None:
    done = run("explain", "cat.png", "-m", "nets.py:dead", "-o", "a.html")
    assert done.code == 0
    assert "! cat.png: the signal of saliency from" in done.err
    assert "is zero everywhere" in done.err
    assert "saliency: zero everywhere" in (desk / "a.html").read_text()


def test_a_file_that_may_not_be_replaced(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "a.html").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "a.html")
    done = run("explain", "cat.png", *NET.split(), "-o", "a.html")
    assert done.code == 1
    assert done.err.endswith("a.html cannot be written: Permission denied")
    assert (desk / "a.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "phosphene: there is not enough memory: give a smaller --input-size"),
        (
            RuntimeError("CUDA out of memory"),
            "phosphene: there is not enough memory: give a smaller --input-size",
        ),
        (OSError(5, "Input/output error", "disk"), "phosphene: disk: Input/output error"),
        (OSError("odd"), "phosphene: odd"),
        (BrokenPipeError(), ""),
    ],
)
def test_the_last_net(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    done = run("explain")
    assert (done.code, done.err) == (1, said)


@pytest.mark.parametrize("error", [ZeroDivisionError, RuntimeError])
def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(error):
        cli.main([])

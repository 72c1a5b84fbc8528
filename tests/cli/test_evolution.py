"""`phosphene evolution`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

from tests.cli import nets
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_a_run_of_ones_own(run: Run, desk: Path) -> None:
    Path("run").mkdir()
    for number in (2, 10):
        weights = {k: v * (1 + number) for k, v in nets.tiny().state_dict().items()}
        safetensors.torch.save_file(weights, f"run/step{number}.safetensors")
    given = ("evolution", "run", "-m", "nets.py:net", "-i", "photos", "-l", "conv", "-u", "0")
    done = run(*given, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["checkpoints"] == ["2", "10"]
    assert found["units"][0]["layer"] == "conv"
    assert found["layers"]["conv"]["cosine"][0] > 0.999
    assert Path("evolution.html").exists()


def test_what_cannot_be(run: Run, desk: Path) -> None:
    assert run("evolution", "-m", "nets.py:net", "-i", "photos").code == 2
    assert run("evolution", "-u", "3").code == 2
    Path("run").mkdir()
    torch.save(nets.tiny().state_dict(), "run/only.pt")
    done = run("evolution", "run", "-m", "nets.py:net", "-i", "photos")
    assert done.code == 1
    assert "two checkpoints or more" in done.err

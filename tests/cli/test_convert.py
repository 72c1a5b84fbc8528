"""`phosphene convert`: weights with preprocessing and labels inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from phosphene.zoo.catalogue import open_network
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_the_demo_and_back(run: Run, desk: Path) -> None:
    done = run("convert", "demo", "demo.safetensors", "--input-size", "100x120")
    assert done.code == 0
    assert "demo.safetensors: 1.0 MB, 10 class names" in done.err
    net = open_network("demo.safetensors")
    assert net.preprocessing.input_size == (100, 120)
    assert "conv1" in run("layers", "demo.safetensors").out
    image = torch.rand(1, 3, 96, 96)
    torch.testing.assert_close(net(image), open_network("demo")(image))


def test_a_network_of_ones_own(run: Run, desk: Path) -> None:
    assert run("convert", "nets.py:net", "w.safetensors").code == 0
    alone = run("layers", "w.safetensors")
    assert alone.code == 1
    assert "give --model file.py:factory" in alone.err
    again = run("explain", "cat.png", "-m", "nets.py:plain", "--weights", "w.safetensors")
    assert again.code == 0
    assert "shown 16x16" in again.err  # nets.py:plain itself does not say so


def test_what_cannot_be_converted(run: Run, desk: Path) -> None:
    assert run("convert", "demo", "demo.pt").code == 2
    assert run("convert", "demo").code == 2
    assert "no network 'nix'" in run("convert", "nix", "o.safetensors").err
    assert "cannot be written" in run("convert", "demo", "cat.png/o.safetensors").err
    assert not (desk / "o.safetensors").exists()

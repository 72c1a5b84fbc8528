"""`phosphene models`: what can be opened, with and without the optional packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from phosphene.cli.options import NetworkOptions
from phosphene.zoo import shelf
from phosphene.zoo.catalogue import NAMES
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shelf, "installed", lambda package: False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_all_kinds_are_named(run: Run) -> None:
    done = run("models")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["name", "weights", "here", "MB", "licence"]
    assert lines[1].split() == ["demo", "come", "with", "phosphene", "yes", "1.0", "MIT"]
    for words in (*NAMES, "FILE.caffemodel", "FILE.pt2", "pip install 'phosphene[timm]'"):
        assert words in done.out
    assert not any(line.endswith(" ") for line in lines)


def test_a_part_of_a_name(run: Run) -> None:
    done = run("models", "alex", "--json")
    assert [entry["name"] for entry in json.loads(done.out)] == [
        name for name in NAMES if "alex" in name
    ]
    nothing = run("models", "timm:resnet")
    assert nothing.code == 1
    assert "no network goes by 'timm:resnet'" in nothing.err
    assert "pip install 'phosphene[timm]'" in nothing.err


def test_what_is_cached_is_found(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--someone--net" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    (tmp_path / "hub" / "models--someone--empty" / "snapshots").mkdir(parents=True)
    assert shelf.cached_repositories() == {"someone/net": 2.0}
    entry = shelf.Entry("hf:someone/net", "Hugging Face", True, 2.0, "mit")
    monkeypatch.setattr(shelf, "installed", lambda package: package == "transformers")
    monkeypatch.setattr(
        shelf, "networks_of", lambda prefix: [entry, shelf.Entry("hf:vit:random", "random")]
    )
    done = run("models")
    listed = [line.split() for line in done.out.splitlines()]
    assert ["hf:someone/net", "Hugging", "Face", "yes", "2.0", "mit"] in listed
    assert "hf:NAME  2 networks: phosphene models hf:" in done.out
    assert "hf:vit:random" not in done.out
    assert "hf:vit:random" in run("models", "hf:").out


def test_a_network_before_it_learned_is_told_by_the_same_files(desk: Path) -> None:
    options = NetworkOptions("nets.py:net:random")
    network = options.open()
    first = options.origin(network)
    assert list(first["code"]) == list(NetworkOptions("nets.py:net").origin(network)["code"])
    with open("nets.py", "a") as file:
        file.write("# changed\n")
    assert options.origin(network) != first

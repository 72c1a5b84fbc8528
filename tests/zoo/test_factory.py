"""Networks from a user's own file: run once, named errors, and weights that run no code."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from phosphene.errors import FormatError, NetworkError, UnknownModel
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.factory import load_weights, read_state

NETS = """
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from phosphene import Network, Preprocessing


@dataclass
class Size:
    channels: int = 4


class Tiny(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.conv = nn.Conv2d(3, size.channels, 3)
        self.bn = nn.BatchNorm2d(size.channels)

    def forward(self, x):
        return self.bn(self.conv(x)).mean((2, 3))


def tiny():
    return Tiny(Size())


def whole():
    return Network(tiny(), Preprocessing((12, 12), order="BGR"), ["a", "b", "c", "d"], "named")


def breaks():
    size = Size()
    return size.missing


def needs(argument):
    return argument


def leaves():
    raise SystemExit("usage: nets.py")


def returns_none():
    pass


def returns_text():
    return "resnet50"


def returns_class():
    return Tiny


value = 3
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "my_nets.py").write_text(NETS)
    return tmp_path / "my_nets.py"


@pytest.fixture(autouse=True)
def _modules() -> Any:
    before, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - before:
        if not name.startswith(("torch", "phosphene", "safetensors", "numpy")):
            del sys.modules[name]


def tiny() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


# The file


def test_modules_and_networks(nets: Path) -> None:
    net = open_network(f"{nets}:tiny")
    assert net.name == "tiny"
    assert [layer.name for layer in net.layers()] == ["conv", "bn"]
    whole = open_network(f"{nets}:whole")
    assert whole.name == "named"
    assert whole.labels == ("a", "b", "c", "d")
    assert whole.preprocessing.order == "BGR"


def test_relative_paths_and_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a script, what lies beside the file can be imported, now or when it is called."""
    (tmp_path / "my_blocks.py").write_text("import torch\nconv = torch.nn.Conv2d(3, 4, 3)\n")
    (tmp_path / "my_late.py").write_text("import torch\nrelu = torch.nn.ReLU()\n")
    (tmp_path / "my_net.py").write_text(
        "import torch\nfrom my_blocks import conv\n"
        "def make():\n    from my_late import relu\n    return torch.nn.Sequential(conv, relu)\n"
        "def fail():\n    raise ValueError('on purpose')\n"
    )
    monkeypatch.chdir(tmp_path)
    assert len(open_network("my_net.py:make").layers()) == 2
    with pytest.raises(NetworkError, match=r"ValueError: on purpose \(line 7: raise ValueError"):
        open_network("my_net.py:fail")


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("tinny", UnknownModel, "no function 'tinny'; did you mean 'tiny'"),
        ("", UnknownModel, "no function ''"),
        ("zzz", UnknownModel, r"\(it has Size, Tiny, tiny, whole, breaks,"),
        ("value", UnknownModel, "no function 'value'"),
        ("breaks", NetworkError, r"AttributeError: .*'missing' \(line 37: return size\.missing\)"),
        ("needs", NetworkError, "TypeError: .*argument"),
        ("leaves", NetworkError, "SystemExit: usage"),
        ("returns_none", NetworkError, "returned NoneType, where a torch.nn.Module"),
        ("returns_text", NetworkError, "returned str"),
        ("returns_class", NetworkError, "returned type"),
    ],
)  # fmt: skip
def test_factories_that_make_no_network(
    nets: Path, function: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        open_network(f"{nets}:{function}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def tiny(:\n", "SyntaxError"), ("import no_such_module_here\n", "ModuleNotFoundError"),
        ("raise RuntimeError('no')\n", r"RuntimeError: no \(line 1"),
        ("exit(3)\n", "SystemExit: 3"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_files_that_do_not_run(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "my_broken.py"
    path.write_text(text)
    with pytest.raises(NetworkError, match=f"could not be run: {message}"):
        open_network(f"{path}:tiny")
    assert "my_broken" not in sys.modules


def test_a_file_of_the_name_of_a_module_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("import torch\ndef make(): return torch.nn.Conv2d(3, 4, 3)\n")
    import json

    assert open_network(f"{tmp_path / 'json.py'}:make").module.out_channels == 4
    assert sys.modules["json"] is json


# Weights


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(t.shape, generator=draw).to(t.dtype)
        for name, t in tiny().state_dict().items()
    }


def test_weights_of_every_kind(tmp_path: Path) -> None:
    wanted = state()
    prefixed = {f"module.{name}": tensor for name, tensor in wanted.items()}
    save_file(wanted, tmp_path / "a.safetensors")
    for name, content in (
        ("b.pt", wanted), ("c.pth", {"state_dict": wanted, "epoch": 3}),
        ("d.bin", {"model": wanted}),
        ("e.pt", prefixed), ("f.pt", {"state_dict": prefixed}),
    ):  # fmt: skip
        torch.save(content, tmp_path / name)
    torch.save(wanted, tmp_path / "g.pt", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.iterdir()):
        module = tiny()
        load_weights(module, path)
        got = module.state_dict()
        assert all(torch.equal(got[name], wanted[name]) for name in wanted), path


def test_weights_for_a_factory(nets: Path, tmp_path: Path) -> None:
    net = open_network(f"{nets}:tiny")
    wanted = {name: torch.full_like(t, 2) for name, t in net.module.state_dict().items()}
    save_file(wanted, tmp_path / "w.safetensors")
    for name in ("tiny", "whole"):
        loaded = open_network(f"{nets}:{name}", weights=tmp_path / "w.safetensors")
        assert (loaded.module.state_dict()["conv.weight"] == 2).all()


def changed(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    merged: dict[str, torch.Tensor | None] = {**state(), **changes}
    return {name: tensor for name, tensor in merged.items() if tensor is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(**{"0.bias": None}), "another network: it lacks '0.bias'$"),
        (changed(**{"0.bias": None, "1.bias": None}),
         r"lacks '0.bias' \(and 1 more names differ\)"),
        (changed(fc=torch.ones(2)), "holds 'fc', which the network lacks"),
        (changed(**{"0.weight": torch.ones(4, 3, 5, 5)}),
         r"'0.weight' is \(4, 3, 5, 5\) in the file and \(4, 3, 3, 3\)"),
        (changed(**{"0.bias": torch.ones(1)}), r"'0.bias' is \(1,\) in the file"),
        ({}, "lacks"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_weights_of_another_network(
    tmp_path: Path, content: dict[str, torch.Tensor], message: str, suffix: str
) -> None:
    path = tmp_path / f"w.{suffix}"
    save_file(content, path) if suffix == "safetensors" else torch.save(content, path)
    module = tiny()
    before = {name: t.clone() for name, t in module.state_dict().items()}
    with pytest.raises(FormatError, match=message):
        load_weights(module, path)
    # Nothing is half loaded.
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


@pytest.mark.parametrize(
    "content", [[1, 2], {"weight": 3}, torch.ones(3), {"state_dict": [1]}, None]
)
def test_files_that_hold_no_state(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(FormatError, match="where a state dict is needed"):
        read_state(tmp_path / "w.pt")


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("keep", [0, 7, 0.5, 0.98])
def test_truncated_files(tmp_path: Path, suffix: str, keep: float) -> None:
    path = tmp_path / f"w.{suffix}"
    save_file(state(), path) if suffix == "safetensors" else torch.save(state(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(FormatError, match=r"w\.(pt|safetensors)"):
        load_weights(tiny(), path)


def test_missing_weights(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FormatError, match="no file of weights"):
            read_state(path)


class Malicious:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "nested", "renamed"])
def test_code_in_weights_is_not_run(tmp_path: Path, kind: str) -> None:
    trap, path = tmp_path / "was_here", tmp_path / "w.pt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"0.weight": Malicious(trap)}))
    elif kind == "nested":
        torch.save({"state_dict": state(), "extra": [Malicious(trap)]}, path)
    else:
        torch.save(Malicious(trap), path, _use_new_zipfile_serialization=kind == "zip")
    if kind == "renamed":
        path = path.rename(tmp_path / "w.safetensors")
    with pytest.raises(FormatError) as error:
        load_weights(tiny(), path)
    assert not trap.exists()
    assert kind == "renamed" or "without running the code in it" in str(error.value)
    # The trap works: the same bytes, trusted, do make the file.
    if kind == "pickle":
        pickle.loads(path.read_bytes())
        assert trap.exists()


def test_a_whole_model_is_refused(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "model.pt")
    with pytest.raises(
        FormatError, match=r"save the state dict alone.*torch\.save\(model\.state_dict"
    ):
        load_weights(tiny(), tmp_path / "model.pt")


def test_the_way_to_an_error_is_shown_and_short(tmp_path: Path) -> None:
    """Our sentence first, then the user's own frames, and nothing of ours."""
    (tmp_path / "my_deep.py").write_text(
        "def down(n):\n    if not n:\n        raise ValueError('the bottom')\n    down(n - 1)\n"
        "def deep():\n    down(9)\n"
        "def flat():\n    raise ValueError('at once')\n"
    )
    with pytest.raises(NetworkError) as error:
        open_network(f"{tmp_path / 'my_deep.py'}:deep")
    first, *way = str(error.value).splitlines()
    assert first.endswith(
        "raised an error: ValueError: the bottom (line 3: raise ValueError('the bottom'))"
    )
    assert way == [
        "  my_deep.py:6 in deep: down(9)",
        "  my_deep.py:4 in down: down(n - 1)",
        "  ... 6 more",
        "  my_deep.py:4 in down: down(n - 1)",
        "  my_deep.py:4 in down: down(n - 1)",
        "  my_deep.py:3 in down: raise ValueError('the bottom')",
    ]
    with pytest.raises(NetworkError) as error:
        open_network(f"{tmp_path / 'my_deep.py'}:flat")
    assert len(str(error.value).splitlines()) == 1

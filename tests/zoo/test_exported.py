"""Networks saved as programs: exact by every rule, named as printed, and no code run."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.reversal import backward
from phosphene.core.rules import LATTICE, SALIENCY
from phosphene.errors import FormatError, LayerNeverRan, UnknownModel
from phosphene.zoo.catalogue import open_network


class Tiny(nn.Module):
    """Reuses one ReLU, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2)
        self.conv2 = nn.Conv2d(6, 6, 3)
        self.fc = nn.Linear(6, 5)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) / 4)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn(self.conv1(x))))
        return self.fc(self.relu(self.conv2(x)).mean((2, 3)))


IMAGE = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))


def saved(kind: str, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "export":
            program = torch.export.export(
                Tiny(), (IMAGE.expand(2, -1, -1, -1),), dynamic_shapes=({0: torch.export.Dim("b")},)
            )
            torch.export.save(program, path.with_suffix(".pt2"))
            return path.with_suffix(".pt2")
        script = torch.jit.script(Tiny()) if kind == "script" else torch.jit.trace(Tiny(), IMAGE)
        torch.jit.save(script, path.with_suffix(".pt"))
        return path.with_suffix(".pt")


def signals(net: Network) -> list[Tensor]:
    tape = net.output.tape(IMAGE)
    p = torch.eye(5)[[3]]
    return [backward(tape, p, rule) for rule in LATTICE]


@pytest.mark.parametrize("kind", ["script", "trace", "export"])
def test_every_rule_is_exact_also_when_warm(kind: str, tmp_path: Path) -> None:
    net = open_network(saved(kind, tmp_path / "tiny"))
    assert net.name == "tiny"
    want = signals(Network(Tiny()))
    for _ in range(5):  # PyTorch's executor fuses a TorchScript program after the second call
        got = signals(net)
    torch.testing.assert_close(got, want)
    assert str(net.output.tape(IMAGE).census) == "relu 2, pool 1, lrn 0"
    torch.testing.assert_close(net(IMAGE), Tiny()(IMAGE))


def test_exported_layers_have_their_names_and_sizes(tmp_path: Path) -> None:
    net = open_network(saved("export", tmp_path / "tiny"))
    assert net.preprocessing.input_size == (20, 24)
    layers = {layer.name: layer.shape for layer in net.layers()}
    plain = {layer.name: layer.shape for layer in Network(Tiny()).layers((20, 24))}
    # A reused module is one of the program's own for each call; the names of calls are its.
    assert {"conv1", "bn", "relu", "pool", "conv2", "fc"} <= set(layers)
    assert all(layers[name] == plain[name] for name in layers if name in plain)
    torch.testing.assert_close(net["conv2"](IMAGE), Network(Tiny())["conv2"](IMAGE))


def test_scripts_have_no_layers_and_say_so(tmp_path: Path) -> None:
    net = open_network(saved("script", tmp_path / "tiny"))
    with pytest.raises(LayerNeverRan, match="scripted model, whose inside cannot be recorded"):
        net["program.conv1"](IMAGE)
    assert net.classes == 5


def test_nothing_else_is_disturbed(tmp_path: Path) -> None:
    path = saved("trace", tmp_path / "tiny")
    before = torch._C._get_graph_executor_optimize()
    with pytest.raises(Exception):  # noqa: B017, PT011
        open_network(path).output.tape(torch.rand(1, 4, 20, 24))
    assert torch._C._get_graph_executor_optimize() == before


@pytest.mark.parametrize("kind", ["script", "export"])
@pytest.mark.parametrize("keep", [0, 30, 0.5, 0.97])
def test_truncated_files(kind: str, keep: float, tmp_path: Path) -> None:
    path = saved(kind, tmp_path / "tiny")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises((FormatError, UnknownModel), match="tiny"):
        open_network(path)


def test_several_inputs_are_refused(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    torch.export.save(torch.export.export(Two(), (IMAGE, IMAGE)), tmp_path / "two.pt2")
    with pytest.raises(FormatError, match="other inputs than one tensor"):
        open_network(tmp_path / "two.pt2")


def test_a_state_dict_is_no_program(tmp_path: Path) -> None:
    torch.save(Tiny().state_dict(), tmp_path / "w.pt")
    with pytest.raises(UnknownModel, match=r"weights and no architecture.*--weights"):
        open_network(tmp_path / "w.pt")


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.place,)


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def trapped(place: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Trap(place), buffer)
    return buffer.getvalue()


def weight_as_pickle(place: Path, name: str, content: bytes) -> bytes:
    if name.endswith("weights_config.json"):
        config = json.loads(content)
        config["config"]["fc.bias"]["use_pickle"] = True
        return json.dumps(config).encode()
    return trapped(place) if name.endswith("weight_9") or "/weight_" in name else content


def inputs_as_pickle(place: Path, name: str, content: bytes) -> bytes:
    return trapped(place) if "sample_inputs" in name else content


def in_the_program(old: str, new: str) -> Callable[[Path, str, bytes], bytes]:
    def change(place: Path, name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        assert old in content.decode()
        return content.decode().replace(old, new.replace("PLACE", str(place))).encode()

    return change


TRICKS = {
    "a weight that is a pickle": (weight_as_pickle, "a pickle that is more than tensors"),
    "example inputs that are a pickle": (inputs_as_pickle, "a pickle that is more than tensors"),
    "an operator of Python's": (
        in_the_program("torch.ops.aten.conv2d.default", "torch.os.mkdir"), "a call of"
    ),
    "an operator by its back door": (
        in_the_program("torch.ops.aten.conv2d.default", "torch.ops.__class__.x"), "a call of"
    ),
    "an expression that is code": (
        in_the_program('"expr_str": "', '"expr_str": "__import__(\'os\').mkdir(\'PLACE\') or '),
        "the expression",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_code_in_an_archive_is_not_run(trick: str, tmp_path: Path) -> None:
    change, message = TRICKS[trick]
    place, path = tmp_path / "was_here", saved("export", tmp_path / "tiny")
    rewritten(path, lambda name, content: change(place, name, content))
    with pytest.raises(FormatError, match=message):
        open_network(path)
    assert not place.exists()


def test_the_traps_would_work(tmp_path: Path) -> None:
    """PyTorch itself unpickles: what is refused above is no idle fear."""
    path, place = saved("export", tmp_path / "tiny"), tmp_path / "was_here"
    rewritten(path, lambda name, content: inputs_as_pickle(place, name, content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.export.load(path)
        except Exception as error:
            print(error)
    assert place.exists()


def test_an_archive_written_anew_still_opens(tmp_path: Path) -> None:
    path = saved("export", tmp_path / "tiny")
    rewritten(path, lambda name, content: content)
    net = open_network(path)
    tape = net.output.tape(IMAGE)
    assert backward(tape, torch.eye(5)[[0]], SALIENCY).any()

"""Networks by name, files of labels, and what a person may say in place of a network."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError, NetworkError, PhospheneError, UnknownModel
from phosphene.zoo.catalogue import (
    NAMES,
    NATIVE,
    Overrides,
    open_network,
    opens_by_name,
    read_labels,
)

FACTORY = """
import torch

def tiny():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1))
"""


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(FACTORY)
    return f"{tmp_path / 'nets.py'}:tiny"


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Names


def test_known_names() -> None:
    assert "demo" in NAMES
    assert isinstance(open_network("demo"), Network)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deno", r"no network 'deno'; did you mean 'demo'"), ("DEMO", "did you mean 'demo'"),
        ("resnet50", r"no network 'resnet50' \(known: demo"), ("", "no network"),
        ("weights.safetensors", "no file weights.safetensors: check the path"),
        ("model.pth", "no file model.pth"), ("a/b.pt", "no file a/b.pt"), ("a.mat", "no file"),
        ("a.pt2", "no file a.pt2"),
    ],
)  # fmt: skip
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(UnknownModel, match=message):
        open_network(name)
    with pytest.raises(UnknownModel, match=message):
        open_network(Path(name) if name else name)


def test_files_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(PhospheneError, match=r"net\.caffemodel"):
        open_network(tmp_path / "net.caffemodel")
    with pytest.raises(UnknownModel, match=r"no file .*nets\.py"):
        open_network(f"{tmp_path / 'nets.py'}:tiny")


def test_networks_of_the_papers() -> None:
    for name, (module, function) in NATIVE.items():
        if find_spec(f"phosphene.zoo.{module}") is None:
            continue
        made = getattr(importlib.import_module(f"phosphene.zoo.{module}"), function)
        assert "weights" in inspect.signature(made).parameters, name
        assert opens_by_name(name)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("torchvision:resnet18", "torchvision"), ("torchvision:resnet18:random", "torchvision"),
        ("timm:resnet18", "timm"), ("hf:microsoft/resnet-50", "transformers"),
    ],
)  # fmt: skip
def test_missing_packages(name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in list(sys.modules):
        if module.split(".")[0] == extra:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(NetworkError, match=rf"pip install 'phosphene\[{extra}\]'"):
        open_network(name)


def test_weights_for_what_brings_its_own(tmp_path: Path) -> None:
    for name in ("net.caffemodel", "net.pt2", "net.safetensors"):
        with pytest.raises(UnknownModel, match="brings its own weights"):
            open_network(tmp_path / name, weights="w.pt")


def test_weights_of_the_demo(tmp_path: Path) -> None:
    state = {k: torch.zeros_like(v) for k, v in open_network("demo").module.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    net = open_network("demo", weights=tmp_path / "w.pt")
    assert not any(weight.any() for weight in net.module.parameters())
    assert net.labels


def test_devices(factory: str) -> None:
    for device in ("cpu", "auto"):
        assert open_network(factory, device=device).device.type in ("cpu", "cuda")
    for device in ("gpu", "cuda:99", "", "cpu:x"):
        with pytest.raises(UnknownModel, match=f"no device '{device}' here.*use cpu or auto"):
            open_network(factory, device=device)


# Labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cat\ndog\n", ("cat", "dog")), ("cat\r\n  dog \r\n\r\n", ("cat", "dog")),
        ("name\ncat\ndog\n", ("cat", "dog")),
        ("index,name\n1,dog\n0,cat\n", ("cat", "dog")),
        ("wnid,name,index\nn02,dog,1\nn01,cat,0\n", ("cat", "dog")),
        ('name,wnid\n"tench, Tinca tinca",n01\n"goldfish",n02\n',
         ("tench, Tinca tinca", "goldfish")),
        ("tench, Tinca tinca\ngoldfish\n", ("tench, Tinca tinca", "goldfish")),
        ("\ufeffname\nÉgouttoir\n", ("Égouttoir",)), ("\ufeffcat\n", ("cat",)),
        ("", ()), ("index,name\n", ()),
    ],
)  # fmt: skip
def test_files_of_labels(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    assert read_labels(written(tmp_path / "labels.csv", text)) == labels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index,name\n0,cat\n2,dog\n", "do not run from 0 to 1"),
        ("index,name\n1,cat\n2,dog\n", "do not run from 0 to 1"),
        ("index,name\n0,cat\n0,dog\n", "do not run from 0 to 1"),
        ("index,name\n0,cat\nx,dog\n", "an index that is no number"),
        ("name,index\ncat,0\ndog\n", "an index that is no number"),
        ("index,name\n0,cat\n1\n", "a row without a name"),
        ("index,name\n0,cat\n1,\n", "a row without a name"),
        (b"\xff\xfe\x00cat", "no text file"), (b"\x89PNG\r\n\x1a\n", "no text file"),
    ],
)  # fmt: skip
def test_files_that_are_no_labels(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_labels(written(tmp_path / "labels.csv", text))


def test_missing_labels(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no file of labels .*labels\.csv: check the path"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(FormatError, match="no text file"):
        read_labels(tmp_path)


def test_labels_replace_those_of_the_network(factory: str, tmp_path: Path) -> None:
    labels = written(tmp_path / "labels.txt", "ant\nbee\ncat\ndog\n")
    net = open_network(factory, labels=labels)
    assert net.labels == ("ant", "bee", "cat", "dog")
    assert net.class_index("bee") == 1
    assert open_network(factory).labels == ()


# Overrides


def test_overrides(factory: str) -> None:
    said = Overrides((32, 40), (104.0, 117.0, 123.0), (1.0, 2.0, 3.0), 255.0, "BGR", 48, "bicubic")
    net = open_network(factory, overrides=said)
    assert net.preprocessing == Preprocessing(
        (32, 40), (104.0, 117.0, 123.0), (1.0, 2.0, 3.0), 255.0, "BGR", "shorter", 48, "bicubic"
    )
    assert open_network(factory).preprocessing == Preprocessing((224, 224))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_size", (32, 32)), ("mean", (0.5,)), ("std", (0.5, 0.4, 0.3)), ("scale", 255.0),
        ("order", "BGR"), ("resize_to", 300), ("interpolation", "bicubic"),
    ],
)  # fmt: skip
def test_one_override_leaves_the_others(factory: str, name: str, value: object) -> None:
    plain = open_network(factory).preprocessing
    net = open_network(factory, overrides=Overrides(**{name: value}))  # type: ignore[arg-type]
    assert getattr(net.preprocessing, name) == value
    others = [key for key in vars(plain) if key != name]
    assert all(getattr(net.preprocessing, key) == getattr(plain, key) for key in others)


def test_overrides_that_make_no_sense(factory: str) -> None:
    for said in (Overrides(order="RBG"), Overrides(mean=(1.0, 2.0)), Overrides(std=(0.0,))):
        with pytest.raises(NetworkError):
            open_network(factory, overrides=said)


def test_overrides_are_used(factory: str) -> None:
    net = open_network(factory, overrides=Overrides(input_size=(24, 24), scale=255.0))
    image = torch.rand(1, 3, 24, 24)
    torch.testing.assert_close(net.input_of(image), 255 * image)
    assert net.layers()[0].shape == (4, 22, 22)

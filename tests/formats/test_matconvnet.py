from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.formats.layer_graph import LayerGraph
from phosphene.formats.layers import Concat, Eltwise, FullyConnected, Scale
from phosphene.formats.matconvnet import load_matconvnet
from tests.formats import matlab_writer as write
from tests.formats.matlab_writer import Fields, layer, row
from tests.reference import matconvnet_layers as reference

SIZE = (11, 9, 4)
IMAGE_SIZE = {"imageSize": row(SIZE)}
STYLES = {"old": {"old": True}, "new": {}, "in net": {"variable": "net"}}


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


X = numbers(*SIZE)


def opened(folder: Path, layers: Sequence[Fields], **how: Any) -> LayerGraph:
    how.setdefault("normalization", IMAGE_SIZE)
    return load_matconvnet(write.save_simplenn(folder / "net.mat", layers, **how))[0]


def opened_dag(
    folder: Path, layers: Sequence[tuple[Fields, Sequence[str] | str, str]], **meta: Any
) -> LayerGraph:
    about = {"normalization": IMAGE_SIZE, **meta}
    return load_matconvnet(write.save_dagnn(folder / "net.mat", layers, about))[0]


@torch.no_grad()
def run(net: nn.Module, x: np.ndarray = X) -> np.ndarray:
    """Run a network on a map of MATLAB's, (h, w, c)."""
    y: Tensor = net(torch.from_numpy(x.transpose(2, 0, 1)[None].copy()))
    return y.reshape(*y.shape[1:], *(1,) * (4 - y.dim())).numpy().transpose(1, 2, 0)


def agree(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1, np.abs(expected).max()))


# -- each layer alone, in both structures ---------------------------------------------------------

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "plain": ((3, 3, 4, 6), {}),
    "stride and pad as one number": ((3, 3, 4, 6), {"stride": 2.0, "pad": 1.0}),
    "stride and pad as pairs": ((3, 2, 4, 6), {"stride": row([2, 1]), "pad": row([1, 0])}),
    "a pad on each side": ((3, 3, 4, 5), {"pad": row([1, 2, 0, 1]), "stride": row([1, 2])}),
    "two groups": ((3, 3, 2, 6), {"pad": row([1, 1, 1, 1])}),
    "a channel a group": ((3, 2, 1, 8), {}),
    "dilated": ((2, 3, 4, 3), {"dilate": row([3, 2])}),
    "1x1": ((1, 1, 4, 3), {}),
    "a single filter": ((3, 2, 4, 1), {}),
    "the whole map": ((11, 9, 4, 7), {}),
    "the whole map, one filter": ((11, 9, 4, 1), {}),
    "the whole map in groups": ((11, 9, 2, 2), {}),
    "as wide as the map": ((3, 9, 4, 2), {}),
}


@pytest.mark.parametrize("structure", ["simplenn", "dagnn"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("spelling", CONVOLUTIONS)
def test_convolution(tmp_path: Path, spelling: str, bias: bool, structure: str) -> None:
    shape, options = CONVOLUTIONS[spelling]
    biases = numbers(1, shape[3]) if bias else np.empty((0, 0), np.float32)
    fields = layer("conv", "out", weights=[numbers(*shape), biases], **options)
    if structure == "dagnn":
        net = opened_dag(tmp_path, [(fields | {"hasBias": bias}, "data", "y")])
    else:
        net = opened(tmp_path, [fields])
    expected = reference.conv(
        X, numbers(*shape), biases.ravel(), pair(options.get("stride", 1)),
        borders(options.get("pad", 0)), pair(options.get("dilate", 1)),
    )  # fmt: skip
    agree(run(net), expected)
    module = net.get_submodule("out")
    whole = shape[:3] == (11, 9, 4)
    assert type(module) is (FullyConnected if whole else nn.Conv2d)
    assert (module.bias is not None) == bias
    assert hasattr(net, "out_pad") == (spelling == "a pad on each side")


def pair(option: Any) -> tuple[int, int]:
    given = np.ravel(option).astype(int)
    return int(given[0]), int(given[-1])


def borders(option: Any) -> tuple[int, int, int, int]:
    given = [int(n) for n in np.ravel(option)]
    top, bottom, left, right = given if len(given) == 4 else [given[0]] * 2 + [given[-1]] * 2
    return top, bottom, left, right


@pytest.mark.parametrize(
    ("shape", "groups", "crop"),
    [
        ((4, 4, 3, 4), 1, [0]), ((4, 4, 3, 4), 1, [1, 1, 1, 1]), ((3, 4, 2, 4), 2, [1, 0, 0, 2]),
        ((4, 4, 1, 4), 4, [1, 1]),
    ],
)  # fmt: skip
def test_transposed_convolution(
    tmp_path: Path, shape: tuple[int, ...], groups: int, crop: list[int]
) -> None:
    biases = numbers(1, shape[2] * groups)
    options = {"upsample": row([2, 3]), "crop": row(crop), "numGroups": float(groups)}
    fields = layer("convt", "up", weights=[numbers(*shape), biases], **options)
    expected = reference.convt(
        X, numbers(*shape), biases.ravel(), (2, 3), borders(row(crop)), groups
    )
    agree(run(opened(tmp_path, [fields])), expected)
    net = opened_dag(tmp_path, [(fields, "data", "y")])
    agree(run(net), expected)
    assert isinstance(net.get_submodule("up"), nn.ConvTranspose2d)


POOLS = {
    "plain": ([3, 3], [2, 2], [0, 0, 0, 0], "Pool2d"),
    "Caffe's rounding": ([3, 3], [2, 2], [0, 1, 0, 1], "Pool2d"),
    "Caffe's rounding, where it adds": ([2, 2], [2, 2], [0, 1, 0, 1], "Pool2d"),
    "Caffe's rounding and a pad": ([3, 3], [2, 2], [1, 2, 1, 2], "Pool2d"),
    "a stride of three": ([3, 4], [3, 3], [0, 2, 0, 2], "Pool2d"),
    "all around": ([3, 3], [1, 1], [1, 1, 1, 1], "Pool2d"),
    "rounded in one direction": ([3, 3], [2, 2], [0, 1, 0, 0], "PaddedPool2d"),
    "at the beginning": ([3, 2], [2, 1], [1, 0, 1, 0], "PaddedPool2d"),
    "more than half": ([3, 3], [2, 2], [2, 2, 2, 2], "PaddedPool2d"),
    "uneven": ([4, 3], [3, 2], [1, 3, 0, 2], "PaddedPool2d"),
    "the whole map": ([11, 9], [1, 1], [0, 0, 0, 0], "Pool2d"),
}


@pytest.mark.parametrize("structure", ["simplenn", "dagnn"])
@pytest.mark.parametrize("method", ["max", "avg"])
@pytest.mark.parametrize("spelling", POOLS)
def test_pooling(tmp_path: Path, spelling: str, method: str, structure: str) -> None:
    size, stride, pad, kind = POOLS[spelling]
    fields = layer("pool", "out", method=method, pool=row(size), stride=row(stride), pad=row(pad))
    net = opened_dag(tmp_path, [(fields, "data", "y")]) if structure == "dagnn" else None
    net = net or opened(tmp_path, [fields])
    # All below 0, so that a padding of zeros would win.
    x = -np.abs(X)
    expected = reference.pool(x, method, pair(size), pair(stride), borders(pad))
    agree(run(net, x), expected)
    name = kind.replace("Pool", "MaxPool" if method == "max" else "AvgPool")
    assert type(net.get_submodule("out")).__name__ == name
    if spelling != "the whole map":
        # Also on maps of another size, as when a network is applied to a whole photograph.
        x = -np.abs(numbers(14, 10, 4))
        expected = reference.pool(x, method, pair(size), pair(stride), borders(pad))
        agree(run(net, x), expected)


@pytest.mark.parametrize("pool", [2.0, row([2, 2])])
def test_options_given_once_or_not_at_all(tmp_path: Path, pool: Any) -> None:
    net = opened(tmp_path, [layer("pool", pool=pool)])
    agree(run(net), reference.pool(X, "max", (2, 2), (1, 1), (0, 0, 0, 0)))
    net = opened(tmp_path, [layer("lrn")])
    agree(run(net), reference.lrn(X, 5, 1, 2e-5, 0.75))
    assert list(dict(net.named_children())) == ["layer1"]


@pytest.mark.parametrize("kind", ["lrn", "normalize"])
@pytest.mark.parametrize("param", [(5, 1, 2e-5, 0.75), (5, 2, 1e-4, 0.75), (3, 0.5, 0.7, 0.5)])
def test_local_response_normalization(
    tmp_path: Path, param: tuple[int, float, float, float], kind: str
) -> None:
    net = opened(tmp_path, [layer(kind, "norm", param=row(param))])
    x = 30 * numbers(5, 4, 9)
    agree(run(net, x), reference.lrn(x, *param))
    module = net.get_submodule("norm")
    assert isinstance(module, nn.LocalResponseNorm)
    assert module.alpha == pytest.approx(param[0] * param[2])


@pytest.mark.parametrize("style", ["simplenn", "old", "dagnn"])
def test_batch_normalization(tmp_path: Path, style: str) -> None:
    multipliers, biases, moments = numbers(4, 1), numbers(1, 4), np.abs(numbers(4, 2))
    fields = layer("bnorm", "bn", weights=[multipliers, biases, moments], epsilon=1e-3)
    if style == "dagnn":
        net = opened_dag(tmp_path, [(fields, "data", "y")])
    else:
        net = opened(tmp_path, [fields], old=style == "old")
    expected = reference.bnorm(X, multipliers.ravel(), biases.ravel(), moments)
    agree(run(net), expected)


def test_functions(tmp_path: Path) -> None:
    expected = {
        "relu": np.maximum(X, 0), "sigmoid": 1 / (1 + np.exp(-X)), "dropout": X,
        "softmax": np.exp(X) / np.exp(X).sum(2, keepdims=True),
    }  # fmt: skip
    expected["softmaxloss"] = expected["softmax"]
    for kind, y in expected.items():
        agree(run(opened(tmp_path, [layer(kind)])), y)
    net = opened(tmp_path, [layer("relu", leak=0.1), layer("dropout", rate=0.3)])
    agree(run(net), np.where(X > 0, X, 0.1 * X))
    assert net.get_submodule("layer2").p == 0.3  # type: ignore[union-attr]


def test_joining_adding_scaling_and_cropping(tmp_path: Path) -> None:
    pool = layer("pool", "pool", pool=row([3, 3]), stride=row([1, 1]), pad=row([1, 1, 1, 1]))
    pooled = reference.pool(X, "max", (3, 3), (1, 1), (1, 1, 1, 1))
    joined = {1: 0, 2: 1, 3: 2}
    for dim, axis in joined.items():
        fields = layer("concat", "join", dim=float(dim))
        net = opened_dag(tmp_path, [(pool, "data", "p"), (fields, ["data", "p"], "y")])
        agree(run(net), np.concatenate([X, pooled], axis))
    net = opened_dag(tmp_path, [(pool, "data", "p"), (layer("concat", "join"), ["p", "data"], "y")])
    agree(run(net), np.concatenate([pooled, X], 2))
    net = opened_dag(tmp_path, [(pool, "data", "p"), (layer("sum", "add"), ["p", "data"], "y")])
    agree(run(net), pooled + X)
    factors, offsets = numbers(1, 1, 4), numbers(4, 1)
    fields = layer("scale", "scale", weights=[factors, offsets], hasBias=True)
    agree(run(opened_dag(tmp_path, [(fields, "data", "y")])), X * factors + offsets.ravel())
    small = layer("pool", "pool", pool=row([3, 3]))
    fields = layer("crop", "crop", crop=row([2, 1]))
    net = opened_dag(tmp_path, [(small, "data", "p"), (fields, ["data", "p"], "y")])
    agree(run(net), X[2:11, 1:8])


# -- whole networks -------------------------------------------------------------------------------


class Chain(nn.Sequential):
    """A small AlexNet: groups, normalization before and behind pools, pools that round up."""

    def __init__(self) -> None:
        super().__init__()
        modules: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 8, 7, stride=2),
            "relu1": nn.ReLU(),
            "norm1": nn.LocalResponseNorm(5, 1e-2, 0.75, 2.0),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
            "conv2": nn.Conv2d(8, 12, 5, padding=2, groups=2),
            "bn2": nn.BatchNorm2d(12),
            "relu2": nn.LeakyReLU(0.1),
            "pool2": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
            "conv3": nn.Conv2d(12, 8, 3, padding=(1, 0), dilation=(1, 2), bias=False),
            "relu3": nn.Sigmoid(),
            "fc6": FullyConnected(8, 10, (5, 1)),
            "relu6": nn.ReLU(),
            "drop6": nn.Dropout(0.4),
            "fc7": FullyConnected(10, 6, (1, 1)),
            "prob": nn.Softmax(1),
        }
        for name, module in modules.items():
            self.add_module(name, module)
        randomize(self)


def randomize(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.4)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
                module.running_var.abs_().add_(0.1)
    net.eval()


PIXELS = 100 * torch.from_numpy(numbers(2, 3, 41, 41))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("style", STYLES)
def test_a_chain_comes_back_equal(tmp_path: Path, style: str, compressed: bool) -> None:
    net = Chain()
    normalization = {"imageSize": row([41, 41, 3])}
    path = write.save_simplenn(
        tmp_path / "net.mat", write.chain(net), normalization=normalization,
        do_compression=compressed, **STYLES[style],
    )  # fmt: skip
    found, _ = load_matconvnet(path)
    assert [name for name, _ in found.named_children()] == [
        name for name, _ in net.named_children()
    ]
    assert not found.training
    for (_, ours), (_, theirs) in zip(net.named_children(), found.named_children(), strict=True):
        assert type(ours) is type(theirs)
    with torch.no_grad():
        torch.testing.assert_close(found(PIXELS), net(PIXELS).flatten(1), atol=1e-5, rtol=1e-5)
        # Applied to a larger image, it slides.
        large = 100 * torch.from_numpy(numbers(1, 3, 60, 75))
        torch.testing.assert_close(found(large), net(large), atol=1e-5, rtol=1e-5)


class Graph(nn.Module):
    """Branches that join and add, batch normalization and a mean over the map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.left = nn.Conv2d(8, 4, 1)
        self.right = nn.Conv2d(8, 4, 3, padding=1, groups=4)
        self.join = Concat()
        self.scale = Scale(8)
        self.add = Eltwise()
        self.mean = nn.AvgPool2d((21, 21))
        self.scores = FullyConnected(8, 5, (1, 1))
        randomize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        y = self.add(x, self.scale(self.join(self.left(x), self.right(x))))
        scores: Tensor = self.scores(self.mean(y)).flatten(1)
        return scores


WIRES: dict[str, tuple[Sequence[str] | str, str]] = {
    "conv1": ("data", "a"), "bn1": (["a"], "b"), "relu1": ("b", "c"), "left": ("c", "l"),
    "right": ("c", "r"), "join": (["l", "r"], "j"), "scale": ("j", "s"), "add": (["c", "s"], "y"),
    "mean": ("y", "m"), "scores": ("m", "prediction"),
}  # fmt: skip


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_graph_comes_back_equal(tmp_path: Path, order: str) -> None:
    net = Graph()
    layers = [(write.of(net.get_submodule(n), n), *wires) for n, wires in WIRES.items()]
    layers += [
        (layer("loss", "objective", loss="softmaxlog"), ["prediction", "label"], "objective"),
        (layer("loss", "top1", loss="classerror"), ["prediction", "label"], "top1"),
    ]
    if order == "backward":
        layers.reverse()
    inputs = write.struct_array([{"name": "data", "size": row([41, 41, 3, 10])}])
    path = write.save_dagnn(tmp_path / "net.mat", layers, {"inputs": inputs})
    found, _ = load_matconvnet(path)
    assert {name for name, _ in found.named_children()} == set(WIRES)
    assert found.aliases["prediction"] == "scores"
    with torch.no_grad():
        torch.testing.assert_close(found(PIXELS), net(PIXELS), atol=1e-5, rtol=1e-5)


def test_a_graph_inside_a_variable(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    relu = (layer("relu", "relu"), "weird", "y")
    path = write.save_dagnn(tmp_path / "net.mat", [relu], {"normalization": IMAGE_SIZE})
    variables = loadmat(path)
    savemat(path, {"net": {k: v for k, v in variables.items() if k[0] != "_"}, "stats": {"a": 1}})
    agree(run(load_matconvnet(path)[0]), np.maximum(X, 0))


def test_equal_names_are_kept_apart(tmp_path: Path) -> None:
    pad = {"pool": 2.0}
    net = opened(tmp_path, [layer("relu", "a"), layer("pool", "a", **pad), layer("relu")])
    assert [name for name, _ in net.named_children()] == ["a", "a_", "layer3"]


@pytest.mark.slow
@pytest.mark.parametrize("old", [True, False])
def test_the_native_alexnet_comes_back_equal(tmp_path: Path, old: bool) -> None:
    from phosphene.zoo.alexnet import AlexNet

    net = AlexNet(10).eval()
    normalization = {"imageSize": row([227, 227, 3])}
    path = tmp_path / "alexnet.mat"
    write.save_simplenn(path, write.chain(net), old, normalization)
    found, _ = load_matconvnet(path)
    x = 50 * torch.from_numpy(numbers(1, 3, 227, 227))
    with torch.no_grad():
        expected = net(x).flatten(1)
        scale = float(expected.abs().max())
        torch.testing.assert_close(found(x), expected, atol=1e-5 * max(1, scale), rtol=1e-5)

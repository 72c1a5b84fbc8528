"""A MatConvNet file brings its preprocessing and its labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import FormatError
from phosphene.saliency.explain import explain
from phosphene.zoo.catalogue import Overrides, open_network
from phosphene.zoo.matconvnet import open_matconvnet
from tests.formats import matlab_writer as write
from tests.formats.matlab_writer import cell, layer, row
from tests.formats.test_matconvnet import WIRES, Chain, Graph, numbers

MEAN = (123.5, 117.0, 104.25)


def saved(folder: Path, old: bool = False, classes: Any = None, **normalization: Any) -> Path:
    layers = write.chain(Chain())
    about = {"imageSize": row([41, 41, 3]), **normalization}
    return write.save_simplenn(folder / "small-net.mat", layers, old, about, classes)


def photograph(width: int, height: int) -> Image.Image:
    draw = np.random.default_rng(0)
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    ("average", "mean"),
    [
        (np.float32(MEAN).reshape(1, 1, 3), MEAN), (row(MEAN), MEAN), (row(MEAN).T, MEAN),
        (np.empty((0, 0)), (0.0,)), (row([0, 0]), (0.0,)), (100.0, (100.0,)),
    ],
)  # fmt: skip
def test_a_mean_colour(tmp_path: Path, average: Any, mean: tuple[float, ...], old: bool) -> None:
    net = open_matconvnet(saved(tmp_path, old, averageImage=average))
    assert net.preprocessing == Preprocessing((41, 41), mean, scale=255.0, resize_to=41)
    assert net.name == "small-net"
    image = torch.rand(1, 3, 41, 41)
    expected = 255 * image - torch.tensor(mean).view(1, -1, 1, 1)
    torch.testing.assert_close(net.preprocessing.normalize(image), expected)


def test_a_mean_image(tmp_path: Path) -> None:
    average = 100 + 20 * numbers(41, 41, 3)
    net = open_matconvnet(saved(tmp_path, averageImage=average))
    image = torch.rand(2, 3, 41, 41)
    expected = 255 * image - torch.from_numpy(average.transpose(2, 0, 1).copy())
    torch.testing.assert_close(net.preprocessing.normalize(image), expected)
    torch.testing.assert_close(net.preprocessing.denormalize(expected), image)
    # At another size, its mean over all places stands in.
    colour = torch.tensor(average.mean((0, 1), dtype=float), dtype=torch.float32)
    image = torch.rand(1, 3, 50, 60)
    expected = 255 * image - colour.view(1, 3, 1, 1)
    torch.testing.assert_close(net.preprocessing.normalize(image), expected)
    assert "41x41, RGB * 255 - an image of mean (" in str(net.preprocessing)


def test_a_mean_image_is_a_value() -> None:
    array = numbers(3, 8, 8)
    one, same, other = MeanImage.of(array), MeanImage.of(array.copy()), MeanImage.of(array + 1)
    assert (one == same, one == other, hash(one) == hash(same)) == (True, False, True)
    assert repr(one) == "MeanImage(3x8x8)"
    preprocessing = Preprocessing((8, 8), one.mean, mean_image=one)
    assert preprocessing == Preprocessing((8, 8), same.mean, mean_image=same)
    assert len({preprocessing, replace(preprocessing, mean_image=same)}) == 1
    assert preprocessing != Preprocessing((8, 8), one.mean)
    # What a person says about the mean counts.
    assert replace(preprocessing, mean=(0.5,)) == Preprocessing((8, 8), (0.5,))
    image = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    bgr = replace(preprocessing, order="BGR", std=(0.5, 2.0, 4.0))
    x = bgr.normalize(image)
    torch.testing.assert_close(x[:, 0], (image[:, 2] - torch.from_numpy(array[0])) / 0.5)
    torch.testing.assert_close(bgr.denormalize(x), image)


@pytest.mark.parametrize(
    ("said", "resize", "to"),
    [
        ({}, "shorter", 41), ({"border": row([7, 7])}, "shorter", 48),
        ({"cropSize": 0.82}, "shorter", 50), ({"cropSize": row([0.82, 0.82])}, "shorter", 50),
        ({"border": row([7, 7]), "cropSize": 0.5}, "shorter", 48),
        ({"keepAspect": False}, "stretch", 41),
        ({"keepAspect": 0.0, "border": row([7, 7])}, "stretch", 48),
        ({"keepAspect": True, "border": row([0, 0])}, "shorter", 41),
    ],
)  # fmt: skip
def test_the_resize(tmp_path: Path, said: dict[str, Any], resize: str, to: int) -> None:
    preprocessing = open_matconvnet(saved(tmp_path, **said)).preprocessing
    assert (preprocessing.resize, preprocessing.resize_to) == (resize, to)
    image, frame = preprocessing.fit(photograph(90, 60))
    assert image.size == (41, 41)
    assert frame.resized == ((to, round(1.5 * to)) if resize == "shorter" else (to, to))
    assert frame.box == tuple([(n - 41) // 2 for n in frame.resized] + [41, 41])


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_the_interpolation(tmp_path: Path, name: str) -> None:
    net = open_matconvnet(saved(tmp_path, interpolation=name))
    assert net.preprocessing.interpolation == name
    assert open_matconvnet(saved(tmp_path)).preprocessing.interpolation == "bilinear"


NAMES = ["tench, Tinca tinca", "goldfish", "great white shark", "tiger shark", "ray", "cock"]


@pytest.mark.parametrize("old", [True, False])
def test_labels(tmp_path: Path, old: bool) -> None:
    numbered = cell([f"n{index:08}" for index in range(6)])
    path = saved(tmp_path, old, {"name": numbered, "description": cell(NAMES)})
    net = open_matconvnet(path)
    assert net.labels == tuple(NAMES)
    assert net.class_index("tinca tinca") == 0
    assert len(net.classify(photograph(50, 60))) == 5
    assert open_matconvnet(saved(tmp_path, old, {"name": numbered})).labels[5] == "n00000005"
    assert open_matconvnet(saved(tmp_path, old, np.empty((0, 0)))).labels == ()


def test_gray_and_other_networks(tmp_path: Path) -> None:
    path = tmp_path / "net.mat"
    for channels, order in ((1, "gray"), (3, "RGB"), (4, "any")):
        weights = [numbers(3, 3, channels, 5), numbers(1, 5)]
        about = {"imageSize": row([9, 8, channels])}
        write.save_simplenn(path, [layer("conv", "c", weights=weights)], normalization=about)
        net = open_matconvnet(path)
        assert net.preprocessing.order == order
        assert net.preprocessing.input_size == (9, 8)
        assert net["c"](torch.rand(1, channels, 9, 8)).shape == (1, 5, 7, 6)


def test_a_mean_of_other_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="averageImage has 2 channels, where the network sees 3"):
        open_matconvnet(saved(tmp_path, averageImage=numbers(41, 41, 2)))
    with pytest.raises(FormatError, match=r"normalization has an averageImage of shape"):
        open_matconvnet(saved(tmp_path, averageImage=numbers(2, 2, 2, 2)))


def test_the_size_can_be_given(tmp_path: Path) -> None:
    path = write.save_simplenn(tmp_path / "net.mat", write.chain(Chain()))
    with pytest.raises(FormatError, match="does not say the size"):
        open_matconvnet(path)
    for net in (
        open_matconvnet(path, (41, 41)),
        open_network(path, overrides=Overrides(input_size=(41, 41))),
    ):
        assert net.preprocessing == Preprocessing((41, 41), scale=255.0, resize_to=41)


def test_a_graph_with_uneven_pads_is_explained(tmp_path: Path) -> None:
    """From the file to saliency: paddings of their own do not hide bottlenecks or fields."""
    model = Graph()
    own = {name: write.of(model.get_submodule(name), name) for name in WIRES}
    own["conv1"] |= {"pad": row([1, 2, 0, 1]), "stride": row([1, 2])}
    own["mean"] |= {"pool": row([22, 18])}
    pool = layer("pool", "pool", pool=row([3, 3]), stride=row([2, 1]), pad=row([1, 2, 0, 0]))
    layers: list[Any] = [(own[name], *WIRES[name]) for name in WIRES]
    layers[1:2] = [(pool, "a", "p"), (own["bn1"], "p", "b")]
    inputs = write.struct_array([{"name": "data", "size": row([41, 41, 3])}])
    net = open_matconvnet(write.save_dagnn(tmp_path / "net.mat", layers, {"inputs": inputs}))
    shapes = {listed.name: listed for listed in net.layers()}
    assert {"conv1", "conv1_pad", "pool", "join"} <= set(shapes)
    assert net.receptive_field("pool") is not None
    shown = explain(net, photograph(60, 50), layer="relu1", unit=1)
    assert all(torch.isfinite(each.signal).all() for each in shown)

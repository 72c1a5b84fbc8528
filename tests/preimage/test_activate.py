"""Activation maximisation: sizes by the authors' table, units in the middle, M with its source."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phosphene import Network, Preprocessing, open_network
from phosphene.errors import FormatError, ImageError, SettingError, UnitError
from phosphene.preimage.activate import Direction, activate
from phosphene.preimage.caricature import caricature
from phosphene.preimage.maxima import Maxima, measure_maxima
from phosphene.preimage.objectives import Caricature
from phosphene.preimage.viewing import Tiles, size_for
from phosphene.zoo.demo import demo_scenes


@pytest.fixture(scope="module")
def net() -> Network:
    return open_network("demo")


def geometry(*layers: torch.nn.Module) -> Network:
    return Network(torch.nn.Sequential(*layers), Preprocessing((224, 224)))


def conv(kernel: int, stride: int = 1, pad: int = 0) -> torch.nn.Conv2d:
    # One channel everywhere: only the geometry matters here.
    return torch.nn.Conv2d(3 if kernel in (7, 11) else 1, 1, kernel, stride, pad)


def pool(kernel: int = 3) -> torch.nn.MaxPool2d:
    return torch.nn.MaxPool2d(kernel, 2, ceil_mode=True)


def test_sizes_are_the_authors_table() -> None:
    """AlexNet conv1-5, pool5, fc6 and VGG-M conv1-5, fc6 on narrow networks of their geometry."""
    alex = geometry(
        conv(11, 4), pool(), conv(5, 1, 2), pool(), conv(3, 1, 1), conv(3, 1, 1), conv(3, 1, 1),
        pool(), conv(6),
    )  # fmt: skip
    layers = ["0", "2", "4", "5", "6", "7", "8"]
    sizes = [size_for(alex, layer, alex.receptive_field(layer)).size[0] for layer in layers]
    assert sizes == [22, 70, 134, 166, 198, 262, 614]
    vgg = geometry(
        conv(7, 2), pool(), conv(5, 2, 1), pool(), conv(3, 1, 1), conv(3, 1, 1), conv(3, 1, 1),
        pool(), conv(6),
    )  # fmt: skip
    layers = ["0", "2", "4", "5", "6", "8"]
    sizes = [size_for(vgg, layer, vgg.receptive_field(layer)).size[0] for layer in layers]
    assert sizes == [16, 56, 104, 136, 200, 552]


def test_a_unit_is_excited_beyond_real_images(net: Network) -> None:
    scenes = [scene.image for scene in demo_scenes()]
    maxima = measure_maxima(net, "conv3", scenes, batch=5)
    assert maxima.count == 12
    channels = [i for i, value in enumerate(maxima.values.tolist()) if value > 1][:3]
    result = activate(net, channels, "conv3", maxima, steps=60, repeats=2)
    assert result.names == tuple(f"unit {c}" for c in channels for _ in range(2))
    code = net["conv3"](result.image).detach()
    row, column = (code.shape[2] - 1) // 2, (code.shape[3] - 1) // 2
    for index, channel in enumerate(c for c in channels for _ in range(2)):
        assert code[index, channel, row, column] > maxima.of(channel)


def test_maxima_are_those_of_a_loop(net: Network) -> None:
    scenes = [scene.image for scene in demo_scenes()[:5]]
    maxima = measure_maxima(net, "conv2", iter(scenes), batch=2)
    with torch.no_grad():
        codes = [net["conv2"](net.prepare(scene)[0])[0] for scene in scenes]
    want = torch.stack([code.flatten(1).amax(1) for code in codes]).amax(0)
    torch.testing.assert_close(maxima.values, want)


def test_dead_and_unknown_units_are_refused(net: Network) -> None:
    maxima = Maxima(torch.tensor([3.0, 0.0, -1.0]), "demo", "conv1", 12)
    for unit in (1, 2):
        with pytest.raises(UnitError, match=rf"unit {unit} .* never active over 12 images"):
            activate(net, unit, "conv1", maxima)
    with pytest.raises(UnitError, match="units 0 to 2, and so no unit 3"):
        activate(net, 3, "conv1", maxima)
    with pytest.raises(UnitError, match="of layer 'conv1', and 'conv2'"):
        activate(net, 0, "conv2", maxima)
    with pytest.raises(ImageError, match="no photograph"):
        measure_maxima(net, "conv1", [])


def test_a_caricature_is_more_of_the_same(net: Network) -> None:
    scene = demo_scenes()[1].image
    result = caricature(net, scene, "conv4", steps=60)
    image = net.prepare(scene)[0]
    with torch.no_grad():
        objective = Caricature(net["conv4"](image))
        before, after = (objective.loss(net["conv4"](x)).item() for x in (image, result.image))
    assert before == pytest.approx(-1)
    assert after < 1.2 * before
    assert result.reference is not None
    assert torch.equal(result.reference, image)
    silent = Network(torch.nn.Sequential(conv(7), torch.nn.ReLU()), Preprocessing((16, 16)))
    silent.module[0].bias.data.fill_(-1e9)  # type: ignore[index,union-attr]
    with pytest.raises(UnitError, match="no component of layer '1' is positive"):
        caricature(silent, torch.rand(3, 16, 16), "1")


def test_a_mosaic_holds_units_in_their_tiles(net: Network) -> None:
    scenes = [scene.image for scene in demo_scenes()]
    maxima = measure_maxima(net, "conv3", scenes)
    channels = [i for i, value in enumerate(maxima.values.tolist()) if value > 1][:4]
    result = activate(net, channels, "conv3", maxima, joint=True, steps=60)
    assert result.names == (", ".join(f"unit {c}" for c in channels),)
    field = net.receptive_field("conv3")
    view = size_for(net, "conv3", field, 2)
    assert result.image.shape[2:] == view.size
    code = net["conv3"](result.image).detach()[0]
    for number, channel in enumerate(channels):
        row, column = Tiles(4).centre(number, view)
        assert code[channel, row, column] > 0.5 * maxima.of(channel)


def test_mosaic_sizes_are_the_authors() -> None:
    alex = geometry(conv(11, 4), pool(), conv(5, 1, 2), pool(), conv(3, 1, 1))
    for layer, side in (("0", 110), ("2", 294), ("4", 582)):
        assert size_for(alex, layer, alex.receptive_field(layer), 5).size == (side, side)


def test_directions_are_followed(net: Network) -> None:
    scenes = [scene.image for scene in demo_scenes()]
    maxima = measure_maxima(net, "conv3", scenes)
    active = [i for i, value in enumerate(maxima.values.tolist()) if value > 1][:2]
    weights = torch.zeros(len(maxima.values))
    weights[active] = 1.0
    result = activate(net, Direction(weights, "both"), "conv3", maxima, steps=60)
    assert result.names == ("both",)
    code = net["conv3"](result.image).detach()[0]
    middle = code[:, (code.shape[1] - 1) // 2, (code.shape[2] - 1) // 2]
    assert (middle[active] > 0.3 * maxima.values[active]).all()
    with pytest.raises(UnitError, match="numbers are needed"):
        activate(net, Direction(torch.ones(3)), "conv3", maxima)


def test_maxima_are_stored_with_their_source(net: Network, tmp_path: Path) -> None:
    scenes = [scene.image for scene in demo_scenes()[:3]]
    maxima = measure_maxima(net, "conv2", scenes, source="three scenes")
    path = maxima.save(tmp_path / "maxima.safetensors")
    again = Maxima.open(path)
    assert torch.equal(again.values, maxima.values)
    assert again.origin == "over 3 images of three scenes"
    assert activate(net, 0, "conv2", again, steps=2).facts["maxima"] == again.origin
    (tmp_path / "bad").write_bytes(b"no")
    with pytest.raises(FormatError, match="no file of maxima"):
        Maxima.open(tmp_path / "bad")
    with pytest.raises(UnitError, match="measure them anew"):
        activate(net, 0, "conv2", Maxima(again.values, "another", "conv2", 3))


def test_a_unit_that_sleeps_behind_its_relu_is_woken() -> None:
    """Lucid redirects ReLUs for that; a unit silent on noise has no gradient at all."""
    torch.manual_seed(0)
    first = torch.nn.Conv2d(3, 2, 5)
    first.bias.data.fill_(-400.0)
    first.weight.data.fill_(6.0)
    module = torch.nn.Sequential(first, torch.nn.ReLU())
    net = Network(module, Preprocessing((16, 16), mean=(0.5, 0.5, 0.5)))
    maxima = Maxima(torch.tensor([100.0, 100.0]), net.name, "1", 1)
    with torch.no_grad():
        assert not net["1"](torch.full((1, 3, 16, 16), 0.5)).any()
    result = activate(net, 0, "1", maxima, steps=40, strength=1e3)
    # As bright as allowed where the unit looks, although no gradient came through.
    side = result.image.shape[2]
    middle = slice((side - 5) // 2 + 1, (side - 5) // 2 + 4)
    assert float(result.image[..., middle, middle].mean()) > 0.8


def test_octaves_reach_the_same_size_with_more_detail(net: Network) -> None:
    scene = demo_scenes()[1].image
    plain = caricature(net, scene, "conv3", steps=10)
    dream = caricature(net, scene, "conv3", steps=10, octaves=3, ratio=1.3)
    assert dream.image.shape == plain.image.shape
    assert len(dream.trace) == 30
    assert "3, ratio 1.3" in dream.facts["octaves"]
    assert not torch.equal(dream.image, plain.image)
    with pytest.raises(SettingError, match="octaves"):
        caricature(net, scene, "conv3", octaves=0)

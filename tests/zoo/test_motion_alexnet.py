"""The thesis's AlexNet, against its appendix A."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.network import Network
from phosphene.zoo.motion_alexnet import MotionAlexNet, motion_alexnet
from tests.zoo.natives import check_census, check_seeds, names, noise

# Name, kernel, stride and pad (top, bottom, left, right) of the layer itself, channels, side.
APPENDIX = [
    ("pad_data", None, None, (3, 4, 3, 4), 3, 231),
    ("conv1", 11, 4, 0, 96, 56),
    ("relu1", None, None, None, 96, 56),
    ("pad_conv1", None, None, (0, 1, 0, 1), 96, 57),
    ("pool1", 3, 2, 0, 96, 28),
    ("norm1", None, None, None, 96, 28),
    ("conv2", 5, 1, 2, 256, 28),
    ("relu2", None, None, None, 256, 28),
    ("pad_conv2", None, None, (0, 1, 0, 1), 256, 29),
    ("pool2", 3, 2, 0, 256, 14),
    ("norm2", None, None, None, 256, 14),
    ("conv3", 3, 1, 1, 384, 14),
    ("relu3", None, None, None, 384, 14),
    ("conv4", 3, 1, 1, 384, 14),
    ("relu4", None, None, None, 384, 14),
    ("conv5", 3, 1, 1, 256, 14),
    ("relu5", None, None, None, 256, 14),
    ("pad_conv5", None, None, (0, 1, 0, 1), 256, 15),
    ("pool5", 3, 2, 0, 256, 7),
    ("fc6", 7, 1, 3, 256, 7),
    ("relu6", None, None, None, 256, 7),
    ("drop6", None, None, None, 256, 7),
    ("fc7", 1, 1, 0, 256, 7),
    ("relu7", None, None, None, 256, 7),
    ("drop7", None, None, None, 256, 7),
]
# Stride of the field, and pixel in the middle of the first.
CENTRES = {
    (4, 2): ["conv1", "relu1"],
    (8, 6): ["pool1", "norm1", "conv2", "relu2"],
    (16, 14): ["pool2", "norm2", "conv3", "relu3", "conv4", "conv5", "relu5"],
    (32, 30): ["pool5", "fc6", "relu6", "fc7", "relu7"],
}


@pytest.fixture(scope="module")
def network() -> Network:
    return motion_alexnet()


def one(value: int | tuple[int, ...]) -> int:
    sides = set(value) if isinstance(value, tuple) else {value}
    assert len(sides) == 1
    return sides.pop()


def test_appendix_a(network: Network) -> None:
    assert names(network.module) == [row[0] for row in APPENDIX]
    layers = {layer.name: layer for layer in network.layers()}
    for name, kernel, stride, pad, channels, side in APPENDIX:
        module = network.module.get_submodule(name)
        assert layers[name].shape == (channels, side, side), name
        if isinstance(pad, tuple):
            top, bottom, left, right = pad
            assert module.padding == (left, right, top, bottom), name
            assert set(torch.unique(module(torch.ones(1, 1, 2, 2))).tolist()) == {0.0, 1.0}
        elif kernel is not None:
            assert layers[name].kernel == (kernel, kernel), name
            assert one(module.stride) == stride, name
            assert one(module.padding) == pad, name
            assert getattr(module, "groups", 1) == 1, name
    for norm in ("norm1", "norm2"):
        module = network.module.get_submodule(norm)
        constants = module.size, module.alpha, module.beta, module.k
        assert constants == (5, 5e-4, 0.75, 1.0)
    assert {network.module.get_submodule(n).p for n in ("drop6", "drop7")} == {0.5}


def test_middles_of_the_fields(network: Network) -> None:
    fields = {layer.name: layer.field for layer in network.layers()}
    for (stride, centre), layers in CENTRES.items():
        for layer in layers:
            assert fields[layer].stride == (stride, stride), layer
            assert fields[layer].centre == (centre, centre), layer


def test_names_of_the_appendix(network: Network) -> None:
    image = noise(network)
    for appendix, ours in (("maxpool1", "pool1"), ("lrn2", "norm2"), ("maxpool5", "pool5")):
        torch.testing.assert_close(network[appendix](image), network[ours](image))


def test_it_ends_at_a_map_of_any_size(network: Network) -> None:
    for side, places in ((224, 7), (320, 10), (32, 1)):
        output, maps = network.record(noise(network, size=(side, side)), ["fc7"])
        assert output.shape == (1, 256, places, places)
        torch.testing.assert_close(output, maps["fc7"].relu())


def test_padding_loses_every_pool(network: Network) -> None:
    _, maps = network.record(noise(network), ["relu1", "pool1"])
    x = maps["relu1"]
    beyond = torch.nn.functional.pad(x, (0, 1, 0, 1), value=-torch.inf)
    expected = torch.nn.functional.max_pool2d(beyond, 3, 2)
    torch.testing.assert_close(maps["pool1"], expected)


def test_reversals(network: Network) -> None:
    check_census(network, "relu 6, pool 3, lrn 2", layer="fc7")
    check_census(network, "relu 7, pool 3, lrn 2", layer="relu7")


def test_batch_normalization_without_parameters() -> None:
    plain, normalized = motion_alexnet(), motion_alexnet(batch_norm=True)
    added = [n for n in names(normalized.module) if n not in names(plain.module)]
    assert added == [f"bn{i}" for i in range(1, 8)]
    assert names(normalized.module)[1:4] == ["conv1", "bn1", "relu1"]
    assert (
        dict(plain.module.named_parameters()).keys()
        == dict(normalized.module.named_parameters()).keys()
    )
    # Fresh statistics are those that change nothing but by eps.
    image = noise(plain)
    torch.testing.assert_close(normalized(image), plain(image), rtol=1e-3, atol=1e-5)


def test_training_fills_the_statistics() -> None:
    module = MotionAlexNet(batch_norm=True)
    with torch.no_grad():
        module.train()(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert module.get_submodule("bn1").running_mean.abs().sum() > 0


def test_seeds(network: Network) -> None:
    check_seeds(network, motion_alexnet(), motion_alexnet(seed=1))

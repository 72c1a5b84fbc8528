"""AlexNet and CaffeNet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError
from phosphene.zoo.alexnet import AlexNet, CaffeNet, alexnet, caffenet
from tests.zoo.natives import (
    check_census,
    check_classifier,
    check_fully_convolutional,
    check_seeds,
    names,
    noise,
)

ORDER = [
    *("conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"),
    *("conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5"),
    *("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8", "prob"),
]


@pytest.fixture(scope="module")
def network() -> Network:
    return alexnet()


def test_a_classifier(network: Network) -> None:
    assert network.classes == 1000
    check_classifier(network, 227)


def test_caffenet_differs_in_order_only(network: Network) -> None:
    with torch.device("meta"):
        ours, other = AlexNet(), CaffeNet()
    assert names(ours) == ORDER
    swapped = dict(zip(names(other), ORDER, strict=True))
    assert {a: b for a, b in swapped.items() if a != b} == {
        "pool1": "norm1", "norm1": "pool1", "pool2": "norm2", "norm2": "pool2",
    }  # fmt: skip
    assert {n: str(m) for n, m in ours.named_children()} == {
        n: str(m) for n, m in other.named_children()
    }


def test_the_order_of_pool_and_norm_is_seen(network: Network) -> None:
    other = caffenet()
    other.module.load_state_dict(network.module.state_dict())
    image = noise(network)
    _, ours = network.record(image, ["relu1", "pool1", "norm1"])
    _, theirs = other.record(image, ["relu1", "pool1", "norm1"])
    torch.testing.assert_close(ours["relu1"], theirs["relu1"])
    assert not torch.allclose(ours["pool1"], theirs["norm1"], rtol=1e-3)


def test_the_normalization_is_caffes(network: Network) -> None:
    _, maps = network.record(noise(network), ["relu1", "norm1"])
    x, y = maps["relu1"].double(), maps["norm1"].double()
    for channel in (0, 1, 47, 95):
        window = x[:, max(0, channel - 2) : channel + 3]
        scale = (1 + 1e-4 / 5 * (window**2).sum(1)) ** 0.75
        torch.testing.assert_close(y[:, channel], x[:, channel] / scale, rtol=1e-4, atol=1e-5)


def test_groups_do_not_mix(network: Network) -> None:
    for name in ("conv2", "conv4", "conv5"):
        weight = network.module.get_submodule(name).weight
        inputs = {"conv2": 96, "conv4": 384, "conv5": 384}[name]
        assert weight.shape[1] == inputs // 2


@pytest.mark.parametrize("make", [alexnet, caffenet])
def test_reversals(make: Callable[[], Network]) -> None:
    check_census(make(), "relu 7, pool 3, lrn 2")


def test_fully_convolutional(network: Network) -> None:
    check_fully_convolutional(network, 259)


def test_the_inside_of_a_larger_image_is_that_of_a_crop(network: Network) -> None:
    image = noise(network, size=(259, 259))
    layers = ["conv1", "pool1", "pool5"]
    _, whole = network.record(image, layers)
    _, crop = network.record(image[:, :, 32:, 32:], layers)
    # Nothing is padded before conv2; pool5 has a rim of two units that see the padding.
    same = {"rtol": 1e-4, "atol": 1e-3}
    torch.testing.assert_close(whole["conv1"][..., 8:, 8:], crop["conv1"], **same)
    torch.testing.assert_close(whole["pool1"][..., 4:, 4:], crop["pool1"], **same)
    inside = crop["pool5"][..., 2:4, 2:4]
    torch.testing.assert_close(whole["pool5"][..., 3:5, 3:5], inside, **same)
    assert inside.abs().sum() > 0


def test_random_weights_are_caffes(network: Network) -> None:
    state = network.module.state_dict()
    assert state["conv1.weight"].std().item() == pytest.approx(0.01, rel=0.02)
    assert state["fc7.weight"].std().item() == pytest.approx(0.005, rel=0.01)
    assert state["fc8.weight"].std().item() == pytest.approx(0.01, rel=0.01)
    constants = {n: set(t.tolist()) for n, t in state.items() if n.endswith("bias")}
    raised = pytest.approx(0.1)
    for layer in ("conv1", "conv3", "fc8"):
        assert constants[f"{layer}.bias"] == {0.0}
    for layer in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        assert list(constants[f"{layer}.bias"]) == [raised]


def test_seeds_leave_the_global_generator_alone(network: Network) -> None:
    before = torch.random.get_rng_state()
    check_seeds(network, alexnet(), alexnet(seed=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_of_a_file(tmp_path: Path) -> None:
    made = alexnet(classes=3, seed=5)
    file = tmp_path / "alexnet.safetensors"
    save_file(made.module.state_dict(), file)
    bgr = Preprocessing((227, 227), (104.0, 117.0, 123.0), scale=255.0, order="BGR")
    opened = alexnet(file, classes=3, preprocessing=bgr)
    assert opened.preprocessing == bgr
    for name, weight in made.module.state_dict().items():
        assert torch.equal(opened.module.state_dict()[name], weight)
    with pytest.raises(FormatError, match=r"fc8\.weight: 1000x4096x1x1 is needed") as raised:
        alexnet(file)
    assert str(raised.value).startswith(f"{file} does not fit: the weights belong to another")
    assert "14 tensors matched" in str(raised.value)

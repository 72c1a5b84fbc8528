from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError, UnknownLayer
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.zoo.catalogue import open_network


def images(count: int, side: int = 96) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=generator)


def test_features_are_what_the_layers_put_out() -> None:
    net = open_network("demo")
    frozen = FrozenFeatures(net, ["conv1", "relu1", "pool5", "relu7"], at_once=2)
    found = frozen(images(5))
    assert [tuple(x.shape) for x in found] == [
        (5, 17, 17, 32), (5, 17, 17, 32), (5, 5, 5, 48), (5, 1, 1, 96),
    ]  # fmt: skip
    _, codes = net.record(images(5).permute(0, 3, 1, 2).float() / 255, frozen.layers)
    assert torch.equal(found[0], found[1])  # a convolution is read behind a ReLU
    assert [frozen.rectified(layer) for layer in frozen.layers] == [True, False, False, False]
    resized = nn.functional.interpolate(codes["relu1"], (17, 17), mode="bilinear")
    torch.testing.assert_close(found[1], resized.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[2], codes["pool5"].permute(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    assert not any(x.requires_grad or x.is_inference() for x in found)


def test_the_network_is_left_as_it_was() -> None:
    net = open_network("demo")
    net.module.train()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    features = FrozenFeatures(net, ["relu6"])
    first, again = features(images(3))[0], features(images(3))[0]
    assert torch.equal(first, again)  # dropout is off
    assert net.module.training
    assert all(torch.equal(before[name], v) for name, v in net.module.state_dict().items())
    assert not any(module._forward_hooks for module in net.module.modules())


class Viewing(nn.Module):
    """Flattens maps with `view`, which works in one order in memory only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Linear(4 * 14 * 14, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv(x))
        return self.last(x.view(len(x), -1))


def test_networks_that_run_in_one_order_in_memory_only() -> None:
    net = Network(Viewing(), Preprocessing((16, 16)))
    frozen = FrozenFeatures(net, ["conv", "last"])
    found = frozen(images(3, 16))
    plain = images(3, 16).permute(0, 3, 1, 2).contiguous().float() / 255
    _, codes = net.record(plain, ["conv", "last"])
    torch.testing.assert_close(found[0], codes["conv"].clamp(min=0).permute(0, 2, 3, 1))
    torch.testing.assert_close(found[1][:, 0, 0], codes["last"].clamp(min=0))


def test_alexnets_blocks_are_known() -> None:
    frozen = FrozenFeatures(open_network("motion-alexnet"))
    assert frozen.layers[:4] == ("relu1", "pool1", "relu2", "pool2")
    assert [g.side for g in frozen.grids] == [(10, 10), (10, 10), (6, 6), (6, 6), (5, 5), (5, 5),
                                              (6, 6), (6, 6)]  # fmt: skip
    assert all(9000 <= g.numbers <= 9600 for g in frozen.grids)


def test_what_cannot_be() -> None:
    net = Network(Viewing(), Preprocessing((16, 16)))
    with pytest.raises(SettingError, match="has not the layers of AlexNet"):
        FrozenFeatures(net)
    with pytest.raises(UnknownLayer, match="no layer 'conv9'"):
        FrozenFeatures(net, ["conv9"])

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.record import record
from phosphene.errors import SettingError, UnknownLayer
from phosphene.zoo.fcn import AT_ONCE, Fcn, pad_first


def thin_vgg(width: int = 2) -> Network:
    """VGG-16's geometry with few channels."""
    layers: list[tuple[str, nn.Module]] = []
    before = 3
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for i in range(1, count + 1):
            layers.append((f"conv{block}_{i}", nn.Conv2d(before, width, 3, padding=1)))
            layers.append((f"relu{block}_{i}", nn.ReLU()))
            before = width
        layers.append((f"pool{block}", nn.MaxPool2d(2, stride=2, ceil_mode=True)))
    layers += [("fc6", nn.Conv2d(width, width, 7)), ("relu6", nn.ReLU())]
    layers += [("fc7", nn.Conv2d(width, width, 1)), ("relu7", nn.ReLU())]
    torch.manual_seed(0)
    module = nn.Sequential()
    for name, layer in layers:
        module.add_module(name, layer)
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return Network(module, Preprocessing((224, 224)))


def deconvolved(x: Tensor, size: int, stride: int) -> Tensor:
    """Caffe's bilinear filler and its deconvolution, one channel by one."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    ramp = 1 - (torch.arange(size) - centre).abs() / factor
    kernel = (ramp[:, None] * ramp)[None, None]
    each = [F.conv_transpose2d(x[:, k : k + 1], kernel, stride=stride) for k in range(x.shape[1])]
    return torch.cat(each, 1)


def test_it_is_the_authors_fcn_8s():
    net = thin_vgg()
    pad_first(net.module)
    model = Fcn(net, ("pool3", "pool4", "relu7"), 5, AT_ONCE, deviation=1.0)
    h, w = 96, 128
    x = torch.randn(1, 3, h, w)
    _, captures = record(net.module, x, model._addresses)
    pool3, pool4, fc7 = (captures[address].value for address in model._addresses)
    scored = model.scores[2](fc7)
    up2 = deconvolved(scored, 4, 2)
    crop = model.scores[1](pool4 * 0.01)[:, :, 5:][:, :, :, 5:]
    fused = up2 + crop[:, :, : up2.shape[2], : up2.shape[3]]
    up4 = deconvolved(fused, 4, 2)
    crop = model.scores[0](pool3 * 0.0001)[:, :, 9:][:, :, :, 9:]
    fused = up4 + crop[:, :, : up4.shape[2], : up4.shape[3]]
    wanted = deconvolved(fused, 16, 8)[:, :, 31 : 31 + h, 31 : 31 + w]
    found = model(x)
    assert found.shape == (1, 5, h, w)
    # Deconvolutions fade to 0 at the rim of a map, where ours stay on it.
    inner = (slice(None), slice(None), slice(32, -32), slice(32, -32))
    torch.testing.assert_close(found[inner], wanted[inner], rtol=1e-4, atol=1e-5)
    assert float(wanted[inner].std().detach()) > 0.01


def test_a_map_that_grows_evenly_is_read_evenly():
    net = Network(nn.Sequential(nn.AvgPool2d(4, 4)), Preprocessing((16, 16)))
    model = Fcn(net, ("0",), 1)
    with torch.no_grad():
        model.scores[0].weight.fill_(1 / 3)
    ramp = torch.arange(16.0).expand(1, 3, 16, 16)
    found = model(ramp)[0, 0, 8].detach()
    torch.testing.assert_close(found[2:14], torch.arange(2.0, 14.0))  # beyond lies the rim


def test_it_learns():
    torch.manual_seed(0)
    net = Network(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        Preprocessing((16, 16)),
    )
    model = Fcn(net, ("1", "2"), 2)
    x = torch.randn(4, 3, 16, 16)
    target = (x.mean(1) > 0).long()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    first = last = 0.0
    for step in range(60):
        loss = F.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < 0.5 * first


def test_what_cannot_be_is_refused():
    net = Network(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), Preprocessing((2, 2)))
    with pytest.raises(UnknownLayer):
        Fcn(net, ("1",), 2)
    with pytest.raises(SettingError, match="no layers"):
        Fcn(net, (), 2)
    with pytest.raises(SettingError, match="no convolution"):
        pad_first(net.module)

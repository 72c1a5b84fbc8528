"""Which pixels are looked at, and what is said about them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.pretext.flow_targets import (
    FlowClassLoss,
    FlowRegressionLoss,
    ForegroundLoss,
    flow_class,
)
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.pretext.rotation import Classifier, RotationLoss, rotated
from phosphene.pretext.sampling import at_pixels, sample_pixels


def small() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1)
    )
    return Network(module, Preprocessing((16, 16)))


def test_pixels_are_drawn_once_each_and_known_ones_first():
    valid = torch.zeros(3, 10, 12, dtype=torch.bool)
    valid[0] = True
    valid[1, :, :4] = True
    points, known = sample_pixels(valid, 50, torch.Generator().manual_seed(1))
    assert points.shape == (3, 50, 2)
    for b in range(3):
        assert len({tuple(p) for p in points[b].tolist()}) == 50
        for (x, y), k in zip(points[b].long().tolist(), known[b].tolist(), strict=True):
            assert bool(valid[b, y, x]) == k
    assert known.sum(1).tolist() == [50, 40, 0]


def test_all_pixels_are_alike_likely():
    valid = torch.ones(400, 4, 5, dtype=torch.bool)
    points, _ = sample_pixels(valid, 5, torch.Generator().manual_seed(1))
    index = (points[:, :, 1] * 5 + points[:, :, 0]).long()
    counts = torch.bincount(index.flatten(), minlength=20)
    assert int(counts.sum()) == 2000
    assert float((counts - 100).abs().max()) < 5 * math.sqrt(100)


def test_pixels_are_the_same_on_every_run_of_a_seed():
    valid = torch.rand(2, 9, 9) < 0.5
    one, two = (sample_pixels(valid, 7, torch.Generator().manual_seed(4))[0] for _ in range(2))
    assert torch.equal(one, two)


def test_too_many_pixels_are_refused():
    with pytest.raises(SettingError, match="from 1 to 81"):
        sample_pixels(torch.ones(1, 9, 9, dtype=torch.bool), 82)


def test_values_at_pixels_are_those_there():
    values = torch.randn(2, 3, 6, 7)
    points = torch.tensor([[[2.0, 5.0], [6.0, 0.0]], [[0.0, 0.0], [3.0, 3.0]]])
    read = at_pixels(values, points)
    assert torch.equal(read[0, 0], values[0, :, 5, 2])
    assert torch.equal(read[0, 1], values[0, :, 0, 6])
    assert torch.equal(read[1, 1], values[1, :, 3, 3])


def test_narrow_layers_come_to_a_convolution_before_reading():
    column = Hypercolumn(small(), ["1", "3"])
    network = PixelNetwork(column, 5, 16, {"3": 2}, normalized=False)
    x, points = torch.randn(2, 3, 16, 16), torch.rand(2, 6, 2) * 15
    layer = network.project["1"]
    maps = column.maps(x)
    narrow = F.conv2d(maps[1], layer.weight[:, :, None, None], layer.bias)
    read = column.read([maps[0], narrow], points)
    torch.testing.assert_close(network(x, points), network.head(read.flatten(0, 1)).view(2, 6, 5))


def test_dense_is_every_pixel_one_by_one():
    network = PixelNetwork(Hypercolumn(small(), ["1", "3"]), 5, 16).eval()
    x = torch.randn(2, 3, 16, 16)
    whole = network.dense(x, every=3)
    assert whole.shape == (2, 5, 6, 6)
    point = torch.tensor([[[9.0, 3.0]]]).expand(2, -1, -1)
    torch.testing.assert_close(whole[:, :, 1, 3], network(x, point)[:, 0].detach())
    lengths = network.dense(x, unit=True).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_flow_falls_into_bins_of_one_width():
    flow = torch.tensor([-1.0, -0.876, -0.874, 0.0, 0.9999, 1.0])
    assert flow_class(flow).tolist() == [0, 0, 1, 8, 15, 15]


def test_two_softmaxes_are_summed():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 32, generator=generator)
    flow = torch.rand(2, 3, 2, generator=generator) * 2 - 1
    total = 0.0
    for b in range(2):
        for n in range(3):
            for axis in range(2):
                logits = outputs[b, n, 16 * axis : 16 * axis + 16].double()
                bin_ = min(15, math.floor((float(flow[b, n, axis]) + 1) * 8))
                total -= float(logits[bin_] - logits.exp().sum().log())
    assert float(FlowClassLoss()(outputs, flow)) == pytest.approx(total / 6, rel=1e-5)
    assert FlowClassLoss().outputs == 32
    with pytest.raises(SettingError):
        FlowClassLoss(1)


@pytest.mark.parametrize("loss", [FlowClassLoss(), FlowRegressionLoss(), ForegroundLoss()])
def test_pixels_that_are_not_known_do_not_count(loss):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 9, loss.outputs, generator=generator)
    flow = torch.rand(2, 9, 1 if loss.outputs == 1 else 2, generator=generator)
    valid = torch.rand(2, 9, generator=generator) < 0.5
    found = loss(outputs, flow, valid)
    alone = loss(outputs[valid][None], flow[valid][None])
    torch.testing.assert_close(found, alone)
    assert float(loss(outputs, flow, torch.zeros_like(valid))) == 0


def test_images_are_turned_and_told_apart():
    images = torch.arange(2 * 3 * 4 * 4).float().view(2, 3, 4, 4)
    turned, turn = rotated(images)
    assert turn.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert torch.equal(turned[0], images[0])
    assert torch.equal(turned[5][:, 0], images[1][:, :, -1])  # the right column lies on top
    assert torch.equal(turned[6], images[1].flip(1, 2))
    with pytest.raises(SettingError, match="square"):
        rotated(torch.zeros(1, 3, 4, 5))


def test_a_network_learns_which_way_is_up():
    net = small()
    classifier = Classifier(net, "3", 4)
    generator = torch.Generator().manual_seed(0)
    # Bright above, dark below.
    ramp = torch.linspace(1, 0, 16)[:, None].expand(16, 16)
    images = ramp + 0.1 * torch.rand(8, 3, 16, 16, generator=generator)
    x, turn = rotated(images)
    optimizer = torch.optim.Adam(classifier.parameters(), 0.01)
    loss = RotationLoss()
    for _ in range(60):
        optimizer.zero_grad()
        loss(classifier(x), turn).backward()
        optimizer.step()
    assert float((classifier(x).argmax(1) == turn).float().mean()) > 0.95
    assert float(net.module[0].weight.grad.abs().sum()) > 0

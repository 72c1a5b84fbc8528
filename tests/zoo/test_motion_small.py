from __future__ import annotations

import torch

from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.motion_small import LAYERS, motion_small


def test_its_maps_halve_exactly():
    net = motion_small()
    sizes = [tuple(net[layer](torch.rand(1, 3, 96, 64)).shape[1:]) for layer in LAYERS]
    assert sizes == [(24, 96, 64), (48, 48, 32), (64, 24, 16), (96, 12, 8), (96, 6, 4)]
    assert sum(p.numel() for p in net.module.parameters()) < 450_000
    assert Hypercolumn(net, LAYERS).channels == 24 + 48 + 64 + 96 + 96


def test_weights_come_from_a_seed():
    one, same, other = motion_small(seed=3), motion_small(seed=3), motion_small(seed=4)
    first = one.module.conv1_1.weight
    assert torch.equal(first, same.module.conv1_1.weight)
    assert not torch.equal(first, other.module.conv1_1.weight)


def test_signals_neither_vanish_nor_explode():
    out = motion_small()(torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    assert 0.1 < float(out.std().detach()) < 10


def test_it_goes_by_its_name():
    net = open_network("motion-small")
    assert net.name == "motion-small"
    normalized = motion_small(batch_norm=True).module
    assert type(normalized.bn5_2).__name__ == "BatchNorm2d"

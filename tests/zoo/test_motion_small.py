from __future__ import annotations

import json
from itertools import combinations

import pytest
import torch

from phosphene.errors import UnknownModel
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.zoo import shipped
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.motion_small import LAYERS, LEARNED, motion_small


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


@pytest.mark.parametrize("name", LEARNED)
def test_weights_come_with_phosphene(name: str) -> None:
    net = open_network(f"motion-small:{name}")
    assert net.name == f"motion-small:{name}"
    assert [layer.name for layer in net.layers()] == [
        layer.name for layer in open_network("motion-small").layers()
    ]
    record = json.loads(shipped.shipped("small.json"))
    assert record[name]["file"].endswith(".safetensors")
    assert len(shipped.shipped(record[name]["file"])) < 2_000_000


def test_they_have_learned_from_one_start() -> None:
    nets = {name: open_network(f"motion-small:{name}").module for name in LEARNED}
    x = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 4 - 2
    with torch.no_grad():
        answers = {name: module(x) for name, module in nets.items()}
    for one, other in combinations(LEARNED, 2):
        assert float((answers[one] - answers[other]).abs().max()) > 0.1
    # Normalization scales and shifts whole filters; what they look like is the start's.
    own = motion_small(seed=0).module.state_dict()["conv1_1.weight"].flatten(1)
    begun = nets["random"].state_dict()["conv1_1.weight"].flatten(1)
    assert float(torch.cosine_similarity(own, begun).min()) > 0.9999
    taught = nets["supervised"].state_dict()["conv1_1.weight"].flatten(1)
    assert float(torch.cosine_similarity(own, taught).min()) < 0.99


def test_what_it_has_not_learned_is_said() -> None:
    with pytest.raises(UnknownModel, match="did you mean 'rotation'"):
        open_network("motion-small:rotatoin")
    with pytest.raises(UnknownModel, match="brings its own weights"):
        open_network("motion-small:rotation", weights="other.safetensors")

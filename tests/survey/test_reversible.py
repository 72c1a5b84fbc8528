"""Which rules layers can be reversed by, and what stands in for them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY
from phosphene.errors import NothingToReverse, OpaqueGraph, ReversalError, UnknownLayer
from phosphene.survey.figure2 import figure2
from phosphene.survey.images import open_images
from phosphene.survey.patches import patches
from phosphene.survey.reversible import refusals, reversible
from phosphene.survey.sweep import sweep
from phosphene.survey.top_patches import TopPatches
from tests.core.spellings import COMPILED
from tests.survey.image_files import noise


def _net() -> Network:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    return Network(layers.eval(), Preprocessing((12, 12)), name="small")


def test_below_the_first_relu_there_is_nothing_to_reverse() -> None:
    net = _net()
    found = refusals(net, ["0", "1", "2", ""], [DECONVNET, GUIDED, SALIENCY])
    assert [set(found[layer]) for layer in ("1", "2", "")] == [set()] * 3
    assert set(found["0"]) == {DECONVNET, GUIDED}
    assert isinstance(found["0"][GUIDED], NothingToReverse)
    assert reversible(net, ["0", "1"], GUIDED) == {"0": SALIENCY, "1": GUIDED}
    assert refusals(net, [], [GUIDED]) == {}
    assert refusals(net, ["0"], []) == {"0": {}}
    with pytest.raises(UnknownLayer):
        refusals(net, ["9"], [GUIDED])


def test_what_cannot_be_looked_into_is_not_replaced() -> None:
    (opaque,) = (s for s in COMPILED if s.id == "jit.script, warm, inside a module")
    net = Network(opaque.build(), Preprocessing((19, 19)))
    found = refusals(net, [""], [DECONVNET, SALIENCY])
    assert {rule: type(error) for rule, error in found[""].items()} == {DECONVNET: OpaqueGraph}
    with pytest.raises(OpaqueGraph):
        reversible(net, [""], DECONVNET)


def test_patches_and_figures_of_layers_below_the_first_relu() -> None:
    net, images, units = _net(), open_images([noise(i, (12, 12)) for i in range(3)]), [0, 2]
    top = TopPatches(["0", "2"], 2)
    sweep(net, images, {"top": top})
    wanted = {"0": units, "2": units}
    found = list(patches(net, images, top, wanted))
    assert {(p.layer, *p.signals) for p in found} == {("0", "saliency"), ("2", "deconvnet")}
    alone = [p for p in patches(net, images, top, {"0": units}, ["saliency"])]
    own = [p for p in found if p.layer == "0"]
    for one, other in zip(alone, own, strict=True):
        assert torch.equal(one.signals["saliency"], other.signals["saliency"])
    mixed = patches(net, images, top, wanted, {"0": [], "2": ["guided", "saliency"]})
    assert {(p.layer, *p.signals) for p in mixed} == {("0",), ("2", "guided", "saliency")}
    with pytest.raises(NothingToReverse):
        list(patches(net, images, top, wanted, ["guided"]))
    figure = figure2(net, images, top, wanted, "guided", count=2)
    assert figure.facts["sent back by saliency"] == "0: nothing below for guided to change"
    assert figure.grids(figure.units["0", 2]).size == figure.grids(figure.units["2", 2]).size
    with pytest.raises(ReversalError):
        figure2(net, images, top, wanted, "no such rule")

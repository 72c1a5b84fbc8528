"""Everybody's networks: opened, listed, measured, and reversed as an independent reference does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.nodes import RECTIFIERS
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY
from phosphene.errors import NothingToReverse
from phosphene.zoo.catalogue import open_network
from tests.interop.networks import (
    ALEXNET,
    LITERATURE,
    MOBILENET_V1,
    NETWORKS,
    VGG_16,
    Opened,
    field,
)
from tests.interop.peers import PEERS, asked
from tests.interop.reference import reference

CLOSE = 1e-5


@pytest.mark.parametrize("opened", NETWORKS, ids=lambda o: o.name)
def test_architecture(opened: Opened, record_property: Any) -> None:
    record_property("model", f"{opened.name}")
    net = open_network(f"{opened.name}:random")
    draw_heads_of_zeros(net.module)
    if opened.double:
        net.module.double()
    layers = net.layers((opened.size, opened.size))
    record_property("layers", str(len(layers)))
    assert len(layers) > 20
    assert_names_are_those_of_the_model(net, [layer.name for layer in layers])
    if opened.layer:
        fields = {layer.name: layer.field for layer in layers}
        assert fields[opened.layer] is not None
        size, stride = opened.field
        assert fields[opened.layer].size == (size, size)
        assert fields[opened.layer].stride == (stride, stride)

    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, opened.size, opened.size, generator=draw)
    tape = net.output.tape(image)
    census = tape.census
    record_property("census", census_in_words(census))
    p = torch.randn(tape.activation.shape, generator=draw, dtype=torch.float64).to(net.dtype)

    errors = {"saliency": error(backward(tape, p, SALIENCY), plain(net, tape.x, p))}
    others = tuple(kind for kind in RECTIFIERS if census[kind])
    if census["relu"]:
        for rule in (GUIDED, DECONVNET):
            want, calls = reference(net.module, tape.x, p, rule.name)
            assert calls["relu"] == census["relu"]
            assert want.any()
            errors[rule.name] = error(backward(tape, p, rule), want)
            for name, (_, rules) in PEERS.items():
                if rule.name in rules:
                    answer = asked(name, net.module, tape.x, p, rule.name)
                    errors[f"{name} {rule.name}"] = verdict(answer, want, net, tape.x, p)
    else:
        with pytest.raises(NothingToReverse, match=others[0]):
            backward(tape, p, GUIDED)
        want = plain(net, tape.x, p)
        for name in PEERS:
            answer = asked(name, net.module, tape.x, p, "guided")
            if isinstance(answer, Tensor):
                silent = error(answer.to(want), want) < CLOSE
                answer = "no ReLU: plain gradient" if silent else "no ReLU: something else"
            errors[f"{name} guided"] = answer
    if others:
        # Rectifiers that are no ReLU follow a rule when they are asked to.
        for rule in (GUIDED, DECONVNET):
            want, calls = reference(net.module, tape.x, p, rule.name, others)
            for kind in others:
                assert calls[kind] == census[kind]
            assert want.any()
            name = f"{rule.name}+{'+'.join(others)}"
            errors[name] = error(backward(tape, p, rule.including(*others)), want)
    ours = {name: value for name, value in errors.items() if isinstance(value, float)}
    refused = "" if census["relu"] else "; plain guided refused"
    worst = max(ours.values())
    record_property("ours", f"{'exact' if worst < CLOSE else f'**{worst:.1e} off**'}{refused}")
    for name, (_, rules) in PEERS.items():
        answers = [str(errors.get(f"{name} {rule}", "")) for rule in rules]
        record_property(name, " / ".join(answer for answer in answers if answer))
    assert max(ours.values()) < CLOSE, ours
    for answer, expected in SEEN.get(opened.name, {}).items():
        assert expected in str(errors[answer]), f"{answer} has changed: say so in docs/models.md"


# What docs/models.md says of the peers in words.
PLAIN = {"captum guided": "plain", "zennit guided": "plain", "grad-cam guided": "plain"}
SEEN = {
    "torchvision:googlenet": PLAIN,
    "torchvision:inception_v3": PLAIN,
    "torchvision:densenet121": {"captum guided": "off", "captum deconvnet": "off"},
    "timm:legacy_xception": {"captum guided": "off", "captum deconvnet": "off"},
    "timm:nf_resnet26": {"captum deconvnet": "off"},
}


def draw_heads_of_zeros(module: torch.nn.Module) -> None:
    """Give weights to last layers that start at zero (ViT, Mixer): no signal would pass them."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() == 2 and not weight.any():
                weight.copy_(torch.randn(weight.shape, generator=draw) / weight.shape[1] ** 0.5)


def plain(net: Network, x: Tensor, p: Tensor) -> Tensor:
    signal, _ = reference(net.module, x, p, "saliency")
    return signal


def error(signal: Tensor, want: Tensor) -> float:
    """Return the L2 distance over the reference's length."""
    length = float(want.norm())
    return float((signal - want).norm()) / length if length else float(signal.norm())


def verdict(answer: Tensor | str, want: Tensor, net: Network, x: Tensor, p: Tensor) -> str:
    """Say how far a peer's answer is from the reference."""
    if isinstance(answer, str):
        return answer
    distance = error(answer.to(want), want)
    if distance < CLOSE:
        return "exact"
    if error(answer.to(want), plain(net, x, p)) < CLOSE:
        return f"**plain gradient** ({distance:.2g} off)"
    return f"**{distance:.2g} off**"


def census_in_words(census: Any) -> str:
    return ", ".join(part for part in str(census).split(", ") if not part.endswith(" 0"))


def assert_names_are_those_of_the_model(net: Network, names: list[str]) -> None:
    """Layers are called what printing the model shows, with calls counted behind a `_`."""
    paths = {path for path, _ in net.module.named_modules(remove_duplicate=False)}
    calls: dict[str, int] = {}
    for name in names:
        path = name if name in paths else name.rpartition("_")[0]
        assert path in paths, name
        calls[path] = calls.get(path, 0) + 1
        assert name == path or name == f"{path}_{calls[path] - 1}"


def test_the_chains_agree_with_the_literature() -> None:
    for name, chain in (("alexnet", ALEXNET), ("vgg_16", VGG_16), ("mobilenet_v1", MOBILENET_V1)):
        assert field(chain)[0] == LITERATURE[name]


def test_enough_are_tried() -> None:
    assert len({network.name for network in NETWORKS}) >= 25

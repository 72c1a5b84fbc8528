"""Attention beside the packages that have it: zennit's excitation backprop, Captum's Grad-CAM."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.attention import GRAD_CAM, Excitation
from phosphene.core.reversal import backward
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.zoo.catalogue import open_network

CLASS = 3
# Layers whose output nothing behind them overwrites.
LAYERS = [
    ("torchvision:alexnet", "features.12"),
    ("torchvision:vgg11", "features.20"),
    ("torchvision:squeezenet1_0", "features.12"),
    ("torchvision:googlenet", "inception5b"),
    ("torchvision:resnet18", "layer4"),
    ("torchvision:densenet121", "features.denseblock3"),
    ("timm:regnetx_002", "s4"),
]
# Convolutions and normalizations that a ReLU behind them overwrites.
IN_PLACE = [
    ("torchvision:alexnet", "features.8"),
    ("torchvision:vgg11", "features.18"),
    ("torchvision:resnet18", "layer4.1.bn2"),
    ("torchvision:squeezenet1_0", "features.12.expand3x3"),
]
# A chain of convolutions, in which zennit finds all that excitation passes.
CHAINS = [
    ("torchvision:alexnet", "features.5"),
    ("torchvision:vgg11", "features.10"),
    ("torchvision:vgg11", "features.20"),
]


def passed(name: str, layer: str) -> tuple[Tape, nn.Module]:
    """Run a network with random weights, in double precision; return its tape and a copy."""
    net = open_network(f"{name}:random")
    net.module.double()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, value in net.module.named_parameters():
            if key.endswith("bias"):  # some begin with none
                value.add_(0.1 * torch.randn(value.shape, generator=draw, dtype=value.dtype))
    module = copy.deepcopy(net.module)
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 224, 224, generator=draw, dtype=torch.float64)
    (tape,) = net.tapes(image, [net.output], [layer])
    return tape, module


def seeded(tape: Tape) -> Tensor:
    return Unit(CLASS).plant(tape.activation).p


def far(found: Tensor, want: Tensor) -> float:
    return float((found - want).norm() / want.norm())


@pytest.mark.parametrize(("name", "layer"), [*LAYERS, *IN_PLACE])
def test_grad_cam_is_captums(name: str, layer: str) -> None:
    from captum.attr import LayerGradCam

    tape, module = passed(name, layer)
    peer: Any = LayerGradCam(module, module.get_submodule(layer))
    theirs = peer.attribute(tape.x.detach(), CLASS).detach()
    assert far(weighed(tape, layer), theirs) < 1e-9


@pytest.mark.parametrize(("name", "layer"), [*LAYERS, *IN_PLACE])
def test_grad_cam_is_pytorch_grad_cams(name: str, layer: str) -> None:
    """Theirs weighs what is left in the layer's memory, which others may have written to."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    class Summed(GradCAM):
        """Keeps the weighed sum, before it is cut at zero, scaled and resized."""

        def get_cam_image(self, *given: Any, **named: Any) -> Any:
            self.summed = super().get_cam_image(*given, **named)
            return self.summed

    tape, module = passed(name, layer)
    with Summed(module, [module.get_submodule(layer)]) as cam:
        cam(tape.x.detach(), [ClassifierOutputTarget(CLASS)])
    apart = far(weighed(tape, layer), torch.from_numpy(cam.summed)[:, None])
    if (name, layer) in IN_PLACE:
        assert apart > 0.05, "they have mended it: say so in docs/explain.md"
    else:
        assert apart < 1e-9


def weighed(tape: Tape, layer: str) -> Tensor:
    """Return Grad-CAM's sum over channels, before it is cut at zero."""
    return backward(tape, seeded(tape), GRAD_CAM, layer).sum(1, keepdim=True)


@pytest.mark.parametrize(("name", "layer"), CHAINS)
def test_excitation_is_zennits_without_its_biases(name: str, layer: str) -> None:
    """Zennit counts positive biases among what excites a unit, against the paper (eq. 2)."""
    tape, module = passed(name, layer)
    ours = backward(tape, seeded(tape), Excitation(), layer)
    assert far(ours, excited(module, tape.x, layer, ["bias"])) < 1e-6
    with_biases = excited(module, tape.x, layer, None)
    assert far(ours, with_biases) > 1e-3
    assert ours.sum() > with_biases.sum()  # what biases take is lost


def excited(module: nn.Module, x: Tensor, layer: str, zeroed: list[str] | None) -> Tensor:
    """Ask zennit what reaches a layer's output."""
    from zennit.composites import ExcitationBackprop

    kept: list[Tensor] = []
    held = module.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    composite: Any = ExcitationBackprop(stabilizer=1e-12, zero_params=zeroed)
    try:
        with composite.context(module) as changed:
            scores = changed(x.detach().clone().requires_grad_())
            p = torch.zeros_like(scores)
            p[0, CLASS] = 1
            (found,) = torch.autograd.grad(scores, kept[0], p)
    finally:
        held.remove()
    return found.detach()

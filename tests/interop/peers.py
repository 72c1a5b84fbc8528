"""The same question put to other packages; each gets a copy of the model, as some change it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.interop.reference import logits


class Scored(nn.Module):
    """A model whose only output is a mixture p of its class scores: (b, 1)."""

    def __init__(self, module: nn.Module, p: Tensor) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.register_buffer("p", p)

    def forward(self, x: Tensor) -> Tensor:
        return (logits(self.module(x)) * self.p).sum(1, keepdim=True)


def captum(model: nn.Module, x: Tensor, rule: str) -> Tensor:
    from captum.attr import Deconvolution, GuidedBackprop

    kind: Any = GuidedBackprop if rule == "guided" else Deconvolution
    return kind(model).attribute(x, target=0)


def zennit(model: nn.Module, x: Tensor, rule: str) -> Tensor:
    from zennit.composites import DeconvNet, GuidedBackprop

    composite: Any = GuidedBackprop() if rule == "guided" else DeconvNet()
    with composite.context(model) as changed:
        (signal,) = torch.autograd.grad(changed(x).sum(), x)
    return signal


def grad_cam(model: nn.Module, x: Tensor, rule: str) -> Tensor:
    from pytorch_grad_cam import GuidedBackpropReLUModel

    answer = GuidedBackpropReLUModel(model=model, device="cpu")(x, target_category=0)
    return torch.from_numpy(answer).permute(2, 0, 1)[None]


PEERS: dict[str, tuple[Callable[[nn.Module, Tensor, str], Tensor], tuple[str, ...]]] = {
    "captum": (captum, ("guided", "deconvnet")),
    "zennit": (zennit, ("guided", "deconvnet")),
    "grad-cam": (grad_cam, ("guided",)),
}


def asked(name: str, module: nn.Module, x: Tensor, p: Tensor, rule: str) -> Tensor | str:
    """Ask one peer; what it raises is its answer, too."""
    function, _ = PEERS[name]
    try:
        return function(
            Scored(module, p).eval(), x.detach().clone().requires_grad_(), rule
        ).detach()
    except Exception as error:
        return type(error).__name__

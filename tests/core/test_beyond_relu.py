"""Families without a plain ReLU: saliency works everywhere; other rules include, or refuse by name.

Each network is small and of the family's own make: where its activation stands, what surrounds
it, and attention in three ways of writing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, LATTICE, SALIENCY
from phosphene.errors import NothingToReverse

Function = Callable[[Tensor], Tensor]


class Reversed(torch.autograd.Function):
    """Any rectifier with a rule for its backward pass, in the words of the definition."""

    @staticmethod
    def forward(ctx, x, function, rule):
        ctx.save_for_backward(x)
        ctx.function, ctx.rule = function, rule
        return function(x)

    @staticmethod
    def backward(ctx, signal):
        if "mask" in ctx.rule:
            with torch.enable_grad():
                x = ctx.saved_tensors[0].detach().requires_grad_()
                (signal,) = torch.autograd.grad(ctx.function(x), x, signal)
        return signal.clamp(min=0) if "rectify" in ctx.rule else signal, None, None


class Plain(nn.Module):
    """Convolution, activation, convolution, activation: VGG with another rectifier."""

    def __init__(self, act: Function) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, stride=2)
        self.act, self.head = act, nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.two(self.act(self.one(x)))).mean((2, 3)))


class InvertedResidual(nn.Module):
    """MobileNet and EfficientNet: widen, depthwise, squeeze, narrow; no activation at the end."""

    def __init__(self, act: Function) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 1)
        self.depth, self.norm = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8)
        self.gate, self.narrow = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)
        self.act, self.head = act, nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x))
        y = self.act(self.norm(self.depth(self.act(self.wide(x)))))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return self.head((x + self.narrow(y)).mean((2, 3)))


class ConvNext(nn.Module):
    """A large depthwise kernel, channels last, a norm over them, and one GELU in between."""

    def __init__(self, act: Function) -> None:
        super().__init__()
        self.stem, self.depth = nn.Conv2d(3, 6, 2, 2), nn.Conv2d(6, 6, 7, padding=3, groups=6)
        self.norm, self.wide, self.narrow = nn.LayerNorm(6), nn.Linear(6, 24), nn.Linear(24, 6)
        self.scale, self.act, self.head = nn.Parameter(torch.full((6,), 0.3)), act, nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        y = self.narrow(self.act(self.wide(y))) * self.scale
        return self.head((x + y.permute(0, 3, 1, 2)).mean((2, 3)))


class Transformer(nn.Module):
    """ViT: patches to tokens, attention, an MLP; attention written out, fused, or as a module."""

    def __init__(self, act: Function, attention: str) -> None:
        super().__init__()
        self.patch, self.qkv = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.wide, self.narrow = nn.Linear(8, 16), nn.Linear(16, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.attention, self.act, self.head = attention, act, nn.Linear(8, 5)
        self.whole = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = x + self.mixed(self.norm1(x))
        x = x + self.narrow(self.act(self.wide(self.norm2(x))))
        return self.head(x[:, 0])

    def mixed(self, x: Tensor) -> Tensor:
        if self.attention == "module":
            return self.whole(x, x, x, need_weights=False)[0]
        q, k, v = self.qkv(x).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        if self.attention == "fused":
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        return mixed.transpose(1, 2).flatten(2)


class Swin(nn.Module):
    """Attention in windows that are shifted by rolling the map."""

    def __init__(self, act: Function) -> None:
        super().__init__()
        self.patch, self.block = nn.Conv2d(3, 8, 2, 2), Transformer(act, "fused")
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).permute(0, 2, 3, 1)
        for shift in (0, 2):
            rolled = torch.roll(x, (-shift, -shift), (1, 2))
            parts = rolled.unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).permute(0, 1, 3, 2, 4, 5)
            windows = parts.reshape(-1, 16, 8)
            windows = windows + self.block.mixed(self.block.norm1(windows))
            windows = windows + self.block.narrow(self.block.act(self.block.wide(windows)))
            back = windows.reshape(parts.shape).permute(0, 1, 3, 2, 4, 5)
            x = torch.roll(back.reshape(x.shape), (shift, shift), (1, 2))
        return self.head(x.mean((1, 2)))


@dataclass(frozen=True)
class Family:
    """A family of networks: how one is built on an activation, and what the census calls it."""

    name: str
    build: Callable[[Function], nn.Module]
    act: Function
    kind: str
    count: int


FAMILIES = (
    Family("ReLU6, VGG-like", Plain, F.relu6, "relu6", 2),
    Family("ReLU6, MobileNet v2", InvertedResidual, nn.ReLU6(), "relu6", 3),
    Family("ReLU6, clamp(0, 6)", Plain, lambda x: x.clamp(0, 6), "relu6", 2),
    Family("LeakyReLU", Plain, nn.LeakyReLU(0.1), "leaky_relu", 2),
    Family("LeakyReLU, MobileNet", InvertedResidual, nn.LeakyReLU(0.2), "leaky_relu", 3),
    Family("ELU", Plain, nn.ELU(), "elu", 2),
    Family("SELU", Plain, F.selu, "elu", 2),
    Family("CELU", Plain, F.celu, "elu", 2),
    Family("SiLU, EfficientNet", InvertedResidual, nn.SiLU(), "silu", 3),
    Family("hard-swish, MobileNet v3", InvertedResidual, nn.Hardswish(), "hardswish", 3),
    Family("Mish", Plain, nn.Mish(), "mish", 2),
    Family("softplus", Plain, F.softplus, "softplus", 2),
    Family("PReLU", Plain, nn.PReLU(dtype=torch.float64), "prelu", 2),
    Family("GELU, ConvNeXt", ConvNext, nn.GELU(), "gelu", 1),
    Family("GELU by tanh, ConvNeXt", ConvNext, nn.GELU("tanh"), "gelu", 1),
    Family("GELU, ViT written out", lambda a: Transformer(a, "written"), nn.GELU(), "gelu", 1),
    Family("GELU, ViT fused", lambda a: Transformer(a, "fused"), nn.GELU(), "gelu", 1),
    Family("GELU, ViT module", lambda a: Transformer(a, "module"), nn.GELU(), "gelu", 1),
    Family("GELU, Swin", Swin, nn.GELU(), "gelu", 2),
)


def built(family: Family, act: Function | None = None) -> nn.Module:
    torch.manual_seed(0)
    module = family.build(family.act).double().eval()
    if act is not None:
        for holder in (module, getattr(module, "block", module)):
            holder._modules.pop("act", None)
            holder.act = act
    return module


def image() -> Tensor:
    # Strong enough to reach both bends of ReLU6.
    draw = torch.Generator().manual_seed(1)
    return 9 * torch.rand(2, 3, 16, 16, dtype=torch.float64, generator=draw)


def seed() -> Tensor:
    return torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def tape_of(module: nn.Module):
    return Network(module, Preprocessing((16, 16))).output.tape(image())


families = pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)


@families
def test_saliency_is_the_derivative(family: Family) -> None:
    module, x = built(family), image().requires_grad_()
    (want,) = torch.autograd.grad(module(x), x, seed())
    assert want.any()
    torch.testing.assert_close(backward(tape_of(module), seed(), SALIENCY), want)


@families
def test_the_census_names_them(family: Family) -> None:
    census = tape_of(built(family)).census
    assert census[family.kind] == family.count
    assert census["relu"] == 0


@families
def test_what_changes_relus_is_refused_by_name(family: Family) -> None:
    tape = tape_of(built(family))
    for rule in LATTICE:
        if rule.relu == "mask":
            continue  # the derivative of these networks, whatever it says of pools and LRN
        with pytest.raises(NothingToReverse, match=f"{family.kind} {family.count}") as error:
            backward(tape, seed(), rule)
        assert f"{rule.name}+" in str(error.value) or rule.name in str(error.value)


@families
@pytest.mark.parametrize("rule", [GUIDED, DECONVNET], ids=str)
def test_a_rule_that_includes_them_is_exact(family: Family, rule) -> None:
    """Their own derivative is the mask, and then the signal is rectified: the census' promise."""
    signal = backward(tape_of(built(family)), seed(), rule.including(family.kind))
    other = built(family, lambda x: Reversed.apply(x, family.act, rule.relu))
    x = image().requires_grad_()
    (want,) = torch.autograd.grad(other(x), x, seed())
    assert want.any()
    torch.testing.assert_close(signal, want)


def test_only_what_is_included_follows_a_rule() -> None:
    """MobileNet v3 holds ReLUs and hard-swishes: the rule is for the ReLUs alone, until asked."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.Hardswish(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(6 * 12 * 12, 5),
    ).double().eval()  # fmt: skip
    tape = tape_of(module)
    assert (tape.census["relu"], tape.census["hardswish"]) == (1, 1)
    x = image().requires_grad_()
    chain = [*module[:3], lambda v: Reversed.apply(v, torch.relu, "mask+rectify"), *module[4:]]
    y = x
    for layer in chain:
        y = layer(y)
    (want,) = torch.autograd.grad(y, x, seed())
    torch.testing.assert_close(backward(tape, seed(), GUIDED), want)
    both = backward(tape, seed(), GUIDED.including("hardswish"))
    assert not torch.allclose(both, want)

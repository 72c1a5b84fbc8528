"""Weights rescaled so that all layers learn at the same rate, after Kraehenbuehl et al.

Fine-tuning a network whose layers are of very different scale changes some and leaves others as
they are: for gradients of the same loss, a layer changes by a share of

    C_k = rms(dl / dW_k) / rms(W_k)

in one step. Two ways to rescale are theirs (*Data-dependent Initializations of Convolutional Neural
Networks*, ICLR 2016):

*Between layers* (section 3.2, `balance`): weights W_k are multiplied by s_k, and biases by all
s_1 ... s_k, until all C_k are the same. As C_k falls with the square of s_k, s_k = sqrt(C_k / C)
gets there at once, with C the geometric mean of all. Where what lies between the layers is
positively homogeneous, f(a z) = a f(z) for a > 0, as ReLUs, pools and dropout are, the network
computes what it did before, times the product of all s_k. That product is chosen so that the last
layer's units have a standard deviation of 1 on average, or as 1. The loss is unknown beforehand:
l = eta . z with normal eta, for the output z of the last layer.

*Within layers* (section 3.1, `standardize`): layer by layer from below, every unit's weights and
bias are set so that before its activation it has mean 0 and variance 1 on the data. On weights that
were learned this changes what the network does; their own code does not offer it for those.

What transfer calls re-balancing is the first, as in their program `magic_init` with `-cs` on given
weights. Departures from it: one eta for each image and place, whose gradients are summed, estimates
the mean of squares just as well (in their program, too), but here it is the same in every round;
the output's deviation is brought to 1 at once and not by its square root; units that are constant
stay as they are (there, they are divided by 0). In networks with response normalization, which is
not homogeneous, biases follow the mean size of their layer's input, as there, and the network does
not compute quite what it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from phosphene.core.layers import Address, paths
from phosphene.core.record import record
from phosphene.core.running import in_evaluation
from phosphene.errors import NotFinite, SettingError
from phosphene.training.free_norm import FreeNorm

_AT_ONCE = 16
_ROUNDS = 10
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Balanced:
    """What balancing did.

    Attributes:
        before: C_k of every layer with weights, by name.
        after: The same afterwards.
        factors: What weights were multiplied with, all rounds together.
        output: What the network's output was multiplied with on average.
    """

    before: dict[str, float]
    after: dict[str, float]
    factors: dict[str, float]
    output: float


class Chained:
    """The layers of a network up to one of them, which follow one another.

    Attributes:
        layers: Modules without children, in the order they run.
        names: Of those with weights, by their place.

    Args:
        module: The network.
        x: (b, c, h, w), its input; one image will do.
        address: The last layer.

    Raises:
        SettingError: They do not follow one another, share weights, have none, or are normalized
            by statistics of batches.
    """

    def __init__(self, module: nn.Module, x: Tensor, address: Address) -> None:
        children = paths(module)
        with torch.no_grad(), in_evaluation(module):
            _, seen = record(module, x[:1].clone(), None)
        self.layers: list[nn.Module] = []
        self.names: dict[int, str] = {}
        for each in seen:
            child = children[each.path]
            if not any(True for _ in child.children()):
                if isinstance(child, _ConvNd | nn.Linear):
                    self.names[len(self.layers)] = each.path
                elif isinstance(child, FreeNorm | _BatchNorm) or list(child.parameters()):
                    raise SettingError(
                        f"layer {each.path!r} ({type(child).__name__}) cannot be rebalanced: "
                        "absorb batch normalization into the layer before it first"
                    )
                self.layers.append(child)
            if each == address:
                break
        weighted = [self.layers[place] for place in self.names]
        if not weighted or len(set(weighted)) < len(weighted):
            raise SettingError(
                f"layers up to {address} have {'the same' if weighted else 'no'} weights, which "
                "cannot be rebalanced: leave rebalancing out"
            )
        with torch.no_grad(), in_evaluation(module):
            alike = self._makes(seen[address].value, x[:1])
        if not alike:
            raise SettingError(
                f"layers up to {address} do not follow one another (branches, or functions "
                "between modules), and cannot be rebalanced: leave rebalancing out"
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Run them on the network's input."""
        y = x.clone()
        for place in range(len(self.layers)):
            y = self.step(place, y)
        return y

    def _makes(self, expected: Tensor | None, x: Tensor) -> bool:
        try:
            return expected is not None and torch.equal(self(x), expected)
        except RuntimeError:  # shapes of other branches
            return False

    def step(self, place: int, y: Tensor) -> Tensor:
        """Run one of them; maps are flattened before a layer that takes vectors."""
        layer = self.layers[place]
        out: Tensor = layer(y.flatten(1) if isinstance(layer, nn.Linear) and y.ndim > 2 else y)
        return out

    def weighted(self) -> Iterator[tuple[int, str, _ConvNd | nn.Linear]]:
        """Yield place, name and module of every layer with weights."""
        for place, name in self.names.items():
            layer = self.layers[place]
            assert isinstance(layer, _ConvNd | nn.Linear)
            yield place, name, layer


def balance(
    module: nn.Module, x: Tensor, address: Address, *, unit: bool = True, seed: int = 0
) -> Balanced:
    """Rescale weights in place so that all layers up to one change at the same rate.

    Args:
        module: The network.
        x: (n, c, h, w), its input; 160 images in their program.
        address: The last layer.
        unit: Whether its units get a standard deviation of 1 on average; else the network's output
            stays as large as it was.
        seed: Of the gradients.

    Raises:
        SettingError: See `Chained`; or a layer cannot learn at all.
    """
    chain = Chained(module, x, address)
    frozen = [weight for weight in module.parameters() if not weight.requires_grad]
    module.requires_grad_(True)
    try:
        with in_evaluation(module), torch.enable_grad():
            return _balanced(chain, torch.split(x, _AT_ONCE), unit, seed)
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
        module.zero_grad(set_to_none=True)


def _balanced(chain: Chained, parts: Sequence[Tensor], unit: bool, seed: int) -> Balanced:
    rates, deviation = _rates(chain, parts, seed)
    before, first = rates, deviation
    factors = dict.fromkeys(rates, 1.0)
    for _ in range(_ROUNDS):
        mean = math.exp(sum(map(math.log, rates.values())) / len(rates))
        target = mean * (deviation ** (2 / len(rates)) if unit else 1.0)
        own = {name: math.sqrt(rate / target) for name, rate in rates.items()}
        if max(abs(math.log(s)) for s in own.values()) < _TOLERANCE / 2:
            break
        _rescale(chain, parts[0], own)
        factors = {name: factors[name] * s for name, s in own.items()}
        rates, deviation = _rates(chain, parts, seed)
    return Balanced(before, rates, factors, deviation / first)


def _rates(chain: Chained, parts: Sequence[Tensor], seed: int) -> tuple[dict[str, float], float]:
    """Measure C_k of every layer, and the mean deviation of the last layer's units."""
    generator = torch.Generator().manual_seed(seed)
    for _, _, layer in chain.weighted():
        layer.zero_grad(set_to_none=True)
    count, total, square = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        z = chain(part)
        eta = torch.randn(z.shape, generator=generator).to(z)
        (z * eta).sum().backward()  # type: ignore[no-untyped-call]
        wide = _by_unit(z.detach())
        count += wide.shape[1]
        total = total + wide.sum(1)
        square = square + wide.square().sum(1)
    variance = (square / count - (total / count).square()).clamp(min=0)
    found = {}
    for _, name, layer in chain.weighted():
        assert layer.weight.grad is not None
        slope = float(layer.weight.grad.cpu().double().square().mean())
        size = float(layer.weight.detach().cpu().double().square().mean())
        if not (0 < slope < math.inf and 0 < size < math.inf):
            raise SettingError(
                f"layer {name!r} does not learn (gradient {slope**0.5:g}, weights {size**0.5:g}): "
                "leave rebalancing out"
            )
        found[name] = math.sqrt(slope / size)
    return found, float(variance.sqrt().mean())


@torch.no_grad()
def _rescale(chain: Chained, x: Tensor, factors: dict[str, float]) -> None:
    """Multiply weights, and let biases follow what their layer's input became."""
    old, new = x.clone(), x.clone()
    modules = {place: (name, layer) for place, name, layer in chain.weighted()}
    for place in range(len(chain.layers)):
        if place not in modules:
            old, new = chain.step(place, old), chain.step(place, new)
            continue
        name, layer = modules[place]
        larger = _size(new) / _size(old)
        old = chain.step(place, old)
        layer.weight.mul_(factors[name])
        if layer.bias is not None:
            layer.bias.mul_(factors[name] * larger)
        new = chain.step(place, new)


@torch.no_grad()
def standardize(module: nn.Module, x: Tensor, address: Address) -> list[str]:
    """Bring units of all layers with weights up to one to mean 0 and variance 1, in place.

    Args:
        module: The network.
        x: (n, c, h, w), its input.
        address: The last layer.

    Returns:
        Names of the layers.

    Raises:
        SettingError: See `Chained`.
        NotFinite: A layer's output is not finite.
    """
    chain = Chained(module, x, address)
    with in_evaluation(module):
        for place, name, layer in chain.weighted():
            count, total, square = 0, torch.zeros(()), torch.zeros(())
            for part in torch.split(x, _AT_ONCE):
                y = part.clone()
                for at in range(place + 1):
                    y = chain.step(at, y)
                wide = _by_unit(y)
                count += wide.shape[1]
                total = total + wide.sum(1)
                square = square + wide.square().sum(1)
            mean = total / count
            spread = (square / count - mean.square()).clamp(min=0).sqrt()
            if not bool(spread.isfinite().all()):
                raise NotFinite(f"what layer {name!r} puts out is not finite")
            varies = spread > 1e-6 * (1 + mean.abs())
            spread, mean = torch.where(varies, spread, 1.0), torch.where(varies, mean, 0.0)
            shape = (-1,) + (1,) * (layer.weight.ndim - 1)
            layer.weight.div_(spread.to(layer.weight).view(shape))
            if layer.bias is not None:
                layer.bias.sub_(mean.to(layer.bias)).div_(spread.to(layer.bias))
    return list(chain.names.values())


def _size(y: Tensor) -> float:
    return float(y.cpu().double().abs().mean())


def _by_unit(z: Tensor) -> Tensor:
    """Bring (b, k, ...) to (k, all else), in float64."""
    return z.cpu().double().transpose(0, 1).flatten(1)

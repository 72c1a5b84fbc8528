"""The zoo of spellings: one network, written in every way people write it.

``SPELLINGS`` are chains: the same seeded float64 weights, described once for the slow reference
(:mod:`tests.reference.reversed_network`) and built in many ways. ``RESIDUALS`` branch; their
expected value is the same module with :class:`ReferenceRelu` put explicitly in place of each ReLU.

Convolutions and the last layer are called ``conv1``, ``conv2``, ``conv3``, ``fc`` wherever the
spelling keeps names; ``relu1``.. and ``pool1``.. are modules in some and functions in others.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.reference.reversed_network import (
    LRN,
    AdaptiveMaxPool,
    Array,
    Conv,
    FullyConnected,
    Layer,
    MaxPool,
    Relu,
    forward,
    reverse_relu,
)

Outcome = Literal["exact", "OpaqueGraph", "custom"]
Function = Callable[[Tensor], Tensor]
AnyModule = TypeVar("AnyModule", bound=nn.Module)


@dataclass(frozen=True)
class Spelling:
    """A chain network in one spelling, and what phosphene must make of it.

    Args:
        id: the name in a test report.
        build: a new float64 module in eval mode; some are warmed up already.
        layers: the chain, for the reference.
        outcome: ``exact`` - every reversal equals the reference; ``OpaqueGraph`` - refused by that
            error; ``custom`` - a warning that names the autograd Function.
        once: only the first forward pass with gradients shows its ReLUs (TorchScript optimizes
            itself from the second on): build anew for each forward pass.
        function: for ``custom``, the name to be read in the warning.
    """

    id: str
    build: Callable[[], nn.Module]
    layers: list[Layer] = field(repr=False)
    outcome: Outcome = "exact"
    once: bool = False
    function: str | None = None


def image(batch: int = 1, seed: int = 0) -> Tensor:
    """Seeded noise in [0, 1], (batch, 3, 19, 19), float64."""
    noise = np.random.default_rng(seed).random((batch, 3, 19, 19))
    return torch.from_numpy(noise)


# The chain

SIDE = 19
CLASSES = 5


def chain(
    pool1: MaxPool | None = None,
    pool2: MaxPool | AdaptiveMaxPool | None = None,
    norm: LRN | None = None,
) -> list[Layer]:
    """Conv 3-6, ReLU, [LRN], pool 3/2, conv 6-8 in 2 groups, ReLU, pool 2/2, conv 8-8, ReLU, fc."""
    draw = np.random.default_rng(2016)

    def filters(n_out: int, n_in: int) -> Array:
        return draw.standard_normal((n_out, n_in, 3, 3)) * (2 / (9 * n_in)) ** 0.5

    def bias(n: int) -> Array:
        return 0.1 * draw.standard_normal(n)

    layers: list[Layer] = [Conv(filters(6, 3), bias(6), pad=1), Relu()]
    layers += [norm] if norm is not None else []
    layers += [pool1 or MaxPool(3, 2), Conv(filters(8, 3), bias(8), pad=1, groups=2), Relu()]
    layers += [pool2 or MaxPool(2, 2), Conv(filters(8, 8), bias(8), pad=1), Relu()]
    features = forward(layers, np.zeros((1, 3, SIDE, SIDE))).output.size
    fc = draw.standard_normal((CLASSES, features)) / features**0.5
    return [*layers, FullyConnected(fc, bias(CLASSES))]


def layer_names(layers: Sequence[Layer]) -> list[str]:
    """The usual names, `conv1`, `relu1`, `norm1`, `pool1`, ..., `fc`, of the layers of a chain."""
    kinds = {Conv: "conv", Relu: "relu", LRN: "norm", MaxPool: "pool", AdaptiveMaxPool: "pool"}
    names: list[str] = []
    for layer in layers:
        kind = kinds.get(type(layer), "fc")
        count = 1 + sum(name.startswith(kind) for name in names)
        names.append(kind if kind == "fc" else f"{kind}{count}")
    return names


PLAIN = chain()
NORM = LRN(3, alpha=1.5, beta=0.75, k=1.25)
NORMALIZED = chain(norm=NORM)


class Chain(nn.Module):
    """The chain of `layers`; ReLUs, pools and normalization as modules unless others are given."""

    def __init__(
        self,
        layers: Sequence[Layer],
        relus: Sequence[Function] | None = None,
        pools: Sequence[Function] | None = None,
        norm: Function | None = None,
    ) -> None:
        super().__init__()
        found: dict[str, Any] = dict(zip(layer_names(layers), layers, strict=True))
        self.conv1 = convolution(found["conv1"])
        self.conv2 = convolution(found["conv2"])
        self.conv3 = convolution(found["conv3"])
        self.relu1, self.relu2, self.relu3 = relus or [nn.ReLU() for _ in range(3)]
        self.pool1, self.pool2 = pools or [pooling(found["pool1"]), pooling(found["pool2"])]
        self.norm1 = norm or (normalization(found["norm1"]) if "norm1" in found else nn.Identity())
        self.fc = fully_connected(found["fc"])
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (b, 5) of images (b, 3, 19, 19)."""
        x = self.pool1(self.norm1(self.relu1(self.conv1(x))))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = self.relu3(self.conv3(x))
        return self.fc(torch.flatten(x, 1))


def convolution(layer: Conv) -> nn.Conv2d:
    assert isinstance(layer.pad, int)
    n_out, n_in, kernel, _ = layer.weight.shape
    options = {"padding": layer.pad, "groups": layer.groups, "dtype": torch.float64}
    module = cast(
        nn.Conv2d,
        nn.utils.skip_init(nn.Conv2d, n_in * layer.groups, n_out, kernel, layer.stride, **options),
    )
    return _with_weights(module, layer.weight, layer.bias)


def fully_connected(layer: FullyConnected) -> nn.Linear:
    n_out, n_in = layer.weight.shape
    module = cast(nn.Linear, nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float64))
    return _with_weights(module, layer.weight, layer.bias)


def _with_weights(module: AnyModule, weight: Array, bias: Array | None) -> AnyModule:
    assert bias is not None
    state = {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
    module.load_state_dict(state)
    return module


def pooling(layer: MaxPool | AdaptiveMaxPool) -> nn.Module:
    if isinstance(layer, AdaptiveMaxPool):
        return nn.AdaptiveMaxPool2d(layer.size)
    assert isinstance(layer.pad, int)
    return nn.MaxPool2d(layer.kernel, layer.stride, layer.pad, ceil_mode=layer.ceil)


def normalization(layer: LRN) -> nn.Module:
    return nn.LocalResponseNorm(layer.size, layer.alpha, layer.beta, layer.k)


# ReLU


class OneRelu(nn.Module):
    """The chain with a single ReLU module, used three times."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.body = Chain(PLAIN, relus=[nn.Identity() for _ in range(3)])
        self.relu = nn.ReLU(inplace=inplace)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        body = self.body
        x = body.pool1(self.relu(body.conv1(x)))
        x = body.pool2(self.relu(body.conv2(x)))
        x = self.relu(body.conv3(x))
        return body.fc(torch.flatten(x, 1))


class BareInPlace(nn.Module):
    """The chain with statements ``x.relu_()``, whose value is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Chain(PLAIN, relus=[nn.Identity() for _ in range(3)])
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        body = self.body
        x = body.conv1(x)
        x.relu_()
        x = body.conv2(body.pool1(x))
        x.relu_()
        x = body.conv3(body.pool2(x))
        x.relu_()
        return body.fc(torch.flatten(x, 1))


ACTIVATION_MODULES: dict[str, Callable[[], nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}
ACTIVATION_FUNCTIONS: dict[str, Function] = {"gelu": F.gelu, "relu": F.relu}


class HandMadeRelu(torch.autograd.Function):
    """A ReLU that a user wrote; autograd calls its node `HandMadeReluBackward`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (x > 0)


def relu_on_slices(x: Tensor) -> Tensor:
    """In place on half of the channels (`CopySlices` on the tape), plainly on the others.

    Two in-place slices of one tensor cannot be differentiated by torch at all.
    """
    half = x.shape[1] // 2
    above = torch.relu(x[:, half:])
    x[:, :half].relu_()
    return torch.cat([x[:, :half], above], dim=1)


def relu_on_view(x: Tensor) -> Tensor:
    """In place on a slice that is the whole tensor."""
    x[:].relu_()
    return x


RELU_FUNCTIONS: dict[str, Function] = {
    "F.relu": F.relu,
    "F.relu inplace": lambda x: F.relu(x, inplace=True),
    "F.relu_": lambda x: F.relu_(x),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "Tensor.relu": Tensor.relu,
    "Tensor.relu_": Tensor.relu_,
    "activation by name, function": ACTIVATION_FUNCTIONS["relu"],
    "clamp": lambda x: x.clamp(min=0),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp float": lambda x: torch.clamp(x, 0.0),
    "clip": lambda x: x.clip(0),
    "clamp_min": lambda x: x.clamp_min(0),
    "clamp_min_": lambda x: x.clamp_min_(0),
    "clamp tensor": lambda x: x.clamp(min=torch.tensor(0.0)),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, scalar zero": lambda x: torch.maximum(torch.zeros((), dtype=x.dtype), x),
    "F.threshold": lambda x: F.threshold(x, 0, 0),
    "F.threshold inplace": lambda x: F.threshold(x, 0.0, 0.0, inplace=True),
}


def _relu_function(function: Function) -> Callable[[], nn.Module]:
    return lambda: Chain(PLAIN, relus=[function] * 3)


RELUS: tuple[Spelling, ...] = (
    Spelling("nn.ReLU", lambda: Chain(PLAIN), PLAIN),
    Spelling("nn.ReLU, frozen weights", lambda: Chain(PLAIN).requires_grad_(False), PLAIN),
    Spelling("nn.ReLU reused", lambda: OneRelu(inplace=False), PLAIN),
    Spelling("nn.ReLU reused in place", lambda: OneRelu(inplace=True), PLAIN),
    Spelling(
        "nn.ReLU in place", lambda: Chain(PLAIN, [nn.ReLU(inplace=True) for _ in range(3)]), PLAIN
    ),
    Spelling("nn.Threshold", lambda: Chain(PLAIN, [nn.Threshold(0, 0) for _ in range(3)]), PLAIN),
    Spelling(
        "activation by name, module",
        lambda: Chain(PLAIN, [ACTIVATION_MODULES["relu"]() for _ in range(3)]),
        PLAIN,
    ),
    Spelling("bare x.relu_()", BareInPlace, PLAIN),
    *(Spelling(name, _relu_function(f), PLAIN) for name, f in RELU_FUNCTIONS.items()),
    Spelling("in place on a slice", _relu_function(relu_on_slices), PLAIN, "OpaqueGraph"),
    Spelling("in place on a view", _relu_function(relu_on_view), PLAIN, "OpaqueGraph"),
    Spelling(
        "custom autograd.Function",
        _relu_function(lambda x: cast(Tensor, HandMadeRelu.apply(x))),
        PLAIN,
        "custom",
        function="HandMadeRelu",
    ),
)


# Max-pooling


class FirstOf(nn.Module):
    """The maxima of a pool that returns its indices too."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x)[0]


POOL_FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "F.max_pool2d": (lambda x: F.max_pool2d(x, 3, 2), lambda x: F.max_pool2d(x, 2)),
    "torch.max_pool2d": (lambda x: torch.max_pool2d(x, 3, 2), lambda x: torch.max_pool2d(x, 2)),
    "F.max_pool2d return_indices": (
        lambda x: F.max_pool2d(x, 3, 2, return_indices=True)[0],
        lambda x: F.max_pool2d_with_indices(x, (2, 2))[0],
    ),
}
TIED = chain(MaxPool(2, 1, pad=1))
CEIL = chain(MaxPool(3, 2), MaxPool(2, 2, ceil=True))
PADDED = chain(MaxPool(3, 2, pad=1), MaxPool(2, 2, pad=1))
PADDED_CEIL = chain(MaxPool(3, 2, pad=1, ceil=True), MaxPool(3, 2, pad=1, ceil=True))
BEYOND = chain(MaxPool(3, 3, ceil=True))
ADAPTIVE = chain(pool2=AdaptiveMaxPool(4))
ADAPTIVE_EVEN = chain(pool2=AdaptiveMaxPool(3))

POOLS: tuple[Spelling, ...] = (
    *(
        Spelling(name, lambda pools=pools: Chain(PLAIN, pools=pools), PLAIN)
        for name, pools in POOL_FUNCTIONS.items()
    ),
    Spelling(
        "nn.MaxPool2d return_indices",
        lambda: Chain(
            PLAIN,
            pools=[
                FirstOf(nn.MaxPool2d(3, 2, return_indices=True)),
                FirstOf(nn.MaxPool2d(2, return_indices=True)),
            ],
        ),
        PLAIN,
    ),
    Spelling("pool, windows of equal zeros", lambda: Chain(TIED), TIED),
    Spelling("pool, ceil_mode", lambda: Chain(CEIL), CEIL),
    Spelling("pool, padded", lambda: Chain(PADDED), PADDED),
    Spelling("pool, padded and ceil_mode", lambda: Chain(PADDED_CEIL), PADDED_CEIL),
    Spelling("pool, ceil_mode, centres beyond the image", lambda: Chain(BEYOND), BEYOND),
    Spelling("pool, adaptive, uneven windows", lambda: Chain(ADAPTIVE), ADAPTIVE),
    Spelling(
        "pool, adaptive functional",
        lambda: Chain(
            ADAPTIVE_EVEN,
            pools=[lambda x: F.max_pool2d(x, 3, 2), lambda x: F.adaptive_max_pool2d(x, 3)],
        ),
        ADAPTIVE_EVEN,
    ),
)


# Local response normalization


def _lrn_slices(x: Tensor) -> Tensor:
    """x / (k + a * sum) ** b; the window as a sum of shifted slices."""
    before, channels = NORM.size // 2, x.shape[1]
    squares = F.pad(x * x, (0, 0, 0, 0, before, before))
    total = squares[:, :channels]
    for shift in range(1, NORM.size):
        total = total + squares[:, shift : shift + channels]
    return x / (NORM.k + NORM.alpha / NORM.size * total) ** NORM.beta


def _lrn_cat(x: Tensor) -> Tensor:
    """x * (k + a * sum) ** -b; the window of three by concatenation with an empty channel."""
    squares = x.pow(2)
    empty = torch.zeros_like(squares[:, :1])
    below = torch.cat([empty, squares[:, :-1]], dim=1)
    above = torch.cat([squares[:, 1:], empty], dim=1)
    return x * (NORM.k + NORM.alpha / NORM.size * (below + squares + above)) ** -NORM.beta


def _lrn_average(x: Tensor) -> Tensor:
    """x * (k + alpha * mean) ** -b; the window by avg_pool3d."""
    squares = (x**2).unsqueeze(1)
    mean = F.avg_pool3d(squares, (NORM.size, 1, 1), 1, (NORM.size // 2, 0, 0)).squeeze(1)
    return x * mean.mul(NORM.alpha).add(NORM.k).pow(-NORM.beta)


def _lrn_convolution(x: Tensor) -> Tensor:
    """x / (k + a * sum) ** b; the window as a 1 x 1 convolution with a banded matrix."""
    site = torch.arange(x.shape[1])
    near = (site[:, None] - site[None, :]).abs() <= NORM.size // 2
    total = F.conv2d(torch.square(x), near.to(x.dtype)[:, :, None, None])
    return torch.div(x, torch.pow(NORM.k + NORM.alpha / NORM.size * total, NORM.beta))


LRN_FUNCTIONS: dict[str, Function] = {
    "F.local_response_norm": lambda x: F.local_response_norm(
        x, NORM.size, NORM.alpha, NORM.beta, NORM.k
    ),
    "LRN by hand, quotient of slices": _lrn_slices,
    "LRN by hand, power and cat": _lrn_cat,
    "LRN by hand, power and avg_pool3d": _lrn_average,
    "LRN by hand, quotient and conv": _lrn_convolution,
}

NORMS: tuple[Spelling, ...] = (
    Spelling("nn.LocalResponseNorm", lambda: Chain(NORMALIZED), NORMALIZED),
    *(
        Spelling(name, lambda norm=norm: Chain(NORMALIZED, norm=norm), NORMALIZED)
        for name, norm in LRN_FUNCTIONS.items()
    ),
)


# Compilers


@contextmanager
def _jit() -> Iterator[None]:
    """Without the news that TorchScript is deprecated, or that a trace fixes Python numbers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        yield


def _loaded(scripted: torch.jit.ScriptModule) -> nn.Module:
    """Saved and loaded again: a program of its own.

    Scripted instances of one class share one program, and with it how warm it is; a copy from disk
    starts cold whatever ran before it.
    """
    buffer = io.BytesIO()
    with _jit():
        torch.jit.save(scripted, buffer)
        buffer.seek(0)
        return cast(nn.Module, torch.jit.load(buffer))


def _scripted(layers: list[Layer]) -> nn.Module:
    with _jit():
        return _loaded(torch.jit.script(Chain(layers)))


def _traced(layers: list[Layer]) -> nn.Module:
    with _jit():
        return cast(nn.Module, torch.jit.trace(Chain(layers), image()))


def _warm(module: nn.Module, calls: int = 5, grad: bool = True) -> nn.Module:
    for _ in range(calls):
        with torch.set_grad_enabled(grad):
            module(image().requires_grad_(grad))
    return module


def _with_scripted_relu() -> nn.Module:
    with _jit():
        return Chain(PLAIN, relus=[torch.jit.script(nn.ReLU()) for _ in range(3)])


def _exported(layers: list[Layer], any_batch: bool) -> nn.Module:
    shapes = {"x": {0: torch.export.Dim("batch")}} if any_batch else None
    example = (image(2 if any_batch else 1),)
    module: nn.Module = torch.export.export(Chain(layers), example, dynamic_shapes=shapes).module()
    return module


def _graph_module(layers: list[Layer]) -> nn.Module:
    return torch.fx.symbolic_trace(Chain(layers))


def _compiled(layers: list[Layer]) -> nn.Module:
    return cast(nn.Module, torch.compile(Chain(layers), backend="aot_eager"))


def _compiled_in_place(layers: list[Layer]) -> nn.Module:
    module = Chain(layers)
    module.compile(backend="aot_eager")
    return module


def _compiled_part() -> nn.Module:
    module = Chain(PLAIN)
    block = nn.Sequential(module.relu2, module.pool2)
    module.relu2, module.pool2 = torch.compile(block, backend="aot_eager"), nn.Identity()
    return module


class Checkpointed(nn.Module):
    """The chain with everything behind its first pool recomputed in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.body = Chain(PLAIN)
        self.reentrant = reentrant
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.body.pool1(self.body.relu1(self.body.conv1(x)))
        return cast(Tensor, checkpoint(self._tail, x, use_reentrant=self.reentrant))

    def _tail(self, x: Tensor) -> Tensor:
        x = self.body.pool2(self.body.relu2(self.body.conv2(x)))
        x = self.body.relu3(self.body.conv3(x))
        return self.body.fc(torch.flatten(x, 1))


COMPILED: tuple[Spelling, ...] = (
    Spelling("jit.script, cold", lambda: _scripted(PLAIN), PLAIN, once=True),
    Spelling("jit.script, cold, LRN", lambda: _scripted(NORMALIZED), NORMALIZED, once=True),
    Spelling(
        "jit.script, warmed up without gradients",
        lambda: _warm(_scripted(PLAIN), grad=False),
        PLAIN,
    ),
    Spelling("jit.script, warm", lambda: _warm(_scripted(PLAIN)), PLAIN, "OpaqueGraph"),
    Spelling(
        "jit.script, warm, LRN", lambda: _warm(_scripted(NORMALIZED)), NORMALIZED, "OpaqueGraph"
    ),
    Spelling(
        "jit.script, warm, inside a module",
        lambda: nn.Sequential(nn.Identity(), _warm(_scripted(PLAIN))).eval(),
        PLAIN,
        "OpaqueGraph",
    ),
    Spelling("jit.script of each ReLU", lambda: _warm(_with_scripted_relu()), PLAIN),
    Spelling("jit.trace", lambda: _traced(PLAIN), PLAIN),
    Spelling("jit.trace, after 5 calls", lambda: _warm(_traced(PLAIN)), PLAIN),
    Spelling("jit.trace, LRN", lambda: _warm(_traced(NORMALIZED)), NORMALIZED),
    Spelling(
        "jit.trace, saved and loaded, cold",
        lambda: _loaded(cast(torch.jit.ScriptModule, _traced(PLAIN))),
        PLAIN,
        once=True,
    ),
    Spelling(
        "jit.trace, saved and loaded, warm",
        lambda: _warm(_loaded(cast(torch.jit.ScriptModule, _traced(PLAIN)))),
        PLAIN,
        "OpaqueGraph",
    ),
    Spelling("torch.export", lambda: _exported(PLAIN, any_batch=True), PLAIN),
    Spelling("torch.export, LRN", lambda: _exported(NORMALIZED, any_batch=True), NORMALIZED),
    Spelling("fx.symbolic_trace", lambda: _graph_module(PLAIN), PLAIN),
    Spelling("fx.symbolic_trace, LRN", lambda: _graph_module(NORMALIZED), NORMALIZED),
    Spelling("torch.compile", lambda: _compiled(PLAIN), PLAIN),
    Spelling("torch.compile, warm, LRN", lambda: _warm(_compiled(NORMALIZED), 2), NORMALIZED),
    Spelling("module.compile", lambda: _compiled_in_place(PLAIN), PLAIN),
    Spelling("one compiled submodule", _compiled_part, PLAIN),
    Spelling("checkpoint", lambda: Checkpointed(reentrant=False), PLAIN),
    Spelling("checkpoint, re-entrant", lambda: Checkpointed(reentrant=True), PLAIN, "OpaqueGraph"),
)

TORCH_WARNINGS = (
    "ignore:None of the inputs have requires_grad=True:UserWarning",
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning",
)
"""What torch says of a re-entrant checkpoint run without gradients, and of a compiled part."""

SPELLINGS: tuple[Spelling, ...] = (*RELUS, *POOLS, *NORMS, *COMPILED)


# Networks that branch


class ReferenceRelu(torch.autograd.Function):
    """A ReLU whose backward pass *is* the rule, in the reference's own words."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: str) -> Tensor:
        ctx.save_for_backward(x)
        ctx.rule = rule
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        signal = reverse_relu(x.numpy(), gradients[0].numpy(), ctx.rule)
        return torch.from_numpy(signal), None


def reference_relu(rule: str) -> Function:
    """ReLU, reversed as `identity`, `rectify`, `mask` or `mask+rectify`; float64 on the CPU."""
    return lambda x: cast(Tensor, ReferenceRelu.apply(x, rule))


@dataclass(frozen=True)
class BranchSpelling:
    """A network that is no chain, (b, 3, 19, 19) to (b, 5).

    Args:
        id: the name in a test report.
        build: ``build(None)`` is the natural spelling; ``build(reference_relu(rule))`` is the same
            network with that function in place of each plain ReLU. Pools and all else are natural.
        relus: how many times a plain ReLU is called. With 0 a rule that changes ReLUs has nothing
            to reverse, and only the gradient can be compared.
    """

    id: str
    build: Callable[[Function | None], nn.Module]
    relus: int


def _conv(n_in: int, n_out: int, kernel: int = 3) -> nn.Conv2d:
    draw = np.random.default_rng((n_in, n_out, kernel))
    weight = draw.standard_normal((n_out, n_in, kernel, kernel)) * (2 / (n_in * kernel**2)) ** 0.5
    return convolution(Conv(weight, 0.1 * draw.standard_normal(n_out), pad=kernel // 2))


def _classes(features: int) -> nn.Sequential:
    draw = np.random.default_rng(features)
    weight = draw.standard_normal((CLASSES, features))
    fc = fully_connected(FullyConnected(weight, 0.1 * draw.standard_normal(CLASSES)))
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), fc)


def _norm(channels: int) -> nn.BatchNorm2d:
    draw = np.random.default_rng(channels)
    module = nn.BatchNorm2d(channels, dtype=torch.float64)
    values = {
        "weight": draw.uniform(0.5, 1.5, channels),
        "bias": 0.3 * draw.standard_normal(channels),
        "running_mean": 0.3 * draw.standard_normal(channels),
        "running_var": draw.uniform(0.5, 1.5, channels),
    }
    module.load_state_dict({k: torch.from_numpy(v) for k, v in values.items()}, strict=False)
    return module


class Residual(nn.Module):
    """ResNet: one in-place ReLU for everything, and the sum ``y += x`` in place too."""

    def __init__(self, relu: Function | None) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(3, 6), _norm(6)
        self.conv2, self.norm2 = _conv(6, 6), _norm(6)
        self.conv3 = _conv(6, 6, kernel=1)
        self.relu = relu or nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.head = _classes(6)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm1(self.conv1(x))))
        y = self.relu(self.norm2(self.conv2(x)))
        y = self.conv3(y)
        y += x
        return self.head(self.relu(y))


class PreActivation(nn.Module):
    """Xception, NF-ResNet: the ReLU's input goes past it too, so two gradients meet there."""

    def __init__(self, relu: Function | None) -> None:
        super().__init__()
        self.stem, self.conv1, self.conv2 = _conv(3, 6), _conv(6, 6), _conv(6, 6, kernel=1)
        self.relu1, self.relu2 = relu or nn.ReLU(), relu or nn.ReLU()
        self.skip = _conv(6, 6, kernel=5)
        self.head = _classes(6)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.skip(x) + self.conv1(self.relu1(x))
        x = x + self.conv2(self.relu2(x))
        return self.head(x)


class Dense(nn.Module):
    """DenseNet: ReLU modules in its layers, concatenation, and a stray F.relu before the head."""

    def __init__(self, relu: Function | None) -> None:
        super().__init__()
        self.stem, self.pool = _conv(3, 4), nn.MaxPool2d(3, 2)
        self.norm1, self.conv1 = _norm(4), _conv(4, 3)
        self.norm2, self.conv2 = _norm(7), _conv(7, 3)
        self.norm3 = _norm(10)
        self.relu1 = relu or nn.ReLU(inplace=True)
        self.relu2 = relu or nn.ReLU(inplace=True)
        self.last_relu = relu
        self.head = _classes(10)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        x = torch.cat([x, self.conv1(self.relu1(self.norm1(x)))], dim=1)
        x = torch.cat([x, self.conv2(self.relu2(self.norm2(x)))], dim=1)
        x = self.norm3(x)
        x = F.relu(x, inplace=True) if self.last_relu is None else self.last_relu(x)
        return self.head(x)


class Parallel(nn.Module):
    """Inception: branches of different size share one ReLU module."""

    def __init__(self, relu: Function | None) -> None:
        super().__init__()
        self.stem, self.left, self.right = _conv(3, 6), _conv(6, 4, kernel=1), _conv(6, 5)
        self.relu = relu or nn.ReLU()
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.join = _conv(15, 6)
        self.head = _classes(6)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        branches = [self.relu(self.left(x)), self.relu(self.right(x)), self.pool(x)]
        return self.head(self.relu(self.join(torch.cat(branches, dim=1))))


class ReluBesideGelu(nn.Module):
    """A plain ReLU between smooth activations: only the ReLU has a rule."""

    def __init__(self, relu: Function | None) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = _conv(3, 6), _conv(6, 6), _conv(6, 6, kernel=1)
        self.gelu, self.relu, self.silu = nn.GELU(), relu or nn.ReLU(), nn.SiLU()
        self.head = _classes(6)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv2(self.gelu(self.conv1(x))))
        return self.head(self.silu(self.conv3(x)))


class OtherActivations(nn.Module):
    """Activations that are not plain ReLUs, one behind each convolution."""

    def __init__(self, *activations: Function) -> None:
        super().__init__()
        widths = [3] + [6] * len(activations)
        blocks = [
            nn.Sequential(_conv(n_in, 6), activation)
            for n_in, activation in zip(widths, activations, strict=False)
        ]
        self.body = nn.Sequential(*blocks)
        self.head = _classes(6)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


RESIDUALS: tuple[BranchSpelling, ...] = (
    BranchSpelling("residual, ReLU reused in place, y += x", Residual, relus=3),
    BranchSpelling("ReLU input also skips ahead", PreActivation, relus=2),
    BranchSpelling("a stray F.relu among modules", Dense, relus=3),
    BranchSpelling("parallel branches share a ReLU", Parallel, relus=3),
    BranchSpelling("ReLU beside GELU", ReluBesideGelu, relus=1),
    BranchSpelling(
        "LeakyReLU, ReLU6, GELU",
        lambda relu: OtherActivations(nn.LeakyReLU(0.1), nn.ReLU6(), nn.GELU()),
        relus=0,
    ),
    BranchSpelling("LeakyReLU", lambda relu: OtherActivations(nn.LeakyReLU(0.1)), relus=0),
    BranchSpelling("ReLU6", lambda relu: OtherActivations(nn.ReLU6()), relus=0),
    BranchSpelling("ELU", lambda relu: OtherActivations(nn.ELU()), relus=0),
    BranchSpelling("no activation", lambda relu: OtherActivations(nn.MaxPool2d(3, 2)), relus=0),
)

"""Small networks that every public call must treat alike: `NETWORKS`, and what they are made of."""

from __future__ import annotations

import random
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Order, Preprocessing

SIDE = 20
LABELS = ("ant", "bee", "cat", "dog", "eel", "fox")
CLASSES = len(LABELS)

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def seeded(module: AnyModule, seed: int = 0) -> AnyModule:
    """Fill weights and statistics with seeded numbers; the global generator is left alone."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not tensor.is_floating_point():
                continue
            scale = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.3
            values = torch.randn(tensor.shape, generator=draw) * scale
            norm = tensor.dim() == 1 and not name.endswith(("bias", "mean"))
            tensor.copy_(values.abs() + 0.5 if norm else values)
    return module


class Trace:
    """Hangs on a tape, and dies with it."""

    alive: ClassVar[weakref.WeakSet[Trace]] = weakref.WeakSet()

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        Trace.alive.add(self)

    def __call__(self, _: Tensor) -> None:
        if self.error is not None:
            raise self.error


class Fuse(nn.Module):
    """Does nothing, until it is told to fail on the way forward or backward."""

    def __init__(self) -> None:
        super().__init__()
        self.forward_error: BaseException | None = None
        self.backward_error: BaseException | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.forward_error is not None:
            raise self.forward_error
        if x.requires_grad and not torch.compiler.is_compiling():
            x.register_hook(Trace(self.backward_error))
        return x


def fuse(net: Network) -> Fuse:
    return next(child for child in net.module.modules() if isinstance(child, Fuse))


def stack(channels: int = 3, **inserted: nn.Module) -> OrderedDict[str, nn.Module]:
    """Two convolutions with all kinds of bottlenecks, and a classifier.

    Args:
        channels: Of the input.
        inserted: Modules to put in place of those of the same name, or behind `conv2`.
    """
    behind = {name: layer for name, layer in inserted.items() if name not in ("norm1",)}
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(channels, 6, 3, padding=1),
        relu1=nn.ReLU(),
        norm1=inserted.get("norm1", nn.LocalResponseNorm(3, 0.5, 0.75, 1.0)),
        pool1=nn.MaxPool2d(3, 2),
        fuse=Fuse(),
        conv2=nn.Conv2d(6, 8, 3),
        **behind,
    )
    layers |= OrderedDict[str, nn.Module](
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2, 2),
        flat=nn.Flatten(),
        fc=nn.Linear(8 * 3 * 3, CLASSES),
    )
    return layers


def plain(channels: int = 3, seed: int = 0, **inserted: nn.Module) -> nn.Sequential:
    return seeded(nn.Sequential(stack(channels, **inserted)), seed)


class InPlaceResidual(nn.Module):
    """One in-place ReLU for everything, and a sum in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.fuse = Fuse()
        self.relu = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(3, 2)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu(self.conv1(x)))
        y = self.conv2(self.fuse(x))
        y += x
        y = self.relu(y)
        scores: Tensor = self.fc(y.mean((2, 3)))
        return scores


class InPlaceFirst(nn.Module):
    """Its first operation overwrites its input."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.body(x.mul_(2).sub_(1))
        return scores


class Returning(nn.Module):
    """Returns its scores in a tuple or a mapping, with its features."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body, self.kind = plain(), kind

    def forward(self, x: Tensor) -> Any:
        features = self.body[:-2](x)
        scores = self.body[-2:](features)
        return (scores, features) if self.kind == "tuple" else {"out": scores, "aux": features}


class ScoreMap(nn.Module):
    """SqueezeNet's end: a map of class scores, then ReLU and the mean over the map."""

    def __init__(self, functional: bool) -> None:
        super().__init__()
        self.conv1, self.pool1 = nn.Conv2d(3, 6, 3, padding=1), nn.MaxPool2d(3, 2)
        self.fuse, self.functional = Fuse(), functional
        self.relu1 = nn.ReLU()
        self.last = nn.Conv2d(6, CLASSES, 3)
        self.tail = nn.Sequential(nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        x = self.fuse(self.pool1(self.relu1(self.conv1(x))))
        if self.functional:
            x = F.conv2d(x, self.last.weight, self.last.bias)
            return F.relu(x, inplace=True).mean((-2, -1))
        scores: Tensor = self.tail(self.last(x))
        return scores


def training() -> nn.Module:
    norm, drop = nn.BatchNorm2d(8), nn.Dropout(0.5)
    return plain(bn=norm, drop=drop).train()


@dataclass(frozen=True)
class Case:
    """One network of the contract suite.

    Attributes:
        id: Name in a test report.
        module: Makes it.
        channels: Of an image as the user gives it.
        order: Of its preprocessing.
        layer: A layer behind a ReLU and a pool.
        inner: A layer before it.
        dtype: Of its weights.
        tolerance: How far two ways of computing the same may differ, relative to the largest.
    """

    id: str
    module: Callable[[], nn.Module]
    channels: int = 3
    order: Order = "RGB"
    layer: str = "conv2"
    inner: str = "conv1"
    dtype: torch.dtype = torch.float32
    tolerance: float = 1e-5

    def build(self) -> Network:
        """A new network, with labels and a normalization of its own."""
        fixed = {"RGB": 3, "BGR": 3, "gray": 1, "any": self.channels}[self.order]
        mean, std = (0.4, 0.5, 0.6, 0.3, 0.5, 0.4)[:fixed], (0.2, 0.25, 0.3, 0.4, 0.2, 0.25)[:fixed]
        preprocessing = Preprocessing((SIDE, SIDE), mean, std, 2.0, self.order, resize_to=24)
        return Network(self.module().to(self.dtype), preprocessing, LABELS, self.id)

    def image(self, batch: int = 1, seed: int = 0) -> Tensor:
        """Seeded noise in [0, 1], (batch, channels, 20, 20)."""
        noise = np.random.default_rng(seed).random((batch, self.channels, SIDE, SIDE))
        return torch.from_numpy(noise).to(self.dtype)

    def close(self, got: Tensor, wanted: Tensor) -> None:
        """Assert that two ways of computing the same agree."""
        assert got.dtype == wanted.dtype
        assert torch.equal(got.isnan(), wanted.isnan())
        got, wanted = got.double().nan_to_num(), wanted.double().nan_to_num()
        atol = self.tolerance * float(wanted.abs().max())
        torch.testing.assert_close(got, wanted, rtol=self.tolerance, atol=atol)


def _compiled() -> nn.Module:
    return cast(nn.Module, torch.compile(plain(), backend="aot_eager"))


def _frozen() -> nn.Module:
    return plain().requires_grad_(False)


NETWORKS: tuple[Case, ...] = (
    Case("rgb", plain),
    Case("bgr", plain, order="BGR"),
    Case("frozen", _frozen),
    Case("gray", lambda: plain(1), channels=1, order="gray"),
    Case("six channels", lambda: plain(6), channels=6, order="any"),
    Case("double", plain, dtype=torch.float64, tolerance=1e-12),
    Case("bfloat16", lambda: plain(norm1=nn.Identity()), dtype=torch.bfloat16, tolerance=0.03),
    Case("residual in place", lambda: seeded(InPlaceResidual())),
    Case("training mode", training),
    Case("overwrites its input", InPlaceFirst, layer="body.conv2", inner="body.conv1"),
    Case("tuple", lambda: Returning("tuple"), layer="body.conv2", inner="body.conv1"),
    Case("dict", lambda: Returning("dict"), layer="body.conv2", inner="body.conv1"),
    Case("score map", lambda: seeded(ScoreMap(False)), layer="last"),
    Case("score map, functional", lambda: seeded(ScoreMap(True)), layer="fuse"),
    Case("compiled", _compiled),
)


def snapshot(net: Network) -> dict[str, Any]:
    """Everything about a model, and about the process, that no call may change."""
    module = net.module
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    flat = {k: t.detach().contiguous().view(-1).view(torch.uint8) for k, t in tensors.items()}
    children = dict(module.named_modules())
    hooks = {
        f"{path}.{kind}": len(value)
        for path, child in children.items()
        for kind, value in vars(child).items()
        if "hooks" in kind and hasattr(value, "__len__")
    }
    return {
        "state": {name: bytes(values.numpy().tobytes()) for name, values in flat.items()},
        "tensors": {name: (id(t), t.data_ptr(), t._version) for name, t in tensors.items()},
        "training": {path: child.training for path, child in children.items()},
        "requires_grad": {name: t.requires_grad for name, t in tensors.items()},
        "grad": {name: t.grad is None for name, t in tensors.items()},
        "tensor hooks": {name: len(t._backward_hooks or ()) for name, t in tensors.items()},
        "hooks": hooks,
        "kinds": {path: (id(child), type(child)) for path, child in children.items()},
        "attributes": {path: sorted(vars(child)) for path, child in children.items()},
        "torch.relu": (torch.relu, F.relu, Tensor.relu, nn.ReLU.forward, F.max_pool2d),
        "torch rng": torch.get_rng_state().numpy().tobytes(),
        "numpy rng": _numpy_state(),
        "random rng": random.getstate(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
    }


def _numpy_state() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    return kind, np.asarray(keys).tobytes(), *rest


@contextmanager
def untouched(net: Network) -> Iterator[None]:
    """Assert that nothing about a network, or about the process, changes in a `with` block."""
    before = snapshot(net)
    try:
        yield
    finally:
        after = snapshot(net)
        assert {k for k in before if before[k] != after[k]} == set()

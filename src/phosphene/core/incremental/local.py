"""Operators that look at each place of a map by itself: run on crops as on maps.

They may do anything along the other axes: response normalization squares, pads and averages
channels in five dimensions, a shuffle reshapes and transposes them. What matters is that the last
two axes stay the map's rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.core.graph import Operation, Size, Times
from phosphene.core.incremental.patches import Clean, Place
from phosphene.core.incremental.sliding import Spans


@dataclass(frozen=True, eq=False)
class Local:
    """An operation on each place by itself.

    Attributes:
        operation: The operation.
        sources: Numbers of the maps it reads.
        sizes: Shapes of all it reads and makes, for one image.
    """

    operation: Operation
    sources: tuple[int, ...]
    sizes: Mapping[int, Size]

    def reach(self, spans: Mapping[int, Spans]) -> Spans:
        """Unite what has changed in the maps it reads."""
        rows, columns = spans[self.sources[0]]
        for source in self.sources[1:]:
            rows, columns = rows | spans[source][0], columns | spans[source][1]
        return rows, columns

    def run(self, values: Mapping[int, Any], place: Place) -> dict[int, Tensor]:
        """Run the operation on crops."""
        operation = self.operation
        first = operation.outputs[0]
        if operation.name in _SAME:
            return {first: values[self.sources[0]].cut(place)}
        if operation.name in _RESHAPES:
            shape = (len(place), *self.sizes[first][1:-2], place.height, place.width)
            return {first: values[self.sources[0]].cut(place).reshape(shape)}
        cut = {number: values[number].cut(place) for number in self.sources}
        arguments, options = operation.filled(cut, len(place))
        arguments = [
            self._fitted(a, place) if isinstance(given, Tensor) else a
            for a, given in zip(arguments, operation.arguments, strict=True)
        ]
        return operation.named(operation.function(*arguments, **options))

    def _fitted(self, constant: Tensor, place: Place) -> Tensor:
        """Cut what an elementwise operator meets the maps with, if it has rows and columns."""
        rank = len(self.sizes[self.operation.outputs[0]])
        if not _elementwise(self.operation) or set(constant.shape[-2:]) <= {1}:
            return constant
        full = constant.reshape((1,) * (rank - constant.dim()) + tuple(constant.shape))
        size = self.sizes[self.operation.outputs[0]][-2:]
        return Clean(full.expand(*full.shape[:-2], *size)).cut(place)


def local(operation: Operation, sizes: Mapping[int, Size]) -> Local | None:
    """Make the rule of an operation that looks at each place by itself; `None` for others."""
    sources = tuple(dict.fromkeys(operation.inputs))
    made = [sizes[number] for number in operation.outputs if number in sizes]
    maps = [*(sizes[number] for number in sources), *made]
    if not sources or any(len(s) < 3 or s[0] != 1 or s[-2:] != made[0][-2:] for s in maps):
        return None
    name = operation.name
    if not _led_by_images(operation, sizes):
        return None
    known = name in _SAME or name in _RESHAPES or _elementwise(operation)
    # What else an operator makes beside its first output (statistics, switches) is no map.
    if operation.several and name not in _SPLITS and operation.outputs[0] not in sizes:
        return None
    if operation.several and name not in _SPLITS and len(made) > 1:
        return None
    if not known and not (name in _CHECKS and _CHECKS[name](operation.arguments, len(maps[0]))):
        return None
    return Local(operation, sources, sizes)


def _led_by_images(operation: Operation, sizes: Mapping[int, Size]) -> bool:
    """Whether a new shape still begins with the images.

    Of one image it cannot be told by its size: instance normalization views all images' channels
    as those of a single one, (1, b c, h, w).
    """
    if operation.name == "reshape":
        first, *rest = operation.arguments[1]
        inferred = first == -1 and not any(isinstance(n, Times) for n in rest)
        return first == Times(1) or inferred
    if operation.name == "unsqueeze":
        return bool(operation.arguments[1] % (len(sizes[operation.inputs[0]]) + 1))
    if operation.name == "squeeze" and len(operation.arguments) > 1:
        given = operation.arguments[1]
        dims = given if isinstance(given, tuple) else (given,)
        return all(dim % len(sizes[operation.inputs[0]]) for dim in dims)
    return True


def _elementwise(operation: Operation) -> bool:
    tags = getattr(operation.function, "tags", ())
    return torch.Tag.pointwise in tags or operation.name in _UNTAGGED


_SAME = ("alias", "clone", "contiguous", "detach", "lift_fresh")
_RESHAPES = ("reshape", "squeeze", "unsqueeze")
_SPLITS = ("split", "split_with_sizes", "chunk")
# Elementwise, without PyTorch's tag for it.
_UNTAGGED = ("_prelu_kernel", "_to_copy", "hardswish", "where")

Check = Callable[[Sequence[Any], int], bool]


def _inner(*dims: Any, rank: int) -> bool:
    """Whether dimensions are neither the images nor the map's rows and columns."""
    return all(isinstance(d, int) and 1 <= d % rank < rank - 2 for d in dims)


def _dimension(argument: int, otherwise: int = 0) -> Check:
    def check(given: Sequence[Any], rank: int) -> bool:
        dim = given[argument] if len(given) > argument else otherwise
        return _inner(dim, rank=rank)

    return check


def _reduced(given: Sequence[Any], rank: int) -> bool:
    """Sums and means over channels that keep their axis."""
    kept = len(given) > 2 and given[2] is True
    return kept and isinstance(given[1], tuple) and _inner(*given[1], rank=rank)


def _permuted(given: Sequence[Any], rank: int) -> bool:
    order = [d % rank for d in given[1]]
    return order[0] == 0 and order[-2:] == [rank - 2, rank - 1]


def _padded(given: Sequence[Any], rank: int) -> bool:
    return not any(given[1][:4]) and len(given[1]) <= 2 * (rank - 1)


def _pooled(given: Sequence[Any], rank: int) -> bool:
    """Average pooling over channels, as response normalization does it."""
    kernel, stride, padding = given[1], given[2] if len(given) > 2 else (), (0,)
    padding = given[3] if len(given) > 3 else padding
    ones = tuple(kernel[1:]) == (1, 1) and tuple(stride[1:]) in ((), (1, 1))
    return rank == 5 and ones and not any(padding[1:])


_CHECKS: dict[str, Check] = {
    "_log_softmax": _dimension(1),
    "_native_batch_norm_legit_no_training": lambda given, rank: rank == 4,
    "_softmax": _dimension(1),
    "avg_pool3d": _pooled,
    "cat": _dimension(1),
    "channel_shuffle": lambda given, rank: rank == 4,
    "chunk": _dimension(2),
    "constant_pad_nd": _padded,
    "cudnn_batch_norm": lambda given, rank: rank == 4 and given[5] is False,
    "flip": lambda given, rank: _inner(*given[1], rank=rank),
    "mean": _reduced,
    "native_batch_norm": lambda given, rank: rank == 4 and given[5] is False,
    "native_channel_shuffle": lambda given, rank: rank == 4,
    "permute": _permuted,
    "slice": _dimension(1),
    "split": _dimension(2),
    "split_with_sizes": _dimension(2),
    "sum": _reduced,
    "transpose": lambda given, rank: _inner(*given[1:3], rank=rank),
}

"""Running a network on images that differ from a clean one in a window each.

The clean image's values are made once. A batch of windows then carries, from operation to
operation, crops of what has changed (`Patches`); where a crop would be most of the map, or an
operation has no rule for crops, whole maps go on from there. Either way the numbers are those of
the whole pass, up to rounding.

Windows of a batch get crops of one size, the largest of theirs; so those whose cones are alike
(the border cuts them) go together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from phosphene.core.graph import Graph, Operation, Ref
from phosphene.core.incremental.cone import Span
from phosphene.core.incremental.local import local
from phosphene.core.incremental.patches import Clean, Patches, Place, laid_out
from phosphene.core.incremental.sliding import (
    Rule,
    Spans,
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    convolution,
    margin,
    max_pool,
)

# Crops larger than this share of the map cost more to cut and paste than they save.
MOST = 0.7

_RULES = {
    "_adaptive_avg_pool2d": (adaptive_average_pool,),
    "adaptive_max_pool2d": (adaptive_max_pool,),
    "avg_pool2d": (average_pool,),
    "constant_pad_nd": (local, margin),
    "convolution": (convolution,),
    "max_pool2d_with_indices": (max_pool,),
}

# Operators that refuse values in some orders; what calls them puts the values right before.
_PARTICULAR = ("native_group_norm",)

Value = Tensor | Patches
"""What a batch holds: whole values (b, ...), or crops of maps."""


@dataclass(frozen=True)
class Windows:
    """Rectangles of the input in rows and columns: every row with every column.

    Attributes:
        rows: (top, bottom) of each row of windows, pixels, within the image.
        columns: (left, right) of each column.
    """

    rows: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Batch:
    """Some windows: rows and columns of the grid, each row with each column."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


class Engine:
    """A network's operations, ready for windows of one image.

    Args:
        graph: What leads from the input to the values that are wanted.
        x: (1, c, h, w) clean input.
        fill: (1, c, h, w) what the windows show in place of it.
        windows: The windows.
        incremental: Whether to run only on what changes; otherwise on whole maps, all in
            channels-last order.

    Attributes:
        clean: What was asked for, of the clean image.
        crops: How many operations can be run on crops.
        whole: How many cannot, by the name of their operator.
    """

    def __init__(
        self, graph: Graph, x: Tensor, fill: Tensor, windows: Windows, incremental: bool
    ) -> None:
        self._graph, self._windows, self._fill = graph, windows, fill
        self._operations = _folded(graph)
        self._maps = {0: Clean(laid_out(x))}
        self._spans: dict[int, Spans] = {}
        self._rules: dict[Operation, Rule] = {}
        self._last = {n: o for o in self._operations for n in (*o.inputs, *o.outputs)}
        values: dict[int, Any] = {0: self._maps[0].value}
        for operation in self._operations:
            values |= _run(operation, values, 1)
        self.clean = {n: values[n] for n in graph.wanted}
        if incremental:
            self._plan(values)
        self.whole = Counter(o.name for o in self._operations if o not in self._rules)
        self.crops = len(self._rules)

    def _plan(self, values: Mapping[int, Tensor]) -> None:
        """Find the rules, and how far each row and column of windows reaches."""
        height, width = self._maps[0].value.shape[-2:]
        self._spans[0] = _span(self._windows.rows, height), _span(self._windows.columns, width)
        for operation in self._operations:
            if all(n in self._spans for n in operation.inputs) and operation.inputs:
                makers = _RULES.get(operation.name, (local,))
                made = (make(operation, self._graph.sizes) for make in makers)
                rule = next((rule for rule in made if rule), None)
                if rule is not None:
                    self._rules[operation] = rule
                    reached = rule.reach(self._spans)
                    outputs = [n for n in operation.outputs if n in self._graph.sizes]
                    self._spans |= dict.fromkeys(outputs, reached)
                    self._maps |= {n: Clean(laid_out(values[n])) for n in outputs}

    def batches(self, most: int) -> list[Batch]:
        """Group the windows into batches of at most so many, those with like cones together."""
        rows, columns = (self._alike(axis) for axis in (0, 1))
        # As square as can be: a batch of one row of windows would mix all lengths of columns.
        tall = max(n for n in range(1, most + 1) if n * n <= most)
        wide = most // tall
        return [
            Batch(tuple(rows[i : i + tall]), tuple(columns[j : j + wide]))
            for i in range(0, len(rows), tall)
            for j in range(0, len(columns), wide)
        ]

    def _alike(self, axis: int) -> list[int]:
        count = len((self._windows.rows, self._windows.columns)[axis])
        if not self._spans:
            return list(range(count))
        shares = np.sum([spans[axis].share for spans in self._spans.values()], axis=0)
        return [int(i) for i in shares.argsort(kind="stable")]

    def run(self, batch: Batch) -> dict[int, Value]:
        """Run the network on a batch of windows.

        Returns:
            What was asked for, by number; images are ordered by row, then column of the batch.
        """
        values: dict[int, Any] = {0: self._occluded(batch)}
        if not self._rules:
            values[0] = values[0].whole()
        for operation in self._operations:
            values |= self._step(operation, values, batch)
            for number in (*operation.inputs, *operation.outputs):
                if self._last[number] is operation and number not in self._graph.wanted:
                    values.pop(number, None)
        return {n: values[n] for n in self._graph.wanted}

    def _step(self, operation: Operation, values: dict[int, Any], batch: Batch) -> dict[int, Value]:
        rule = self._rules.get(operation)
        inputs = operation.inputs
        if rule is not None and all(isinstance(values[n], Patches) for n in inputs):
            first = next(n for n in operation.outputs if n in self._spans)
            place = self._place(self._spans[first], batch)
            height, width = self._graph.sizes[first][-2:]
            if place.height * place.width <= MOST * height * width:
                made = rule.run(values, place)
                return {
                    n: Patches(self._maps[n], crops, place)
                    for n, crops in made.items()
                    if n in self._maps
                }
        if _averages(operation, self._graph) and isinstance(values[inputs[0]], Patches):
            source: Patches = values[inputs[0]]
            height, width = source.clean.value.shape[-2:]
            shape = (len(batch), *self._graph.sizes[operation.outputs[0]][1:])
            return {operation.outputs[0]: (source.sum() / (height * width)).reshape(shape)}
        for number in inputs:
            if isinstance(values[number], Patches):
                values[number] = values[number].whole()
        return dict(_run(operation, values, len(batch)))

    def _place(self, spans: Spans, batch: Batch) -> Place:
        tops, height = spans[0].together(list(batch.rows))
        lefts, width = spans[1].together(list(batch.columns))
        return Place(
            tuple(top for top in tops for _ in lefts), tuple(lefts) * len(tops), height, width
        )

    def _occluded(self, batch: Batch) -> Patches:
        """Put the windows on the clean image."""
        height, width = self._maps[0].value.shape[-2:]
        spans = _span(self._windows.rows, height), _span(self._windows.columns, width)
        place = self._place(spans, batch)
        crops = self._maps[0].cut(place)
        boxes = [
            (self._windows.rows[i], self._windows.columns[j])
            for i in batch.rows
            for j in batch.columns
        ]
        for k, ((top, bottom), (left, right)) in enumerate(boxes):
            down, over = place.tops[k], place.lefts[k]
            part = self._fill[0, :, top:bottom, left:right]
            crops[k, :, top - down : bottom - down, left - over : right - over] = part
        return Patches(self._maps[0], crops, place)


def _run(operation: Operation, values: Mapping[int, Any], images: int) -> dict[int, Tensor]:
    """Run an operation on whole values."""
    if operation.name in _PARTICULAR:
        values = {n: values[n].contiguous() for n in operation.inputs}
    return operation.run(values, images)


def _span(intervals: tuple[tuple[int, int], ...], size: int) -> Span:
    ends = np.array(intervals, dtype=np.int64).reshape(-1, 2)
    return Span(ends[:, 0], ends[:, 1], size)


def _folded(graph: Graph) -> list[Operation]:
    """Compute what depends on no image, and put it where it is read."""
    known: dict[int, Any] = {}
    folded = []
    for operation in graph.operations:
        arguments, options = (_put_in(a, known) for a in (operation.arguments, operation.options))
        operation = replace(operation, arguments=arguments, options=options)
        if graph.constant.issuperset(n for n in operation.outputs if n >= 0):
            known |= operation.run({}, 1)
        else:
            folded.append(operation)
    return folded


def _put_in(given: Any, known: Mapping[int, Any]) -> Any:
    if isinstance(given, Ref):
        return known.get(given.number, given)
    if isinstance(given, tuple):
        return tuple(_put_in(entry, known) for entry in given)
    if isinstance(given, dict):
        return {name: _put_in(entry, known) for name, entry in given.items()}
    # Weights of convolutions too, or every call would bring them into this order again.
    return laid_out(given) if isinstance(given, Tensor) else given


def _averages(operation: Operation, graph: Graph) -> bool:
    """Whether an operation takes the mean over whole maps, and nothing else."""
    plain = operation.name == "mean" and not operation.options
    if not plain or len(operation.inputs) != 1 or len(operation.arguments) < 2:
        return False
    rank = len(graph.sizes[operation.inputs[0]])
    dims = operation.arguments[1]
    return isinstance(dims, tuple) and sorted(d % rank for d in dims) == [rank - 2, rank - 1]

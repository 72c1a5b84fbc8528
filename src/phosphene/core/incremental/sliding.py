"""Operators that slide a kernel over maps: run on crops as on maps.

A `Rule` says for one operation of a graph how far a change reaches behind it, and runs it on
crops. Here are the rules of convolutions and pools, which cut what their outputs need, and of
margins of a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.nn import functional as F

from phosphene.core.graph import Operation, Ref, Size
from phosphene.core.incremental.cone import Slide, Span
from phosphene.core.incremental.divisors import divisors
from phosphene.core.incremental.patches import Margins, Place

Spans = tuple[Span, Span]
"""What has changed of a map: rows and columns."""


class Rule(Protocol):
    """How an operation deals with maps of which a part has changed."""

    def reach(self, spans: Mapping[int, Spans]) -> Spans:
        """Say what has changed behind the operation, for every row and column of windows."""
        ...

    def run(self, values: Mapping[int, Any], place: Place) -> dict[int, Tensor]:
        """Make the crops of the outputs within a place, by their numbers."""
        ...


@dataclass(frozen=True, eq=False)
class Sliding:
    """A kernel that slides over maps.

    Attributes:
        output: Number of the value it makes.
        source: Number of the value it slides over.
        size: (rows, columns) of that value.
        outputs: (rows, columns) of what it makes.
        slides: Along rows and columns.
        slide: Makes outputs of crops, without padding; it is told where they lie.
        fill: What the kernel sees beyond the map.
    """

    output: int
    source: int
    size: tuple[int, int]
    outputs: tuple[int, int]
    slides: tuple[Slide, Slide]
    slide: Callable[[Tensor, Place], Tensor]
    fill: float = 0.0

    def reach(self, spans: Mapping[int, Spans]) -> Spans:
        """Widen by the kernel and divide by the stride."""
        rows, columns = spans[self.source]
        down, right = self.slides
        return down.reached(rows, self.outputs[0]), right.reached(columns, self.outputs[1])

    def run(self, values: Mapping[int, Any], place: Place) -> dict[int, Tensor]:
        """Cut what the outputs need, and slide over it."""
        down, right = self.slides
        needed = Place(
            tuple(map(down.needed, place.tops)),
            tuple(map(right.needed, place.lefts)),
            down.rows(place.height),
            right.rows(place.width),
        )
        crops = values[self.source].cut(needed, self._margins(), self.fill)
        return {self.output: self.slide(crops, place)}

    def _margins(self) -> Margins:
        (down, right), (height, width) = self.slides, self.size
        bottom, end = (s.beyond(n, m) for s, n, m in zip(
            self.slides, (height, width), self.outputs, strict=True
        ))  # fmt: skip
        return down.padding, bottom, right.padding, end


@dataclass(frozen=True, eq=False)
class Moved:
    """A margin of a constant around maps: what has changed is the same, elsewhere."""

    output: int
    source: int
    by: tuple[int, int]
    outputs: tuple[int, int]
    margin: tuple[Margins, float]

    def reach(self, spans: Mapping[int, Spans]) -> Spans:
        """Move by the margin above and to the left."""
        rows, columns = spans[self.source]
        return rows.shifted(self.by[0], self.outputs[0]), columns.shifted(
            self.by[1], self.outputs[1]
        )

    def run(self, values: Mapping[int, Any], place: Place) -> dict[int, Tensor]:
        """Take the crops from where they were."""
        down, right = self.by
        tops, lefts = (tuple(n - by for n in given) for given, by in (
            (place.tops, down), (place.lefts, right)
        ))  # fmt: skip
        inside = Place(tops, lefts, place.height, place.width)
        return {self.output: values[self.source].cut(inside, *self.margin)}


def margin(operation: Operation, sizes: Mapping[int, Size]) -> Moved | None:
    """Make the rule of `constant_pad_nd` around maps."""
    source, pads = operation.arguments[0], operation.arguments[1]
    if not isinstance(source, Ref) or len(pads) > 4 or not _plain(*pads) or min(pads) < 0:
        return None
    size = sizes[operation.outputs[0]]
    left, top = pads[0], pads[2] if len(pads) > 2 else 0
    value = operation.arguments[2] if len(operation.arguments) > 2 else 0.0
    around = (top, pads[3] if len(pads) > 2 else 0, left, pads[1])
    return Moved(
        operation.outputs[0], source.number, (top, left), (size[-2], size[-1]), (around, value)
    )


def convolution(operation: Operation, sizes: Mapping[int, Size]) -> Sliding | None:
    """Make the rule of a convolution over maps, grouped and dilated ones too."""
    source, weight, bias, stride, padding, dilation, transposed, _, groups = operation.arguments
    plain = _plain(*stride, *padding, *dilation, groups)
    if not isinstance(source, Ref) or transposed or not plain or not isinstance(weight, Tensor):
        return None
    if weight.dim() != 4 or not isinstance(bias, Tensor | None):
        return None

    down, right = stride[0], stride[-1]

    def slide(crops: Tensor, place: Place) -> Tensor:
        # Along an axis of one output the stride says nothing; told of a longer one, oneDNN has been
        # seen to read beyond the maps (float32 with one channel in channels-last order; bfloat16).
        strides = (1 if place.height == 1 else down, 1 if place.width == 1 else right)
        return F.conv2d(crops, weight, bias, strides, 0, dilation, groups)

    slides = _slides(tuple(weight.shape[2:]), stride, padding, dilation)
    return _over(operation, sizes, source, slides, slide)


def max_pool(operation: Operation, sizes: Mapping[int, Size]) -> Sliding | None:
    """Make the rule of max-pooling, of sizes rounded up too."""
    source, kernel, stride, padding, dilation, *_ = _padded(
        operation.arguments, (None, None, (), (0, 0), (1, 1))
    )
    return _max(operation, sizes, source, kernel, stride or kernel, padding, dilation)


def adaptive_max_pool(operation: Operation, sizes: Mapping[int, Size]) -> Sliding | None:
    """Make the rule of adaptive max-pooling, where its windows do not overlap."""
    kernel = _divided(operation, sizes)
    return kernel and _max(operation, sizes, operation.arguments[0], kernel, kernel, (0,), (1,))


def average_pool(operation: Operation, sizes: Mapping[int, Size]) -> Sliding | None:
    """Make the rule of average pooling; who is counted at the border is asked of PyTorch."""
    source, kernel, stride, padding, ceil, counted, divisor = _padded(
        operation.arguments, (None, None, (), (0, 0), False, True, None)
    )
    options = (kernel, stride or kernel, padding, ceil)
    return _average(operation, sizes, source, options, (counted, divisor))


def adaptive_average_pool(operation: Operation, sizes: Mapping[int, Size]) -> Sliding | None:
    """Make the rule of adaptive average pooling, where its windows do not overlap."""
    kernel = _divided(operation, sizes)
    options = (kernel, kernel, (0, 0), False)
    return kernel and _average(operation, sizes, operation.arguments[0], options, (True, None))


def _average(
    operation: Operation,
    sizes: Mapping[int, Size],
    source: Any,
    options: tuple[Any, ...],
    rest: tuple[bool, int | None],
) -> Sliding | None:
    kernel, stride, padding, _ = options
    if not isinstance(source, Ref) or len(sizes[source.number]) != 4:
        return None
    shares = divisors(sizes[source.number], options, rest)
    area = int(kernel[0]) * int(kernel[-1])

    def slide(crops: Tensor, place: Place) -> Tensor:
        # Means, as sums would leave the numbers of half precision.
        means = F.avg_pool2d(crops, kernel, stride)
        return means * (shares.cut(place) * area).to(means)

    return _over(operation, sizes, source, _slides(kernel, stride, padding, (1,)), slide)


def _max(
    operation: Operation,
    sizes: Mapping[int, Size],
    source: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
) -> Sliding | None:
    if not isinstance(source, Ref) or len(sizes[source.number]) != 4:
        return None

    def slide(crops: Tensor, place: Place) -> Tensor:
        return F.max_pool2d(crops, kernel, stride, 0, dilation)

    slides = _slides(kernel, stride, padding, dilation)
    return _over(operation, sizes, source, slides, slide, -float("inf"))


def _over(
    operation: Operation,
    sizes: Mapping[int, Size],
    source: Ref,
    slides: tuple[Slide, Slide],
    slide: Callable[[Tensor, Place], Tensor],
    fill: float = 0.0,
) -> Sliding | None:
    before, behind = sizes[source.number], sizes[operation.outputs[0]]
    if len(before) != 4 or before[0] != 1 or behind[0] != 1:
        return None
    size, outputs = (before[2], before[3]), (behind[2], behind[3])
    return Sliding(operation.outputs[0], source.number, size, outputs, slides, slide, fill)


def _slides(kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Slide, Slide]:
    down, right = (
        Slide(*(given[i % len(given)] for given in (kernel, stride, padding, dilation)))
        for i in (0, 1)
    )
    return down, right


def _divided(operation: Operation, sizes: Mapping[int, Size]) -> tuple[int, int] | None:
    source = operation.arguments[0]
    if not isinstance(source, Ref):
        return None
    (height, width), (rows, columns) = sizes[source.number][-2:], sizes[operation.outputs[0]][-2:]
    if height % rows or width % columns:
        return None
    return height // rows, width // columns


def _padded(given: tuple[Any, ...], defaults: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*given, *defaults[len(given) :])


def _plain(*numbers: Any) -> bool:
    return all(isinstance(number, int) for number in numbers)

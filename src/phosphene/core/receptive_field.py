"""Receptive fields, read off the tape.

The field of a unit is the set of input pixels that its value can depend on through convolutions
and pools. Along one axis it is the interval `[low, high]` of unit 0, and every further unit is
`stride` pixels on. From input to output a window of k sites, stride s, padding p, dilation d makes

    low' = low - p * stride,   high' = high + ((k - 1) * d - p) * stride,   stride' = s * stride

and where branches meet the field is the union. `size = high - low + 1`, `centre = (low + high)/2`
(0-based pixels, may lie on the padding).

Conventions, those of the papers' own tables: normalisations count as pointwise (their statistics
may see more); a fully connected layer, and a mean or maximum over whole maps, sees all sites of
the map below it, so that AlexNet's `fc6` has size 355 at stride 32, as if it were convolutional;
a branch with a single site that multiplies or adds to a map (squeeze-and-excitation) is a gate
and is left out. Attention mixes all sites: its field is the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from torch.autograd.graph import Node, get_gradient_edge

from phosphene.core.nodes import reduced_sizes, saved, shape_of
from phosphene.core.tape import Tape


@dataclass(frozen=True)
class Axis:
    """The fields along one axis: unit 0 sees [low, high], the next one `stride` pixels on.

    Attributes:
        low: First pixel that unit 0 sees.
        high: Last pixel that unit 0 sees.
        stride: Pixels from one unit to the next.
        sites: How many units there are along the axis.
    """

    low: Fraction
    high: Fraction
    stride: Fraction
    sites: int

    def window(self, kernel: int, stride: int, before: int, dilation: int, sites: int) -> Axis:
        """Return the axis behind a window of the given geometry."""
        return Axis(
            self.low - before * self.stride,
            self.high + ((kernel - 1) * dilation - before) * self.stride,
            self.stride * stride,
            sites,
        )

    def all_sites(self) -> Axis:
        """Return the axis of a single unit that sees every site."""
        return replace(self, high=self.high + (self.sites - 1) * self.stride, sites=1)

    def union(self, other: Axis) -> Axis:
        """Return the axis of units that see what both see."""
        return Axis(min(self.low, other.low), max(self.high, other.high), self.stride, self.sites)


@dataclass(frozen=True)
class ReceptiveField:
    """Receptive field of the units of a layer, in pixels of the network's input.

    Attributes:
        size: (h, w) of the field.
        stride: (h, w) from one unit's field to the next.
        centre: (y, x) of the middle of unit (0, 0)'s field, 0-based.

    >>> field = ReceptiveField((11.0, 11.0), (4.0, 4.0), (5.0, 5.0))
    >>> field.box((2, 0))
    (8.0, 0.0, 11.0, 11.0)
    """

    size: tuple[float, float]
    stride: tuple[float, float]
    centre: tuple[float, float]

    def box(self, at: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return (top, left, height, width) of the field of the unit at (row, column)."""
        top, left = (
            c + i * step - (size - 1) / 2
            for c, i, step, size in zip(self.centre, at, self.stride, self.size, strict=True)
        )
        return top, left, *self.size

    def __str__(self) -> str:
        """Return `11x11, stride 4, centre 5`."""
        size, stride, centre = (
            f"{a:g}" if a == b else f"{a:g}x{b:g}" for a, b in (self.size, self.stride, self.centre)
        )
        return f"size {size}, stride {stride}, centre {centre}"


Axes = tuple[Axis, Axis]


def receptive_field(tape: Tape) -> ReceptiveField | None:
    """Return the receptive field of the layer at the end of a tape.

    Returns:
        The field, or `None` where it is not defined (say which sites attention mixes) or where
        the tape holds a node of unknown geometry.
    """
    return field_of(axes_by_node(tape).get(tape.edge.node))


def field_of(axes: Axes | None) -> ReceptiveField | None:
    """Turn the two axes of a node into a field."""
    if axes is None:
        return None
    y, x = axes
    return ReceptiveField(
        (float(y.high - y.low + 1), float(x.high - x.low + 1)),
        (float(y.stride), float(x.stride)),
        (float((y.low + y.high) / 2), float((x.low + x.high) / 2)),
    )


def axes_by_node(tape: Tape) -> dict[Node, Axes]:
    """Follow the fields from the input through every node of a tape that has any.

    One walk serves all layers of a network.
    """
    height, width = (int(n) for n in tape.x.shape[-2:])
    one = Fraction(1)
    known: dict[Node, Axes] = {
        get_gradient_edge(tape.x).node: (
            Axis(Fraction(0), Fraction(0), one, height),
            Axis(Fraction(0), Fraction(0), one, width),
        )
    }
    for node in tape.nodes:
        branches = [known[child] for child, _ in node.next_functions if child in known]
        if branches and (axes := _step(node, branches, int(tape.x.shape[0]))):
            known[node] = axes
    return known


def _step(node: Node, branches: list[Axes], batch: int) -> Axes | None:
    name = node.name()
    maps = [axes for axes in branches if any(axis.sites > 1 for axis in axes)]
    first, *others = maps or branches
    for other in others:
        if [a.sites for a in other] != [a.sites for a in first]:
            return None
        first = (first[0].union(other[0]), first[1].union(other[1]))
    if name.startswith("ConvolutionBackward"):
        return _convolution(node, first)
    if "Pool2D" in name and hasattr(node, "_saved_kernel_size") and "Fractional" not in name:
        kernel, padding = saved(node, "kernel_size"), saved(node, "padding")
        stride = saved(node, "stride") or kernel
        dilation = saved(node, "dilation") if hasattr(node, "_saved_dilation") else (1, 1)
        return _windows(node, first, kernel, stride, padding, dilation)
    if name.startswith("Adaptive"):
        return _adaptive(node, first)
    if name in ("MeanBackward1", "AmaxBackward0", "MaxBackward0", "SumBackward1"):
        reduced = reduced_sizes(node)
        y, x = first
        return (y.all_sites() if -2 in reduced else y), (x.all_sites() if -1 in reduced else x)
    # A matrix product with one row per image has flattened the map; with one row per site it is
    # a 1x1 convolution of a network that keeps its channels last.
    flattened = name in ("AddmmBackward0", "MmBackward0") and shape_of(node)[0] == batch
    if flattened or name in ("BmmBackward0", "BaddbmmBackward0") or "ScaledDotProduct" in name:
        return first[0].all_sites(), first[1].all_sites()
    if name == "ConstantPadNdBackward0" or "Pad2D" in name:
        return _padding(node, first)
    if name == "SliceBackward0":
        return _slice(node, first)
    if name.startswith("Upsample"):
        return _upsampling(node, first)
    return first


def _convolution(node: Node, axes: Axes) -> Axes | None:
    weight = saved(node, "weight")
    if weight is None or weight.dim() != 4:
        return None
    kernel, stride, padding, dilation = (
        tuple(weight.shape[2:]),
        *(saved(node, part) for part in ("stride", "padding", "dilation")),
    )
    if saved(node, "transposed"):
        sites = shape_of(node)[-2:]
        spread = []
        for axis, k, s, p, d, n in zip(axes, kernel, stride, padding, dilation, sites, strict=True):
            # Output o sees the inputs i with o = i s - p + j d: at most ceil of the kernel by s.
            reach = Fraction((k - 1) * d, s)
            low = axis.low + (Fraction(p, s) - reach) * axis.stride
            high = axis.high + Fraction(p, s) * axis.stride
            spread.append(Axis(low, high, axis.stride / s, n))
        return spread[0], spread[1]
    return _windows(node, axes, kernel, stride, padding, dilation)


def _windows(
    node: Node,
    axes: Axes,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Axes:
    y, x = (
        axis.window(k, s, p, d, n)
        for axis, k, s, p, d, n in zip(
            axes, kernel, stride, padding, dilation, shape_of(node)[-2:], strict=True
        )
    )
    return y, x


def _adaptive(node: Node, axes: Axes) -> Axes | None:
    outputs = shape_of(node)[-2:]
    found = []
    for axis, n in zip(axes, outputs, strict=True):
        if n == 1:
            found.append(axis.all_sites())
        elif axis.sites % n == 0:
            kernel = axis.sites // n
            found.append(axis.window(kernel, kernel, 0, 1, n))
        else:
            return None  # windows of several sizes
    return found[0], found[1]


def _padding(node: Node, axes: Axes) -> Axes:
    pad = saved(node, "pad") if hasattr(node, "_saved_pad") else saved(node, "padding")
    left, top = pad[0], pad[2] if len(pad) > 2 else 0
    sites = shape_of(node)[-2:]
    y, x = (
        replace(axis, low=axis.low - p * axis.stride, high=axis.high - p * axis.stride, sites=n)
        for axis, p, n in zip(axes, (top, left), sites, strict=True)
    )
    return y, x


def _slice(node: Node, axes: Axes) -> Axes:
    rank = len(saved(node, "self_sym_sizes"))
    place = int(saved(node, "dim")) % rank - rank
    if rank < 4 or place < -2:
        return axes
    start, step = int(saved(node, "start") or 0), int(saved(node, "step"))
    axis = axes[place]
    if start < 0:
        start += axis.sites
    cut = axis.window(1, step, -start, 1, shape_of(node)[place])
    # A negative padding moves both ends alike, which is what a crop does.
    return (cut, axes[1]) if place == -2 else (axes[0], cut)


def _upsampling(node: Node, axes: Axes) -> Axes:
    sites = shape_of(node)[-2:]
    reach = 0 if "Nearest" in node.name() else 1
    y, x = (
        Axis(axis.low - reach * axis.stride, axis.high + reach * axis.stride,
             axis.stride * axis.sites / n, n)
        for axis, n in zip(axes, sites, strict=True)
    )  # fmt: skip
    return y, x

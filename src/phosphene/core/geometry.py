"""How each node of the tape carries receptive fields on: from its inputs to what it puts out.

The conventions are those of `core.receptive_field`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from torch.autograd.graph import Node

from phosphene.core.nodes import reduced_sizes, saved, shape_of


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

    def everywhere(self) -> Axis:
        """Return the axis of as many units, each of which sees every site."""
        return replace(self.all_sites(), stride=Fraction(0), sites=self.sites)

    def union(self, other: Axis) -> Axis:
        """Return the axis of units that see what both see."""
        if other.stride < self.stride:
            return other.union(self)
        drift = (self.sites - 1) * (other.stride - self.stride)
        low, high = min(self.low, other.low), max(self.high, other.high + drift)
        return Axis(low, high, self.stride, self.sites)

    def finer(self, sites: int, stride: Fraction, low: Fraction, high: Fraction) -> Axis:
        """Return the axis of units that see from `low` to `high` sites around their place."""
        return Axis(
            self.low + low * self.stride,
            self.high + high * self.stride,
            self.stride * stride,
            sites,
        )


Axes = tuple[Axis, Axis]


def behind(node: Node, branches: list[Axes], batch: int) -> Axes | None:
    """Return the fields of what a node puts out.

    Args:
        node: A node of the tape.
        branches: The fields of those of its inputs that have any.
        batch: How many images there are.

    Returns:
        The two axes; `None` where they are not defined, or not known.
    """
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
    if name.startswith(_REDUCTIONS):
        return _reduction(node, first)
    if name in ("AddmmBackward0", "MmBackward0", "BmmBackward0", "BaddbmmBackward0"):
        return _product(node, first, len(branches), batch)
    if "ScaledDotProduct" in name:
        return first[0].everywhere(), first[1].everywhere()
    if name == "ConstantPadNdBackward0" or "Pad2D" in name:
        return _padding(node, first)
    if name == "SliceBackward0":
        return _slice(node, first)
    if name in ("SelectBackward0", "SplitBackward0"):
        sizes = saved(node, "self_sym_sizes")
        spatial = len(sizes) > 3 and int(saved(node, "dim")) % len(sizes) - len(sizes)
        return None if spatial and spatial in _places(sizes, first) else first
    if name.startswith(("Upsample", "PixelShuffle")):
        return _upsampling(node, first)
    if name == "PixelUnshuffleBackward0":
        r = saved(node, "downscale_factor")
        return _windows(node, first, (r, r), (r, r), (0, 0), (1, 1))
    return None if name.startswith(_UNKNOWN) else first


_REDUCTIONS = (
    "MeanBackward1", "SumBackward1", "Amax", "Amin", "MaxBackward0", "MinBackward0", "Std", "Var",
    "Logsumexp", "LinalgVectorNorm",
)  # fmt: skip
# What moves sites about in ways that are not followed.
_UNKNOWN = (
    "Col2Im", "Flip", "Fractional", "GridSampler", "Im2Col", "MaxUnpool", "Rot90", "Unfold",
)  # fmt: skip


def _places(sizes: Sequence[int], axes: Axes) -> tuple[int, int]:
    """Say which dimensions (from the back) hold rows and columns: channels may be last."""
    sites = tuple(axis.sites for axis in axes)
    if tuple(sizes[-2:]) != sites and tuple(sizes[-3:-1]) == sites:
        return -3, -2
    tokens = sites[0] * sites[1]
    if len(sizes) == 3 and tokens in sizes[1:]:
        # Tokens (b, n, d), or a flattened map (b, c, n).
        return (-2, -2) if sizes[1] == tokens else (-1, -1)
    return -2, -1


def _reduction(node: Node, axes: Axes) -> Axes:
    if saved(node, "dim") in (None, ()):
        return axes[0].all_sites(), axes[1].all_sites()
    reduced = reduced_sizes(node)
    if hasattr(node, "_saved_self_sym_sizes"):
        sizes = saved(node, "self_sym_sizes")
    else:
        sizes = saved(node, "self").shape
    y, x = (
        axis.all_sites() if place in reduced else axis
        for axis, place in zip(axes, _places(sizes, axes), strict=True)
    )
    return y, x


def _product(node: Node, axes: Axes, operands: int, batch: int) -> Axes:
    """Tell fully connected layers (one row per image), attention, and 1x1 convolutions.

    The last are what a product with one row per site is: in networks with their channels last.
    """
    y, x = axes
    sites = y.sites * x.sites
    rows = math.prod(shape_of(node)[:-1]) // batch
    if operands == 1 and rows == 1:
        return y.all_sites(), x.all_sites()
    if operands > 1 or rows < sites or (rows > sites and _contracted(node) == sites):
        return y.everywhere(), x.everywhere()
    return axes


def _contracted(node: Node) -> int | None:
    for sizes in ("mat1_sym_sizes", "self_sym_sizes"):
        if hasattr(node, f"_saved_{sizes}"):
            return int(saved(node, sizes)[-1])
    left, right = saved(node, "self"), saved(node, "mat2")  # one of them, the constant one
    return int(right.shape[-2] if right is not None else left.shape[-1])


def _convolution(node: Node, axes: Axes) -> Axes | None:
    weight = saved(node, "weight")
    if weight is None or weight.dim() != 4:
        # Along one axis: of channels where there is a single site, of tokens otherwise.
        return axes if axes[0].sites * axes[1].sites == 1 else None
    kernel, stride, padding, dilation = (
        tuple(weight.shape[2:]),
        *(saved(node, part) for part in ("stride", "padding", "dilation")),
    )
    if saved(node, "transposed"):
        # Output o sees the inputs i with o = i s - p + j d: at most ceil of the kernel by s.
        y, x = (
            axis.finer(n, Fraction(1, s), Fraction(p - (k - 1) * d, s), Fraction(p, s))
            for axis, k, s, p, d, n in zip(
                axes, kernel, stride, padding, dilation, shape_of(node)[-2:], strict=True
            )
        )
        return y, x
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
    pad = [*map(_signed, pad), *[0] * 8]
    outputs = shape_of(node)
    inputs = [n - pad[-2 * i - 2] - pad[-2 * i - 1] for i, n in enumerate(outputs, -len(outputs))]
    padded = []
    for axis, place in zip(axes, _places(inputs, axes), strict=True):
        shift = pad[-2 * place - 2] * axis.stride
        padded.append(replace(axis, low=axis.low - shift, high=axis.high - shift,
                              sites=outputs[place]))  # fmt: skip
    return padded[0], padded[1]


def _signed(number: int) -> int:
    # Negative numbers come back from the tape as 2**64 less.
    return int(number) - 2**64 if number >= 2**63 else int(number)


def _slice(node: Node, axes: Axes) -> Axes:
    sizes = saved(node, "self_sym_sizes")
    place = int(saved(node, "dim")) % len(sizes) - len(sizes)
    places = _places(sizes, axes)
    if len(sizes) < 4 or place not in places:
        return axes
    start, step = _signed(saved(node, "start") or 0), int(saved(node, "step"))
    which = places.index(place)
    axis = axes[which]
    if start < 0:
        start = max(start + axis.sites, 0)
    # A negative padding moves both ends alike, which is what a crop does.
    cut = axis.window(1, step, -start, 1, shape_of(node)[place])
    return (cut, axes[1]) if which == 0 else (axes[0], cut)


def _upsampling(node: Node, axes: Axes) -> Axes | None:
    y, x = (
        _interpolation(node, axis, n) for axis, n in zip(axes, shape_of(node)[-2:], strict=True)
    )
    return (y, x) if y and x else None


def _interpolation(node: Node, axis: Axis, sites: int) -> Axis | None:
    """Return the axis of output sites o, which lie at input site o * step + shift."""
    name, step, shift = node.name(), Fraction(axis.sites, sites), Fraction(0)
    corners = getattr(node, "_saved_align_corners", False)
    if name.startswith(("UpsampleNearest2D", "PixelShuffle")):
        # floor(o * step)
        return axis.finer(sites, step, Fraction(1 - step.denominator, step.denominator), shift)
    if corners:
        step = Fraction(axis.sites - 1, max(sites - 1, 1))
    else:
        shift = (step - 1) / 2
    if "Aa" in name and step > 1:
        return None  # a kernel that grows with the step
    exact = name.startswith("UpsampleNearestExact2D")
    wide = Fraction(1, 2) if exact else Fraction(2 if "Bicubic" in name else 1)
    # Sites at less than `wide` from the place; places lie a grain apart, from `shift` on.
    grain = Fraction(1, step.denominator)
    above, below = (wide - shift) % grain or grain, (wide + shift) % grain
    if not exact:
        below = below or grain
    return axis.finer(sites, step, shift - wide + above, shift + wide - below)

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
and is left out. Attention mixes all sites, and so do the token layers of an MLP-Mixer: the field
of each of their units is the whole map below, at stride 0.

Where units see now more, now less (behind upsampling, or where branches drift apart) the field is
the smallest that holds them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from torch.autograd.graph import Node

from phosphene.core.geometry import Axes, Axis, behind
from phosphene.core.tape import Tape


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


def receptive_field(tape: Tape) -> ReceptiveField | None:
    """Return the receptive field of the layer at the end of a tape.

    Returns:
        The field, or `None` where it is not defined (adaptive windows of several sizes) or where
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
        tape.leaf: (
            Axis(Fraction(0), Fraction(0), one, height),
            Axis(Fraction(0), Fraction(0), one, width),
        )
    }
    on_tape = {tape.leaf, *tape.nodes}
    for node in tape.nodes:
        children = [child for child, _ in node.next_functions if child in on_tape]
        branches = [known[child] for child in children if child in known]
        # What sees an unknown part of the image as well has no field that could be told.
        if len(branches) == len(children) and (
            axes := behind(node, branches, int(tape.x.shape[0]))
        ):
            known[node] = axes
    return known

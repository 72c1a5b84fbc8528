r"""Reversed networks: one lattice of ways to send a signal back through a network.

Every layer `phi_i: x -> y` gets a reverse that takes a signal `y^` on its output to a signal `x^`
on its input, given some *bottleneck information* from the forward pass (Mahendran & Vedaldi,
"Salient Deconvolutional Networks", ECCV 2016). Linear layers are transposed, without biases.
What can be chosen is

| layer | choice | reverse | bottleneck |
|---|---|---|---|
| ReLU | `identity` | y^ | none |
| | `rectify` | max(y^, 0) | none |
| | `mask` | y^ [x > 0] | the mask |
| | `mask+rectify` | max(y^, 0) [x > 0] | the mask |
| max-pool | `switches` | y^ goes to the arg-max of its window | the switches |
| | `centre` | y^ goes to the middle of its window | none |
| LRN | `backprop` | derivative | x |
| | `identity` | y^ | none |

Three of the sixteen have names: `SALIENCY`, the derivative itself (Simonyan et al. 2014);
`DECONVNET` (Zeiler & Fergus 2014); `GUIDED`, guided backpropagation (Springenberg et al. 2015)
and DeSaliNet (ECCV 2016), which are one.

The forward pass is the user's own; the rules are put on the nodes of its tape for one backward
pass, by hooks that see what arrives at a node and what it would send on. These are the only node
hooks of the house.

*Departures from the papers.* "Switches" routes every output to its window's arg-max, and where
overlapping windows share one the signals add (the derivative). An unpooling that lets the last
window overwrite, as `max_unpool2d` does, is not offered: on 3x3/2 pools it differs by half. The
middle of a window is the 0-based (k - 1) // 2, so that of a 2x2 window is its top left (as in the
authors' code); it is taken on the padded input, and what falls on the padding is lost.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from phosphene.core.nodes import RECTIFIERS, remedy, strict_mask
from phosphene.core.tape import Bottleneck, Tape
from phosphene.core.unpool import unpool_to_centre
from phosphene.errors import NothingToReverse, OpaqueGraph, UnknownLayer, UnknownRule, nearest

Relu = Literal["identity", "rectify", "mask", "mask+rectify"]
Pool = Literal["switches", "centre"]
Lrn = Literal["backprop", "identity"]
Hook = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor | None, ...] | None]


class UnknownFunction(UserWarning):
    """A custom `autograd.Function` lies on the tape; it was sent its own backward pass."""


@dataclass(frozen=True)
class Reversal:
    """How to reverse each kind of bottleneck: one point of the lattice.

    Attributes:
        relu: Reverse of `max(x, 0)`.
        pool: Reverse of max-pooling.
        lrn: Reverse of local response normalisation.
        include: Other rectifiers to treat by the `relu` rule (`"relu6"`, `"leaky_relu"`, ...);
            for them `mask` is their own derivative.
        name: What to call it; no part of its identity.

    >>> GUIDED == Reversal("mask+rectify", "switches", "identity")
    True
    """

    relu: Relu = "mask"
    pool: Pool = "switches"
    lrn: Lrn = "backprop"
    include: tuple[str, ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for given, known in ((self.relu, Relu), (self.pool, Pool), (self.lrn, Lrn)):
            if given not in get_args(known):
                offers = ", ".join(get_args(known))
                raise UnknownRule(f"{given!r} reverses nothing; choose one of {offers}")
        unknown = set(self.include) - set(RECTIFIERS)
        if unknown:
            name = min(unknown)
            raise UnknownRule(
                f"{name!r} is no rectifier that a rule can include"
                f"{nearest(name, RECTIFIERS) or '; choose from ' + ', '.join(RECTIFIERS)}"
            )
        if not self.name:
            plain = [n for n, rule in _NAMED.items() if rule == replace(self, name="-", include=())]
            name = plain[0] if plain else f"{self.relu}/{self.pool}/{self.lrn}"
            object.__setattr__(self, "name", "+".join([name, *self.include]))

    def including(self, *rectifiers: str) -> Reversal:
        """Return this rule with other rectifiers treated like ReLU.

        >>> GUIDED.including("relu6").name
        'guided+relu6'
        """
        return replace(self, include=tuple(dict.fromkeys([*self.include, *rectifiers])), name="")

    @classmethod
    def parse(cls, text: str) -> Reversal:
        """Read a rule from a name or from its parts.

        Args:
            text: `"guided"`, `"deconvnet"`, `"saliency"`, `"desalinet"`, or `relu/pool/lrn` such
                as `"rectify/centre/identity"` (missing parts: switches, identity); rectifiers to
                include follow as `"+relu6"`.

        Raises:
            UnknownRule: The text names no rule.

        >>> Reversal.parse("deconvnet").relu
        'rectify'
        >>> Reversal.parse("mask+rectify/center").pool
        'centre'
        """
        name = text.strip().lower().replace("center", "centre")
        include: list[str] = []
        while (part := name.rpartition("+"))[2] in RECTIFIERS:
            include.insert(0, part[2])
            name = part[0]
        if name in _NAMED or name in _ALIASES:
            rule = _NAMED[_ALIASES.get(name, name)]
        else:
            parts = name.split("/")
            relu, pool, lrn = (*parts, *("", "switches", "identity")[len(parts) :])[:3]
            if len(parts) > 3 or relu not in get_args(Relu):
                offer = nearest(name, [*_NAMED, *_ALIASES, *get_args(Relu)])
                raise UnknownRule(
                    f"there is no rule {text!r}{offer or ''} (rules: {', '.join(_NAMED)}, or "
                    f"{'|'.join(get_args(Relu))} / {'|'.join(get_args(Pool))} / "
                    f"{'|'.join(get_args(Lrn))})"
                )
            rule = cls(relu, pool, lrn)  # type: ignore[arg-type]
        return rule.including(*include) if include else rule

    @property
    def is_derivative(self) -> bool:
        """Whether the rule is the derivative itself, so that the tape needs no hooks at all."""
        return (self.relu, self.pool, self.lrn) == ("mask", "switches", "backprop")

    def __str__(self) -> str:
        """Return the rule's name."""
        return self.name


_NAMED: dict[str, Reversal] = {}
_ALIASES = {"desalinet": "guided", "guided backprop": "guided", "salinet": "saliency"}

SALIENCY = Reversal("mask", "switches", "backprop", name="saliency")
DECONVNET = Reversal("rectify", "switches", "identity", name="deconvnet")
GUIDED = Reversal("mask+rectify", "switches", "identity", name="guided")
_NAMED.update({rule.name: rule for rule in (SALIENCY, DECONVNET, GUIDED)})

LATTICE: tuple[Reversal, ...] = tuple(
    Reversal(relu, pool, lrn)
    for lrn, pool, relu in product(get_args(Lrn), get_args(Pool), get_args(Relu))
)
"""All sixteen rules."""

_COLUMNS: tuple[Relu, ...] = ("rectify", "mask+rectify", "mask", "identity")

ARCHITECTURES: tuple[Reversal, ...] = tuple(
    Reversal(relu, pool, "identity") for pool, relu in product(get_args(Pool), _COLUMNS)
)
"""The eight architectures of the ECCV paper's figure 3, row by row: switches above, centre below;
DeConvNet and DeSaliNet, then the two without rectification. LRN is reversed as the identity."""


def backward(
    tape: Tape,
    seed: Tensor,
    rule: Reversal = SALIENCY,
    to: str | None = None,
    *,
    keep: bool = True,
) -> Tensor:
    """Send a signal from a tape's layer down to its input, or to a layer between.

    Args:
        tape: The forward pass.
        seed: The signal to start from: the activation's shape, or (n, *that shape) for n signals
            in one batched backward pass.
        rule: How to reverse the bottlenecks on the way.
        to: Name of the layer to stop at (one that the tape captured); the network's input if
            `None`.
        keep: Keep the tape for further passes.

    Returns:
        The signal, in the shape of the input or of the layer, with a leading n for n seeds.

    Raises:
        NothingToReverse: The rule changes ReLUs, and the tape holds none.
        OpaqueGraph: The rule changes something, and part of the tape cannot be looked into.
    """
    end = get_gradient_edge(tape.x)
    if to is not None:
        capture = tape.captures.get(to)
        if capture is None or capture.edge is None:
            raise UnknownLayer(f"the tape has no layer {to!r} between the image and the unit")
        end = capture.edge
    batched = seed.dim() > tape.activation.dim()
    with reversed_by(tape, rule):
        (signal,) = torch.autograd.grad(
            [tape.edge],
            [end],
            [seed],
            retain_graph=keep,
            is_grads_batched=batched,
            allow_unused=to is not None,
        )
    if signal is None:
        raise UnknownLayer(f"layer {to!r} has no part in what {tape.layer or 'the output'!r} says")
    return signal


@contextmanager
def reversed_by(tape: Tape, rule: Reversal) -> Iterator[None]:
    """Put a rule on a tape's bottlenecks for the length of a `with` block.

    Args:
        tape: The forward pass.
        rule: The rule.
    """
    if rule.is_derivative and not rule.include:
        clamps = [
            b for b in tape.bottlenecks if b.kind == "relu" and strict_mask(b.node) is not None
        ]
        hooks = [(b.node, _relu_hook(b, rule)) for b in clamps]
    else:
        _check(tape, rule)
        hooks = [(b.node, _hook(b, rule)) for b in tape.bottlenecks]
    handles = []
    try:
        handles = [node.register_hook(hook) for node, hook in hooks if hook is not None]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _check(tape: Tape, rule: Reversal) -> None:
    opaque = [b.node.name() for b in tape.bottlenecks if b.kind == "opaque"]
    if opaque:
        name = opaque[0].rpartition("::")[2]
        raise OpaqueGraph(
            f"the rule {rule.name!r} cannot look inside {name} on the tape: {remedy(opaque[0])}"
        )
    custom = sorted({b.node.name() for b in tape.bottlenecks if b.kind == "custom"})
    census = tape.census
    if rule.relu != "mask" and not any(census[kind] for kind in ("relu", *rule.include)):
        others = [kind for kind in RECTIFIERS if census[kind]]
        advice = (
            f"include them as {rule.name + '+' + others[0]!r}, or use the rule 'saliency'"
            if others
            else f"if {custom[0]} rectifies, say register_rule({custom[0]!r}, like='relu')"
            if custom
            else "use the rule 'saliency', which reverses any network"
        )
        raise NothingToReverse(
            f"the rule {rule.name!r} changes ReLUs, and below this unit there are none "
            f"({census}): {advice}"
        )
    if custom:
        warnings.warn(
            f"{', '.join(custom)} on the tape: sent through its own backward pass; if it "
            "rectifies, say register_rule(..., like='relu')",
            UnknownFunction,
            stacklevel=4,
        )


def _hook(bottleneck: Bottleneck, rule: Reversal) -> Hook | None:
    if bottleneck.kind == "relu" or bottleneck.kind in rule.include:
        return _relu_hook(bottleneck, rule)
    if bottleneck.kind == "pool" and rule.pool == "centre":
        return unpool_to_centre(bottleneck.node)
    if bottleneck.kind == "lrn" and rule.lrn == "identity":
        # The signal takes the direct branch whole; the normalising branch gets none.
        direct = bottleneck.direct
        return lambda _, signals: (signals[0], None) if direct == 0 else (None, signals[0])
    return None


def _relu_hook(bottleneck: Bottleneck, rule: Reversal) -> Hook | None:
    # Spellings with several operands (maximum, clamp by a tensor) get a signal for the one that
    # is rectified and none for the constant zero.
    inputs = bottleneck.node.next_functions
    place = next(i for i, (node, _) in enumerate(inputs) if node is not None)
    before, after = (None,) * place, (None,) * (len(inputs) - place - 1)
    if rule.relu == "identity":
        return lambda _, signals: (*before, signals[0], *after)
    if rule.relu == "rectify":
        return lambda _, signals: (*before, signals[0].clamp(min=0), *after)
    mask = strict_mask(bottleneck.node) if bottleneck.kind == "relu" else None
    if mask is None and rule.relu == "mask":
        return None

    def masked(computed: Sequence[Tensor], signals: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        # What a rectifier's own backward made is new, so it may be overwritten: no more memory
        # than the derivative takes.
        signal = computed[place] if mask is None else signals[0] * mask
        return (*before, signal.clamp_(min=0) if rule.relu == "mask+rectify" else signal, *after)

    return masked

"""Sending a signal back through a network by a rule.

The forward pass is the user's own; a rule (`core.rules`) is put on the nodes of its tape for one
backward pass, by hooks that see what arrives at a node and what it would send on. These are the
only node hooks of the house. They belong to the tape, so nothing on the model is changed, and
other tapes of the same model, in other threads too, are not touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from phosphene.core.attention import Excitation, GradCam, Rule, channels_weighed
from phosphene.core.nodes import RECTIFIERS, remedy, strict_mask
from phosphene.core.rules import SALIENCY, Reversal
from phosphene.core.sharing import Sharing, sharing
from phosphene.core.tape import Bottleneck, Tape
from phosphene.core.unpool import unpool_to_centre
from phosphene.errors import NothingToReverse, OpaqueGraph, ReversalError, UnknownLayer

Hook = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor | None, ...] | None]


class UnknownFunction(UserWarning):
    """A custom `autograd.Function` lies on the tape; it was sent its own backward pass."""


def backward(
    tape: Tape,
    seed: Tensor,
    rule: Rule = SALIENCY,
    to: str | None = None,
    *,
    keep: bool = True,
) -> Tensor:
    """Send a signal from a tape's layer down to its input, or to a layer between.

    Args:
        tape: The forward pass.
        seed: The signal to start from: the activation's shape, or (n, *that shape) for n signals
            in one batched backward pass.
        rule: How to reverse the bottlenecks on the way; or a rule of attention (`core.attention`),
            whose own layer, if it has one, is not looked at.
        to: Name of the layer to stop at (one that the tape captured); the network's input if
            `None`.
        keep: Keep the tape for further passes.

    Returns:
        The signal, in the shape of the input or of the layer, with a leading n for n seeds. For
        excitation backprop it is p, for Grad-CAM the layer's weighed channels.

    Raises:
        NothingToReverse: The rule changes ReLUs, and the tape holds none.
        OpaqueGraph: The rule changes something, and part of the tape cannot be looked into.
        ReversalError: Grad-CAM without a layer; contrastive without weights above the layer.
        UnknownLayer: The layer does not lie between the image and the unit.
    """
    end = GradientEdge(tape.leaf, 0)
    if to is not None:
        capture = tape.captures.get(to)
        if capture is None or capture.edge is None:
            raise UnknownLayer(f"the tape has no layer {to!r} between the image and the unit")
        end = capture.edge
    if isinstance(rule, GradCam):
        return _weighed(tape, end, seed, keep, to)
    if isinstance(rule, Excitation):
        return _excited(tape, end, seed, rule, keep, to)
    with torch.inference_mode(False), reversed_by(tape, rule):
        return _all_sent(tape, end, seed, keep, to)


def _weighed(tape: Tape, end: GradientEdge, seed: Tensor, keep: bool, to: str | None) -> Tensor:
    """Weigh the channels of a layer by the mean derivative (Grad-CAM)."""
    value = tape.captures[to].value if to is not None else None
    if value is None:
        raise ReversalError("Grad-CAM weighs the channels of a layer: say which, to='conv5'")
    if end == tape.edge:
        raise UnknownLayer(f"layer {to!r} is the unit's own: Grad-CAM takes one in front of it")
    with torch.inference_mode(False), reversed_by(tape, SALIENCY):
        return channels_weighed(_all_sent(tape, end, seed, keep, to), value.detach())


def _excited(
    tape: Tape, end: GradientEdge, seed: Tensor, rule: Excitation, keep: bool, to: str | None
) -> Tensor:
    """Send probabilities down; see `core.sharing` for what a minus sign stands for."""
    with torch.inference_mode(False):
        plan = sharing(tape, end.node)
        if rule.contrastive and end.node in plan.crown:
            raise ReversalError(
                f"layer {to or 'image'!r} and the unit have no weights between them, and so the "
                "dual unit excites the same: read 'contrastive' at a layer further in front"
            )
        with _shared(plan):
            p = _all_sent(tape, end, seed, keep or rule.contrastive, to).abs()
            return p - _all_sent(tape, end, -seed, keep, to).abs() if rule.contrastive else p


# Seeds in one batched pass. On a CPU more than a few fall out of its caches and cost more than
# one after another.
_TOGETHER, _TOGETHER_ON_CPU = 64, 4


def _all_sent(tape: Tape, end: GradientEdge, seed: Tensor, keep: bool, to: str | None) -> Tensor:
    """Run a backward pass for a seed, or for as many at a time as go well together."""
    if seed.dim() == tape.activation.dim():
        return _sent(tape, end, seed, keep, to=to)
    most = _TOGETHER_ON_CPU if tape.x.device.type == "cpu" else _TOGETHER
    chunks = torch.split(seed, most)
    last = len(chunks) - 1
    signals = [_sent(tape, end, c, keep or i < last, True, to) for i, c in enumerate(chunks)]
    return torch.cat(signals)


def _sent(
    tape: Tape,
    end: GradientEdge,
    seed: Tensor,
    keep: bool,
    batched: bool = False,
    to: str | None = None,
) -> Tensor:
    """Run one backward pass with the hooks that are in place."""
    (signal,) = torch.autograd.grad(
        [tape.edge],
        [end],
        [seed],
        retain_graph=keep,
        is_grads_batched=batched,
        allow_unused=True,
    )
    if signal is None:
        raise UnknownLayer(
            f"layer {to!r} has no part in {tape.layer or 'the output'!r}: stop the signal at a "
            "layer in front of the unit's"
        )
    return signal


@contextmanager
def reversed_by(tape: Tape, rule: Reversal) -> Iterator[None]:
    """Put a rule on a tape's bottlenecks for the length of a `with` block.

    Args:
        tape: The forward pass.
        rule: The rule.
    """
    hooks = replacements(tape, rule)
    handles = []
    try:
        handles = [node.register_hook(hook) for node, hook in hooks]
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _shared(plan: Sharing) -> Iterator[None]:
    handles = []
    try:
        for share in plan.shares:
            if share.before is not None:
                handles.append(share.node.register_prehook(share.before))
            if share.after is not None:
                handles.append(share.node.register_hook(share.after))
        yield
    finally:
        for handle in handles:
            handle.remove()


def replacements(tape: Tape, rule: Reversal) -> list[tuple[Node, Hook]]:
    """Return what a rule puts in place of the derivatives of a tape's bottlenecks.

    Args:
        tape: The forward pass.
        rule: The rule.

    Returns:
        The nodes that do something else by the rule, and what: a function of the signals that the
        node would send on, and of those that arrive at it.

    Raises:
        NothingToReverse: The rule changes ReLUs, and the tape holds none.
        OpaqueGraph: The rule changes something, and part of the tape cannot be looked into.
    """
    if rule.is_derivative and not rule.include:
        clamps = [
            b for b in tape.bottlenecks if b.kind == "relu" and strict_mask(b.node) is not None
        ]
        hooks = [(b.node, _relu_hook(b, rule)) for b in clamps]
    else:
        _check(tape, rule)
        hooks = [(b.node, _hook(b, rule)) for b in tape.bottlenecks]
    return [(node, hook) for node, hook in hooks if hook is not None]


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

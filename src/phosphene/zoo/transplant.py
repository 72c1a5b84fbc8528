"""Weights of one definition of a network, taken over into another.

The same network goes by many names: Caffe's and MatConvNet's layers are called `conv1_1` and `fc6`,
torchvision's `features.0` and `classifier.0`; a fully connected layer is a matrix here and a
convolution there. Tensors are matched

1. *by name*, less what wrappers put before it (`module.`, `_orig_mod.`); or, where not one name is
   shared,
2. *by order*: layer by layer, the n-th of a shape being the n-th of that shape. That is done only
   where both sides have as many layers of that shape, and where the pairs found stand in the same
   order on both sides. Everything else could be matched in several ways, is left alone, and is
   reported.

A matrix (out, c*h*w) and a convolution (out, c, h, w) hold the same numbers in the same order, and
fit each other. Nothing else is reshaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from phosphene.errors import FormatError

_WRAPPERS = ("module.", "_orig_mod.")
Shape = tuple[int, ...]
# The tensors of a layer: names within it, and shapes as matrices.
Kind = tuple[tuple[str, Shape], ...]


@dataclass(frozen=True)
class Match:
    """A tensor that was taken over: its name in the state, its name in the module."""

    source: str
    target: str


@dataclass(frozen=True)
class Mismatch:
    """A tensor that has its name (or its place) on both sides, but not its shape."""

    layer: str
    expected: Shape
    found: Shape


@dataclass(frozen=True)
class Ambiguity:
    """Layers of one shape, which might be matched in several ways."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a transplant did.

    Attributes:
        matched: Tensors taken over, in the module's order.
        missing: Names in the module for which the state has nothing.
        unused: Names in the state for which the module has no place.
        mismatched: Tensors whose shapes differ.
        ambiguous: Layers that were not matched because they could be in several ways.
    """

    matched: tuple[Match, ...]
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()
    ambiguous: tuple[Ambiguity, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every tensor of both sides was matched."""
        return not (self.missing or self.unused or self.mismatched or self.ambiguous)

    def __str__(self) -> str:
        """Say it, a line for each kind of outcome."""
        renamed = [m for m in self.matched if m.source != m.target]
        lines = [f"{len(self.matched)} tensors matched{_renamed(renamed)}"]
        lines += [
            f"{m.layer}: {_shape(m.expected)} is needed, {_shape(m.found)} was found"
            for m in self.mismatched
        ]
        lines += [
            f"ambiguous: {_some(a.sources)} could be {_some(a.targets)} in several ways"
            for a in self.ambiguous
        ]
        lines += [f"missing: {_some(self.missing)}"] if self.missing else []
        lines += [f"unused: {_some(self.unused)}"] if self.unused else []
        return "\n".join(lines)


def transplant(state: Mapping[str, Tensor], module: nn.Module, *, strict: bool = False) -> Report:
    """Copy tensors into a module, by name and shape.

    Values are converted to the module's types and devices. Nothing is said about pixels: of a
    network trained on BGR see `input_channels_flipped`.

    Args:
        state: Tensors by name, in the order of the layers: a state dict.
        module: The network to fill; it is changed in place.
        strict: Raise, and change nothing, unless every tensor of both sides is matched.

    Returns:
        What was matched, and what was not.

    Raises:
        FormatError: `strict`, and something was not matched; the message is the report.

    >>> source, target = nn.Linear(12, 4), nn.Conv2d(3, 4, 2)
    >>> print(transplant(source.state_dict(), target))
    2 tensors matched
    """
    target = module.state_dict()
    by_name = not {_bare(name) for name in state}.isdisjoint(map(_bare, target))
    report = (_by_name if by_name else _by_order)(state, target)
    if strict and not report.complete:
        raise FormatError(
            f"the weights belong to another network than {type(module).__name__}: {report}"
        )
    with torch.no_grad():
        for match in report.matched:
            into = target[match.target]
            into.copy_(state[match.source].reshape(into.shape))
    return report


def input_channels_flipped(state: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    """Turn weights for BGR images into weights for RGB images, or back.

    Args:
        state: Tensors by name.
        layer: The convolution that sees the image, as `conv1`.

    Returns:
        The state with that layer's input channels in the opposite order; the others are shared.

    Raises:
        FormatError: The state has no such convolution of three channels.
    """
    weight = state.get(f"{layer}.weight")
    if weight is None or weight.dim() != 4 or weight.shape[1] != 3:
        found = "nothing" if weight is None else _shape(tuple(weight.shape))
        raise FormatError(
            f"{layer}.weight should be a convolution of three channels (out, 3, h, w), and "
            f"{found} was found: name the layer that sees the image"
        )
    return {**state, f"{layer}.weight": weight.flip(1)}


def _by_name(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Report:
    sources = {bare: _spelled(state, bare) for bare in map(_bare, state)}
    twice = {bare: found for bare, found in sources.items() if len(found) > 1}
    wanted = [name for name in target if _bare(name) in sources]
    pairs = [(sources[_bare(name)][0], name) for name in wanted if _bare(name) not in twice]
    matched, mismatched = _sorted_by_shape(state, target, pairs)
    bare_targets = set(map(_bare, target))
    return Report(
        matched,
        missing=tuple(name for name in target if _bare(name) not in sources),
        unused=tuple(name for name in state if _bare(name) not in bare_targets),
        mismatched=mismatched,
        ambiguous=tuple(
            Ambiguity(twice[_bare(name)], (name,)) for name in wanted if _bare(name) in twice
        ),
    )


def _by_order(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Report:
    theirs, ours = _layers(state), _layers(target)
    kinds = [kind for kind in dict.fromkeys(ours.values()) if kind in theirs.values()]
    groups = [Ambiguity(_of_kind(theirs, kind), _of_kind(ours, kind)) for kind in kinds]
    sure = [group for group in groups if len(group.sources) == len(group.targets)]
    layers = {t: s for group in sure for t, s in zip(group.targets, group.sources, strict=True)}
    places = [list(theirs).index(layers[name]) for name in ours if name in layers]
    if places != sorted(places):
        sure, layers = [], {}
    ambiguous = tuple(group for group in groups if group not in sure)
    left = {s for group in ambiguous for s in group.sources}
    unfilled = {t for group in ambiguous for t in group.targets}
    if len(theirs) == len(ours):
        # What stands at the same place is the same layer with, say, other classes: a mismatch.
        taken = {*layers.values(), *left}
        for name, layer in zip(theirs, ours, strict=True):
            if name not in taken and layer not in layers and layer not in unfilled:
                layers[layer] = name
    pairs = [
        (f"{layers[layer]}{leaf}", f"{layer}{leaf}")
        for layer in ours
        if layer in layers
        for leaf in dict(ours[layer])
        if leaf in dict(theirs[layers[layer]])
    ]
    matched, mismatched = _sorted_by_shape(state, target, pairs)
    used, filled = {source for source, _ in pairs}, {name for _, name in pairs}
    return Report(
        matched,
        missing=tuple(n for n in target if n not in filled and _layer(n) not in unfilled),
        unused=tuple(n for n in state if n not in used and _layer(n) not in left),
        mismatched=mismatched,
        ambiguous=ambiguous,
    )


def _sorted_by_shape(
    state: Mapping[str, Tensor], target: Mapping[str, Tensor], pairs: Iterable[tuple[str, str]]
) -> tuple[tuple[Match, ...], tuple[Mismatch, ...]]:
    matched, mismatched = [], []
    for source, name in pairs:
        expected, found = tuple(target[name].shape), tuple(state[source].shape)
        if _fits(expected, found):
            matched.append(Match(source, name))
        else:
            mismatched.append(Mismatch(name, expected, found))
    return tuple(matched), tuple(mismatched)


def _fits(one: Shape, other: Shape) -> bool:
    return one == other or ({len(one), len(other)} == {2, 4} and _flat(one) == _flat(other))


def _flat(shape: Shape) -> Shape:
    """Return the shape of a layer's weights as a matrix: (outputs, what each of them sees)."""
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else shape


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name


def _spelled(state: Iterable[str], bare: str) -> tuple[str, ...]:
    return tuple(name for name in state if _bare(name) == bare)


def _layer(name: str) -> str:
    """Return a tensor's name up to and with its last dot."""
    return name[: name.rfind(".") + 1]


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, Kind]:
    """Return, by layer in order, the names of its tensors and their shapes as matrices."""
    layers: dict[str, Kind] = {}
    for name, tensor in tensors.items():
        layer = _layer(name)
        entry = (name[len(layer) :], _flat(tuple(tensor.shape)))
        layers[layer] = (*layers.get(layer, ()), entry)
    return layers


def _of_kind(layers: Mapping[str, Kind], kind: Kind) -> tuple[str, ...]:
    return tuple(layer for layer, other in layers.items() if other == kind)


def _renamed(matches: list[Match]) -> str:
    if not matches:
        return ""
    first = matches[0]
    return f", {len(matches)} of them under another name ({first.source} as {first.target}, ...)"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(name.removesuffix(".") for name in names[:6]) + more


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a number"

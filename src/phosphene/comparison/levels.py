"""Which layers stand side by side: one of each network, by name or as said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phosphene.comparison.networks import Compared
from phosphene.core.network import Network
from phosphene.errors import SettingError, UnknownLayer, nearest
from phosphene.survey.choice import default_layers

LEVELS = 2
"""How many levels are compared where none are named."""
_ALL = 1 << 20


@dataclass(frozen=True)
class Level:
    """A layer of each network.

    Attributes:
        title: What to call it.
        layers: The layer of each network, in their order; `None` where it has none.
    """

    title: str
    layers: tuple[str | None, ...]


def read_levels(texts: Sequence[str], networks: Sequence[Compared]) -> tuple[Level, ...]:
    """Read levels as a person names them.

    Args:
        texts: Each is one or more names of layers that all networks have, `conv4,conv5`; or one
            level that pairs layers of other names, `A=conv5,B=features.12`. A and B are names of
            networks, whole or without what all begin with, or letters: A is the first. A network
            that is not named there stays blank.
        networks: The networks.

    Raises:
        UnknownLayer: A network lacks a layer.
        SettingError: A text cannot be read, or pairs nothing.
    """
    levels: list[Level] = []
    for text in texts:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        paired = [part for part in parts if "=" in part]
        if not parts or (paired and len(paired) < len(parts)):
            raise SettingError(
                f"--layers {text!r} cannot be read: give names that all networks have (conv4,conv5)"
                " or one level of several names (A=conv5,B=features.12)"
            )
        found = [_paired(parts, networks)] if paired else [_shared(p, networks) for p in parts]
        levels += [level for level in found if level not in levels]
    return tuple(levels)


def shared_levels(networks: Sequence[Compared], most: int = LEVELS) -> tuple[Level, ...]:
    """Choose levels where none are named.

    The ends of the networks' steps (as a survey chooses them) that all networks have by name; where
    they share none, those at the same shares of each network's depth.
    """
    own = [_without_tokens(one.net, default_layers(one.net, _ALL)) for one in networks]
    names = [name for name in own[0] if all(name in other for other in own[1:])]
    if names:
        return tuple(Level(name, (name,) * len(networks)) for name in _spread(names, most))
    count = min(most, *map(len, own))
    picked = [_spread(layers, count) for layers in own]
    return tuple(Level(_title(row), row) for row in zip(*picked, strict=True))


def shapes_of(net: Network, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return what layers put out for one image: (c), (tokens, c) or (c, h, w); () if it is unknown.

    All by one pass.
    """
    known = {net.address(layer.name): layer.shape for layer in net.layers()}
    return {name: known.get(net.address(name), ()) for name in names}


def _without_tokens(net: Network, names: Sequence[str]) -> list[str]:
    found = [name for name, shape in shapes_of(net, names).items() if len(shape) != 2]
    if not found:
        raise SettingError(f"{net.name} has tokens in all layers, and maps or codes are compared")
    return found


def has_layer(net: Network, layer: str) -> bool:
    """Tell whether a network has a layer of that name."""
    try:
        net.address(layer)
    except UnknownLayer:
        return False
    return True


def _shared(layer: str, networks: Sequence[Compared]) -> Level:
    lacking = [one for one in networks if not has_layer(one.net, layer)]
    if len(lacking) == len(networks):
        known = [found.name for found in networks[0].net.layers()]
        raise UnknownLayer(f"no network has a layer {layer!r}{nearest(layer, known)}")
    if lacking:
        offer = (nearest(layer, [f.name for f in lacking[0].net.layers()]) or "").rstrip("?")
        other = next(one for one in networks if one not in lacking)
        raise UnknownLayer(
            f"{other.name} has a layer {layer!r}, and {lacking[0].name} has none{offer}: say "
            f"what stands beside it, as --layers {other.short}={layer},{lacking[0].short}=LAYER, "
            "or leave that network out there"
        )
    return Level(layer, (layer,) * len(networks))


def _paired(parts: Sequence[str], networks: Sequence[Compared]) -> Level:
    layers: list[str | None] = [None] * len(networks)
    for part in parts:
        who, _, layer = part.partition("=")
        number = _number(who.strip(), networks)
        networks[number].net.address(layer.strip())  # raises where there is none
        if layers[number] is not None:
            raise SettingError(
                f"{networks[number].name} has two layers at one level, {layers[number]} and "
                f"{layer.strip()}: give --layers once for each level"
            )
        layers[number] = layer.strip()
    return Level(_title(tuple(layers)), tuple(layers))


def _number(who: str, networks: Sequence[Compared]) -> int:
    for names in ([one.name for one in networks], [one.short for one in networks]):
        if names.count(who) == 1:
            return names.index(who)
    place = ord(who) - ord("A") if len(who) == 1 else -1
    if 0 <= place < len(networks):
        return place
    known = ", ".join(f"{chr(65 + n)} ({one.name})" for n, one in enumerate(networks))
    raise SettingError(f"{who!r} is none of the networks: {known}")


def _title(layers: tuple[str | None, ...]) -> str:
    return " / ".join(dict.fromkeys(layer for layer in layers if layer))


def _spread(names: Sequence[str], most: int) -> list[str]:
    """Take names evenly, the last among them and the first left to the first step.

    >>> _spread(["a", "b", "c", "d", "e", "f"], 3)
    ['b', 'd', 'f']
    """
    count = min(most, len(names))
    return [names[round((i + 1) * len(names) / count) - 1] for i in range(count)]

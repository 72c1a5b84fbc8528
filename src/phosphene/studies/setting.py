"""What studies of pictures take for granted: photographs, and which layers, strengths, classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from phosphene.core.layers import Layer
from phosphene.errors import ImageError, NetworkError, UnknownClass
from phosphene.preimage.invert import strength_for
from phosphene.preimage.result import PreImage
from phosphene.studies.depth import spread_layers
from phosphene.studies.plan import STRENGTHS, Plan, called

if TYPE_CHECKING:
    from phosphene.core.network import Network

ALL_DEPTHS = 24
"""Layers of a row that shows all depths: as many as VGG-VD-16 has, and a few."""
PAPERS = (
    "black swan",
    "goose",
    "tree frog",
    "cheeseburger",
    "coffee mug",
    "comic book",
    "vending machine",
)
"""Classes that the papers and the authors' code show."""


def demand_photos(plan: Plan, study: str) -> None:
    """Make sure that there are photographs.

    Raises:
        ImageError: There is none.
    """
    if not plan.photos:
        raise ImageError(f"the study {study} needs photographs, and none was given")


def known_layers(plan: Plan, names: Iterable[str]) -> dict[str, Layer]:
    """Look layers up in the table of the network: their maps and receptive fields.

    Args:
        plan: The study's.
        names: As the plan has them, which may be aliases.

    Raises:
        NetworkError: A pass does not run one of them.
    """
    listed = {layer.name: layer for layer in plan.net.layers()}
    addresses = {name: str(plan.net.address(name)) for name in names}
    for name, address in addresses.items():
        if address not in listed:
            raise NetworkError(f"layer {name!r} was never run: choose another layer")
    return {name: listed[address] for name, address in addresses.items()}


def strengths_at(plan: Plan, layer: Layer) -> tuple[float, ...]:
    """Return the strengths that were asked for, else the papers' C for a layer of that depth."""
    # By identity: asking for just those four values is asking, too.
    return (strength_for(layer.field),) if plan.strengths is STRENGTHS else plan.strengths


def deep_layers(net: Network) -> tuple[str, ...]:
    """Return three deep layers: of VGG-VD-16 those of figure 8, conv4_1, conv5_2 and fc7.

    >>> from phosphene.zoo.demo import demo
    >>> deep_layers(demo())
    ('conv4', 'pool5', 'fc7')
    """
    listed = spread_layers(net, ALL_DEPTHS)
    places = (int(depth * (len(listed) - 1)) for depth in (0.5, 0.75, 0.95))
    return tuple(dict.fromkeys(listed[place] for place in places))


def chosen_classes(plan: Plan, count: int = len(PAPERS)) -> list[int]:
    """Return the classes asked for; else the papers' where the network knows them; else some.

    Args:
        plan: The study's.
        count: How many there are to be, if the network knows none of the papers'.

    Returns:
        Indices, each once.
    """
    if plan.classes:
        return list(dict.fromkeys(plan.net.class_index(name) for name in plan.classes))
    known = []
    for name in PAPERS:
        try:
            known.append(plan.net.class_index(name))
        except UnknownClass:
            continue
    if known:
        return known
    last = plan.net.classes - 1
    return sorted({round(i * last / max(1, count - 1)) for i in range(count)})


def finished(result: PreImage) -> PreImage:
    """Pass a result on.

    Raises:
        KeyboardInterrupt: It was stopped by hand, and so must the study be.
    """
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def strength_fact(strengths: Iterable[tuple[str, float]]) -> str:
    """Say at which C layers were inverted, together where it is the same.

    >>> strength_fact([("conv1", 300.0), ("conv2", 300.0), ("fc8", 1.0)])
    '300 (conv1 to conv2), 1 (fc8)'
    """
    runs: list[tuple[float, list[str]]] = []
    for layer, strength in strengths:
        if not runs or runs[-1][0] != strength:
            runs.append((strength, []))
        runs[-1][1].append(layer)
    spans = (
        (strength, names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}")
        for strength, names in runs
    )
    return ", ".join(f"{called(strength)} ({span})" for strength, span in spans)


def percent(share: float) -> str:
    """Say a share in a sentence.

    >>> percent(0.953)
    '95 %'
    """
    return f"{100 * share:.0f} %"


def plural(count: int, thing: str, things: str = "") -> str:
    """Say how many.

    >>> plural(1, "layer"), plural(2, "class", "classes")
    ('1 layer', '2 classes')
    """
    return f"{count} {thing if count == 1 else things or thing + 's'}"


def partners(plan: Plan, study: str) -> tuple[int, ...]:
    """Return for every photograph the number of the next that is another one.

    Args:
        plan: The study's.
        study: Its name, for the message.

    Raises:
        ImageError: They are all the same, or there is one alone.
    """
    ids = plan.photo_ids
    found = []
    for number in range(len(ids)):
        others = ((number + step) % len(ids) for step in range(1, len(ids)))
        other = next((o for o in others if ids[o] != ids[number]), None)
        if other is None:
            raise ImageError(
                f"the study {study} sets what one photograph shows against what another does, and "
                f"the {plural(len(ids), 'photograph')} given are all the same: give 2 different "
                "ones or more (3 for a verdict)"
            )
        found.append(other)
    return tuple(found)

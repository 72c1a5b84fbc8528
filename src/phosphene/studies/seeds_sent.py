"""Signals of several seeds through one bottleneck, and of one seed through several, compared.

The *bottleneck* is what the forward pass of a photograph leaves behind: masks, switches, and of LRN
the activations. Each function returns a cell for one photograph: how alike signals are (see
`similarity`), by rule and pair, and pictures if they are to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from phosphene.core.unit import Unit
from phosphene.image import numbered, to_image
from phosphene.preimage.activate import Direction, activate
from phosphene.preimage.maxima import Maxima
from phosphene.saliency.explain import AnyRule, explain
from phosphene.saliency.result import Explanation, Saliency
from phosphene.studies.ledger import Cell
from phosphene.studies.plain import digest
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import Reversible
from phosphene.studies.setting import finished
from phosphene.studies.similarity import Box, correlation, cosine

SEEDS = ("strongest", "random", "mixture")
_STEPS = 12
"""Of activation maximisation, where neither a quality nor a number of steps is asked for."""


def key_of(plan: Plan, number: int, other: int, rules: Sequence[AnyRule]) -> dict[str, Any]:
    """Tell a comparison of a photograph with another from others."""
    return {
        "photo": plan.photo_ids[number],
        "other": plan.photo_ids[other],
        "rules": [repr(rule) for rule in rules],
    }


def of_units(
    plan: Plan,
    place: Reversible,
    number: int,
    other: int,
    rules: Sequence[AnyRule],
    shown: bool,
) -> Cell:
    """Compare signals from the middle of a layer.

    Args:
        plan: The study's.
        place: The layer.
        number: The photograph that the bottleneck is of.
        other: Another one, for the same seeds.
        rules: The reversed networks.
        shown: Whether pictures are kept.

    Returns:
        Values `channel`, `random` (the units' numbers) and by rule `seeds` (other seeds, same
        bottleneck), `photos` (same seeds, other bottleneck), `signed` (of the former, the cosine of
        the signals).
    """

    def compute() -> Cell:
        net, seed = plan.net, plan.seed_of(number)
        units: list[Unit | int | str | None] = [
            Unit.strongest(at="centre"),
            Unit.random(seed, at="centre"),
            Unit.mixture(seed, at="centre"),
        ]
        sent = explain(net, plan.photos[number], units, list(rules), layer=place.name, top=0)
        channel = int(sent[0].channel[0])
        same = [Unit(channel, at=place.centre), units[2]]
        elsewhere = explain(net, plan.photos[other], same, list(rules), layer=place.name, top=0)
        own = _by_rule(sent, SEEDS, rules)
        away = _by_rule(elsewhere, (SEEDS[0], SEEDS[2]), rules)
        random = int(sent[len(rules)].channel[0])
        values = {"channel": channel, "random": random, **_compared(own, away, place.box)}
        return Cell(values, _pictures(sent, own, away) if shown else {})

    key = {"layer": place.name, "shown": shown, **key_of(plan, number, other, rules)}
    return plan.cell("seeds of units", key, compute)


def of_classes(
    plan: Plan,
    place: Reversible,
    number: int,
    other: int,
    rules: Sequence[AnyRule],
    shown: bool,
) -> Cell:
    """Compare signals of the predicted class with those of other classes.

    Args:
        plan: The study's; its classes are the others, or else the runner-up, one by chance, and
            the least likely.
        place: The class scores.
        number: As for `of_units`.
        other: As for `of_units`.
        rules: As for `of_units`.
        shown: As for `of_units`.

    Returns:
        As `of_units`, with `predicted` and `others` (classes by what they are) for units.
    """

    def compute() -> Cell:
        net = plan.net
        image, _ = net.prepare(plan.photos[number])
        probabilities = net.probabilities(image)[0].float().cpu()
        index = int(probabilities.argmax())
        others = _others(plan, probabilities, plan.seed_of(number))
        units: list[Any] = [Unit.of_class(c, at="centre") for c in (index, *others.values())]
        sent = explain(net, plan.photos[number], units, list(rules), top=0)
        elsewhere = explain(net, plan.photos[other], units[:1], list(rules), top=0)
        own = _by_rule(sent, ("predicted", *others), rules)
        away = _by_rule(elsewhere, ("predicted",), rules)
        named = {title: net.label(c) for title, c in others.items()}
        values = {"predicted": net.label(index), "others": named}
        compared = _compared(own, away, place.box, first="predicted")
        return Cell({**values, **compared}, _pictures(sent, own, away) if shown else {})

    asked = [plan.net.class_index(name) for name in plan.classes]
    key = {"classes": asked, "shown": shown, **key_of(plan, number, other, rules)}
    return plan.cell("seeds of classes", key, compute)


def of_noise(plan: Plan, layer: str, number: int, channels: Sequence[int], scale: Maxima) -> Cell:
    """Compare images that excite the same seeds most, found from noise: no bottleneck is fixed.

    Args:
        plan: The study's.
        layer: The layer.
        number: The photograph that the seeds are of.
        channels: The strongest and a random unit; those that no photograph excites are left out.
        scale: Largest activations of the layer.

    Returns:
        Values `seeds`, how alike the images of different seeds are that began with the same noise,
        and `start`, how alike they still are to what they were after one step; `None` where there
        are no two. The images by seed.
    """
    alive = [c for c in dict.fromkeys(channels) if float(scale.values[c]) > 0]
    generator = torch.Generator().manual_seed(plan.seed_of(number))
    mixed = torch.randn(len(scale.values), generator=generator).abs()
    asked: dict[str, int | Direction] = dict(zip(SEEDS, alive, strict=False))
    if float(scale.values.max()) > 0:
        asked["mixture"] = Direction(mixed, "mixture")
    steps = plan.steps or (_STEPS if plan.quality is None else None)
    settings: dict[str, Any] = {"quality": plan.quality, "steps": steps}

    def compute() -> Cell:
        if len(asked) < 2:
            return Cell({"seeds": None, "start": None})
        units = list(asked.values())
        net, start = plan.net, plan.seed
        sent = finished(activate(net, units, layer, scale, seed=start, **settings)).image
        begun = activate(net, units, layer, scale, seed=start, **{**settings, "steps": 1}).image
        found, first = ([_apart(image) for image in images] for images in (sent, begun))
        values = {
            "seeds": _mean([correlation(a, b) for a, b in combinations(found, 2)]),
            "start": _mean([correlation(a, b) for a, b in zip(found, first, strict=True)]),
        }
        return Cell(values, dict(zip(asked, map(to_image, sent), strict=True)))

    # A mixture is scaled by all of the layer.
    maxima = digest([float(f"{value:.6g}") for value in scale.values.tolist()])
    key = {"layer": layer, "channels": alive, "mixture": plan.seed_of(number), "maxima": maxima}
    return plan.cell("seeds from noise", {**key, "at most": steps}, compute)


def _others(plan: Plan, probabilities: Tensor, seed: int) -> dict[str, int]:
    """Choose classes to set against the predicted one."""
    order = probabilities.argsort(descending=True).tolist()
    if plan.classes:
        asked = dict.fromkeys(plan.net.class_index(name) for name in plan.classes)
        left = [c for c in asked if c != order[0]]
        short = [plan.net.label(c).split(",")[0] for c in left]
        named = dict(zip(numbered(short), left, strict=True))
        if named:
            return named
    generator = torch.Generator().manual_seed(seed)
    chance = order[1 + int(torch.randint(len(order) - 1, (1,), generator=generator))]
    return {"runner-up": order[1], "random": chance, "least likely": order[-1]}


def _by_rule(
    sent: Explanation, titles: Sequence[str], rules: Sequence[AnyRule]
) -> dict[str, dict[str, Saliency]]:
    """Sort signals by rule and seed; they come seed by seed."""
    return {
        str(rule): {title: sent[i * len(rules) + j] for i, title in enumerate(titles)}
        for j, rule in enumerate(rules)
    }


def _compared(
    own: Mapping[str, Mapping[str, Saliency]],
    away: Mapping[str, Mapping[str, Saliency]],
    box: Box | None,
    first: str = "",
) -> dict[str, Any]:
    found: dict[str, Any] = {"seeds": {}, "photos": {}, "signed": {}}
    for rule, signals in own.items():
        pairs = [p for p in combinations(signals, 2) if not first or p[0] == first]
        found["seeds"][rule] = {
            f"{a}, {b}": correlation(signals[a].map[0, 0], signals[b].map[0, 0], box)
            for a, b in pairs
        }
        found["signed"][rule] = _mean(
            cosine(signals[a].signal[0], signals[b].signal[0]) for a, b in pairs
        )
        found["photos"][rule] = {
            seed: correlation(signals[seed].map[0, 0], signal.map[0, 0], box)
            for seed, signal in away[rule].items()
        }
    return found


def _pictures(
    sent: Explanation,
    own: Mapping[str, Mapping[str, Saliency]],
    away: Mapping[str, Mapping[str, Saliency]],
) -> dict[str, Image.Image]:
    image = sent.image[0].float().cpu()
    images = {"photograph": to_image(image if len(image) in (1, 3) else image.mean(0)[None])}
    for rule, signals in own.items():
        for seed, signal in signals.items():
            images[f"{rule}, {seed}"] = to_image(signal.shown()[0])
        for seed, signal in away[rule].items():
            images[f"{rule}, {seed} elsewhere"] = to_image(signal.shown()[0])
    return images


def _apart(image: Tensor) -> Tensor:
    """Return how far each pixel of (c, h, w) is from the image's mean colour."""
    return (image - image.mean((1, 2), keepdim=True)).abs().amax(0)


def _mean(values: Iterator[float | None] | Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

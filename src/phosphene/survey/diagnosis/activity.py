"""What shows when a network sees images: dead, always-on and saturated units, exploding layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from phosphene.survey.diagnosis.finding import Bounds, Finding, numbered, severity
from phosphene.survey.diagnosis.watched import Watched
from phosphene.survey.statistics import LayerStatistics, Statistics


def size_of(found: LayerStatistics) -> float:
    """Return how large a layer's answers are: the median over units of their root mean square."""
    return float(np.median(np.sqrt(found.mean**2 + found.variance)))


def activity_findings(layers: Watched, statistics: Statistics, bounds: Bounds) -> Iterator[Finding]:
    """Judge what units did over an image set."""
    for name in layers.rectified:
        yield from _rectified(name, statistics.of(name), bounds)
    for name in layers.bounded:
        yield from _saturated(name, statistics.of(name), bounds, name in layers.gates)
    sizes = {name: size_of(statistics.of(name)) for name in layers.weighted}
    yield from _growth(sizes, bounds)


def _rectified(name: str, found: LayerStatistics, bounds: Bounds) -> Iterator[Finding]:
    dead = _units(found.silent)
    if dead:
        share = len(dead) / len(found.maximum)
        few = found.images < bounds.images
        rule = f"more than {bounds.many:.0%} is a fault"
        if few:
            rule += f", if of {bounds.images} images or more"
        them = "it" if len(dead) == 1 else "them"
        todo = "show more images" if few else f"remove {them}, or train with a lower rate"
        yield Finding(
            "dead", "note" if few else severity(share, bounds.many), name, dead, share, bounds.many,
            f"{name}: {numbered(dead)} never answer{'s' if len(dead) == 1 else ''} on any of "
            f"{found.images} images ({share:.1%} of the layer; {rule}): {todo}",
        )  # fmt: skip
    on = _units((found.positive >= 1) & ~found.silent)
    if on:
        share = len(on) / len(found.maximum)
        yield Finding(
            "always on", severity(share, bounds.on), name, on, share, bounds.on,
            f"{name}: {numbered(on)} answer{'s' if len(on) == 1 else ''} everywhere on all of "
            f"{found.images} images ({share:.1%} of the layer; more than {bounds.on:.0%} is a "
            "fault): their ReLU does nothing; lower their biases, or normalize before them",
        )  # fmt: skip


def _saturated(name: str, found: LayerStatistics, bounds: Bounds, gate: bool) -> Iterator[Finding]:
    if found.saturated is None:
        return
    full = _units(found.saturated >= bounds.saturated)
    if full:
        share, worst = len(full) / len(found.maximum), float(found.saturated.max())
        todo = (
            "these gates stay as they are, and could go"
            if gate
            else "no gradient passes; scale the weights before it down"
        )
        yield Finding(
            "saturated", "note" if gate else severity(share, bounds.many), name, full, worst,
            bounds.saturated,
            f"{name}: {numbered(full)} sit{'s' if len(full) == 1 else ''} at a bound of the "
            f"activation at up to {worst:.0%} of all places (bound {bounds.saturated:.0%}; "
            f"{share:.1%} of the layer): {todo}",
        )  # fmt: skip


def _growth(sizes: dict[str, float], bounds: Bounds) -> Iterator[Finding]:
    """Compare every layer with all before it, so that the way back to normal is no finding."""
    before: dict[str, float] = {}
    for name, size in sizes.items():
        if not size:
            continue  # all units are dead then, which is said already
        if before:
            most, least = max(before, key=before.__getitem__), min(before, key=before.__getitem__)
            if size > bounds.growth * before[most]:
                yield _grown(name, size, most, before[most], bounds)
            elif size < before[least] / bounds.growth:
                yield _grown(name, size, least, before[least], bounds)
        before[name] = size


def _grown(name: str, size: float, other: str, its: float, bounds: Bounds) -> Finding:
    grows, ratio = size > its, size / its
    return Finding(
        "exploding" if grows else "vanishing", "fault", name, (), ratio,
        bounds.growth if grows else 1 / bounds.growth,
        f"{name}: its answers are {ratio if grows else 1 / ratio:.3g} times "
        f"{'larger' if grows else 'smaller'} than any layer's before it ({size:.3g} against "
        f"{its:.3g} of {other}, root mean square; bound {bounds.growth:g}): scale its weights, or "
        "normalize behind it",
    )  # fmt: skip


def _units(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(mask))

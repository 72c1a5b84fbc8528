"""How features come into being: the same units through the checkpoints of a training run.

Zeiler & Fergus (ECCV 2014, figure 4) show, for some feature maps of each layer and at eight epochs,
the strongest image of the training set with its projection: "sudden jumps in appearance result from
a change in the image from which the strongest activation originates". Here jumps are marked, and
beside the pictures stand numbers for all units (`drift`). Each projection has its own contrast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.rules import DECONVNET, Reversal
from phosphene.errors import ImageError, SettingError, UnitError
from phosphene.panel import Panel, Shows
from phosphene.provenance import versions
from phosphene.survey.evolution.checkpoints import Checkpoint
from phosphene.survey.evolution.drift import Drift, drift, filters_of
from phosphene.survey.evolution.maxima import ImageMaxima
from phosphene.survey.images import ImageSet
from phosphene.survey.patches import Patch, patches
from phosphene.survey.reversible import reversible
from phosphene.survey.sweep import sweep
from phosphene.survey.top_patches import TopPatches

Tick = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Moment:
    """A unit at one checkpoint.

    Attributes:
        key: Of the image that it answers to most; `None` while it is silent.
        image: What that image is called; empty while it is silent.
        value: The answer.
        jump: Whether it is another image than at the checkpoint before.
        patch: What it saw, with what the rule sends back; `None` while it is silent.
    """

    key: int | None
    image: str
    value: float
    jump: bool
    patch: Patch | None


@dataclass(frozen=True, eq=False)
class Evolution(Shows):
    """How units came into being.

    Attributes:
        network: Its name.
        checkpoints: What the checkpoints are called, first to last.
        units: By layer and unit, a moment for each checkpoint.
        top: By layer, (checkpoints, units): key of every unit's strongest image, -1 for silent.
        drift: By layer, how far it is from where it ends.
        images: How many images were seen.
        facts: What it was made of.
    """

    network: str
    checkpoints: tuple[str, ...]
    units: Mapping[tuple[str, int], tuple[Moment, ...]]
    top: Mapping[str, NDArray[np.int64]]
    drift: Mapping[str, Drift]
    images: int
    facts: Mapping[str, str] = field(default_factory=dict)

    def jumps(self, layer: str, unit: int) -> tuple[str, ...]:
        """Return the checkpoints at which another image became a unit's strongest."""
        keys = self.top[layer][:, unit]
        both = (keys[1:] != keys[:-1]) & (keys[1:] >= 0) & (keys[:-1] >= 0)
        return tuple(self.checkpoints[i + 1] for i in np.flatnonzero(both))

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON knows them; what is not known is null."""

        def plain(values: Sequence[float]) -> list[float | None]:
            return [float(v) if np.isfinite(v) else None for v in values]

        return {
            "network": self.network,
            "checkpoints": list(self.checkpoints),
            "images": self.images,
            "layers": {
                name: {
                    "moved": plain(d.moved), "cosine": plain(d.cosine), "rank": plain(d.rank),
                    "changed": plain(d.changed),
                    "converged": None if d.converged is None else self.checkpoints[d.converged],
                }
                for name, d in self.drift.items()
            },
            "units": [
                {"layer": layer, "unit": unit, "images": [m.image for m in moments],
                 "values": plain([m.value for m in moments]),
                 "jumps": list(self.jumps(layer, unit))}
                for (layer, unit), moments in self.units.items()
            ],
            "facts": dict(self.facts),
        }  # fmt: skip

    def panel(self) -> Panel:
        """Show a row for each unit, a column for each checkpoint, and the curves below."""
        from phosphene.survey.evolution.page import panel_of

        return panel_of(self)


@dataclass(frozen=True, eq=False)
class _Visit:
    """What one checkpoint was found to be."""

    maxima: dict[str, NDArray[np.float32]]
    top: TopPatches
    filters: dict[str, Tensor | None]
    patches: dict[tuple[str, int], Patch]
    count: int


def evolve(
    checkpoints: Sequence[Checkpoint],
    images: ImageSet,
    layers: Sequence[str] = (),
    units: Mapping[str, Sequence[int]] | int = 6,
    *,
    rule: Reversal = DECONVNET,
    seed: int = 0,
    batch: int = 16,
    tick: Tick | None = None,
) -> Evolution:
    """Follow units through a run.

    Args:
        checkpoints: The run, first to last; see `evolution.checkpoints`.
        images: What the networks are shown; a few hundred at most, as all maxima are kept.
        layers: Which; up to five convolutions, evenly through the network, if empty.
        units: By layer which units are drawn; or how many of each layer, chosen at random among
            those that answer at the last checkpoint. The numbers are of all units.
        rule: The reversed network of the projections; "saliency" below the first ReLU.
        seed: Of that choice.
        batch: Images at a time.
        tick: Called with the checkpoints done, their number, and which one is looked at.

    Raises:
        SettingError: There are fewer than two checkpoints.
        ImageError: No image can be read.
        UnitError: A layer has no such unit.
    """
    if len(checkpoints) < 2:
        raise SettingError(
            f"an evolution needs two checkpoints or more, and {len(checkpoints)} was given: name "
            "the folder of a run"
        )
    # The last first: which units are worth drawing is known only there.
    order = [len(checkpoints) - 1, *range(len(checkpoints) - 1)]
    visits: dict[int, _Visit] = {}
    chosen: dict[str, tuple[int, ...]] = {}
    name = ""
    for done, number in enumerate(order):
        if tick is not None:
            tick(done, len(order), checkpoints[number].name)
        net = checkpoints[number].open()
        name = name or net.name
        layers = tuple(layers) or spread(net)
        visits[number] = _visit(net, images, layers, units, chosen, rule, seed, batch)
    if tick is not None:
        tick(len(order), len(order), "")
    facts = {
        "network": name, "images": f"{images.name} ({visits[0].count} images)",
        "rule": str(rule), "seed": str(seed), **versions(),
    }  # fmt: skip
    ordered = [visits[number] for number in range(len(checkpoints))]
    top = {layer: np.stack([_top_keys(v, layer) for v in ordered]) for layer in layers}
    return Evolution(
        name,
        tuple(c.name for c in checkpoints),
        {
            (layer, unit): _moments(ordered, images, layer, unit)
            for layer in layers
            for unit in chosen[layer]
        },
        top,
        {
            layer: drift(
                [v.filters[layer] for v in ordered], [v.maxima[layer] for v in ordered],
                list(top[layer]),
            )
            for layer in layers
        },
        visits[0].count,
        facts,
    )  # fmt: skip


def spread(net: Network, most: int = 5) -> tuple[str, ...]:
    """Choose up to so many convolutions that make maps, evenly from the first to the last."""
    maps = [
        r.name for r in net.layers() if r.kind == "Conv2d" and len(r.shape) == 3 and r.shape[1] > 1
    ]
    if not maps:
        raise UnitError(f"{net.name} has no convolution that makes maps: name the layers")
    places = np.linspace(0, len(maps) - 1, min(most, len(maps))).round().astype(int)
    return tuple(maps[i] for i in places)


def _visit(
    net: Network,
    images: ImageSet,
    layers: Sequence[str],
    units: Mapping[str, Sequence[int]] | int,
    chosen: dict[str, tuple[int, ...]],
    rule: Reversal,
    seed: int,
    batch: int,
) -> _Visit:
    """Show a checkpoint all images; at the first visit choose the units, too."""
    top, every = TopPatches(layers, count=1), ImageMaxima(layers)
    swept = sweep(net, images, {"top": top, "maxima": every}, batch=batch)
    if swept.interrupted:
        raise KeyboardInterrupt
    if not swept.count:
        why = next(iter(swept.failed.values()), "there is none")
        raise ImageError(f"no image of {images.name} can be read: {why}")
    filters: dict[str, Tensor | None] = {}
    maxima: dict[str, NDArray[np.float32]] = {}
    drawn: dict[str, list[int]] = {}
    for layer in layers:
        channels = top.channels(layer)
        peaks = {unit: top.of(layer, unit)[0] for unit in range(channels)}
        if layer not in chosen:
            alive = [unit for unit, peak in peaks.items() if peak.value > 0]
            chosen[layer] = _choose(layer, units, channels, alive, seed)
        drawn[layer] = [unit for unit in chosen[layer] if peaks[unit].value > 0]
        filters[layer] = filters_of(net, layer, channels)
        maxima[layer] = every.of(layer)[1]
    rules = {layer: (own,) for layer, own in reversible(net, drawn, rule).items()}
    shown = {(p.layer, p.channel): p for p in patches(net, images, top, drawn, rules)}
    return _Visit(maxima, top, filters, shown, swept.count)


def _choose(
    layer: str, units: Mapping[str, Sequence[int]] | int, channels: int, alive: list[int], seed: int
) -> tuple[int, ...]:
    if isinstance(units, int):
        order = np.random.default_rng(seed).permutation(alive)[:units]
        return tuple(int(u) for u in np.sort(order))
    wanted = tuple(units.get(layer, ()))
    for unit in (unit for unit in wanted if not 0 <= unit < channels):
        raise UnitError(f"layer {layer!r} has units 0 to {channels - 1}, and so no unit {unit}")
    return wanted


def _top_keys(visit: _Visit, layer: str) -> NDArray[np.int64]:
    peaks = [visit.top.of(layer, unit)[0] for unit in range(visit.top.channels(layer))]
    return np.array([peak.key if peak.value > 0 else -1 for peak in peaks], np.int64)


def _moments(
    visits: Sequence[_Visit], images: ImageSet, layer: str, unit: int
) -> tuple[Moment, ...]:
    found: list[Moment] = []
    for visit in visits:
        (peak,) = visit.top.of(layer, unit)
        if peak.value <= 0:
            found.append(Moment(None, "", peak.value, False, None))
            continue
        before = found[-1].key if found else None
        jump = before is not None and before != peak.key
        cut = visit.patches.get((layer, unit))
        found.append(Moment(peak.key, images.name_of(peak.key), peak.value, jump, cut))
    return tuple(found)

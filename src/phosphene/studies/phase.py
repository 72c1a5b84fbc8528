r"""Is what masks and switches know like the phase of a Fourier transform?

A photograph keeps its structure when the amplitudes of its transform are replaced by random ones,
and loses it with its phases. Reversed networks are held to behave alike, with the masks and
switches of the forward pass for the phase, and the seed, which says how strong each unit is, for
the amplitudes. Both are tried in the same five ways, for a photograph and another one:

| phase (masks and switches) | amplitudes (seed) | |
|---|---|---|
| its own | its own | as it is |
| its own | random | `\|N(0, 1)\|` over all frequencies (all units) |
| its own | the other's | |
| random | its own | random phases (masks and switches of that image) |
| the other's | its own | |

What comes out is compared with the edges of the one and of the other photograph (`studies.edges`).

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.4 and figure 7: one photograph, random
amplitudes, DeSaliNet and DeConvNet from the class units.

*Departures.* The paper shows the second way only, by eye; the others are its controls. Amplitudes
are symmetric; what the authors' code does, drawing them without symmetry, is measured as well. A
photograph's own seed is its scores as far as they are positive (the strongest alone, if none is).
Signals are averaged over RGB, as in the code, and photographs likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from phosphene.core.finite import check_finite
from phosphene.core.nodes import RECTIFIERS
from phosphene.core.representation import Representation
from phosphene.core.reversal import backward
from phosphene.core.rules import SALIENCY, Reversal
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.display import show_signal
from phosphene.errors import ImageError
from phosphene.image import to_image
from phosphene.panel import Tile
from phosphene.studies import phase_judged as told
from phosphene.studies import tabulated
from phosphene.studies.edges import edge_correlation
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.phase_judged import CODE, IMAGE, WAYS, Source
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import RULES, titled
from phosphene.studies.setting import demand_photos, partners, plural
from phosphene.studies.spectral_phase import amplitudes_replaced, combined, phases_replaced

_SHOWN = 3
SCORES = "class scores"


def phase(plan: Plan) -> Findings:
    """Replace phases and amplitudes, of photographs and of what comes back from a network.

    Args:
        plan: Photographs, two or more, and layers to start from: the class scores if none is named.

    Raises:
        ImageError: There are fewer than two different photographs, or sizes differ.
        NetworkError: No layer is named, and the network has no class scores.
        UnknownLayer: There is no such layer.
    """
    demand_photos(plan, "phase")
    others = partners(plan, "phase")
    cuts = {layer: plan.net[layer] for layer in plan.layers} or {SCORES: plan.net.scores}
    total, done = len(cuts) * len(plan.photos), 0
    sources: list[Source] = []
    pictures: list[tuple[str, tuple[Tile, ...]]] = []
    for layer, cut in cuts.items():
        rules = _rules(plan, cut)
        cells = []
        for number, name in enumerate(plan.names):
            plan.tick(done, total, f"{layer}, {name}")
            cells.append(_cell(plan, layer, cut, rules, number, others[number]))
            done += 1
        names = [IMAGE, *(str(rule) for rule in rules)]
        # The image's own numbers do not depend on the layer.
        for name in names[1 if sources else 0 :]:
            title = name if name == IMAGE else titled(name.partition("+")[0])
            title += f" from {layer}" if name != IMAGE else ""
            sources.append(Source(title, [cell.values[name] for cell in cells]))
        for name, cell in zip(plan.names, cells[:_SHOWN], strict=False):
            pictures += _rows(f"{name}, {layer}" if len(cuts) > 1 else name, names, cell)
    plan.tick(total, total, "done")
    verdict = told.verdict(sources)
    return Findings(
        "phase",
        f"{plan.net.name}: phase and amplitude, {plural(len(plan.photos), 'photograph')}",
        (told.table(sources), told.judgements(sources, verdict)),
        (told.plot(sources),),
        tuple(pictures),
        tabulated.facts(plan, layers=", ".join(cuts), other="the next photograph"),
        (*tabulated.doubts(plan), *_warnings(rules), *_empty(sources)),
        {"sources": [s.as_data() for s in sources], "verdict": verdict},
    )


def _warnings(rules: Sequence[Reversal]) -> tuple[str, ...]:
    if len(rules) > 1:
        return ()
    return ("there is no ReLU in this network: all reversed networks are the derivative",)


def _empty(sources: Sequence[Source]) -> list[str]:
    """Warn of signals that are zero everywhere, which have an edge correlation of 0."""
    found = []
    for source in sources:
        count = sum(photo[WAYS[0]]["own"] in (0, None) for photo in source.photos)
        if count:
            found.append(
                f"{source.title}: the signal is zero everywhere on {count} of "
                f"{plural(len(source.photos), 'photograph')}: it shows no edges there (0)"
            )
    return found


def _rules(plan: Plan, cut: Representation) -> tuple[Reversal, ...]:
    image, _ = plan.net.prepare(plan.photos[0])
    with plan.net.running(gradients=False):
        census = cut.tape(image).census
    others = [kind for kind in RECTIFIERS if census[kind]]
    if not census["relu"] and not others:
        return (SALIENCY,)
    return tuple(Reversal.parse(rule).including(*others) for rule in RULES)


def _cell(
    plan: Plan,
    layer: str,
    cut: Representation,
    rules: Sequence[Reversal],
    number: int,
    other: int,
) -> Cell:
    shown = number < _SHOWN
    key = {
        "photo": plan.photo_ids[number],
        "other": plan.photo_ids[other],
        "layer": layer,
        "rules": [repr(rule) for rule in rules],
        "shown": shown,
    }
    return plan.cell("phase", key, lambda: _measured(plan, cut, rules, number, other, shown))


def _measured(
    plan: Plan,
    cut: Representation,
    rules: Sequence[Reversal],
    number: int,
    other: int,
    shown: bool,
) -> Cell:
    (photo, _), (stranger, _) = (plan.net.prepare(plan.photos[i]) for i in (number, other))
    if photo.shape != stranger.shape:
        sizes = " and ".join(f"{p.shape[3]}x{p.shape[2]}" for p in (photo, stranger))
        raise ImageError(f"the study phase needs photographs of one size, and there are {sizes}")
    seed = plan.seed_of(number)
    one, two = (p[0].mean(0, keepdim=True).cpu() for p in (photo, stranger))
    found: dict[str, dict[str, Tensor]] = {IMAGE: _images(one, two, seed)}
    found |= _signals(plan, cut, rules, photo, stranger, seed)
    values = {
        name: {
            way: {"own": edge_correlation(map_, one), "other": edge_correlation(map_, two)}
            for way, map_ in ways.items()
        }
        for name, ways in found.items()
    }
    images: dict[str, Image.Image] = {}
    if shown:
        images = {"image": to_image(photo[0]), "other": to_image(stranger[0])}
        for name, ways in found.items():
            for way, map_ in ways.items():
                # As a signal even where it is an image: around gray, which its mean is made.
                centred = map_ - map_.mean() if name == IMAGE else map_
                images[f"{name}/{way}"] = to_image(show_signal(centred))
    return Cell(dict(values), images)


def _images(one: Tensor, two: Tensor, seed: int) -> dict[str, Tensor]:
    made = (
        one,
        amplitudes_replaced(one, seed),
        combined(one, two),
        phases_replaced(one, seed),
        combined(two, one),
    )
    found = dict(zip(WAYS, made, strict=True))
    return {**found, CODE: amplitudes_replaced(one, seed, symmetric=False)}


def _signals(
    plan: Plan,
    cut: Representation,
    rules: Sequence[Reversal],
    photo: Tensor,
    stranger: Tensor,
    seed: int,
) -> dict[str, dict[str, Tensor]]:
    """Send seeds back through the bottlenecks of three passes; (1, h, w) each, by rule and way."""
    net = plan.net
    noise = phases_replaced(photo[0], seed).clamp(0, 1)[None].to(photo)
    with net.running(gradients=False):
        own, random, others = (cut.tape(image) for image in (photo, noise, stranger))
        drawn = Unit.noise(seed).plant(own.activation).p
        code = _code(own.activation)
        sent: tuple[tuple[Tape, list[Tensor]], ...] = (
            (own, [code, drawn, _code(others.activation)]),
            (random, [code]),
            (others, [code]),
        )
        found = {}
        for rule in rules:
            signals = []
            for tape, seeds in sent:
                back = backward(tape, torch.stack(seeds), rule)
                check_finite(back, net.module, tape.x.detach(), net.run)
                # (seeds, 1, c, h, w): the batch of one away, the mean over RGB in place of c.
                signals += list(net.preprocessing.pull_back(back)[:, 0].mean(1, keepdim=True).cpu())
            found[str(rule)] = dict(zip(WAYS, signals, strict=True))
    return found


def _code(activation: Tensor) -> Tensor:
    positive = activation.clamp(min=0)
    return positive if bool(positive.any()) else Unit.strongest().plant(activation).p


def _rows(name: str, names: Sequence[str], cell: Cell) -> list[tuple[str, tuple[Tile, ...]]]:
    """Show every way, with the edge correlation with the one photograph and the other."""
    rows = []
    for of in names:
        values: Mapping[str, Any] = cell.values[of]
        tiles = [Tile(cell.images["image"], "image"), Tile(cell.images["other"], "other")]
        for way, numbers in values.items():
            caption = f"{way}: {numbers['own']:.2f}, {numbers['other']:.2f}"
            tiles.append(Tile(cell.images[f"{of}/{way}"], caption))
        title = of if of == IMAGE else titled(of.partition("+")[0])
        rows.append((f"{name}: {title}", tuple(tiles)))
    return rows

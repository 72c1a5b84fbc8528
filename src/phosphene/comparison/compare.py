"""Several networks under one lens: the experiments of the thesis's chapter 6, on any networks.

Of each network and layer: images that excite units most, inversions and caricatures of the same
photographs, the strongest patches of the same images, and what dissection counts on these. M, which
maximisation is scaled by, is measured over that one image set for all networks. The thesis leaves
open C, M's images and the mean of networks that learned without labels: here everything is as for
the papers' own networks, with each network's own preprocessing.

*Reference.* Mahendran, PhD thesis, Oxford 2018, chapter 6. *Departures.* There units 0 to 24 are
shown; here units evenly over those that are alive in all networks, of the same numbers where the
layers are of one width, as networks that began with the same weights have the same units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from phosphene.comparison.comparison import Comparison
from phosphene.comparison.dissected import dissected, labels_of
from phosphene.comparison.entry import Entry, Opinion
from phosphene.comparison.opinions import opinions
from phosphene.comparison.orientation import Orientation, mean_histogram, orientation
from phosphene.comparison.photographs import KINDS, STRENGTH, answer, made
from phosphene.comparison.plan import FORM, Plan, Progress
from phosphene.comparison.seen import Seen, has_map, seen
from phosphene.comparison.units import TOGETHER, maximised, strongest
from phosphene.core.network import Network
from phosphene.errors import ImageError
from phosphene.image import to_tensor
from phosphene.studies.ledger import Cell
from phosphene.survey.dissection.concepts import digest

_SAMPLE = 200
"""Images that the image set's own orientation is measured of, at most."""


def compare(plan: Plan) -> Comparison:
    """Compare networks.

    Args:
        plan: Which, and how. What was computed for the same plan in its folder is taken up.

    Raises:
        ImageError: No image of the set can be read, or a photograph cannot.
        OutputError: The folder cannot be written.
        KeyboardInterrupt: It was interrupted; what was done stays in the folder.
    """
    progress = Progress(plan.tick, _pieces(plan))
    passes: list[Seen] = []
    for number, one in enumerate(plan.networks):
        tell = progress.within(f"{one.short}: showing all images")
        passes.append(
            seen(
                one.net, plan.concepts, plan.layers(number), batch=plan.batch, folder=plan.passes,
                tick=tell,
            )
        )  # fmt: skip
        progress.done()
    entries: list[tuple[Entry | None, ...]] = []
    labelled = [_dissected(plan, number, passes, progress) for number in range(len(passes))]
    for level in plan.levels:
        units = _units(plan, level.layers, passes)
        row: list[Entry | None] = []
        for number, layer in enumerate(level.layers):
            found = None
            if layer is not None:
                work = _Work(plan, number, layer, units[number], passes[number], progress)
                found = work.entry(labelled[number].values["layers"].get(layer))
            row.append(found)
        entries.append(tuple(row))
    ground = _ground(plan)
    return Comparison(plan, tuple(entries), ground, _failed(passes))


def _pieces(plan: Plan) -> int:
    layers = sum(layer is not None for level in plan.levels for layer in level.layers)
    units = len(plan.chosen) or plan.units
    each = math.ceil(units / TOGETHER) + 1 + len(KINDS) * len(plan.photos)
    return 2 * len(plan.networks) + layers * each


def _failed(passes: Sequence[Seen]) -> dict[str, str]:
    return {name: why for one in passes for name, why in one.failed.items()}


def _ground(plan: Plan) -> Orientation:
    """Measure how the structures of the image set itself run."""

    def measure() -> Cell:
        count = len(plan.concepts)
        step = max(1.0, count / _SAMPLE)
        found = []
        for index in range(min(count, _SAMPLE)):
            with suppress(ImageError):  # named by the passes
                found.append(orientation(to_tensor(plan.concepts.image(int(index * step)))))
        shares = [o.horizontal for o in found if o.horizontal is not None]
        share = sum(shares) / len(shares) if shares else None
        return Cell({"horizontal": share, "histogram": mean_histogram(found)})

    key = {"what": "ground", "images": plan.concepts.fingerprint, "form": FORM}
    return _orientation(plan.ledger.cell(key, measure).values)


def _orientation(values: dict[str, Any]) -> Orientation:
    return Orientation(values["horizontal"], tuple(values["histogram"]))


def _dissected(plan: Plan, number: int, passes: Sequence[Seen], progress: Progress) -> Cell:
    one, facts = plan.networks[number], passes[number].facts
    layers = [name for name in plan.layers(number) if has_map(facts[name])]
    tell = progress.within(f"{one.short}: dissecting")
    key = {"layers": layers, "concepts": plan.concepts.fingerprint}
    name = f"dissection-{digest([plan.identities[number], key])}"
    folder = None if plan.passes is None else plan.passes / name
    cell = plan.cell(
        "dissection", number, key,
        lambda: dissected(one.net, layers, plan.concepts, plan.batch, folder, tell),
    )  # fmt: skip
    progress.done()
    return cell


def _units(
    plan: Plan, layers: Sequence[str | None], passes: Sequence[Seen]
) -> list[tuple[int, ...]]:
    """Choose the units of a level that are shown, network by network."""
    alive = [set(p.alive(n)) if n else set[int]() for p, n in zip(passes, layers, strict=True)]
    here = [number for number, name in enumerate(layers) if name]
    widths = {passes[n].facts[str(layers[n])].channels for n in here}
    if plan.chosen:
        return [tuple(u for u in plan.chosen if u in own) for own in alive]
    shared = set.intersection(*(alive[n] for n in here)) if len(widths) == 1 else set[int]()
    wanted = min(plan.units, min(len(alive[n]) for n in here))
    if len(shared) >= wanted:
        return [_spread(shared, plan.units) if name else () for name in layers]
    return [_spread(own, plan.units) for own in alive]


def _spread(units: set[int], most: int) -> tuple[int, ...]:
    """Take units evenly.

    >>> _spread(set(range(10)), 3)
    (0, 3, 6)
    """
    ordered = sorted(units)
    step = max(1.0, len(ordered) / most)
    return tuple(ordered[int(i * step)] for i in range(min(most, len(ordered))))


class _Work:
    """What is done for one layer of one network."""

    def __init__(
        self, plan: Plan, number: int, layer: str, units: tuple[int, ...], known: Seen,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.plan, self.number, self.layer, self.units = plan, number, layer, units
        self.seen, self.progress = known, progress
        self.one = plan.networks[number]
        self.net: Network = self.one.net

    def entry(self, known: dict[str, Any] | None) -> Entry:
        """Find out everything; `known` is what dissection says."""
        facts = self.seen.facts[self.layer]
        wanted = list(self._maximised())
        cells = {unit: (c.values["units"][str(unit)], c.images[str(unit)]) for c, u in wanted
                 for unit in u}  # fmt: skip
        patches = self._strongest()
        labels = labels_of(known) if known else {}
        said: tuple[Opinion, ...] = ()
        if labels and self.seen.means is not None:
            codes = {int(unit): rows for unit, rows in patches.values["codes"].items()}
            own = {unit: values["code"] for unit, (values, _) in cells.items()}
            said = opinions(self.seen.means.of(self.layer), labels, own, codes)
        inversions, caricatures = (tuple(self._photographs(kind)) for kind in KINDS)
        return Entry(
            self.one.name,
            self.layer,
            facts.channels,
            facts.channels - len(self.seen.alive(self.layer)),
            self.units,
            {unit: picture for unit, (_, picture) in cells.items()},
            {unit: values["reached"] for unit, (values, _) in cells.items()},
            {int(unit): picture for unit, picture in patches.images.items()},
            inversions,
            caricatures,
            {unit: _orientation(values) for unit, (values, _) in cells.items()},
            {int(unit): _orientation(found) for unit, found in patches.values["runs"].items()},
            labels,
            known["detectors"] if known else None,
            {k: tuple(v) for k, v in known["unique"].items()} if known else {},
            said,
        )

    def _maximised(self) -> Iterator[tuple[Cell, tuple[int, ...]]]:
        plan, layer = self.plan, self.layer
        maxima = self.seen.statistics.maxima(layer, self.net.name, plan.concepts.name)
        canvas = plan.recipes.canvas(self.net, layer) if self.units else (None, 1.0)
        for start in range(0, len(self.units), TOGETHER):
            some = self.units[start : start + TOGETHER]
            tell = self.progress.within(f"{self.one.short} {layer}: maximising")
            key = {
                "layer": layer, "units": some, "maxima": [maxima.of(unit) for unit in some],
                "recipe": repr(plan.recipes.activate), "quality": plan.recipes.name,
                "canvas": canvas, "seed": plan.seed,
            }  # fmt: skip
            yield plan.cell(
                "maximised", self.number, key,
                lambda some=some, tell=tell: maximised(  # type: ignore[misc]
                    self.net, layer, some, maxima, plan.recipes.activate, canvas, plan.seed, tell
                ),
            ), some  # fmt: skip
            self.progress.done()

    def _strongest(self) -> Cell:
        tell = self.progress.within(f"{self.one.short} {self.layer}: strongest patches")
        key = {
            "layer": self.layer, "units": self.units, "images": self.plan.concepts.fingerprint
        }  # fmt: skip
        cell = self.plan.cell(
            "strongest", self.number, key,
            lambda: strongest(self.seen, self.layer, self.units, tell),
        )  # fmt: skip
        self.progress.done()
        return cell

    def _photographs(self, kind: str) -> Iterator[Any]:
        plan, layer = self.plan, self.layer
        recipe = plan.recipes.invert if kind == "inversion" else plan.recipes.caricature
        ready = zip(plan.photos, plan.names, plan.photo_ids, strict=True)
        for photo, name, contents in ready:
            tell = self.progress.within(f"{self.one.short} {layer}: {kind} of {name}")
            key = {
                "layer": layer,
                "photograph": contents,
                "recipe": repr(recipe),
                "strength": STRENGTH,
                "seed": plan.seed,
            }
            cell = plan.cell(
                kind, self.number, key,
                lambda photo=photo, tell=tell: made(  # type: ignore[misc]
                    kind, self.net, layer, photo, plan.recipes, plan.seed, tell
                ),
            )  # fmt: skip
            self.progress.done()
            yield answer(cell, name)

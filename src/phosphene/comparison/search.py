"""From a picture or a concept to the units that answer to it, over layers and networks.

*A picture.* A unit's response is the largest value of its map, on the picture or on a region of it
(positions whose field has its middle there). It answers where that is exceptional among whole
images of a reference set: higher than in a share `level` of them. By chance a share 1 - level of
all units does so on any picture, which is said beside how many do. A region is held against whole
images too, so that a unit is not found for a region by having fewer places to be strong at.

*A concept.* By intersection over union with the concept's pixels (network dissection), or by how
well the unit's largest value in an image tells images with the concept from those without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from phosphene.comparison.hits import Hit, Hits, Searched
from phosphene.comparison.image_peaks import excess, share_below
from phosphene.comparison.levels import has_layer
from phosphene.comparison.networks import Compared
from phosphene.comparison.region import Box, Region, looking_at
from phosphene.comparison.seen import Seen, has_map, seen
from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.display import normalize_map, overlay
from phosphene.errors import SettingError, UnknownLayer, nearest
from phosphene.image import name_of, to_image
from phosphene.provenance import versions
from phosphene.survey.choice import default_layers
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.dissection.upsampling import upsampling
from phosphene.survey.figure2 import grid
from phosphene.survey.patches import patches

Tick = Callable[[int, int, str], None]
LEVEL = 0.99
LAYERS = 4
"""Layers of each network that are searched where none are named."""


@dataclass(frozen=True, eq=False)
class Search:
    """Where to search, and what is usual there.

    Attributes:
        networks: The networks.
        concepts: The reference set, with what is known of its pixels.
        layers: Names of layers, of whichever network has them; each network's own choice if empty.
        level: Share of images that a response has to be higher than.
        count: How many units are shown.
        batch: Images of the set at a time.
        folder: Where passes over the set are kept.
        tick: Told of progress.

    Raises:
        SettingError: A number cannot be.
        UnknownLayer: No network has a layer of a name.
    """

    networks: tuple[Compared, ...]
    concepts: ConceptSet
    layers: tuple[str, ...] = ()
    level: float = LEVEL
    count: int = 12
    batch: int = 16
    folder: Path | None = None
    tick: Tick | None = None
    notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Find what is wrong before images are shown."""
        if not 0.5 <= self.level < 1 or self.count < 1:
            raise SettingError(
                f"level {self.level:g}, {self.count} units: give a share such as 0.99, and a unit"
            )
        for layer in self.layers:
            if not any(has_layer(one.net, layer) for one in self.networks):
                known = [found.name for one in self.networks for found in one.net.layers()]
                raise UnknownLayer(f"no network has a layer {layer!r}{nearest(layer, known)}")

    def passes(self) -> list[Seen]:
        """Show every network the reference set; those that have none of the layers are left out."""
        found: list[Seen] = []
        for number, one in enumerate(self.networks):
            lacking = [layer for layer in self.layers if not has_layer(one.net, layer)]
            own = [layer for layer in self.layers if layer not in lacking]
            if lacking:
                self.notes.append(f"{one.name} has no layer {', '.join(lacking)}: left out there")
            if not self.layers:
                own = list(default_layers(one.net, LAYERS))
            if own:
                tell = self._told(number, f"{one.short}: showing all images")
                found.append(
                    seen(
                        renamed(one), self.concepts, own, batch=self.batch,
                        folder=self.folder, tick=tell,
                    )
                )  # fmt: skip
        return found

    def _told(self, number: int, what: str) -> Callable[[int, int], None] | None:
        tick, many = self.tick, len(self.networks)
        if tick is None:
            return None
        return lambda done, total: tick(number * total + done, many * total, what)

    def facts(self, **more: str) -> dict[str, str]:
        """Say what was done."""
        concepts = self.concepts
        return {
            "networks": "; ".join(f"{n.name}: {n.net.preprocessing}" for n in self.networks),
            "reference set": f"{len(concepts)} of {concepts.name}, stretched to each input",
            **more,
            **versions(),
        }


def renamed(one: Compared) -> Network:
    """Return a network under the name it has among the others."""
    net = one.net
    if net.name == one.name:
        return net
    return Network(net.module, net.preprocessing, net.labels, one.name, net.aliases)


def find_by_picture(search: Search, photo: Any, region: Region | None = None) -> Hits:
    """Find units that answer to a picture, or to a region of it.

    Args:
        search: Where.
        photo: A photograph as for `Network.prepare`.
        region: The part that counts; all of it if `None`.

    Raises:
        ImageError: The picture cannot be read, or the region is none that a network sees.
    """
    own = {one.name: one.net for one in search.networks}
    name = name_of(photo, "the picture")
    ready = {key: net.prepare(photo) for key, net in own.items()}
    boxes = {key: region.on(frame, name) if region else None for key, (_, frame) in ready.items()}
    found: list[tuple[Hit, Seen]] = []
    searched = []
    known = search.passes()
    if region is not None:
        _check_maps(known)
    for one in known:
        key = one.net.name
        _, codes = own[key].record(ready[key][0], tuple(one.facts))
        for layer, fact in one.facts.items():
            maps = as_maps(codes[layer])[0][0].double().cpu().numpy()
            here = replace(fact, height=maps.shape[1], width=maps.shape[2])
            response = maps[:, looking_at(here, boxes[key])].max(1)
            values = one.peaks.of(layer)
            shares, reach = share_below(values, response), excess(values, response)
            alive = one.alive(layer)
            for unit in alive:
                numbers = {"share below": float(shares[unit]), "excess": float(reach[unit])}
                hit = Hit(key, layer, unit, numbers, bool(shares[unit] >= search.level))
                found.append((hit, one))
            answering = int((shares[alive] >= search.level).sum())
            expected = round(len(alive) * answers_by_chance(len(values), search.level), 2)
            searched.append(Searched(key, layer, len(alive), answering, expected))
    best = best_of(found, search.count)
    shown = []
    for hit, one in best:
        image, box = ready[hit.network][0], boxes[hit.network]
        mapped = has_map(one.facts[hit.layer])
        heat = _heat(own[hit.network], one, hit, image, box) if mapped else None
        shown.append(replace(hit, patches=strongest_of(one, hit), heat=heat))
    told = {"picture": name, "region": str(region) if region else "all of it"}
    told["answers"] = f"higher than in {search.level:.1%} of the images of the set"
    more = [*unread(known)]
    least = min(len(one.peaks.keys) for one in known)
    if least < _needed(search.level):
        more.append(_too_few(search, least))
    answering, expected = (
        sum(s.answering for s in searched),
        sum(s.expected or 0 for s in searched),
    )
    if not found:
        more.append("no unit of these layers is active on the set: give other --images")
    elif answering <= expected:
        more.append(
            f"{answering} units answer, and {expected:.0f} would to any picture: to these layers "
            "as a whole it is nothing unusual"
        )
    title = f"Units that answer to {name}" + (f" at {region}" if region else "")
    return Hits(title, tuple(shown), tuple(searched), search.facts(**told), (*search.notes, *more))


def _check_maps(known: Sequence[Seen]) -> None:
    for one in known:
        for layer, fact in one.facts.items():
            if not has_map(fact):
                raise SettingError(
                    f"units of layer {layer!r} of {one.net.name} have no places on the picture, "
                    "and a region asks for some: name layers of maps with -l"
                )


def best_of(found: Sequence[tuple[Hit, Seen]], count: int) -> list[tuple[Hit, Seen]]:
    """Return the first of the units, ordered by their scores one after the other."""
    return sorted(found, key=lambda one: tuple(-v for v in one[0].numbers.values()))[:count]


def answers_by_chance(images: int, level: float) -> float:
    """Return how likely a unit answers to a picture that is one of a kind with the images.

    All ranks among `images + 1` are as likely, and those answer from which `level` of the images
    are below: of n that is `(n - ceil(level n) + 1) / (n + 1)`, more than `1 - level`.

    >>> round(answers_by_chance(20, 0.9), 4), round(answers_by_chance(100, 0.99), 4)
    (0.1429, 0.0198)
    """
    least = math.ceil(round(level * images, 6))
    return (images - least + 1) / (images + 1)


def _needed(level: float) -> int:
    """Return how many images it takes to be higher than a share of them.

    >>> _needed(0.99)
    100
    """
    return math.ceil(round(1 / (1 - level), 6))


def unread(known: Sequence[Seen]) -> tuple[str, ...]:
    """Name images of the set that could not be read, and are left out."""
    failed = {name: why for one in known for name, why in one.failed.items()}
    return tuple(f"left out of the set: {why}" for why in dict.fromkeys(failed.values()))


def _too_few(search: Search, images: int) -> str:
    return (
        f"{images} images are too few to say that a response is higher than in "
        f"{search.level:.1%} of them: give {_needed(search.level)} or more, or a lower --level"
    )


def strongest_of(one: Seen, hit: Hit) -> Image.Image | None:
    """Draw what a unit sees in its strongest images."""
    wanted = {hit.layer: [hit.unit]}
    found = sorted(patches(one.net, one.images, one.top, wanted, ()), key=lambda p: p.rank)
    columns = max(1, math.isqrt(max(len(found) - 1, 0)) + 1)
    return grid([patch.image for patch in found], columns) if found else None


def _heat(net: Network, one: Seen, hit: Hit, image: Tensor, box: Box | None) -> Image.Image:
    """Lay a unit's map over the picture, (1, c, h, w), and frame the region."""
    size = int(image.shape[2]), int(image.shape[3])
    code = as_maps(net.record(image, [hit.layer])[1][hit.layer])[0][0, hit.unit].float().cpu()
    fact = one.facts[hit.layer]
    way = upsampling("centred", (len(code), code.shape[1]), size, size, fact.field)
    values = (way.rows @ code @ way.columns.T).clamp(min=0)[None]
    picture = to_image(overlay(normalize_map(values), image[0].float().cpu().expand(3, -1, -1)))
    if box is not None:
        top, left, bottom, right = box
        edges = (left, top, max(right - 1, left), max(bottom - 1, top))
        ImageDraw.Draw(picture).rectangle(edges, outline=(255, 255, 255))
    return picture

"""Figure 2 of Zeiler & Fergus: grids of what units send back, beside their patches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.image import to_image
from phosphene.panel import Panel, Shows, Tile
from phosphene.provenance import versions
from phosphene.survey.contrast import Contrast, enhanced
from phosphene.survey.facts import facts_of
from phosphene.survey.patches import Beyond, Patch, Readable, Tick, patches
from phosphene.survey.reversible import reversible
from phosphene.survey.top_patches import TopPatches

# Pixels of a patch on the sheet, the same for all layers, so that units stand in columns (six go
# into two lines of three); between patches; between a unit's two grids.
_CELL, _GAP, _BETWEEN = 105, 2, 10
_NOTHING = (238, 238, 238)
# From this factor on, pixels are shown as squares.
_PIXELATED = 3


@dataclass(frozen=True, eq=False)
class Figure2(Shows):
    """Units, each as a grid of signals beside a grid of patches.

    Attributes:
        units: The patches of each unit, the strongest first, by layer and channel.
        rule: Whose signals are shown; empty for patches alone.
        contrast: How they are shown.
        fields: What the units of each layer see, in words.
        facts: What was done.
        columns: Patches side by side in a grid.
        names: What units are called, by layer and channel: classes, where they are such.
    """

    units: Mapping[tuple[str, int], tuple[Patch, ...]]
    rule: str
    contrast: Contrast = "quantile"
    fields: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    columns: int = 3
    names: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Return a row for each layer, and a tile for each unit."""
        rows: dict[str, list[Tile]] = {}
        for (layer, channel), found in self.units.items():
            rows.setdefault(layer, []).append(self._tile(layer, channel, found))
        title = f"Strongest patches of {self.facts.get('network', 'a network')}'s units"
        if self.rule:
            title += f", and what {self.rule} sends back"
        headings = (f"{n}: {self.fields[n]}" if self.fields.get(n) else n for n in rows)
        tiles = (tuple(row) for row in rows.values())
        few = sorted({f"{n} {c}" for (n, c), found in self.units.items() if not found})
        warnings = (f"nothing was seen of {', '.join(few)}",) if few else ()
        return Panel(title, tuple(zip(headings, tiles, strict=True)), self.facts, warnings)

    def _tile(self, layer: str, channel: int, found: Sequence[Patch]) -> Tile:
        known = self.names.get((layer, channel))
        called = f"unit {channel} ({known})" if known else f"unit {channel}"
        strongest = f", up to {found[0].peak.value:.4g}" if found else ""
        photographs = "; ".join(f"{p.name} {p.peak.value:.4g} at {p.peak.at}" for p in found)
        return Tile(self.grids(found), f"{called}{strongest}", photographs)

    def grids(self, found: Sequence[Patch]) -> Image.Image:
        """Draw one unit: signals on the left, patches on the right."""
        right = grid([p.image for p in found], self.columns)
        if not self.rule:
            return right
        signals = [next(iter(p.signals.values())) for p in found]
        left = grid(enhanced(signals, self.contrast), self.columns)
        both = Image.new("RGB", (left.width + _BETWEEN + right.width, right.height), "white")
        both.paste(left, (0, 0))
        both.paste(right, (left.width + _BETWEEN, 0))
        return both


def figure2(
    net: Network,
    images: Readable,
    top: TopPatches,
    units: Mapping[str, Sequence[int]],
    rule: Reversal | str = "deconvnet",
    *,
    contrast: Contrast = "quantile",
    count: int = 9,
    whole: bool = False,
    beyond: Beyond = "mean",
    tick: Tick | None = None,
) -> Figure2:
    """Show what units answer to most.

    Args:
        net: The network.
        images: The image set that was swept.
        top: What the sweep found.
        units: Channels by layer.
        rule: Which reversed network; "saliency" stands in for it below the first ReLU.
        contrast: How its signals are shown: see `contrast`.
        count: How many patches of each unit.
        whole: As for the sweep.
        beyond: As for `patches`.
        tick: As for `patches`.

    Raises:
        UnitError: There is no such unit.
        ImageError: An image cannot be read any more.
        NothingToReverse, OpaqueGraph, NotFinite: As they say.
    """
    name, columns = str(Reversal.parse(rule)), max(1, math.isqrt(max(count - 1, 0)) + 1)
    rules = reversible(net, units, Reversal.parse(rule))
    by_layer = {layer: (own,) for layer, own in rules.items()}
    made = patches(
        net, images, top, units, by_layer, count=count, whole=whole, beyond=beyond, tick=tick
    )
    others = [layer for layer, own in rules.items() if str(own) != name]
    instead = f"{', '.join(others)}: nothing below for {name} to change"
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "patches": f"{count} strongest images of each unit, one patch an image",
        "beyond the image": beyond,
        "contrast": contrast,
        **({"sent back by saliency": instead} if others else {}),
        **versions(),
    }
    layers = facts_of(net, tuple(units))
    fields = {layer: str(layers[layer].field or "") for layer in units}
    # A layer with a unit for each class holds the classes, before or behind their average.
    classes = {layer for layer in units if top.channels(layer) == len(net.labels)}
    names = {(layer, c): net.labels[c] for layer in classes for c in units[layer]}
    return Figure2(by_unit(made, units), name, contrast, fields, facts, columns, names)


def by_unit(
    made: Iterable[Patch], units: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], tuple[Patch, ...]]:
    """Sort patches by unit, in the order the units were asked for, the strongest first."""
    found: dict[tuple[str, int], list[Patch]] = {
        (layer, channel): [] for layer, channels in units.items() for channel in channels
    }
    for patch in made:
        found[patch.layer, patch.channel].append(patch)
    return {u: tuple(sorted(some, key=lambda p: p.rank)) for u, some in found.items()}


def grid(pictures: Sequence[Tensor], columns: int) -> Image.Image:
    """Put pictures, (3, h, w) in [0, 1], into a square grid; free places stay light gray."""
    cell = _CELL
    side = columns * (cell + _GAP) - _GAP
    whole = Image.new("RGB", (side, side), "white")
    for number in range(columns * columns):
        row, column = divmod(number, columns)
        place = column * (cell + _GAP), row * (cell + _GAP)
        if number < len(pictures):
            whole.paste(_fitted(to_image(pictures[number]), cell), place)
        else:
            whole.paste(_NOTHING, (*place, place[0] + cell, place[1] + cell))
    return whole


def _fitted(image: Image.Image, cell: int) -> Image.Image:
    """Bring a patch to a cell: small ones with their pixels to be seen, large ones smooth."""
    scale = cell / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    how = Image.Resampling.NEAREST if scale >= _PIXELATED else Image.Resampling.LANCZOS
    whole = Image.new("RGB", (cell, cell), _NOTHING)
    whole.paste(image.resize(size, how), ((cell - size[0]) // 2, (cell - size[1]) // 2))
    return whole

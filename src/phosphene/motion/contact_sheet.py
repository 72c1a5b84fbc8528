"""Pairs at a glance: frames beside their flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from phosphene.errors import FlowError, ImageError, SettingError, first_line
from phosphene.motion.dataset import open_pairs
from phosphene.motion.pair import Pair
from phosphene.motion.tiles import arrow_tile, flow_tile, longest
from phosphene.motion.video.sampling import drawn
from phosphene.panel import Panel, Shows, Tile

_ACROSS = 4
"""Pictures in a row, at least."""


@dataclass
class ContactSheet(Shows):
    """Some pairs of a set.

    Attributes:
        name: Of the set.
        of: How many pairs the set has.
        pairs: Those shown.
        arrows: Whether flow is drawn as arrows over the frames as well.
        damaged: Of those chosen, which could not be read, and why.
    """

    name: str
    of: int
    pairs: list[Pair] = field(default_factory=list)
    arrows: bool = False
    damaged: dict[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show each pair's frame, its flow, and what else there is."""
        shown = [self._tiles(pair) for pair in self.pairs]
        together = max(1, _ACROSS // max((len(tiles) for tiles in shown), default=1))
        rows = []
        for start in range(0, len(shown), together):
            tiles = [tile for pair in shown[start : start + together] for tile in pair]
            rows.append(("", tuple(tiles)))
        warnings = tuple(f"{name}: {why}" for name, why in self.damaged.items())
        facts = {"pairs": f"{len(self.pairs)} of {self.of:,}"}
        return Panel(f"Pairs in {self.name}", tuple(rows), facts, warnings)

    def _tiles(self, pair: Pair) -> list[Tile]:
        most = longest(pair.flow)
        length = pair.flow.magnitude[pair.flow.valid]
        mean = float(length.mean()) if length.size else 0.0
        tiles = [Tile(Image.fromarray(pair.first), pair.name)]
        if pair.second is not None:
            tiles.append(Tile(Image.fromarray(pair.second), "the later frame"))
        tiles.append(flow_tile(pair.flow, most, f"{mean:.1f} px on average, up to {most:.0f}"))
        if self.arrows:
            tiles.append(arrow_tile(pair.first, pair.flow))
        return tiles


def contact_sheet(
    source: str | Path | Sequence[str | Path],
    count: int = 16,
    *,
    seed: int = 0,
    arrows: bool = False,
    second: bool = False,
) -> ContactSheet:
    """Take some pairs of a set at random, to be looked at.

    Args:
        source: Shards, or a known data set's folder, as `open_pairs` takes them.
        count: How many.
        seed: Which.
        arrows: Whether to draw flow as arrows as well.
        second: Whether to show the later frames where they were kept.

    Raises:
        FlowError: There are no pairs, or none of those chosen can be read.
        SettingError: The count is not positive.
    """
    if count < 1:
        raise SettingError(f"{count} pairs cannot be shown: give 1 or more")
    pairs = open_pairs(source, second=second)
    names = [source] if isinstance(source, str | Path) else list(source)
    sheet = ContactSheet(Path(names[0]).name or str(names[0]), len(pairs), arrows=arrows)
    chosen = drawn(seed, "contact sheet", len(pairs))
    numbers = sorted(next(chosen) for _ in range(min(count, len(pairs))))
    for number in numbers:
        try:
            sheet.pairs.append(pairs[number])
        except (FlowError, ImageError) as error:
            sheet.damaged[pairs.name(number)] = first_line(error, 300)
    if not sheet.pairs:
        raise FlowError(f"none of the pairs chosen of {sheet.name} can be read: see `pairs check`")
    return sheet

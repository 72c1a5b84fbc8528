"""The page of a set of worlds: some of its sequences, a frame of each with what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from phosphene.motion.flow import Flow
from phosphene.motion.sets.labels import palette
from phosphene.motion.wheel import colored
from phosphene.panel import Panel, Tile

if TYPE_CHECKING:
    from phosphene.motion.sets import SetSequence, WorldSet


def page_of(worlds: WorldSet, most: int) -> Panel:
    """Show sequences evenly over a set, each by its middle frame.

    Args:
        worlds: The set.
        most: How many sequences.
    """
    count = min(most, len(worlds))
    chosen = [worlds[i * len(worlds) // count] for i in range(count)]
    facts = {
        name: str(value)
        for name, value in worlds.facts.items()
        if name not in ("sequences", "splits")
    }
    facts["sequences"] = str(len(worlds))
    for split, names in worlds.facts["splits"].items():
        facts[split] = f"{len(names)} sequences, {names[0]} to {names[-1]}"
    rows = tuple((f"{each.name}, {each.frames} frames", _tiles(each)) for each in chosen)
    return Panel(f"Worlds in motion: {worlds.facts.get('world', worlds.folder.name)}", rows, facts)


def _tiles(sequence: SetSequence) -> tuple[Tile, ...]:
    t = len(sequence) // 2
    now = sequence.instant(t)
    flow = Flow.of(now.flow)
    colors = palette()
    tiles = [
        Tile(Image.fromarray(now.image), f"frame {t + 1}"),
        Tile(Image.fromarray(sequence.image(t + 1)), f"frame {t + 2}"),
        Tile(
            Image.fromarray(colored(flow)),
            f"flow, up to {float(flow.magnitude.max()):.1f} px",
            "Hue is the direction, saturation the length: red goes right, yellow down, cyan left, "
            "violet up; white stands still.",
        ),
        Tile(Image.fromarray(colors[now.objects % 256]), f"{_many(now.objects, 'object')}"),
    ]
    if not np.array_equal(now.parts, now.objects):
        tiles.append(Tile(Image.fromarray(colors[now.parts % 256]), _many(now.parts, "part")))
    hidden = Image.fromarray(now.occluded.astype(np.uint8) * np.uint8(255)).convert("RGB")
    note = "White where the point seen here is not seen in the next frame."
    tiles.append(Tile(hidden, f"occluded, {now.occluded.mean():.1%}", note))
    return tuple(tiles)


def _many(labels: np.ndarray[tuple[int, ...], np.dtype[np.int32]], what: str) -> str:
    count = len(np.unique(labels[labels > 0]))
    return f"{count} {what}{'' if count == 1 else 's'}"

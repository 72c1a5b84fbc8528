"""How much moves in a set of pairs, and what it is made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError, ImageError, SettingError, first_line
from phosphene.motion.dataset import PairSet, open_pairs
from phosphene.motion.flow import Flow
from phosphene.motion.shards import ShardIndex, shards_of
from phosphene.motion.video.sampling import drawn
from phosphene.panel import Panel, Plot, Series, Shows, Table

EDGES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, math.inf)
"""Pixels between which lengths of vectors are counted."""
_FINE = 1 / 16
"""Width in pixels of the bins that quantiles are read from."""
_LONGEST = 1024
_STILL_PAIR = 0.95
"""Share of a pair's pixels that stand still where the pair counts as still."""
_QUANTILES = (0.5, 0.9, 0.99)
_SHOWN = 12


@dataclass
class Statistics(Shows):
    """What a set of pairs is like.

    Attributes:
        name: Of the set.
        pairs: How many there are.
        sampled: How many of them were read.
        threshold: Pixels below which a vector counts as still.
        lengths: How many vectors there are between `EDGES`.
        still: Share of the valid pixels that stand still.
        still_pairs: Share of pairs in which at least 95 % of the valid pixels do.
        stillness: (10,) how many pairs there are by their share of still pixels, in tenths.
        valid: Share of pixels where the flow is known.
        mean: Length of vectors, in pixels.
        quantiles: Of the length, in pixels, to 1/16 pixel.
        longest: The longest vector, in pixels.
        sizes: How many pairs there are of each size ("428x240"); of all where shards say so, else
            of those read.
        per_video: How many videos gave so many pairs, where shards say so.
        failed: Videos that gave none, and why.
        damaged: Pairs that could not be read, and why.
        rounding: Largest and mean error of stored components in pixels, and vectors out of range,
            where shards say so.
    """

    name: str
    pairs: int
    threshold: float
    sampled: int = 0
    lengths: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(EDGES) - 1, np.int64))
    stillness: NDArray[np.int64] = field(default_factory=lambda: np.zeros(10, np.int64))
    still: float = 0.0
    still_pairs: float = 0.0
    valid: float = 0.0
    mean: float = 0.0
    longest: float = 0.0
    quantiles: dict[str, float] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)
    per_video: Counter[int] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything as numbers and texts, for scripts."""
        edges = [edge if math.isfinite(edge) else None for edge in EDGES]
        return {
            "name": self.name,
            "pairs": self.pairs,
            "sampled": self.sampled,
            "magnitude": {
                "mean": self.mean,
                "quantiles": self.quantiles,
                "longest": self.longest,
                "edges": edges,
                "counts": self.lengths.tolist(),
            },
            "still": {
                "threshold": self.threshold,
                "pixels": self.still,
                "pairs": self.still_pairs,
                "pairs_by_tenths": self.stillness.tolist(),
            },
            "valid": self.valid,
            "sizes": dict(self.sizes.most_common()),
            "videos_by_pairs": {
                str(count): self.per_video[count] for count in sorted(self.per_video)
            },
            "rounding": self.rounding,
            "failed": self.failed,
            "damaged": self.damaged,
        }

    def panel(self) -> Panel:
        """Show it as diagrams."""
        names = [_span(low, high) for low, high in pairwise(EDGES)]
        counted = max(1, int(self.lengths.sum()))
        read = max(1, self.sampled)
        plots = [
            _bars("How far pixels move", names, self.lengths / counted, "length (px)", "pixels"),
            _bars(
                "How much of a pair stands still",
                [f"{10 * i}-{10 * i + 10}" for i in range(10)],
                self.stillness / read,
                f"% of its pixels move by less than {self.threshold:g} px",
                "pairs",
            ),
        ]
        common = self.sizes.most_common(_SHOWN)
        share = np.array([many for _, many in common]) / max(1, self.sizes.total())
        plots.append(_bars("Sizes", [size for size, _ in common], share, "pixels", "pairs"))
        if self.per_video:
            counts = sorted(self.per_video)
            share = np.array([self.per_video[count] for count in counts])
            plots.append(
                _bars("Pairs of a video", list(map(str, counts)), share, "pairs", "videos", "")
            )
        facts = {
            "pairs": f"{self.pairs:,}",
            "read": f"{self.sampled:,}",
            "mean length": f"{self.mean:.2f} px",
            **{f"{name} quantile": f"{value:.2f} px" for name, value in self.quantiles.items()},
            "longest": f"{self.longest:.1f} px",
            "still pixels": f"{self.still:.1%} (below {self.threshold:g} px)",
            "still pairs": f"{self.still_pairs:.1%}",
            "known": f"{self.valid:.1%}",
        }
        tables = []
        if self.failed:
            rows = tuple((name, why) for name, why in list(self.failed.items())[:100])
            tables.append(Table("Videos without pairs", ("video", "why"), rows))
        return Panel(f"Motion in {self.name}", (), facts, plots=tuple(plots), tables=tuple(tables))


def statistics(
    source: str | Path | Sequence[str | Path],
    *,
    sample: int | None = 1000,
    threshold: float = 0.5,
    seed: int = 0,
    tick: Callable[[int, int], None] | None = None,
) -> Statistics:
    """Count how far things move in a set of pairs.

    Args:
        source: Shards, or a known data set's folder, as `open_pairs` takes them.
        sample: How many pairs to read, at random; `None` for all.
        threshold: Pixels below which a vector counts as still.
        seed: Of the sample.
        tick: Is called with how many pairs are read, and of how many.

    Raises:
        FlowError: There are no pairs, or none can be read.
        SettingError: The sample or the threshold is not positive.
    """
    if not threshold > 0 or (sample is not None and sample < 1):
        raise SettingError("the sample and the threshold have to be positive")
    pairs = open_pairs(source)
    names = [source] if isinstance(source, str | Path) else list(source)
    found = Statistics(Path(names[0]).name or str(names[0]), len(pairs), threshold)
    _described(source, found)
    known_sizes = bool(found.sizes)
    sums = _Sums(threshold)
    for done, number in enumerate(_numbers(pairs, sample, seed), 1):
        try:
            flow = pairs[number].flow
        except (FlowError, ImageError) as error:
            found.damaged[pairs.name(number)] = first_line(error, 300)
            continue
        sums.add(flow)
        if not known_sizes:
            found.sizes[f"{flow.size[1]}x{flow.size[0]}"] += 1
        if tick is not None:
            tick(done, min(len(pairs), sample or len(pairs)))
    if not sums.pairs:
        raise FlowError(f"no pair of {found.name} can be read: see `phosphene pairs check`")
    sums.put(found)
    return found


def _numbers(pairs: PairSet, sample: int | None, seed: int) -> Sequence[int]:
    """Choose pairs; in order, as they are read faster then."""
    count = len(pairs)
    if sample is None or sample >= count:
        return range(count)
    chosen = drawn(seed, "statistics", count)
    return sorted(next(chosen) for _ in range(sample))


class _Sums:
    """What is added up over pairs."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.pairs = self.still_pairs = self.pixels = self.known = self.still = 0
        self.total, self.longest = 0.0, 0.0
        self.lengths = np.zeros(len(EDGES) - 1, np.int64)
        self.fine = np.zeros(int(_LONGEST / _FINE) + 1, np.int64)
        self.stillness = np.zeros(10, np.int64)

    def add(self, flow: Flow) -> None:
        length = flow.magnitude[flow.valid]
        self.pairs += 1
        self.pixels += flow.valid.size
        self.known += length.size
        self.total += float(length.sum(dtype=np.float64))
        self.longest = max(self.longest, float(length.max(initial=0)))
        still = int(np.count_nonzero(length < self._threshold))
        self.still += still
        share = still / length.size if length.size else 1.0
        self.still_pairs += share >= _STILL_PAIR
        self.stillness[min(9, int(10 * share))] += 1
        bins = np.minimum(length * np.float32(1 / _FINE), len(self.fine) - 1).astype(np.intp)
        self.fine += np.bincount(bins, minlength=len(self.fine))

    def put(self, found: Statistics) -> None:
        # The edges are multiples of the fine bins.
        ends = [min(len(self.fine), int(min(edge, 1e6) / _FINE)) for edge in EDGES]
        pairs = pairwise(ends)
        found.lengths = np.array([self.fine[low:high].sum() for low, high in pairs])
        found.stillness, found.sampled = self.stillness, self.pairs
        known = max(1, self.known)
        found.still, found.mean = self.still / known, self.total / known
        found.valid, found.longest = self.known / self.pixels, self.longest
        found.still_pairs = self.still_pairs / self.pairs
        below = np.cumsum(self.fine) / known
        found.quantiles = {
            f"{q:g}": float(np.searchsorted(below, q) + 1) * _FINE for q in _QUANTILES
        }


def _described(source: str | Path | Sequence[str | Path], found: Statistics) -> None:
    """Take from the indexes of shards what they say of all pairs."""
    try:
        shards = shards_of(source)
        if not all(shard.suffix == ".tar" for shard in shards):
            return
    except FlowError:  # a data set laid out otherwise
        return
    total = vectors = 0.0
    for path in shards:
        try:
            index = ShardIndex.read(path)
            facts, rounding = index.facts, index.facts["rounding"]
            found.failed |= index.failed
            found.per_video.update(facts["videos"].values())
            found.sizes.update(facts["sizes"])
            kept = found.rounding
            kept["largest"] = max(kept.get("largest", 0.0), float(rounding["largest"]))
            kept["out_of_range"] = kept.get("out_of_range", 0) + int(rounding["out_of_range"])
            total, vectors = total + rounding["total"], vectors + rounding["vectors"]
            kept["mean"] = total / max(1, 2 * vectors)
        except (FlowError, KeyError, TypeError, AttributeError, ValueError):
            continue


def _span(low: float, high: float) -> str:
    return f"{low:g}-{high:g}" if math.isfinite(high) else f"over {low:g}"


def _bars(
    title: str,
    names: Sequence[str],
    heights: NDArray[Any],
    x: str,
    of: str,
    unit: str = "share of ",
) -> Plot:
    series = Series("", tuple(names), tuple(float(height) for height in heights))
    return Plot(title, (series,), x, f"{unit}{of}", "bars")

"""How fast pairs of frame and flow are loaded, beside what decoding alone would take.

    python bench/motion_loading.py FRAMES [--rounds 3]
    python bench/motion_loading.py FRAMES --rounds 1 --pairs 128 --out try.md

FRAMES is a folder of folders of frames (DAVIS). Pairs five frames apart, their flow by DIS, are
written to shards in a folder of their own: at 320 x 240 and at 854 x 480, frames as JPEG of quality
95, flow as KITTI's 16-bit PNG. Then two ways take turns, each with two workers and batches of 32,
over all pairs, in files that the system holds in memory:

1. `loader` with the thesis's augmentation, 224 px: frames and flow to batches in this process.
2. The same pairs in the same order decoded, and no more.

Given are pairs a second by the clock, and the processor's time a pair, of workers and of this
process together: on a machine that does other work too, the second is the steadier. Pairs a second
"of two cores" are what that time would give were there nothing else to do. The table goes to
`bench/results/motion_loading.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from phosphene.motion.dataset import (
    Augmentation,
    PairSet,
    ShuffledOrder,
    loader,
    open_pairs,
)
from phosphene.motion.flow_files.kitti import encode_png
from phosphene.motion.pair import Pair
from phosphene.motion.shards import writing

SIZES = ((320, 240, 200), (854, 480, 80))
WORKERS, BATCH, GAP, SHARDS = 2, 32, 5, 8


class Cost(NamedTuple):
    """Of one pass: pairs, seconds by the clock, seconds of the processors."""

    pairs: int
    clock: float
    processor: float


def used() -> float:
    """Return the processor's time of this process and of its ended children."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(each)[:2]) for each in who)


def timed(run: Callable[[], int]) -> Cost:
    """Return what a pass costs."""
    start, before = time.perf_counter(), used()
    pairs = run()
    return Cost(pairs, time.perf_counter() - start, used() - before)


class Decoding(Dataset[int]):
    """Pairs decoded and put away."""

    def __init__(self, pairs: PairSet) -> None:
        self.pairs = pairs

    def __getitem__(self, indices: tuple[int, ...]) -> int:
        for index in indices:
            self.pairs[index]
        return len(indices)


class Order:
    """The batches that the loader takes."""

    def __init__(self, pairs: PairSet) -> None:
        self.order = ShuffledOrder(pairs.parts, BATCH)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return (turn.indices for turn in self.order.epoch(0))


def loaded(pairs: PairSet) -> int:
    batches = loader(pairs, Augmentation(), BATCH, workers=WORKERS, epochs=1)
    return sum(len(batch) for batch in batches)


def decoded(pairs: PairSet) -> int:
    from phosphene.motion.dataset.loading import _alone  # workers of the same kind

    sampler: Any = Order(pairs)
    kind: Any = {"collate_fn": int, "worker_init_fn": _alone, "prefetch_factor": 4}
    counts = DataLoader(
        Decoding(pairs), sampler=sampler, batch_size=None, num_workers=WORKERS, **kind
    )
    return sum(counts)  # OpenCV has no threads here, see `main`


def resized(pair: Pair, width: int, height: int) -> Iterator[np.ndarray]:
    for frame in (pair.first, pair.second):
        assert frame is not None
        shrunk = height < frame.shape[0]
        way = cv2.INTER_AREA if shrunk else cv2.INTER_CUBIC
        yield cv2.resize(frame, (width, height), interpolation=way)


def built(pairs: PairSet, folder: Path, width: int, height: int, count: int) -> None:
    """Write shards of so many pairs, over and over the same where there are too few."""
    from phosphene.motion.estimators import open_estimator

    estimator = open_estimator("dis")
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int).tolist()
    shares: Iterable[list[int]] = [chosen[first::SHARDS] for first in range(SHARDS)]
    for number, share in enumerate(shares):
        with writing(folder / f"pairs-{number:06d}.tar") as tar:
            for index in share:
                first, second = resized(pairs[index], width, height)
                quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
                jpeg = cv2.imencode(".jpg", first[:, :, ::-1], quality)[1]
                flow = encode_png(estimator(first, second))
                tar.add(f"pair-{index:06d}", {"jpg": jpeg.tobytes(), "flow.png": flow})


def row(what: str, costs: list[Cost]) -> tuple[str, float]:
    clock = statistics.median(cost.pairs / cost.clock for cost in costs)
    each = statistics.median(cost.processor / cost.pairs for cost in costs)
    return f"| {what} | {clock:.0f} | {1000 * each:.1f} | {WORKERS / each:.0f} |", each


def compare(source: PairSet, width: int, height: int, goal: int, asked: Any) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        built(source, Path(folder), width, height, asked.pairs)
        pairs = open_pairs(folder)
        sizes = sum(path.stat().st_size for path in Path(folder).glob("*.tar")) / len(pairs)
        costs: dict[str, list[Cost]] = {"loaded": [], "decoded": []}
        ways = {"loaded": loaded, "decoded": decoded}
        decoded(pairs)  # the files are in memory, the modules loaded
        for turn in range(asked.rounds):
            for way in list(ways)[:: 1 if turn % 2 else -1]:
                costs[way].append(timed(lambda way=way: ways[way](pairs)))
    full, all_of_it = row("loaded and augmented", costs["loaded"])
    bare, limit = row("decoded, no more", costs["decoded"])
    print(f"{width}x{height}", full, bare, sep="\n")
    return [
        "",
        f"## {width} x {height}, to 224 px",
        "",
        f"{len(pairs)} pairs of {sizes / 1000:.0f} kB in {SHARDS} shards; wanted are {goal} pairs "
        f"a second on two cores. Decoding is {limit / all_of_it:.0%} of the whole. Median of "
        f"{asked.rounds} rounds.",
        "",
        "| | pairs/s, clock | processor, ms a pair | pairs/s of two cores |",
        "|---|---|---|---|",
        full,
        bare,
    ]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("frames", help="a folder of folders of frames")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=480)
    parser.add_argument("--out", type=Path, help="another file for the table")
    asked = parser.parse_args()
    if asked.out is None and asked.pairs < 300:
        parser.error("so few pairs are no result to keep: give --out FILE")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    before = os.getloadavg()[0]
    # Here flow is not asked for, so that frames alone are read.
    source = open_pairs(f"frames:{asked.frames},gap={GAP}", estimator=nothing, second=True)
    lines = [line for size in SIZES for line in compare(source, *size, asked)]
    head = [
        "# Loading of pairs",
        "",
        f"Measured by `python bench/motion_loading.py FRAMES --rounds {asked.rounds}` on "
        f"{platform.machine()} with {WORKERS} workers, batches of {BATCH}, torch "
        f"{torch.__version__}, OpenCV {cv2.__version__}, Pillow {version('pillow')}, the two ways "
        f"in turns. Processes that wanted a processor: {before:.1f} before, "
        f"{os.getloadavg()[0]:.1f} behind, of {os.cpu_count()} processors.",
    ]
    out = asked.out or Path(__file__).with_name("results") / "motion_loading.md"
    out.write_text("\n".join([*head, *lines]) + "\n")


def nothing(first: np.ndarray, second: np.ndarray) -> Any:
    from phosphene.motion.flow import Flow

    return Flow.of(np.zeros((*first.shape[:2], 2)))


nothing.name = "nothing"  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()

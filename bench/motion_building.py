"""What building pairs costs beside estimating flow, and whether ends of scenes are found.

    python bench/motion_building.py --videos FOLDER [--rounds 5]

FOLDER holds folders of frames (DAVIS). `phosphene pairs build` with its defaults (8 random pairs of
each, 5 frames apart, 240 pixels, DIS medium, KITTI's PNG, tar shards), and OpenCV's DIS medium
alone on the same pairs, decoded and grey in memory, take turns in one process of one thread; the
figure is the median over the rounds of the ratio of a round, of process time. Then every pair of
frames 5 apart in every video is asked whether a scene ends in between, and so are frames of each
two videos put behind each other. The table goes to `bench/results/motion_building.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from phosphene.motion.building import Settings, build
from phosphene.motion.dataset import open_pairs
from phosphene.motion.shards import ShardIndex, shards_of
from phosphene.motion.video import open_video, videos_of
from phosphene.motion.video.cuts import cut_between

GAP = 5
Grey = np.ndarray


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def frames_of(folder: Path, videos: Path) -> list[tuple[Grey, Grey]]:
    """Read the frames of the pairs that were built, grey."""
    found = []
    paths = dict(zip(*(lambda v: (v.names, v.paths))(videos_of(videos)), strict=True))
    names = list(paths)
    for shard in shards_of(folder):
        for key in ShardIndex.read(shard).keys:
            number, first = int(key.split("-")[0]), int(key.rsplit("-", 1)[1])
            two = open_video(paths[names[number]]).frames([first, first + GAP], 240)
            found.append(tuple(cv2.cvtColor(f.pixels, cv2.COLOR_RGB2GRAY) for f in two))
    return found


def speeds(videos: Path, rounds: int, folder: Path) -> list[str]:
    build(videos, folder / "first")
    pairs = frames_of(folder / "first", videos)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    alone, whole = [], []
    for turn in range(rounds):
        alone.append(timed(lambda: [dis.calc(*pair, None) for pair in pairs]))
        whole.append(timed(lambda turn=turn: build(videos, folder / f"{turn}", Settings())))
    ratio = statistics.median(a / w for a, w in zip(alone, whole, strict=True))
    each = [1000 * statistics.median(times) / len(pairs) for times in (alone, whole)]
    size = sum(path.stat().st_size for path in (folder / "first").iterdir()) / len(pairs)
    height, width = open_pairs(folder / "first")[0].flow.size
    return [
        f"{len(pairs)} pairs of {width}x{height} of {len(videos_of(videos))} folders of frames, "
        f"{rounds} rounds; {platform.machine()}, one thread, OpenCV {cv2.__version__}.",
        "",
        "| | ms a pair | of the speed of DIS |",
        "|---|---|---|",
        f"| DIS medium alone, frames grey in memory | {each[0]:.1f} | 1.00 |",
        f"| `pairs build`, all of it | {each[1]:.1f} | **{ratio:.2f}** (asked: 0.4) |",
        "",
        f"A pair takes {size / 1000:.0f} kB.",
    ]


def cuts(videos: Path) -> list[str]:
    seen = []
    for path in videos_of(videos).paths:
        video = open_video(path)
        seen.append(list(video.glances(range(len(video)))))
    shades = [[np.repeat(g.mean(2, keepdims=True).astype(np.uint8), 3, 2) for g in v] for v in seen]
    lines = ["", "| | pairs within a video taken to cross a cut | cuts found |", "|---|---|---|"]
    for what, glances in (("in colour", seen), ("turned grey", shades)):
        (alarms, many), (found, asked) = alarms_of(glances), found_of(glances)
        lines.append(f"| {what} | {alarms} of {many} | {found} of {asked} |")
    return lines


def alarms_of(seen: list[list[np.ndarray]]) -> tuple[int, int]:
    asked = [
        cut_between(video[i], video[i + GAP], iter(video[i : i + GAP]))
        for video in seen
        for i in range(len(video) - GAP)
    ]
    return sum(asked), len(asked)


def found_of(seen: list[list[np.ndarray]]) -> tuple[int, int]:
    rng, found, asked = np.random.default_rng(0), 0, 0
    for one in seen:
        for other in seen:
            for _ in range(5 if one is not other else 0):
                at, start = rng.integers(2, len(one)), rng.integers(0, len(other) - 3)
                joined = [*one[at - 2 : at], *other[start : start + 4]]
                found += cut_between(joined[0], joined[-1], iter(joined))
                asked += 1
    return found, asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        lines = speeds(given.videos, given.rounds, Path(folder))
    lines = ["# What building pairs costs", "", *lines, *cuts(given.videos)]
    out = Path(__file__).parent / "results" / "motion_building.md"
    out.write_text("\n".join(lines) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main()

"""What the atlas of the demo network costs, stage by stage: 500 drawn scenes, written as files.

    python bench/atlas.py [--scenes 500] [--limit N] [--threads 2] [--keep SITE]

Wall time counts on a machine that does nothing else; process time is what others disturb least.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import torch
from PIL import Image

from phosphene.atlas.gather import build
from phosphene.survey.images import open_images
from phosphene.worlds.shapes import scenes
from phosphene.zoo.catalogue import open_network

SERIES = 7


class Stages:
    """Seconds of every stage: wall and process."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[float, float]] = {}
        self._now, self._since = "", (time.perf_counter(), time.process_time())

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take a tick of the work."""
        what = "maximising" if what.startswith("maximising") else what
        if what == self._now:
            return
        now = time.perf_counter(), time.process_time()
        if self._now:
            before = self.spent.get(self._now, (0.0, 0.0))
            wall, process = (now[i] - self._since[i] + before[i] for i in (0, 1))
            self.spent[self._now] = wall, process
        self._now, self._since = what, now


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (home / "scenes").mkdir()
        for number, scene in enumerate(scenes(asked.scenes, SERIES)):
            Image.fromarray(scene.image).save(home / "scenes" / f"{number:05d}.png")
        net, images = open_network("demo"), open_images(str(home / "scenes"))
        told, site = Stages(), asked.keep or home / "site"
        built = build(net, images, site, limit=asked.limit, tick=told)
        told(0, 0, "end")
        files = [path for path in site.rglob("*") if ".work" not in path.parts and path.is_file()]
        size = sum(path.stat().st_size for path in files)
    units = sum(len(layer.units) for layer in built.atlas.layers)
    print(
        f"# What the atlas of the demo network costs\n\n{asked.scenes} scenes, {units} units of ",
        end="",
    )
    print(
        f"{len(built.atlas.layers)} layers, quick maximisation, two seeds; {platform.machine()}, ",
        end="",
    )
    print(f"{asked.threads} threads, torch {torch.__version__}.\n")
    print("| stage | process seconds | wall seconds |\n|---|---|---|")
    for name, (wall, process) in told.spent.items():
        print(f"| {name} | {process:.1f} | {wall:.1f} |")
    wall, process = (sum(spent[i] for spent in told.spent.values()) for i in (0, 1))
    print(f"| together | {process:.1f} | {wall:.1f} |\n")
    print(f"The site: {len(files)} files, {size / 2**20:.1f} MiB.")


if __name__ == "__main__":
    main()

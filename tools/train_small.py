"""Train the small networks that come with phosphene, alike but for what they were told.

    python tools/train_small.py WORK                 # about an hour on two cores
    python tools/train_small.py WORK --only rotation --updates 5 --scenes 60   # does it work at all

All begin with the same random weights and look at drawn things on drawn grounds: `cross-pixel` at
frames of things that move, with their flow; `rotation` and `supervised` at scenes of ten classes.
`random` is the start itself, with the means and variances of scenes absorbed as the others have
theirs. Data and runs go to WORK; a run that was stopped goes on there. What ships goes to
`src/phosphene/zoo/data/small_*.safetensors`, in half precision, with its record in `small.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path

import safetensors.torch
from PIL import Image

from phosphene.image import replacing
from phosphene.pretext.pretraining import CrossPixel, How, Rotation, Setting, Supervised, run
from phosphene.worlds.shapes import CLASSES, scene
from phosphene.zoo.motion_small import INPUT_SIDE, LEARNED

DATA = Path(__file__).resolve().parents[1] / "src" / "phosphene" / "zoo" / "data"
SCENES, SEQUENCES = 8000, 2500
FIRST_SEED = 7_000_000  # far from the seeds of the demo network's scenes
CROP = 64


def drawn(folder: Path, count: int) -> Path:
    """Draw scenes, a folder for each class."""
    place = folder / f"scenes-{count}"
    for seed in range(count):
        label = seed % len(CLASSES)
        file = place / CLASSES[label] / f"{seed:05d}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            image = scene(FIRST_SEED + seed, size=(INPUT_SIDE, INPUT_SIDE), label=label).image
            with replacing(file) as stream:
                Image.fromarray(image).save(stream, format="png")
    return place


def moving(folder: Path, count: int) -> Path:
    """Draw things that move."""
    place = folder / f"moving-{count}"
    told = (
        "--size",
        f"{INPUT_SIDE}x{INPUT_SIDE}",
        "--speed",
        "3-8",
        "--frames",
        "2",
        "--seed",
        "7",
    )
    line = ("worlds", "photographs", "-o", str(place), "--sequences", str(count), *told)
    subprocess.run([sys.executable, "-m", "phosphene", *line, "--test", "0"], check=True)
    return place


def settings(work: Path, scenes: int, sequences: int, updates: int) -> dict[str, Setting]:
    """Say how each learns."""
    images = drawn(work, scenes)
    alike = {"backbone": "motion-small", "size": CROP, "rate": 1e-3, "patience": None, "seed": 0}
    long = {**alike, "updates": updates, "drops": (updates * 4 // 5,), "epochs": 5}
    told = {"supervised": Supervised(data=str(images), batch=32, **long)}  # type: ignore[arg-type]
    told |= {"rotation": Rotation(data=f"images:{images}", batch=8, **long)}
    told |= {
        "cross-pixel": CrossPixel(
            data=f"worlds:{moving(work, sequences)}", batch=24, pixels=256, **long
        )
    }
    # Nothing is learned at this rate, but the means and variances that are absorbed.
    still = {**alike, "rate": 1e-12, "updates": min(100, updates), "epochs": 1}
    told |= {"random": Supervised(data=str(images), batch=32, **still)}
    return told


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="*", choices=LEARNED, default=LEARNED)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--sequences", type=int, default=SEQUENCES)
    parser.add_argument("--out", type=Path, default=DATA)
    given = parser.parse_args()
    told = settings(given.work, given.scenes, given.sequences, given.updates)
    for name in given.only:
        found = run(told[name], given.work / name, how=How(pictures=0), say=print)
        weights = safetensors.torch.load_file(found.files["network"])
        stored = safetensors.torch.save({key: value.half() for key, value in weights.items()})
        file = f"small_{name.replace('-', '_')}.safetensors"
        with replacing(given.out / file) as stream:
            stream.write(stored)
        record = given.out / "small.json"
        known = json.loads(record.read_text()) if record.exists() else {}
        facts = {k: v for k, v in found.facts.items() if k not in ("data", "versions")}
        known[name] = {
            "file": file,
            "trained": datetime.date.today().isoformat(),
            "minutes": round(found.seconds / 60, 1),
            "facts": facts,
        }
        with replacing(record) as stream:
            stream.write((json.dumps(known, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()

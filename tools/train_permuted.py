"""Train twins of the demo network on some scenes, one with their labels and one with permuted ones.

    python tools/train_permuted.py             # about seven minutes on one core

The study `labels` compares maps of the demo network with those of both: what the one shares with it
and the other does not is due to the labels. The twins share their start, their scenes, the order of
these and the number of updates; the labels alone differ. The scenes are few enough for permuted
labels to be learned by heart.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch
from train_demo import DATA, MEASURE, Series, accuracy, loss, optimizer_of, student_of

from phosphene.training.batches import Shuffled
from phosphene.training.loop import train
from phosphene.training.recipe import Recipe, one_cycle
from phosphene.training.run import Epoch
from phosphene.worlds.shapes import batch
from phosphene.zoo.demo import DemoNet

TWINS = ("again", "permuted")
SERIES = 4  # of scenes; `train_demo` has the others
RATE, DECAY, DECAY_FIRST = 1.5e-3, 0.05, 0.8


def learn(twin: str, scenes: Series, given: argparse.Namespace) -> dict[str, object]:
    """Train a twin, write its weights, and return its record."""
    torch.set_num_threads(given.threads)
    images, true = scenes
    order = torch.randperm(len(true), generator=torch.Generator().manual_seed(given.seed))
    labels = true[order.numpy()] if twin == "permuted" else true
    student = student_of(given.seed)
    recipe = Recipe(
        given.epochs,
        lambda module: optimizer_of(module, RATE, DECAY, DECAY_FIRST),
        one_cycle(),
        clip=1.0,
        seed=given.seed,
        about=f"AdamW, rate {RATE}, decay {DECAY}, first {DECAY_FIRST}",
    )

    def each(epoch: Epoch) -> None:
        if epoch.number % 10 == 0:
            print(f"{twin} {epoch.number:3d}  loss {epoch.loss:.3f}", flush=True)

    rows = Shuffled(
        torch.from_numpy(images), torch.from_numpy(labels), size=given.batch, seed=given.seed
    )
    about = f"demo network, {twin}, {len(true)} scenes"
    folder = given.state / twin if given.state else None
    trained = train(student, rows, loss, recipe, folder=folder, about=about, each=each)
    if trained.interrupted:
        raise SystemExit(130)
    half = {key: value.half().contiguous() for key, value in student.state_dict().items()}
    file = given.out / f"demo_{twin}.safetensors"
    safetensors.torch.save_file(half, file)
    network = DemoNet()
    network.load_state_dict({key: value.float() for key, value in half.items()})
    return {
        "accuracy_learned": accuracy(network, (images, labels)),
        "accuracy_unseen": accuracy(network, batch(given.measure, MEASURE)),
        "loss": trained.history[-1].loss,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def main() -> None:
    """Read the command line, and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--state", type=Path, help="folder to keep the runs' state in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=1600)
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", type=int, default=1000, help="unseen scenes to measure on")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    scenes = batch(given.scenes, SERIES)
    record = {
        "script": "tools/train_permuted.py",
        "torch": torch.__version__.split("+")[0],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **{name: getattr(given, name) for name in ("seed", "scenes", "epochs", "batch")},
        **{twin: learn(twin, scenes, given) for twin in TWINS},
    }
    (given.out / "demo_permuted.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()

"""Train the demo network on drawn scenes and write what `phosphene.zoo.demo` ships.

    python tools/train_demo.py                 # about 25 minutes on two cores
    python tools/train_demo.py --scenes-only   # only draw the packaged scenes again
    python tools/train_demo.py --steps 5 --measure 200 --out try   # does it work at all

Every epoch draws scenes that were never seen before, in a process of its own while the last epoch's
are learned. Series of scenes: 1 is for looking at the progress, 2 for the accuracy in the record,
3 for the start, 1000 and on for training, 0 (plain small seeds) for the packaged scenes. With
`--state FOLDER` a run that was stopped goes on there.

The shipped network was trained by this recipe, scenes and start, before `phosphene.training` was
there. Its weights do not come out again to the last bit: scenes were then shuffled by another
generator, the start drew its numbers from PyTorch's global one (at the same seed), dropout did not
begin anew with the second cycle, and the run was stopped between its cycles and taken up again.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import multiprocessing
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from phosphene.training.batches import Shuffled
from phosphene.training.fast_norm import FastNorm
from phosphene.training.initial import initialize
from phosphene.training.loop import train
from phosphene.training.recipe import Recipe, one_cycle
from phosphene.training.run import Epoch
from phosphene.worlds.shapes import CLASSES, batch, scene
from phosphene.zoo.demo import EPOCHS, INPUT_SIZE, MEAN, STD, DemoNet

DATA = Path(__file__).resolve().parents[1] / "src" / "phosphene" / "zoo" / "data"
PROGRESS, MEASURE, START, TRAINING = 1, 2, 3, 1000
# Chosen by eye among series 0, for clear objects: one of each class, then two more.
PACKAGED = (50, 41, 72, 83, 84, 85, 36, 57, 58, 19, 94, 40)

# Epochs and highest rate. The second cycle settles what the first has found.
CYCLES = ((18, 1.5e-3), (10, 1.0e-3))

Series = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def normalized(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Turn images (b, h, w, 3) into the network's input (b, 3, h, w)."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


@torch.inference_mode()
def accuracy(network: nn.Module, series: Series) -> float:
    """Measure the share of scenes told rightly, in evaluation mode."""
    network.eval()
    images, labels = series
    right = 0
    for start in range(0, len(images), 250):
        scores = network(normalized(images[start : start + 250]))
        right += int((scores.argmax(1).numpy() == labels[start : start + 250]).sum())
    return right / len(images)


@torch.inference_mode()
def dead_units(network: DemoNet, images: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Measure the share of channels of each ReLU that none of the images wakes."""
    network.eval()
    x = normalized(images)
    dead = {}
    for name, layer in network.named_children():
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            dead[name] = float((x.amax(dim=(0, 2, 3)) == 0).float().mean())
    return dead


class Drawn:
    """Batches of scenes that are drawn anew for every epoch, the next one's ahead of time."""

    def __init__(self, pool: Pool, scenes: int, size: int, epochs: range, seed: int) -> None:
        self._pool, self._scenes, self._size = pool, scenes, size
        self._epochs, self._seed = epochs, seed
        self._ahead: dict[int, AsyncResult[Series]] = {}

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self._scenes // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield (b, h, w, 3) bytes and (b,) classes; epochs of a cycle are counted from 0."""
        series = self._epochs[number]
        images, labels = self._drawing(series).get()
        del self._ahead[series]
        if series + 1 in self._epochs:
            self._drawing(series + 1)
        rows = Shuffled(
            torch.from_numpy(images), torch.from_numpy(labels), size=self._size, seed=self._seed
        )
        yield from rows.epoch(series, start)

    def _drawing(self, series: int) -> AsyncResult[Series]:
        if series not in self._ahead:
            asked = self._scenes, TRAINING + series
            self._ahead[series] = self._pool.apply_async(batch, asked)
        return self._ahead[series]


def optimizer_of(module: nn.Module, rate: float, decay: float, decay_first: float) -> Optimizer:
    """Make the optimizer of one cycle."""
    first = module.get_parameter("conv1.weight")
    slow = list(module.get_submodule("fc6").parameters())
    others = [p for p in module.parameters() if all(p is not s for s in [first, *slow])]
    # A unit of fc6 adds up 1200 inputs that are never negative: at the others' rate one step moves
    # it for all scenes at once, and many a unit dies of that.
    groups = [
        {"params": [first], "weight_decay": decay_first},
        {"params": slow, "weight_decay": decay, "lr": 0.1 * rate},
        {"params": others, "weight_decay": decay},
    ]
    return AdamW(groups, lr=rate)


def loss(module: nn.Module, rows: tuple[Tensor, Tensor]) -> Tensor:
    """Return the cross entropy of a batch."""
    images, labels = rows
    x = normalized(images.numpy()).contiguous(memory_format=torch.channels_last)
    # Half precision doubles the speed on processors that know bfloat16.
    with torch.autocast("cpu", torch.bfloat16):
        scores = module(x)
    return F.cross_entropy(scores.float(), labels, label_smoothing=0.05)


def student_of(seed: int) -> DemoNet:
    """Make an untrained network, with response normalizations that are fast to train."""
    student = DemoNet()
    initialize(student, normalized(batch(300, START)[0]), seed)
    for name, channels in (("norm1", 32), ("norm2", 64)):
        slow = student.get_submodule(name)
        assert isinstance(slow, nn.LocalResponseNorm)
        student.add_module(name, FastNorm(channels, slow))
    return student.to(memory_format=torch.channels_last)


def learn(arguments: argparse.Namespace, folder: Path) -> None:
    """Train, write the weights and checkpoints, measure, and write the record."""
    torch.set_num_threads(arguments.threads)
    size = arguments.batch
    student = student_of(arguments.seed)
    progress, steps, cycles = batch(1000, PROGRESS), arguments.scenes // arguments.batch, CYCLES
    if arguments.steps:
        steps, cycles = arguments.steps, tuple((1, rate) for _, rate in CYCLES)
    began, last = time.time(), sum(epochs for epochs, _ in cycles)

    def keep(epoch: int) -> None:
        half = {key: value.half().contiguous() for key, value in student.state_dict().items()}
        safetensors.torch.save_file(half, folder / f"demo_epoch_{epoch:02d}.safetensors")

    def each(before: int, epoch: Epoch) -> None:
        number, spent = before + epoch.number, time.time() - began
        if number in EPOCHS:
            keep(number)
        told = accuracy(student, progress)
        print(f"{number:3d} {spent:6.0f} s  loss {epoch.loss:.3f}  {told:.3f}", flush=True)

    keep(0)
    before = 0
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for cycle, (epochs, rate) in enumerate(cycles):
            make = partial(
                optimizer_of, rate=rate, decay=arguments.decay, decay_first=arguments.decay_first
            )
            about = f"AdamW, rate {rate}, decay {arguments.decay}, first {arguments.decay_first}"
            seed = arguments.seed + cycle
            recipe = Recipe(epochs, make, one_cycle(), clip=1.0, seed=seed, about=about)
            trained = train(
                student,
                Drawn(pool, size * steps, size, range(before, before + epochs), arguments.seed),
                loss,
                recipe,
                folder=arguments.state / f"cycle-{cycle}" if arguments.state else None,
                about=f"the demo network, cycle {cycle}, {size * steps} scenes an epoch",
                each=partial(each, before),
            )
            if trained.interrupted:
                raise SystemExit(130)
            before += epochs
    write_network(student, folder)
    record = {
        "script": "tools/train_demo.py",
        "seed": arguments.seed,
        "torch": torch.__version__.split("+")[0],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "epochs": last,
        "scenes_per_epoch": steps * arguments.batch,
        "scenes_seen": last * steps * arguments.batch,
        "minutes": round((time.time() - began) / 60, 1),
        "optimizer": {
            "name": "AdamW",
            "schedule": "one cycle after the other",
            "cycles": [{"epochs": epochs, "rate": rate} for epochs, rate in cycles],
            "decay": arguments.decay,
            "decay_first": arguments.decay_first,
            "batch": arguments.batch,
        },
        **measured(folder, arguments.measure),
        "accuracy_by_epoch": by_epoch(folder, last, progress),
    }
    (folder / "demo.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


def by_epoch(folder: Path, last: int, series: Series) -> dict[str, float]:
    """Measure the checkpoints that were written."""
    found, network = {}, DemoNet()
    for epoch in (e for e in EPOCHS if e <= last):
        half = safetensors.torch.load_file(folder / f"demo_epoch_{epoch:02d}.safetensors")
        network.load_state_dict({key: value.float() for key, value in half.items()})
        found[str(epoch)] = accuracy(network, series)
    return found


def write_network(student: nn.Module, folder: Path) -> None:
    """Write the finished weights."""
    weights = {key: value.contiguous() for key, value in student.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "demo.safetensors")


def measured(folder: Path, count: int) -> dict[str, object]:
    """Measure the network that was written, as it will be read."""
    file = folder / "demo.safetensors"
    network = DemoNet()
    network.load_state_dict(safetensors.torch.load_file(file))
    unseen = batch(count, MEASURE)
    return {
        "accuracy": accuracy(network, unseen),
        "accuracy_scenes": {"count": count, "series": MEASURE},
        "dead_units": dead_units(network, unseen[0][:1000]),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def write_scenes(folder: Path) -> None:
    """Write the packaged scenes' images, and the seeds that their masks come from."""
    entries = []
    for index, seed in enumerate(PACKAGED):
        drawn = scene(seed, size=INPUT_SIZE)
        name = f"scene_{index:02d}.png"
        Image.fromarray(drawn.image).save(folder / name, optimize=True)
        entries.append({"file": name, "seed": seed, "class": CLASSES[drawn.label]})
    text = json.dumps({"size": INPUT_SIZE, "scenes": entries}, indent=2)
    (folder / "scenes.json").write_text(text + "\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes-only", action="store_true")
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--steps", type=int, help="try it: two epochs of so many updates")
    parser.add_argument("--state", type=Path, help="folder to keep the run's state in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=12800, help="drawn for each epoch")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument(
        "--decay-first", type=float, default=0.8, help="of conv1, for clean filters"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", type=int, default=5000, help="unseen scenes to measure on")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_scenes(arguments.out)
    if not arguments.scenes_only:
        learn(arguments, arguments.out)


if __name__ == "__main__":
    main()

"""Train the demo network on drawn scenes and write what `phosphene.zoo.demo` ships.

    python tools/train_demo.py                 # about 25 minutes on two cores
    python tools/train_demo.py --scenes-only   # only draw the packaged scenes again

Every epoch draws scenes that were never seen before, in a process of its own while the last epoch's
are learned. Series of scenes: 1 is for looking at the progress, 2 for the accuracy in the record,
3 for the start, 1000 and on for training, 0 (plain small seeds) for the packaged scenes.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from phosphene.worlds.shapes import CLASSES, batch, scene
from phosphene.zoo.demo import EPOCHS, INPUT_SIZE, MEAN, STD, DemoNet

DATA = Path(__file__).resolve().parents[1] / "src" / "phosphene" / "zoo" / "data"
PROGRESS, MEASURE, START, TRAINING = 1, 2, 3, 1000
# Chosen by eye among series 0, for clear objects: one of each class, then two more.
PACKAGED = (50, 41, 72, 83, 84, 85, 36, 57, 58, 19, 94, 40)

# Epochs and highest rate. The second cycle settles what the first has found.
CYCLES = ((18, 1.5e-3), (10, 1.0e-3))

Series = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


class FastNorm(nn.Module):
    """`nn.LocalResponseNorm(5, 0.5, 0.75, 1)` as a product with a band matrix.

    Equal but for rounding; PyTorch's own is written with a three-dimensional pool that takes
    four fifths of the training time on a CPU. It has no weights, so they can be exchanged.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        index = torch.arange(channels)
        band = ((index[:, None] - index[None, :]).abs() <= 2).float()[:, :, None, None]
        self.register_buffer("band", band * (0.5 / 5), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize (b, c, h, w)."""
        root = (1.0 + F.conv2d(x * x, self.band)).rsqrt()
        return x * root * root.sqrt()


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
    network.train()
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


def initialized(seed: int) -> DemoNet:
    """Make an untrained network, its weights drawn after He et al. (2015).

    Those of conv1 are smoothed first. What training does not change of a filter stays for good, and
    noise in conv1 is noise in every picture that is taken back through it. Then each layer's scale
    and bias are set on scenes, so that every unit has mean 0 and variance 1 before its ReLU, after
    Kraehenbuehl et al. (2016): with biases of 0 a quarter of fc6 is dead from the start, as all
    scenes look much the same to an untrained network.
    """
    torch.manual_seed(seed)
    network = DemoNet()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        weight = network.conv1.weight
        bell = torch.exp(-torch.arange(-3.0, 4.0).square() / 3.0)
        kernel = (bell[:, None] * bell).expand(3, 1, 7, 7)
        smooth = F.conv2d(weight, kernel, padding=3, groups=3)
        weight.copy_(smooth * (weight.std() / smooth.std()))
        x = normalized(batch(300, START)[0])
        for layer in network.eval().children():
            if isinstance(layer, nn.Conv2d):
                drawn = layer(x)
                spread = drawn.std(dim=(0, 2, 3))
                layer.weight /= spread[:, None, None, None]
                layer.bias -= drawn.mean(dim=(0, 2, 3)) / spread
            x = layer(x)
        network.fc8.weight *= 0.1
    return network.train()


def optimizer_of(
    student: DemoNet, rate: float, arguments: argparse.Namespace, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Make a fresh optimizer and the schedule of one cycle of so many steps."""
    first, slow = student.conv1.weight, list(student.fc6.parameters())
    others = [p for p in student.parameters() if all(p is not s for s in [first, *slow])]
    optimizer = torch.optim.AdamW(
        [
            {"params": [first], "weight_decay": arguments.decay_first},
            {"params": slow, "weight_decay": arguments.decay},
            {"params": others, "weight_decay": arguments.decay},
        ],
        lr=rate,
    )
    # A unit of fc6 adds up 1200 inputs that are never negative: at the others' rate one step moves
    # it for all scenes at once, and many a unit dies of that.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [rate, rate * 0.1, rate], total_steps=steps, pct_start=0.15
    )
    return optimizer, schedule


def learn(
    student: DemoNet,
    series: Series,
    size: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    order: np.random.Generator,
) -> float:
    """Go through a series of scenes once, in batches of `size`; return the mean loss."""
    images, labels = series
    shuffled, losses = order.permutation(len(images)), []
    for start in range(0, len(images) - size + 1, size):
        chosen = shuffled[start : start + size]
        x = normalized(images[chosen]).contiguous(memory_format=torch.channels_last)
        # Half precision doubles the speed on processors that know bfloat16.
        with torch.autocast("cpu", torch.bfloat16):
            scores = student(x)
        target = torch.from_numpy(labels[chosen])
        loss = F.cross_entropy(scores.float(), target, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return sum(losses) / len(losses)


def train(arguments: argparse.Namespace, folder: Path) -> None:
    """Train, write the weights and checkpoints, measure, and write the record."""
    torch.set_num_threads(arguments.threads)
    student = initialized(arguments.seed)
    student.norm1, student.norm2 = FastNorm(32), FastNorm(64)
    student = student.to(memory_format=torch.channels_last)
    file, record_file = folder / "demo.safetensors", folder / "demo.json"
    progress, steps = batch(1000, PROGRESS), arguments.scenes // arguments.batch
    rising: dict[str, float] = {}
    minutes = 0.0
    if arguments.second:
        student.load_state_dict(safetensors.torch.load_file(file))
        before = json.loads(record_file.read_text())
        rising, minutes = before["accuracy_by_epoch"], before["minutes"]

    def keep(epoch: int) -> None:
        half = {key: value.half().contiguous() for key, value in student.state_dict().items()}
        safetensors.torch.save_file(half, folder / f"demo_epoch_{epoch:02d}.safetensors")
        rising[str(epoch)] = accuracy(student, progress)

    if not arguments.second:
        keep(0)
    began, epoch, last = time.time(), 0, sum(epochs for epochs, _ in CYCLES)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for cycle, (epochs, rate) in enumerate(CYCLES):
            if arguments.second and cycle == 0:
                epoch += epochs
                continue
            order = np.random.Generator(np.random.PCG64((arguments.seed, cycle)))
            optimizer, schedule = optimizer_of(student, rate, arguments, epochs * steps)
            drawing = pool.apply_async(batch, (arguments.scenes, TRAINING + epoch))
            for each in range(1, epochs + 1):
                series, epoch = drawing.get(), epoch + 1
                if each < epochs:
                    drawing = pool.apply_async(batch, (arguments.scenes, TRAINING + epoch))
                loss = learn(student, series, arguments.batch, optimizer, schedule, order)
                told, spent = accuracy(student, progress), time.time() - began
                print(f"{epoch:3d} {spent:6.0f} s  loss {loss:.3f}  {told:.3f}", flush=True)
                if epoch in EPOCHS:
                    keep(epoch)

    weights = {key: value.contiguous() for key, value in student.state_dict().items()}
    network = DemoNet()
    network.load_state_dict(weights)
    safetensors.torch.save_file(weights, file)
    unseen = batch(arguments.measure, MEASURE)
    record = {
        "script": "tools/train_demo.py",
        "seed": arguments.seed,
        "torch": torch.__version__.split("+")[0],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "epochs": last,
        "scenes_per_epoch": steps * arguments.batch,
        "scenes_seen": last * steps * arguments.batch,
        "resumed_after_epoch": CYCLES[0][0] if arguments.second else None,
        "minutes": round(minutes + (time.time() - began) / 60, 1),
        "optimizer": {
            "name": "AdamW",
            "schedule": "one cycle after the other",
            "cycles": [{"epochs": epochs, "rate": rate} for epochs, rate in CYCLES],
            "decay": arguments.decay,
            "decay_first": arguments.decay_first,
            "batch": arguments.batch,
        },
        "accuracy": accuracy(network, unseen),
        "accuracy_scenes": {"count": arguments.measure, "series": MEASURE},
        "accuracy_by_epoch": rising,
        "dead_units": dead_units(network, unseen[0][:1000]),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    record_file.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


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
    parser.add_argument("--second", action="store_true", help="go on from the first cycle's end")
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
        train(arguments, arguments.out)


if __name__ == "__main__":
    main()

"""What linear probing costs: joint probes beside the bare network, and kept features.

    python bench/probing.py squeezenet.caffemodel
    python bench/probing.py squeezenet.caffemodel --images 256 --rounds 3 --out try.md

1. *Joint.* An epoch of the training loop with probes of eight layers and 100 classes, uncached,
   against one bare forward pass over the same images. The bare pass gets tensors that are
   normalized and laid out as the network is quickest, in the batches it is quickest in; probes get
   bytes, as from a loader. Reading files is left out of both, which would make the ratio smaller.
2. *Parts.* Where the difference goes.
3. *Kept.* A whole run of the cached protocol (reading, features, learning, testing), and a second
   one with another seed that finds the features there, for several lengths; and an epoch of the
   protocol with random crops.

Images are noise in memory; a network takes as long for it as for photographs. Times are processor
time (of all threads), medians of rounds in which the ways take turns; the first round does not
count. The tables go to `bench/results/probing.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.training import loop
from phosphene.training.recipe import Recipe, sgd
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.probes import Probes, joint_loss
from phosphene.transfer.probing.running import run
from phosphene.transfer.probing.setting import ProbingSetting
from phosphene.zoo.catalogue import open_network

LAYERS = (
    "relu_conv1", "fire2/concat", "fire3/concat", "fire4/concat", "fire5/concat", "fire6/concat",
    "fire8/concat", "fire9/concat",
)  # fmt: skip
CLASSES, BATCH = 100, 256
Way = Callable[[], object]


class Ready:
    """Batches of images that are in memory."""

    def __init__(self, images: Tensor, labels: Tensor, size: int) -> None:
        self._images, self._labels, self._size = images, labels, size

    def __len__(self) -> int:
        return len(self._images) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches, in order."""
        for index in range(start, len(self)):
            rows = slice(index * self._size, (index + 1) * self._size)
            yield self._images[rows], self._labels[rows]


def in_turn(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Return seconds of each way in every round, the first of which does not count."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if number:
                spent[name].append(time.process_time() - start)
    return spent


def median_ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def bare(module: nn.Module, x: Tensor, size: int) -> None:
    with torch.inference_mode():
        for start in range(0, len(x), size):
            module(x[start : start + size])


def quickest(module: nn.Module, x: Tensor) -> int:
    """Return the batch size in which a pass over some images is quickest."""
    ways: dict[str, Way] = {str(size): partial(bare, module, x, size) for size in (8, 16, 32, 64)}
    spent = in_turn(ways, 3)
    return int(min(spent, key=lambda size: statistics.median(spent[size])))


def joint(net: Network, images: int, rounds: int) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    height, width = net.preprocessing.input_size
    noise = torch.randint(
        0, 256, (images, height, width, 3), dtype=torch.uint8, generator=generator
    )
    labels = torch.randint(CLASSES, (images,), generator=generator)
    x = net.input_of(noise.permute(0, 3, 1, 2).float() / 255)
    x = x.contiguous(memory_format=torch.channels_last)
    module = net.module.eval()
    size = quickest(module, x[:64])
    frozen = FrozenFeatures(net, LAYERS, at_once=size)
    average = FrozenFeatures(net, LAYERS, "average", at_once=size)
    recipe = Recipe(1, sgd(0.01, 5e-4, 0.9, nesterov=True, biases=(1.0, 0.0)))

    def epoch(features: FrozenFeatures) -> None:
        probes = Probes(features.layers, features.grids, CLASSES)

        def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            return joint_loss(module, features(batch[0]), batch[1])

        loop.train(probes, Ready(noise, labels, min(BATCH, images)), loss, recipe)

    ways: dict[str, Way] = {
        "bare forward pass": partial(bare, module, x, size),
        "joint probing, bilinear": partial(epoch, frozen),
        "joint probing, average": partial(epoch, average),
    }
    spent = in_turn(ways, rounds)
    base = spent["bare forward pass"]
    lines = [
        "## One epoch of eight probes against the bare network",
        "",
        f"SqueezeNet, {height} px, {images} images, {CLASSES} classes, batches of "
        f"{min(BATCH, images)}, {size} at a time through the network. Asked for: at most 1.3.",
        "",
        "| | ms an image | of the bare pass (rounds) |",
        "|---|---|---|",
    ]
    for name, each in spent.items():
        ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(each, base, strict=True))
        ms = 1000 * statistics.median(each) / images
        lines.append(f"| {name} | {ms:.2f} | {median_ratio(each, base):.2f} ({ratios}) |")
    return [*lines, "", *parts(frozen, noise[:BATCH], labels[:BATCH], rounds)]


def parts(frozen: FrozenFeatures, images: Tensor, labels: Tensor, rounds: int) -> list[str]:
    net, count = frozen.network, len(images)
    probes = Probes(frozen.layers, frozen.grids, CLASSES).train()
    optimizer = sgd(0.01, 5e-4, 0.9, nesterov=True, biases=(1.0, 0.0))(probes)
    features = frozen(images)
    flat = [
        norm(values.reshape(-1, values.shape[-1])).view(count, -1)
        for norm, values in zip(probes.norms, features, strict=True)
    ]
    some = images[:32].permute(0, 3, 1, 2).float() / 255
    _, values = net.record(some.contiguous(memory_format=torch.channels_last), LAYERS)
    maps = [values[layer] for layer in LAYERS]

    def prepare() -> None:
        for start in range(0, count, 32):
            net.input_of(images[start : start + 32].permute(0, 3, 1, 2).float() / 255)

    def resize() -> None:
        for _ in range(0, count, 32):
            for grid, each in zip(frozen.grids, maps, strict=True):
                grid(each).contiguous()

    def norms() -> None:
        for norm, each in zip(probes.norms, features, strict=True):
            norm(each.reshape(-1, each.shape[-1]))

    def linears() -> None:
        optimizer.zero_grad()
        scores = [one(each) for one, each in zip(probes.linears, flat, strict=True)]
        torch.stack([nn.functional.cross_entropy(s, labels) for s in scores]).sum().backward()

    ways: dict[str, Way] = {
        "bytes to the network's input": prepare,
        "resizing eight layers' maps": resize,
        "batch normalization": norms,
        "linear classifiers, there and back": linears,
        "the optimizer's step": optimizer.step,
    }
    linears()
    lines = ["| part | ms an image |", "|---|---|"]
    for name, each in in_turn(ways, 2 * rounds).items():
        lines.append(f"| {name} | {1000 * statistics.median(each) / count:.3f} |")
    return [*lines, ""]


def noise_set(count: int, seed: int) -> InMemory:
    rng = np.random.default_rng(seed)
    images = [Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)) for _ in range(count)]
    classes = rng.permutation(np.arange(count) % CLASSES).tolist()
    return InMemory(images, [str(c) for c in range(CLASSES)], class_of=classes)


def kept(net: Network, images: int, epochs: tuple[int, ...]) -> list[str]:
    train, test = noise_set(images, 1), noise_set(max(32, images // 8), 2)
    size = min(BATCH, images)
    plain = ProbingSetting(layers=LAYERS, batch=size)

    def spent(setting: ProbingSetting, folder: Path | None, features: Path | None) -> float:
        start = time.process_time()
        run(setting, net, train, test, folder, features=features)
        return time.process_time() - start

    each = images // size
    crops = spent(plain.shortened(each), None, None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        once = replace(plain.shortened(each), cached=True)
        first = spent(once, place / "first", place / "features")
        second = {
            count: statistics.median(
                spent(
                    replace(once.shortened(count * each), seed=seed),
                    place / f"{count}-{seed}",
                    place / "features",
                )
                for seed in (1, 2, 3)
            )
            for count in dict.fromkeys([1, *epochs])
        }
    making = first - second[1]
    lines = [
        "## A second probe with kept features",
        "",
        f"Whole runs: {images} images to learn from, {len(test)} to test, eight layers, "
        f"{CLASSES} classes, batches of {size}. Asked for: a second one at least 10 times faster "
        f"than the first. Measured: random crops for an epoch ({crops:.1f} s), the first run for "
        f"an epoch ({first:.1f} s, of which features {making:.1f}), second runs (medians of 3). "
        "Reckoned: random crops for more epochs, as many times that, and the first run for more, "
        "as its features and a second run.",
        "",
        "| epochs | random crops, s | first, s | second, s | first / second | crops / second |",
        "|---|---|---|---|---|---|",
    ]
    for count, seconds in second.items():
        whole = making + seconds
        lines.append(
            f"| {count} | {count * crops:.1f} | {whole:.1f} | {seconds:.2f} | "
            f"{whole / seconds:.1f} | {count * crops / seconds:.1f} |"
        )
    return [*lines, ""]


def write(path: Path, lines: list[str]) -> None:
    """Write what there is so far: on a loaded machine the rest may take long."""
    path.write_text("\n".join(lines).rstrip() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", help="squeezenet.caffemodel, or another network of its layers")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 3, 10])
    parser.add_argument("--only", nargs="+", default=["joint", "kept"], choices=["joint", "kept"])
    parser.add_argument("--out", type=Path, default=Path("bench/results/probing.md"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net = open_network(args.network)
    lines = [
        "# What linear probing costs",
        "",
        f"{date.today()}, {platform.processor() or platform.machine()}, PyTorch "
        f"{torch.__version__}, {args.threads} thread{'s' if args.threads > 1 else ''}, processor "
        f"time, medians of {args.rounds} rounds; `python bench/probing.py`.",
        "",
    ]
    if "joint" in args.only:
        lines += joint(net, args.images, args.rounds)
        write(args.out, lines)
    if "kept" in args.only:
        lines += kept(net, args.images, tuple(args.epochs))
        write(args.out, lines)
    print(args.out.read_text())


if __name__ == "__main__":
    main()

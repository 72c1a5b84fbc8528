"""What learning from motion costs: comparing pixels, reading hypercolumns, and whole steps.

    python bench/pretext.py
    python bench/pretext.py --rounds 3 --only loss reading --out try.md
    python bench/pretext.py --device cuda --batch 96 --images 16

1. *Loss.* One step (value and gradient) of the cross-pixel losses for 96 images x 512 pixels,
   16-D, beside what it cannot do without, in the same rounds: its two products of matrices and
   three passes of exponentials. These are taken twice: over whole tensors of 96x512x512, and image
   by image into buffers that stay in the processor's cache, the least there is. Flow is that of
   moving photographs, normalized, at random pixels. Extra memory is by how much a step raises
   the resident memory of a process of its own.
2. *Reading.* Hypercolumns at 512 points against all pixels of 224x224 on the motion AlexNet, with
   the perceptron behind them, there and back; the trunk's pass is counted apart.
3. *Steps.* Pictures a second of whole updates: the motion AlexNet (cross entropy, 512 pixels,
   224 px) and VGG-16 FCN-8s (entropy, 10 regions, 224 px), and how long a pass through 1.6 million
   pairs would take at that rate (the thesis does not say how many it made). Where the batch does
   not fit it is made of parts (`accumulate`), whose rate is what is measured.

Times are processor time (of all threads), medians of rounds in which the ways take turns; on a GPU
they are by the clock. The tables go to `bench/results/pretext.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene.motion.normalization import normalized
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.grouping import EntropyLoss, regions
from phosphene.pretext.hypercolumn import Hypercolumn, pixel_grid
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.training.recipe import adam
from phosphene.worlds.moving_photographs import moving_photographs
from phosphene.zoo.fcn import AT_ONCE, VGG_LAYERS, Fcn, pad_first
from phosphene.zoo.motion_alexnet import motion_alexnet
from phosphene.zoo.vgg import vgg_vd_16

IMAGES, PIXELS, DIMENSIONS = 96, 512, 16
LAYERS = ("relu1", "pool1", "relu3", "pool5", "relu7")
PAIRS = 1_600_000
DAY = 86_400
Way = Callable[[], object]


def in_turn(ways: dict[str, Way], rounds: int, device: str) -> dict[str, list[float]]:
    """Return seconds of each way in every round, the first of which does not count."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if device != "cpu":
                torch.cuda.synchronize()
            if number:
                spent[name].append(clock() - start)
    return spent


def flows() -> Tensor:
    """Flow of 96 frames of moving photographs at 512 pixels each: (96, 512, 2), normalized."""
    generator = torch.Generator().manual_seed(0)
    each = []
    for seed in range(IMAGES // 12):
        world = moving_photographs(seed=seed, frames=12, size=(112, 112))
        for number in range(12):
            flow = torch.from_numpy(world.instant(number).flow).float().flatten(0, 1)
            each.append(flow[torch.randperm(len(flow), generator=generator)[:PIXELS]])
    return normalized(torch.stack(each))


def inputs(flow: Tensor, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(IMAGES, PIXELS, DIMENSIONS, generator=generator)
    return drawn.to(device).requires_grad_(), flow.to(device)


def step(loss: nn.Module, embedding: Tensor, flow: Tensor) -> None:
    embedding.grad = None
    loss(embedding, flow).backward()


def passes(unit: Tensor, kernels: Tensor, raised: Tensor) -> None:
    """Two products and three passes of exponentials over whole tensors of 96x512x512."""
    torch.bmm(unit, unit.mT, out=kernels)
    for _ in range(3):
        torch.exp(kernels, out=raised)
    torch.bmm(raised, unit)


def in_cache(embedding: Tensor, kernel: Tensor, raised: Tensor) -> None:
    """The same image by image, in two buffers that stay in the cache."""
    for unit in embedding.detach():
        torch.mm(unit, unit.mT, out=kernel)
        for _ in range(3):
            torch.exp(kernel, out=raised)
        raised @ unit


def loss_table(rounds: int, threads: int, flow: Tensor, device: str) -> list[str]:
    embedding, flow = inputs(flow, device)
    unit = nn.functional.normalize(embedding.detach(), dim=2)
    large = [torch.ones(IMAGES, PIXELS, PIXELS, device=device) for _ in range(2)]
    buffers = [each[0] for each in large]
    ways: dict[str, Way] = {
        "two products, three exponentials": partial(passes, unit, *large),
        "the same, image by image in the cache": partial(in_cache, unit, *buffers),
    }
    for kind in ("cross-entropy", "reversed", "alignment"):
        ways[kind] = partial(step, CrossPixelLoss(kind).to(device), embedding, flow)
    learned = CrossPixelLoss(learned=True).to(device)
    ways["cross-entropy, sigma learned"] = partial(step, learned, embedding, flow)
    spent = in_turn(ways, rounds, device)
    whole, least = (spent[name] for name in list(ways)[:2])
    lines = [
        f"### {threads} thread{'s' if threads > 1 else ''}",
        "",
        "| | ms | of two products, three exponentials | of the same in the cache |",
        "|---|---|---|---|",
    ]
    for name, each in spent.items():
        ratios = [
            statistics.median(a / b for a, b in zip(each, other, strict=True))
            for other in (whole, least)
        ]
        ms = 1000 * statistics.median(each)
        lines.append(f"| {name} | {ms:.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    return [*lines, ""]


def extra(kind: str) -> float:
    """Return by how many MB a step raises the resident memory of a process of its own."""
    asked = [sys.executable, __file__, "--extra", kind]
    return float(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)


def extra_here(kind: str) -> None:
    """Print it: from inputs, gradients and a small step there already, to the peak of a step."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    embedding, flow = inputs(torch.rand(IMAGES, PIXELS, 2, generator=generator) - 0.5, "cpu")
    loss: nn.Module = CrossPixelLoss(kind)  # type: ignore[arg-type]
    loss(embedding[:1, :16], flow[:1, :16]).backward()
    Path("/proc/self/clear_refs").write_text("5")  # Linux forgets the peak so far
    before = resident("VmRSS")
    step(loss, embedding, flow)
    print(resident("VmHWM") - before)


def resident(what: str) -> float:
    """Return resident memory, now or at its peak, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(what))) * 1024 / 1e6


def memory_table() -> list[str]:
    lines = ["| loss | extra memory, MB |", "|---|---|"]
    for kind in ("cross-entropy", "reversed", "alignment"):
        lines.append(f"| {kind} | {max(extra(kind) for _ in range(3)):.0f} |")
    return [*lines, ""]


def reading_table(rounds: int, images: int, device: str) -> list[str]:
    """Compare reading some pixels with reading all, on maps that were made before."""
    column = Hypercolumn(motion_alexnet(), LAYERS)
    network = PixelNetwork(column, DIMENSIONS).to(device)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(images, 3, 224, 224, generator=generator).to(device)
    with torch.no_grad():
        maps = [values.clone().requires_grad_() for values in column.maps(x)]
    every = pixel_grid((224, 224)).to(device)
    some = torch.stack([every[torch.randperm(len(every), generator=generator)[:PIXELS]] for _ in x])

    def read(points: Tensor, image: slice, head: bool) -> None:
        own = [values[image] for values in maps]
        made = network.read(own, points) if head else column.read(own, points)
        made.sum().backward()

    def dense(head: bool) -> None:
        for number in range(images):  # an image at a time: hypercolumns of all fill 218 MB
            for points in torch.split(every, 1 << 13):
                read(points[None], slice(number, number + 1), head)

    def trunk() -> None:
        torch.cat([values.flatten() for values in column.maps(x)]).sum().backward()

    ways: dict[str, Way] = {
        "reading, 512": lambda: read(some, slice(None), False),
        "reading, all": lambda: dense(False),
        "reading and perceptron, 512": lambda: read(some, slice(None), True),
        "reading and perceptron, all": lambda: dense(True),
        "trunk": trunk,
    }
    each = {k: statistics.median(v) / images for k, v in in_turn(ways, rounds, device).items()}
    lines = [
        "| there and back, ms an image | 512 pixels | all 50,176 | times |",
        "|---|---|---|---|",
    ]
    for name in ("reading", "reading and perceptron"):
        few, all_ = each[f"{name}, 512"], each[f"{name}, all"]
        lines.append(f"| {name} | {1000 * few:.1f} | {1000 * all_:.0f} | {all_ / few:.0f} |")
    few, all_ = (each["trunk"] + each[f"reading and perceptron, {n}"] for n in ("512", "all"))
    lines.append(f"| with the trunk | {1000 * few:.0f} | {1000 * all_:.0f} | {all_ / few:.0f} |")
    return [*lines, f"\nThe trunk alone: {1000 * each['trunk']:.0f} ms an image.", ""]


def alexnet_step(images: int, device: str) -> Way:
    network = PixelNetwork(Hypercolumn(motion_alexnet(batch_norm=True), LAYERS), DIMENSIONS)
    network.to(device).train()
    loss, optimizer = CrossPixelLoss(), adam(1e-4)(network)
    x = torch.randn(images, 3, 224, 224, device=device) * 60
    points = torch.randint(224, (images, PIXELS, 2), device=device).float()
    flow = torch.rand(images, PIXELS, 2, device=device) - 0.5

    def update() -> None:
        optimizer.zero_grad()
        loss(network(x, points), flow).backward()
        optimizer.step()

    return update


def vgg_step(images: int, device: str) -> Way:
    net = vgg_vd_16()
    pad_first(net.module)
    network = Fcn(net, VGG_LAYERS, 10, AT_ONCE).to(device).train()
    loss, optimizer = EntropyLoss(), adam(1e-4)(network)
    x = torch.randn(images, 3, 224, 224, device=device) * 60
    flow = torch.randn(images, 2, 224, 224, device=device) * 5

    def update() -> None:
        optimizer.zero_grad()
        loss(regions(network(x)), flow).backward()
        optimizer.step()

    return update


def step_table(rounds: int, batch: int, images: int, device: str) -> list[str]:
    lines = [
        "| | pictures a step | s a step | pictures/s | days a pass of 1.6 M |",
        "|---|---|---|---|---|",
    ]
    rates = {}
    for name, make, count in (
        ("motion AlexNet, cross entropy, 512 pixels", alexnet_step, batch),
        ("VGG-16 FCN-8s, entropy, 10 regions", vgg_step, images),
    ):
        spent = in_turn({name: make(count, device)}, rounds, device)[name]
        rates[name] = rate = count / statistics.median(spent)
        days = PAIRS / rate / DAY
        lines.append(f"| {name} | {count} | {count / rate:.1f} | {rate:.2f} | {days:.1f} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=96, help="pictures of a step of AlexNet")
    parser.add_argument("--images", type=int, default=2, help="pictures of a step of VGG-16")
    parser.add_argument("--only", nargs="+", default=["loss", "memory", "reading", "steps"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/pretext.md")
    parser.add_argument("--extra", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.extra:
        extra_here(asked.extra)
        return
    device = asked.device
    where = torch.cuda.get_device_name() if device != "cpu" else platform.processor() or "x86-64"
    kind = "processor time" if device == "cpu" else "time by the clock"
    lines = [
        "# Learning from motion: what it costs",
        "",
        f"{date.today()}, torch {torch.__version__}, {where}, Python {platform.python_version()}; "
        f"{kind}, medians. `python bench/pretext.py`",
        "",
    ]
    if "loss" in asked.only:
        lines += [f"## Comparing pixels: {IMAGES} images x {PIXELS} pixels, a step", ""]
        flow = flows()
        for threads in (1, 2) if device == "cpu" else (1,):
            torch.set_num_threads(threads)
            lines += loss_table(asked.rounds, threads, flow, device)
    if "memory" in asked.only:
        lines += ["## Extra memory of a step", "", *memory_table()]
    torch.set_num_threads(1)
    if "reading" in asked.only:
        lines += ["## Hypercolumns of the motion AlexNet, 224 px", ""]
        lines += reading_table(max(1, asked.rounds // 3), 4, device)
    if "steps" in asked.only:
        lines += ["## Whole updates, 224 px", ""]
        lines += step_table(max(1, asked.rounds // 3), asked.batch, asked.images, device)
    text = "\n".join(lines).rstrip() + "\n"
    asked.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

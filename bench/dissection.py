"""What a dissection costs, beside the procedure of NetDissect-Lite.

    python bench/dissection.py squeezenet.caffemodel PHOTOGRAPHS [ROUNDS [HOW_MANY]]

Photographs are written as a Broden directory with their colors, so that both read the same images
and labels. Then, in turns and in one run:

*Lite*: its procedure, written anew. One pass writes all activations to memory-mapped files of
float64, with the maximum of every map; thresholds are `numpy.percentile` over a whole layer; then
for every image and unit whose map exceeds its threshold the map is resized by Pillow (mode F,
bilinear) and the labels of its active pixels are counted by `numpy.bincount`, in a Python loop.

*Lite, channels last*: the same, but for the network, which is fed as ours is.

*Ours*: `dissect` with `upsampling="plain"` and `counting="lite"`, which ask for the same numbers,
in one pass (as the command line does where the maps that matter fit into memory) and in two, which
keep their state in a folder; and with its defaults.

Thresholds differ by less than one place of the sorted values (Lite interpolates between two), so
that IoUs are compared, too; given our thresholds, Lite finds our IoUs. Memory is what the process
takes beyond what it had before, at its peak, watched by a thread. Lite's disk is its activations;
ours the state of two passes. The table goes to `bench/results/dissection.md`.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from phosphene import Network, open_network
from phosphene.survey.dissection.broden import open_broden
from phosphene.survey.dissection.broden_writing import write_broden
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.dissection.dissect import dissect
from phosphene.survey.dissection.photographs import photo_concepts
from phosphene.survey.dissection.showing import stretching

SETS = (
    ("fire5/concat", "fire9/concat", "conv_final"),
    ("fire3/concat", "fire5/concat", "fire7/concat", "fire9/concat", "conv_final"),
)
LEVEL, BATCH, CHECKED = 0.005, 8, 40
Table = dict[str, np.ndarray]


def lite(
    net: Network,
    layers: Sequence[str],
    concepts: ConceptSet,
    folder: Path,
    method: str = "linear",
) -> Table:
    """Dissect as NetDissect-Lite does.

    Args:
        net: The network, shown whole images.
        layers: Names of layers.
        concepts: The images.
        folder: For the activations.
        method: How `numpy.percentile` finds thresholds; `"inverted_cdf"` as we do.

    Returns:
        (c, n) IoU by layer.
    """
    count = len(concepts)
    maps: dict[str, np.memmap] = {}
    for start in range(0, count, BATCH):
        photos = [concepts.image(i) for i in range(start, min(count, start + BATCH))]
        image = torch.cat([net.prepare(photo)[0] for photo in photos])
        for layer, code in net.record(image, layers)[1].items():
            if layer not in maps:
                file = folder / f"{layer.replace('/', '-')}.mmap"
                shape = (count, *code.shape[1:])
                maps[layer] = np.memmap(file, dtype=float, mode="w+", shape=shape)
            maps[layer][start : start + len(photos)] = code.numpy()
    for each in maps.values():
        each.flush()
    return {layer: tally(each, concepts, method) for layer, each in maps.items()}


def tally(features: np.memmap, concepts: ConceptSet, method: str) -> np.ndarray:
    """Count one layer as NetDissect-Lite does, and return its IoU."""
    thresholds = np.percentile(features, 100 * (1 - LEVEL), axis=(0, 2, 3), method=method)
    words, (sh, sw) = concepts.vocabulary, concepts.label_size
    of_category = np.eye(len(words.categories))[list(words.primary)]
    units, labels = features.shape[1], len(words)
    both = np.zeros((units, labels))
    active = np.zeros((units, len(words.categories)))
    truth = np.zeros(labels)
    for index in range(len(concepts)):
        known = concepts.labels(index)
        scalars = [number for _, number in known.whole]
        for number in scalars:
            truth[number] += sh * sw
        pixels = known.maps
        own = np.bincount(pixels.ravel())
        own[:1] = 0
        truth[: len(own)] += own
        for unit in range(units):
            feature = features[index][unit]
            if feature.max() > thresholds[unit]:
                small = Image.fromarray(feature.astype(np.float32), mode="F")
                mask = np.asarray(small.resize((sw, sh), Image.Resampling.BILINEAR))
                places = np.argwhere(mask > thresholds[unit])
                met = np.bincount(pixels[:, places[:, 0], places[:, 1]].ravel())
                met[:1] = 0
                held = np.dot(met[None, :], of_category[: len(met), :])[0]
                both[unit, : len(met)] += met
                for number in scalars:
                    held += of_category[number]
                    both[unit, number] += len(places)
                active[unit] += len(places) * (held > 0)
    union = active[:, list(words.primary)] + truth - both
    return both / np.maximum(union, 1e-10)


def ours(net: Network, layers: Sequence[str], concepts: ConceptSet, **ways: Any) -> Table:
    """Dissect with phosphene, without pictures."""
    found = dissect(net, layers, concepts, level=LEVEL, batch=BATCH, pictures=0, **ways)
    return {layer: found[layer].iou for layer in layers}


def difference(one: Table, other: Table) -> float:
    """Return the largest difference of two tables of IoU."""
    return max(float(np.abs(one[layer] - other[layer]).max()) for layer in one)


@contextmanager
def watched(peak: list[int]) -> Iterator[None]:
    """Note by how many bytes this process grows at most during a `with` block."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before, ended = resident(), threading.Event()
    peak.append(0)

    def watch() -> None:
        while not ended.wait(0.01):
            peak[-1] = max(peak[-1], resident() - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Measured:
    """What runs of one kind took, in order; seconds, and bytes."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    disk: int = 0


class ChannelsLast(Network):
    """A network fed with channels last, where PyTorch's kernels for the processor are quicker."""

    def input_of(self, image: Tensor) -> Tensor:
        """Normalize (b, 3, h, w) RGB images in [0, 1] to the network's input."""
        return super().input_of(image).contiguous(memory_format=torch.channels_last)


def compare(
    net: Network, layers: Sequence[str], concepts: ConceptSet, rounds: int, scratch: Path
) -> list[str]:
    """Measure all ways in turns, and return their table."""
    first = stretching(net, concepts.image_size)
    last = ChannelsLast(net.module, first.preprocessing, net.labels, net.name, net.aliases)
    same = {"upsampling": "plain", "counting": "lite"}
    ways: dict[str, Callable[[Path], Table]] = {
        "Lite": lambda disk: lite(first, layers, concepts, disk),
        "Lite, channels last": lambda disk: lite(last, layers, concepts, disk),
        "ours, one pass": lambda disk: ours(net, layers, concepts, **same),
        "ours, two passes": lambda disk: ours(
            net, layers, concepts, memory=0, folder=disk / "state", **same
        ),
        "ours, defaults": lambda disk: ours(net, layers, concepts),
    }
    kept = {name: Measured() for name in ways}
    tables = {}
    for _ in range(rounds):
        for name, run in ways.items():
            one = kept[name]
            with TemporaryDirectory(dir=scratch) as disk, watched(one.memory):
                start, used = time.perf_counter(), time.process_time()
                tables[name] = run(Path(disk))
                one.clock.append(time.perf_counter() - start)
                one.processor.append(time.process_time() - used)
                one.disk = sum(f.stat().st_size for f in Path(disk).rglob("*") if f.is_file())
    some = replace(concepts, rows=concepts.rows[:CHECKED])  # type: ignore[type-var]
    with TemporaryDirectory(dir=scratch) as disk:
        exact = lite(last, layers, some, Path(disk), "inverted_cdf")
    again = ours(net, layers, some, **same)
    units = sum(len(table) for table in exact.values())
    lines = [
        f"## {', '.join(layers)}: {units} units",
        "",
        "| | s/image | processor | Lite over it | by processor | peak memory | on disk |",
        "|---|---|---|---|---|---|---|",
    ]
    count = len(concepts)
    for name, one in kept.items():
        ratio = [
            statistics.median(a / b for a, b in zip(theirs, own, strict=True))
            for theirs, own in (
                (kept["Lite"].clock, one.clock),
                (kept["Lite"].processor, one.processor),
            )
        ]
        lines.append(
            f"| {name} | {statistics.median(one.clock) / count:.3f} "
            f"| {statistics.median(one.processor) / count:.3f} | {ratio[0]:.2f} | {ratio[1]:.2f} "
            f"| {statistics.median(one.memory) / 2**20:.0f} MiB | {one.disk / 2**20:.0f} MiB |"
        )
    apart = difference(tables["Lite"], tables["ours, one pass"])
    paths = difference(tables["ours, one pass"], tables["ours, two passes"])
    return [
        *lines,
        "",
        f"Largest difference of an IoU to Lite's: {apart:.1e}; with our thresholds for Lite, on "
        f"the first {len(some)} photographs, {difference(exact, again):.1e}. Between one pass and "
        f"two: {paths:.1e}.",
        "",
    ]


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    net = open_network(sys.argv[1])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    photographs = photo_concepts(sys.argv[2])
    if len(sys.argv) > 4:
        photographs = photo_concepts(photographs.files[: int(sys.argv[4])])
    before = os.getloadavg()[0]
    with TemporaryDirectory() as scratch:
        broden = Path(scratch) / "broden"
        write_broden(photographs, broden)
        concepts = open_broden(broden)
        tables = [compare(net, layers, concepts, rounds, Path(scratch)) for layers in SETS]
    lines = [
        "# Dissection",
        "",
        f"Measured by `python bench/dissection.py`, 1 thread, torch {torch.__version__}, "
        f"{net.name} on {len(concepts)} photographs with their colors (Broden directory), {BATCH} "
        f"at a time. Medians of {rounds} rounds in turns; ratios are medians of the rounds' own. "
        f"Load of the machine {before:.1f} before and {os.getloadavg()[0]:.1f} after, on "
        f"{os.cpu_count()} processors.",
        "",
        *(line for table in tables for line in table),
    ]
    print("\n".join(lines))
    Path(__file__).with_name("results").joinpath("dissection.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()

"""What a sweep costs beside the bare forward passes, and whether workers find the same.

    python bench/survey.py --images PHOTOS/ --model NET.caffemodel [--rounds 5] [--count 64]

A sweep of 10 layers with the nine strongest images of every unit and sampled (then exact)
quantiles, and the same images by the same loader through the same network up to the same layer with
nothing recorded: as one runs it (images contiguous), and as a sweep runs it on the processor
(channels last). They take turns in one process, so that what else the machine does falls on all
alike; a figure is the median over the rounds of the ratio of a round. Process time counts what the
processor did, decoding threads among it, wall time what one waits. Sweeps with a part of that say
where the time goes. Then two workers on the same images. The table goes to
`bench/results/survey.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch

from phosphene import Network, open_network
from phosphene.core.record import record
from phosphene.survey.choice import default_layers
from phosphene.survey.collector import Batch, Collector, State
from phosphene.survey.correlation import Correlation
from phosphene.survey.images import ImageSet, open_images
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.statistics import Statistics
from phosphene.survey.sweep import sweep
from phosphene.survey.sweeping.ahead import groups
from phosphene.survey.sweeping.passing import images_of
from phosphene.survey.sweeping.showing import laid
from phosphene.survey.top_patches import TopPatches

BATCH = 16
Candidate = Callable[[], object]


class Nothing:
    """Collects nothing, of layers that are recorded all the same."""

    def __init__(self, layers: tuple[str, ...]) -> None:
        self.layers = layers

    def see(self, batch: Batch) -> None:
        """Look away."""

    def state(self) -> State:
        """Know nothing."""
        return {}

    def merge(self, state: State) -> None:
        """Take in nothing."""


def bare(net: Network, images: ImageSet, last: str, order: torch.memory_format) -> None:
    """Run the network up to a layer on all images, and look at nothing."""
    shares = [(part, 0) for part in range(len(images.parts))]
    address = [net.address(last)]
    with (
        groups(images, shares, net.preprocessing, BATCH) as ready,
        net.running(gradients=False),
    ):
        for group in ready:
            x = net.input_of(laid(images_of(group, net), order))
            record(net.module, x, address, stop=True, values=False, run=net.run)


def collectors(layers: tuple[str, ...], exact: bool) -> dict[str, Collector]:
    return {"top patches": TopPatches(layers, 9), "quantiles": Quantiles(layers, exact=exact)}


def timed(run: Candidate) -> tuple[float, float]:
    """Return the seconds of processor and of wall that a call takes."""
    process, wall = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - process, time.perf_counter() - wall


def measure(net: Network, images: ImageSet, layers: tuple[str, ...], rounds: int) -> list[str]:
    """Return the lines of the table of times."""

    def swept(make: Callable[[], dict[str, Collector]]) -> Candidate:
        return lambda: sweep(net, images, make(), batch=BATCH)

    candidates: dict[str, Candidate] = {
        "bare passes": lambda: bare(net, images, layers[-1], torch.contiguous_format),
        "bare passes, channels last": lambda: bare(net, images, layers[-1], torch.channels_last),
        "sweep: top-9, sampled quantiles": swept(lambda: collectors(layers, False)),
        "sweep: top-9, exact quantiles": swept(lambda: collectors(layers, True)),
        "sweep: nothing collected": swept(lambda: {"nothing": Nothing(layers)}),
        "sweep: top-9": swept(lambda: {"top": TopPatches(layers, 9)}),
        "sweep: sampled quantiles": swept(lambda: {"quantiles": Quantiles(layers)}),
        "sweep: statistics": swept(lambda: {"statistics": Statistics(layers)}),
        "sweep: correlation": swept(lambda: {"correlation": Correlation(layers)}),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for _ in range(rounds + 1):
        for name, run in candidates.items():
            times[name].append(timed(run))
    lines = [
        "| | over bare passes: process time | wall time | over channels last: process time "
        "| wall time | seconds |",
        "|---|---|---|---|---|---|",
    ]
    plain, last = (times[name][1:] for name in list(candidates)[:2])
    for name, found in times.items():
        ratios = [
            statistics.median(a[i] / b[i] for a, b in zip(found[1:], base, strict=True))
            for base in (plain, last)
            for i in (0, 1)
        ]
        seconds = statistics.median(one[1] for one in found[1:])
        row = " | ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(f"| {name} | {row} | {seconds:.1f} |")
    return lines


def compare(net: Network, images: ImageSet, layers: tuple[str, ...]) -> list[str]:
    """Return lines that say what two workers find beside one."""
    found = []
    for workers in (1, 2):
        both = collectors(layers, False)
        start = time.perf_counter()
        sweep(net, images, both, batch=BATCH, workers=workers)
        found.append((both, time.perf_counter() - start))
    (one, alone), (two, together) = found
    same = places = total = 0
    furthest = 0.0
    for layer in layers:
        for unit in range(one["top patches"].channels(layer)):  # type: ignore[attr-defined]
            first, second = (c["top patches"].of(layer, unit) for c in (one, two))  # type: ignore[attr-defined]
            for a, b in zip(first, second, strict=True):
                total += 1
                same += a.key == b.key
                places += a.key == b.key and a.at == b.at
                furthest = max(furthest, abs(a.value - b.value) / max(abs(a.value), 1e-12))
    states = [c["quantiles"].state() for c in (one, two)]
    equal = all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    return [
        f"Two workers: {same} of {total} top images and {places} positions are those of one, the "
        f"values apart by {furthest:.1e} (relative) at most; the samples of the quantiles are "
        f"{'equal bit by bit' if equal else 'NOT equal'}. One took {alone:.0f} s, two "
        f"{together:.0f} s, starting them included.",
    ]


def grown(net: Network, layers: tuple[str, ...], counts: tuple[int, ...]) -> list[str]:
    """Return a line that says how much memory grows with how many images there are."""
    peaks = []
    for count in counts:
        sweep(net, open_images(f"demo:{count}"), collectors(layers, False), batch=BATCH)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    steps = ", ".join(f"{n} images {peak:.0f} MiB" for n, peak in zip(counts, peaks, strict=True))
    grew = max(b - a for a, b in pairwise(peaks))
    return [f"Peak memory of a sweep of the demo network, in one process: {steps} (+{grew:.0f})."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--skip-workers", action="store_true")
    given = parser.parse_args()
    demo = open_network("demo")
    memory = grown(demo, ("relu1", "relu3", "relu5"), (250, 500, 1000))
    net = open_network(given.model)
    layers = default_layers(net)[:10]
    every = open_images(given.images)
    files = [str(Path(given.images) / name) for _, name in every][: given.count]
    images = open_images(files)
    lines = measure(net, images, layers, given.rounds)
    workers = [] if given.skip_workers else compare(net, images, layers)
    threads = torch.get_num_threads()
    text = [
        "# What a sweep costs",
        "",
        f"{net.name}, {len(layers)} layers ({layers[0]} to {layers[-1]}), {len(files)} photographs "
        f"in batches of {BATCH}, {given.rounds} rounds; {platform.machine()}, "
        f"{os.cpu_count()} processors, threads: {threads}, torch {torch.__version__}. Times are "
        "over those of the bare passes of the same round, medians: passes as one runs them, and "
        "passes on images laid channels last, as a sweep does.",
        "",
        *lines,
        "",
        *workers,
        "",
        *memory,
        "",
    ]
    path = Path(__file__).parent / "results" / "survey.md"
    path.write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()

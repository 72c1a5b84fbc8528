"""What an iteration of Algorithm 1 costs beside the forward and input gradient that it needs.

    python bench/preimage.py squeezenet.caffemodel

For each layer an inversion (match, bounded range, total variation, jitter, projection) and the bare
forward and input gradient of the network cut at that layer take turns; the figure is the median of
the ratios. The table goes to `bench/results/preimage.md`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from phosphene import Network, open_network
from phosphene.preimage.canvas import PixelSpace
from phosphene.preimage.descent import Settings, descend
from phosphene.preimage.objectives import Match
from phosphene.preimage.priors import BoundedRange, TotalVariation
from phosphene.preimage.solve import canvas_for

LAYERS = ("conv1", "pool1", "fire2/concat", "fire5/concat", "fire9/concat", "conv_final")


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def iteration(net: Network, layer: str, rounds: int = 40) -> tuple[float, float, float]:
    """Return the median seconds of an iteration and of the bare pass, and of their ratios."""
    image = torch.rand(1, 3, *net.preprocessing.input_size)
    phi, space = net[layer], PixelSpace.of(net.preprocessing, image)
    with torch.no_grad():
        code = phi(image)
    canvas = canvas_for(net.preprocessing.input_size, net.receptive_field(layer), None)
    energy = 20 * Match(code) + BoundedRange() + TotalVariation()
    generator = torch.Generator().manual_seed(0)
    endless = Settings(steps=10**9)
    steps = descend(energy, phi.of_input, canvas.noise([0]), canvas, space, endless, generator)
    leaf = net.input_of(image).requires_grad_()
    ones = torch.ones_like(code)
    ours, bare = [], []
    for _ in range(rounds + 5):
        ours.append(seconds(lambda: next(steps)))
        bare.append(seconds(lambda: torch.autograd.grad(phi.of_input(leaf), leaf, ones)))
    pairs = zip(ours[5:], bare[5:], strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(ours[5:]), statistics.median(bare[5:]), ratio


def main(model: str) -> None:
    """Measure, print and write."""
    net = open_network(model)
    lines = [
        "# Natural pre-images",
        "",
        f"Measured by `python bench/preimage.py {Path(model).name}`, {torch.get_num_threads()} "
        f"threads, torch {torch.__version__}, 227 px, batch 1: one iteration of inversion beside "
        "the forward and input gradient of the network cut at the layer.",
        "",
        "| layer | iteration, ms | forward + gradient, ms | ratio |",
        "|---|---|---|---|",
    ]
    for layer in LAYERS:
        ours, bare, ratio = iteration(net, layer)
        lines.append(f"| {layer} | {1e3 * ours:.1f} | {1e3 * bare:.1f} | {ratio:.2f} |")
    print("\n".join(lines))
    Path(__file__).with_name("results").joinpath("preimage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

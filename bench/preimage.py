"""What natural pre-images cost: an iteration, an image of a given error, a batch.

    python bench/preimage.py squeezenet.caffemodel PHOTOGRAPH...

1. An iteration of inversion (match, bounded range, total variation, jitter, projection) and the
   bare forward and input gradient of the network cut at that layer take turns; the figure is the
   median of the ratios.
2. Algorithm 1 as released, and `quality="fast"`, invert the same photographs: relative errors, and
   how much longer the first takes.
3. Eight pre-images in one batch, and one after another.

All pairs are measured in one run, in turns. The tables go to `bench/results/preimage.md`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from phosphene import Network, open_network
from phosphene.preimage.canvas import PixelSpace, canvas_for
from phosphene.preimage.descent import Descent
from phosphene.preimage.fourier import Pixels
from phosphene.preimage.invert import RECIPES, invert
from phosphene.preimage.objectives import Match
from phosphene.preimage.phi import codes_of
from phosphene.preimage.priors import BoundedRange, TotalVariation
from phosphene.preimage.problem import Problem
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.solvers import AlgorithmOne

LAYERS = ("conv1", "pool1", "fire2/concat", "fire5/concat", "fire9/concat", "conv_final")


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def iteration(net: Network, layer: str, rounds: int = 80) -> tuple[float, float, float]:
    """Return the median seconds of an iteration and of the bare pass, and of their ratios."""
    image = torch.rand(1, 3, *net.preprocessing.input_size)
    phi, space = net[layer], PixelSpace.of(net.preprocessing, image)
    with torch.no_grad():
        code = phi(image)
    canvas = canvas_for(net.preprocessing.input_size, net.receptive_field(layer), None)
    energy = 20 * Match(code) + BoundedRange() + TotalVariation()
    pixels = Pixels(canvas.full)
    generator = torch.Generator().manual_seed(0)
    leaf = net.input_of(image).requires_grad_()
    ones = torch.ones_like(code)
    ours, bare = [], []
    with codes_of(net, {"": phi}) as look:
        problem = Problem(energy, look, space, canvas, pixels)
        way = Descent(problem, pixels.noise([0]), AlgorithmOne(), generator, radius=160)
        for _ in range(rounds + 5):
            ours.append(seconds(way.advance))
            bare.append(seconds(lambda: torch.autograd.grad(phi.of_input(leaf), leaf, ones)))
    pairs = zip(ours[5:], bare[5:], strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(ours[5:]), statistics.median(bare[5:]), ratio


def same_error(net: Network, layer: str, photos: Sequence[str]) -> list[tuple[float, float]]:
    """Return mean error and seconds of both recipes."""
    found = []
    for recipe in (RECIPES["paper"], RECIPES["fast"]):
        invert(net, photos[0], layer, quality=replace(recipe, steps=2, second=1))  # warm
        errors, start = [], time.perf_counter()
        for photo in photos:
            result = invert(net, photo, layer, quality=recipe)
            assert result.error is not None
            errors.append(float(result.error[0]))
        found.append((statistics.mean(errors), (time.perf_counter() - start) / len(photos)))
    return found


def batched(net: Network, layer: str, photo: str, rounds: int = 3) -> float:
    """Return how much longer eight pre-images take one after another than together."""
    few = Recipe(steps=10, convergence=None)
    ratios = []
    for _ in range(rounds):
        together = seconds(lambda: invert(net, photo, layer, repeats=8, quality=few))
        apart = seconds(lambda: invert(net, photo, layer, repeats=8, quality=few, batch=1))
        ratios.append(apart / together)
    return statistics.median(ratios)


def main(model: str, photos: Sequence[str]) -> None:
    """Measure, print and write."""
    net = open_network(model)
    lines = [
        "# Natural pre-images",
        "",
        f"Measured by `python bench/preimage.py {Path(model).name} PHOTOGRAPH...`, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, 227 px.",
        "",
        "One iteration of inversion beside the forward and input gradient of the network cut at "
        "the layer, batch 1:",
        "",
        "| layer | iteration, ms | forward + gradient, ms | ratio |",
        "|---|---|---|---|",
    ]
    for layer in LAYERS:
        ours, bare, ratio = iteration(net, layer)
        lines.append(f"| {layer} | {1e3 * ours:.1f} | {1e3 * bare:.1f} | {ratio:.2f} |")
    lines += [
        "",
        f'Algorithm 1 as released (300 + 50 iterations) and `quality="fast"` '
        f"({RECIPES['fast']}) on {len(photos)} photographs, mean relative error and seconds for "
        "each image:",
        "",
        "| layer | Algorithm 1: error | seconds | fast: error | seconds | times less |",
        "|---|---|---|---|---|---|",
    ]
    for layer in LAYERS:
        (error, slow), (other, quick) = same_error(net, layer, photos)
        lines.append(
            f"| {layer} | {error:.1%} | {slow:.1f} | {other:.1%} | {quick:.1f} "
            f"| {slow / quick:.1f} |"
        )
    lines += [
        "",
        "Eight pre-images of one photograph together, and one after another (10 iterations):",
        "",
        "| layer | one after another / together |",
        "|---|---|",
    ]
    for layer in LAYERS:
        lines.append(f"| {layer} | {batched(net, layer, photos[0]):.2f} |")
    print("\n".join(lines))
    Path(__file__).with_name("results").joinpath("preimage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""What occlusion costs, beside Captum's and beside whole passes of our own.

    python bench/occlusion.py squeezenet.caffemodel PHOTOGRAPH [--rounds 3]
    python bench/occlusion.py squeezenet.caffemodel PHOTOGRAPH --only 1 --stride 32 --out try.md

Four ways of the same windows take turns, in one run, each round in another order: phosphene's
incremental engine; its full recomputation, in channels-last order; `captum.attr.Occlusion` with the
model as it comes; and the same with model and input in channels-last order, which Captum leaves to
the caller. Captum's `perturbations_per_eval` is the fastest of 1 to 32 on a few windows (a stride
as long as the patch), each tried twice. Times are of the whole call, the clean pass and our checks
included; both are given, of the clock and of the processor: on a machine that does other work too,
the second is the steadier. The maps are compared as well: Captum's attribution is the fall of the
probability, at each pixel the mean over the windows that hide it.

1. SqueezeNet, 227 px, patch 35, stride 8: 625 windows.
2. The papers' VGG-16 with random weights, 224 px, patch 50, stride 12: 256 windows.

The tables go to `bench/results/occlusion.md`.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene import Network, occlude, open_network
from phosphene.saliency.occlusion import Occlusion

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import Occlusion as Captum

EVALUATIONS = (1, 2, 4, 8, 16, 32)
ORDERS = {"as it comes": torch.contiguous_format, "channels last": torch.channels_last}
TRIALS = 2
Times = tuple[float, float]


def timed(run: Callable[[], object]) -> Times:
    """Return how long a call takes, by the clock and of the processor."""
    start, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - used


class Peer:
    """Captum, on the same image, class and windows.

    Args:
        net: The network, whose model is called by Captum itself.
        image: (1, 3, h, w) RGB in [0, 1].
        class_: Index of the class.
        patch: Side, pixels.
        order: Of model and input in memory, one of `ORDERS`.

    Attributes:
        each: `perturbations_per_eval`, the fastest.
    """

    def __init__(
        self, net: Network, image: Tensor, class_: int, patch: int, order: torch.memory_format
    ) -> None:
        self._net, self._image, self._class, self._patch = net, image, class_, patch
        self._module: nn.Module = copy.deepcopy(net.module).to(memory_format=order)  # type: ignore[call-overload]
        self._order = order
        # Of one thread the processor's time is the steadier; of several the clock's is what counts.
        judged = int(torch.get_num_threads() == 1)
        tried: dict[int, list[float]] = {each: [] for each in EVALUATIONS}
        for _ in range(TRIALS):
            for self.each in EVALUATIONS:
                tried[self.each].append(timed(lambda: self.run(patch))[judged])
        self.each = min(EVALUATIONS, key=lambda each: min(tried[each]))

    def run(self, stride: int) -> Tensor:
        """Return Captum's attribution, (h, w): the same for all channels."""
        module, side = self._module, self._patch
        x = self._net.input_of(self._image).contiguous(memory_format=self._order)
        with torch.inference_mode():
            found = Captum(lambda x: self._net.head.probabilities(module(x))).attribute(
                x, (3, side, side), strides=(3, stride, stride), target=self._class,
                baselines=0, perturbations_per_eval=self.each,
            )  # fmt: skip
        return found[0, 0]


def agreement(made: Occlusion, theirs: Tensor) -> float:
    """Return the largest difference of the maps, relative to the largest probability.

    Captum's pixel has the mean over the windows that hide it.
    """
    total, count = torch.zeros(2, *theirs.shape, dtype=torch.float64)
    for i in range(len(made.y)):
        for j in range(len(made.x)):
            total[made.occluder.box(i, j)] += made.drop[i, j]
            count[made.occluder.box(i, j)] += 1
    # Where the stride is larger than the patch, pixels that no window hides are 0 in both.
    ours = total / count.clamp(min=1)
    return float((ours - theirs).abs().max() / made.value.abs().max())


def compare(model: str, photo: str, patch: int, stride: int, rounds: int) -> list[str]:
    """Measure one network and return its part of the page."""
    net = open_network(model)
    net.module.eval()
    image, _ = net.prepare(photo)
    class_ = int(net.probabilities(image)[0].argmax())
    peers = {name: Peer(net, image, class_, patch, order) for name, order in ORDERS.items()}
    found: dict[str, Occlusion] = {}
    theirs = torch.empty(0)

    def ours(name: str) -> None:
        found[name] = occlude(
            net, image, class_, patch=patch, stride=stride, border="inside", feature=None,
            incremental=name == "incremental",
        )  # fmt: skip

    def captum(order: str) -> None:
        nonlocal theirs
        theirs = peers[order].run(stride)

    ways: dict[str, Callable[[], None]] = {
        "incremental": lambda: ours("incremental"),
        **{f"captum, {order}": partial(captum, order) for order in ORDERS},
        "full": lambda: ours("full"),
    }
    kept: dict[str, list[Times]] = {name: [] for name in ways}
    names = list(ways)
    ours("incremental")  # the first call of all is slower
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            kept[name].append(timed(ways[name]))
    made, full = found["incremental"], found["full"]
    off = float((full.value - made.value).abs().max() / full.value.abs().max())
    windows = made.value.numel()
    lines = [
        "",
        f"## {net.name}, {image.shape[-1]} px, patch {patch}, stride {stride}: {windows} windows",
        "",
        f"Engine: {made.facts['engine']}. Incremental and full maps differ by {off:.1e} of the "
        f"largest probability; ours and Captum's by {agreement(made, theirs):.1e} of the same. "
        f"Captum at its best of `perturbations_per_eval` {', '.join(map(str, EVALUATIONS))}. "
        f"Median of {rounds} round"
        f"{'s' * (rounds > 1)}; the ratio is the median of the rounds' ratios.",
        "",
        "| | seconds | of processor | ms a window | times ours: clock | processor |",
        "|---|---|---|---|---|---|",
    ]
    titles = {
        "incremental": "phosphene, incremental",
        "full": "phosphene, full, channels last",
        **{
            f"captum, {order}": f"Captum, {peer.each} at a time, {order}"
            for order, peer in peers.items()
        },
    }
    for name, title in titles.items():
        clock, processor = (statistics.median(t[i] for t in kept[name]) for i in (0, 1))
        pairs = list(zip(kept[name], kept["incremental"], strict=True))
        ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
        lines.append(
            f"| {title} | {clock:.1f} | {processor:.1f} | {1e3 * processor / windows:.1f} "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} |"
        )
    print("\n".join(lines), flush=True)
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="SqueezeNet's caffemodel")
    parser.add_argument("photograph")
    parser.add_argument("--rounds", type=int, default=3, help="of every table")
    parser.add_argument("--only", type=int, choices=(1, 2), help="one table in place of both")
    parser.add_argument("--stride", type=int, help="another stride, to try it out")
    parser.add_argument("--out", type=Path, help="another file for the tables")
    asked = parser.parse_args()
    if asked.out is None and (asked.only or asked.stride):
        parser.error("a part or another stride is no result to keep: give --out FILE")
    before = os.getloadavg()[0]
    tables = {1: (asked.model, 35, 8), 2: ("vgg-vd-16", 50, 12)}
    lines: list[str] = []
    for number, (model, patch, stride) in tables.items():
        if asked.only in (None, number):
            lines += compare(model, asked.photograph, patch, asked.stride or stride, asked.rounds)
    head = [
        "# Occlusion",
        "",
        f"Measured by `python bench/occlusion.py {Path(asked.model).name} PHOTOGRAPH --rounds "
        f"{asked.rounds}` on {platform.machine()} with {torch.get_num_threads()} thread(s), torch "
        f"{torch.__version__}, captum {version('captum')}, the four ways in turns. Processes that "
        f"wanted a processor: {before:.1f} before, {os.getloadavg()[0]:.1f} behind, of "
        f"{os.cpu_count()} processors.",
    ]
    out = asked.out or Path(__file__).with_name("results") / "occlusion.md"
    out.write_text("\n".join([*head, *lines]) + "\n")


if __name__ == "__main__":
    main()

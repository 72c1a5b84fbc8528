"""What occlusion costs, beside Captum's and beside whole passes of our own.

    python bench/occlusion.py squeezenet.caffemodel PHOTOGRAPH [ROUNDS]

Three ways of the same windows take turns, in one run: phosphene's incremental engine; its full
recomputation, in channels-last order; and `captum.attr.Occlusion`, whose `perturbations_per_eval`
is the fastest of 1, 2, 4, 8 and 16 on a few windows (a stride as long as the patch). Both times are
given, of the clock and of the processor: on a machine that does other work too, the second is the
steadier. The maps are compared as well: Captum's attribution is the fall of the probability, at
each pixel the mean over the windows that hide it.

1. SqueezeNet, 227 px, patch 35, stride 8: 625 windows.
2. The papers' VGG-16 with random weights, 224 px, patch 50, stride 12: 256 windows.

The tables go to `bench/results/occlusion.md`.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from phosphene import Network, open_network
from phosphene.saliency.occlude import occlude
from phosphene.saliency.occlusion import Occlusion

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import Occlusion as Captum

EVALUATIONS = (1, 2, 4, 8, 16)
Times = tuple[float, float]


def timed(run: Callable[[], object]) -> Times:
    """Return how long a call takes, by the clock and of the processor."""
    start, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - used


def peer(net: Network, image: Tensor, class_: int, windows: tuple[int, int], each: int) -> Tensor:
    """Return Captum's attribution, (h, w): the same for all channels.

    Args:
        net: The network, whose model is called by Captum itself.
        image: (1, 3, h, w) RGB in [0, 1].
        class_: Index of the class.
        windows: Side and stride, pixels.
        each: `perturbations_per_eval`.
    """
    side, stride = windows
    with torch.inference_mode():
        found = Captum(lambda x: net.head.probabilities(net.module(x))).attribute(
            net.input_of(image), (3, side, side), strides=(3, stride, stride), target=class_,
            baselines=0, perturbations_per_eval=each,
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
    options = {"patch": patch, "stride": stride, "border": "inside", "feature": None}
    made = occlude(net, image, **options)  # type: ignore[arg-type]
    class_ = made.unit.channel
    coarse = (patch, patch)
    trial = {n: timed(lambda n=n: peer(net, image, class_, coarse, n)) for n in EVALUATIONS}
    best = min(trial, key=lambda n: trial[n][1])
    kept: dict[str, list[Times]] = {"incremental": [], "full": [], "captum": []}
    theirs, full = torch.empty(0), made

    def whole() -> None:
        nonlocal full
        full = ours(False)

    def captum() -> None:
        nonlocal theirs
        theirs = peer(net, image, class_, (patch, stride), best)

    def ours(incremental: bool) -> Occlusion:
        return occlude(net, image, class_, incremental=incremental, **options)  # type: ignore[arg-type]

    for _ in range(rounds):
        kept["incremental"].append(timed(lambda: ours(True)))
        kept["captum"].append(timed(captum))
        kept["full"].append(timed(whole))
    off = float((full.value - made.value).abs().max() / full.value.abs().max())
    windows = made.value.numel()
    lines = [
        "",
        f"## {net.name}, {image.shape[-1]} px, patch {patch}, stride {stride}: {windows} windows",
        "",
        f"Engine: {made.facts['engine']}. Incremental and full maps differ by {off:.1e} of the "
        f"largest probability; ours and Captum's by {agreement(made, theirs):.1e} of the same. "
        f"Captum at its best `perturbations_per_eval` of {', '.join(map(str, EVALUATIONS))}: "
        f"{best}. Median of {rounds} rounds; the ratio is the median of the rounds' ratios.",
        "",
        "| | seconds | of processor | ms a window | times ours: clock | processor |",
        "|---|---|---|---|---|---|",
    ]
    names = {
        "incremental": "phosphene, incremental",
        "full": "phosphene, full, channels last",
        "captum": f"Captum, {best} at a time",
    }
    for name, title in names.items():
        clock, processor = (statistics.median(t[i] for t in kept[name]) for i in (0, 1))
        pairs = list(zip(kept[name], kept["incremental"], strict=True))
        ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
        lines.append(
            f"| {title} | {clock:.1f} | {processor:.1f} | {1e3 * processor / windows:.1f} "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} |"
        )
    print("\n".join(lines), flush=True)
    return lines


def main(model: str, photo: str, rounds: str = "3") -> None:
    """Measure, print and write."""
    lines = [
        "# Occlusion",
        "",
        f"Measured by `python bench/occlusion.py {Path(model).name} PHOTOGRAPH {rounds}`, "
        f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, in turns in one run, on "
        "a machine shared with other work.",
        *compare(model, photo, 35, 8, int(rounds)),
        *compare("vgg-vd-16", photo, 50, 12, max(1, int(rounds) - 2)),
    ]
    path = Path(__file__).with_name("results") / "occlusion.md"
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

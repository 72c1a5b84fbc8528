"""How well objects are cut out, and how fast.

    python bench/segmentation.py [--network squeezenet.caffemodel --photographs imagenet_sample]

*Scenes*: mean IoU with the exact masks of drawn scenes that the demo network was not trained on, by
reversed network and by what does the cut, beside the map that looks at nothing. *Photographs*: the
box around the cut of the right class and the true ones (`boxes.json` beside the photographs).
*Time*: the cut alone beside OpenCV's GrabCut with one round and with five, on one thread, in one
process and in turns; the figure is the median of the ratios. The results go to
`bench/results/segmentation.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.segmentation.cutting import Cutting, segment_map
from phosphene.segmentation.grab_cut import grab_cut
from phosphene.segmentation.graph_cut import graph_cut
from phosphene.segmentation.trimap import trimap
from phosphene.segmentation.views import high_of, rule_of, views
from phosphene.worlds.shapes import scenes
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import demo

RULES = ("saliency", "guided", "deconvnet")
NO_RULE = "blob"


def cuttings(high: float) -> dict[str, Cutting]:
    """Return what is compared, by name."""
    return {
        "threshold": Cutting("threshold", high, threshold=0.8),
        "threshold, smoothed": Cutting("threshold", high, threshold=0.8, smoothing=0.04),
        "graph cut (paper)": Cutting("graph-cut", high),
        "grab cut": Cutting("grab-cut", high),
        "graph cut (tuned)": Cutting("graph-cut", 0.90, 0.50, smoothing=0.04, fill=True),
        "grab cut (tuned)": Cutting("grab-cut", 0.90, 0.50, smoothing=0.04, fill=True),
    }


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union of two masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def box_iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the intersection over the union of two boxes."""
    sides = [min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1)]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return shared / (sum(areas) - shared)


Case = tuple[Image.Image, dict[str, np.ndarray], Callable[[object], float]]


def scene_cases(count: int, seed: int) -> list[Case]:
    """Return drawn scenes, their maps, and how to score what was cut out."""
    net, cases = demo(), []
    for drawn in scenes(count, seed):
        maps = {rule: views(net, drawn.image, rule_of(rule))[0].map for rule in RULES}
        maps[NO_RULE] = gaussian_blob(drawn.object.shape)
        score = lambda found, truth=drawn.object: iou(found.mask, truth)  # noqa: E731
        cases.append((Image.fromarray(drawn.image), maps, score))
    return cases


def photograph_cases(net: Network, folder: Path) -> list[Case]:
    """Return photographs with boxes, the maps of their true classes, and how to score a box."""
    cases = []
    for name, entry in json.loads((folder / "boxes.json").read_text())["boxes"].items():
        if entry["difficult"]:
            continue
        photo = Image.open(folder / name).convert("RGB")
        maps = {}
        for rule in RULES:
            # Of all positive positions nothing comes back by DeConvNet in SqueezeNet.
            seed = "strongest" if rule == "deconvnet" else "positive"
            (view,) = views(net, photo, rule_of(rule), [entry["index"]], seed=seed)
            maps[rule] = view.map
        maps[NO_RULE] = gaussian_blob(view.map.shape)

        def score(found, boxes=entry["objects"]):
            return max(box_iou(found.box, b) for b in boxes) if found.box else 0.0

        cases.append((photo, maps, score))
    return cases


def table(title: str, cases: list[Case], at_half: bool) -> list[str]:
    """Score all maps with all ways to cut."""
    header = "| | " + " | ".join((*RULES, NO_RULE)) + " |"
    lines = [f"## {title}", "", header, "|---" * (2 + len(RULES)) + "|"]
    for name in cuttings(0.9):
        cells = []
        for rule in (*RULES, NO_RULE):
            high = 0.9 if rule == NO_RULE else high_of(rule_of(rule), None)
            cutting = cuttings(high)[name]
            scores = [score(segment_map(p, maps[rule], cutting)) for p, maps, score in cases]
            half = f" ({np.mean(np.array(scores) >= 0.5):.0%})" if at_half else ""
            cells.append(f"{np.mean(scores):.3f}{half}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def times(rounds: int = 15) -> list[str]:
    """Time the cut of noisy scenes of two sizes beside OpenCV's."""
    cv2.setNumThreads(1)
    lines = ["## Time of a cut", "", "| size | graph cut | over GrabCut, 1 round | 5 rounds |"]
    lines.append("|---|---|---|---|")
    for size in ((256, 341), (375, 500)):
        (drawn,) = scenes(1, 7, size=size)
        image = drawn.image.astype(np.float32) / 255
        values = views(demo(), drawn.image, rule_of("guided"), shorter_side=size[0])[0].map
        known = trimap(values, 0.9)
        ours, ratios = [], ([], [])
        runs = (
            partial(graph_cut, image, known),
            partial(grab_cut, image, known, 1),
            partial(grab_cut, image, known, 5),
        )
        for _ in range(rounds):
            spent = []
            for run in runs:
                start = time.perf_counter()
                run()
                spent.append(time.perf_counter() - start)
            ours.append(spent[0])
            for kept, peer in zip(ratios, spent[1:], strict=True):
                kept.append(spent[0] / peer)
        one, five = (statistics.median(r) for r in ratios)
        took = f"{1e3 * statistics.median(ours):.0f} ms"
        lines.append(f"| {size[1]}x{size[0]} | {took} | {one:.2f} | {five:.2f} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--photographs", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# Segmentation",
        "",
        f"Measured by `python bench/segmentation.py`, 1 thread, torch {torch.__version__}, OpenCV "
        f"{cv2.__version__}. Paper: quantiles 95 (saliency) or 90, and 30 %. Tuned: 90 and 50 %, "
        "the map smoothed by 4 % of the shorter side, enclosed parts filled.",
        "",
        *times(),
        *table(f"Mean IoU on {given.scenes} drawn scenes", scene_cases(given.scenes, 2024), False),
    ]
    if given.network and given.photographs:
        net = open_network(given.network)
        cases = photograph_cases(net, given.photographs)
        title = f"Mean IoU of boxes on {len(cases)} photographs, {net.name} (share above 0.5)"
        lines += table(title, cases, True)
    results = Path(__file__).with_name("results") / "segmentation.md"
    results.write_text("\n".join(lines))


if __name__ == "__main__":
    main()

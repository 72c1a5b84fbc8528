"""How well objects are cut out, and how fast.

    python bench/segmentation.py [--network squeezenet.caffemodel --photographs imagenet_sample]

*Scenes*: mean IoU with the exact masks of drawn scenes that the demo network was not trained on, by
reversed network and by what does the cut, beside the map that looks at nothing. *Photographs*: the
box around the cut of the right class and the true ones (`boxes.json` beside the photographs).
*Time*: all from the map to the mask on the photograph (`segment_map`), and the cut alone beside
OpenCV's GrabCut with one round and with five, over photographs (or scenes, where none are given)
and maps, in processor time, on one thread, in one process and in turns; median and worst. The
results go to `bench/results/segmentation.md`; `--times` prints the times and writes nothing.
"""

from __future__ import annotations

import argparse
import json
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
from phosphene.segmentation.maps import pixels_of
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


def scene_cases(count: int, seed: int, side: int | None = None) -> list[Case]:
    """Return drawn scenes, their maps, and how to score what was cut out."""
    net, cases = demo(), []
    for drawn in scenes(count, seed):
        maps = {
            rule: views(net, drawn.image, rule_of(rule), shorter_side=side)[0].map for rule in RULES
        }
        maps[NO_RULE] = gaussian_blob(maps["saliency"].shape if side else drawn.object.shape)
        score = lambda found, truth=drawn.object: iou(found.mask, truth)  # noqa: E731
        cases.append((Image.fromarray(drawn.image), maps, score))
    return cases


def photograph_cases(
    net: Network, folder: Path, side: int | None = None, most: int | None = None
) -> list[Case]:
    """Return photographs with boxes, the maps of their true classes, and how to score a box."""
    cases: list[Case] = []
    for name, entry in json.loads((folder / "boxes.json").read_text())["boxes"].items():
        if entry["difficult"]:
            continue
        if most is not None and len(cases) >= most:
            break
        photo = Image.open(folder / name).convert("RGB")
        maps = {}
        for rule in RULES:
            # Of all positive positions nothing comes back by DeConvNet in SqueezeNet.
            seed = "strongest" if rule == "deconvnet" else "positive"
            (view,) = views(
                net, photo, rule_of(rule), [entry["index"]], seed=seed, shorter_side=side
            )
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


def times(cases_of: Callable[[int], list[Case]], what: str) -> list[str]:
    """Time the cut beside OpenCV's, at two sizes.

    Args:
        cases_of: What is cut, by the shorter side in pixels.
        what: What that is.
    """
    cv2.setNumThreads(1)
    lines = [f"## Time of a cut, {what}: median, worst", ""]
    lines += ["| shorter side | from map to mask | graph cut | over GrabCut, 1 round | 5 rounds |"]
    lines += ["|---|---|---|---|---|"]
    for side in (256, 375):
        spent = [
            _spent(photo, values, high_of(rule_of(rule), None) if rule != NO_RULE else 0.9)
            for photo, maps, _ in cases_of(side)
            for rule, values in maps.items()
        ]
        whole, ours, one, five = np.array(spent).T
        cells = [f"{1e3 * np.median(t):.0f}, {1e3 * t.max():.0f} ms" for t in (whole, ours)]
        ratios = [ours / peer for peer in (one, five)]
        cells += [f"{np.median(r):.2f}, {r.max():.2f}" for r in ratios]
        lines.append(f"| {side} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def _spent(photo: Image.Image, values: np.ndarray, high: float) -> list[float]:
    """Return the seconds of `segment_map`, of the cut alone, and of GrabCut with 1 and 5 rounds."""
    height, width = values.shape
    image = pixels_of(photo.resize((width, height), Image.Resampling.BICUBIC))
    known = trimap(values, high)
    spent = []
    for run in (
        partial(segment_map, photo, values, Cutting("graph-cut", high)),
        partial(graph_cut, image, known),
        partial(grab_cut, image, known, 1),
        partial(grab_cut, image, known, 5),
    ):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return spent


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--times", action="store_true", help="nothing else, and write nothing")
    parser.add_argument("--most", type=int, help="how many photographs are timed; all by default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cases_of, what = partial(scene_cases, 10, 7), "10 scenes"
    if given.network and given.photographs:
        net = open_network(given.network)
        cases_of = partial(photograph_cases, net, given.photographs, most=given.most)
        what = f"photographs, {net.name}"
    timed = times(cases_of, what)
    if given.times:
        return
    lines = [
        "# Segmentation",
        "",
        f"Measured by `python bench/segmentation.py`, 1 thread, torch {torch.__version__}, OpenCV "
        f"{cv2.__version__}. Paper: quantiles 95 (saliency) or 90, and 30 %. Tuned: 90 and 50 %, "
        "the map smoothed by 4 % of the shorter side, enclosed parts filled.",
        "",
        *timed,
        *table(f"Mean IoU on {given.scenes} drawn scenes", scene_cases(given.scenes, 2024), False),
    ]
    if given.network and given.photographs:
        cases = photograph_cases(net, given.photographs)
        title = f"Mean IoU of boxes on {len(cases)} photographs, {net.name} (share above 0.5)"
        lines += table(title, cases, True)
    results = Path(__file__).with_name("results") / "segmentation.md"
    results.write_text("\n".join(lines))


if __name__ == "__main__":
    main()

"""How long opening a Caffe network takes beside OpenCV's importer, and listing a deep network.

    python bench/opening.py squeezenet.caffemodel

Both open the same two files in turns, in one process, from a warm file cache; the figure is the
median of the ratios. Listing runs one forward pass of ResNet-152 at 224 px and reads the receptive
field of every layer off its tape. The results go to `bench/results/opening.md`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from networks import resnet152

from phosphene import Network, Preprocessing
from phosphene.formats.caffe import load_caffe


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def opening(model: Path, rounds: int = 60) -> tuple[float, float, float]:
    """Return the median seconds of phosphene and OpenCV, and the median of their ratios."""
    prototxt = str(model.with_name("deploy.prototxt"))
    ours, peers = [], []
    for _ in range(rounds + 5):
        ours.append(seconds(lambda: load_caffe(model)))
        peers.append(seconds(lambda: cv2.dnn.readNetFromCaffe(prototxt, str(model))))
    ours, peers = ours[5:], peers[5:]
    ratios = [a / b for a, b in zip(ours, peers, strict=True)]
    return statistics.median(ours), statistics.median(peers), statistics.median(ratios)


def main(model: Path) -> None:
    """Measure, print and write."""
    ours, peer, ratio = opening(model)
    net = Network(resnet152(), Preprocessing((224, 224)))
    times = [seconds(net.layers) for _ in range(5)]
    layers = net.layers()
    deepest = layers[-4].field
    lines = [
        "# Opening and listing",
        "",
        f"Measured by `python bench/opening.py {model.name}`, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, OpenCV {cv2.__version__}.",
        "",
        f"- {model.name} ({model.stat().st_size / 2**20:.1f} MiB): phosphene {1e3 * ours:.2f} ms, "
        f"OpenCV {1e3 * peer:.2f} ms, ratio {ratio:.2f}",
        f"- ResNet-152, {len(layers)} layers with receptive fields (the last: {deepest}): "
        f"{statistics.median(times):.2f} s",
    ]
    print("\n".join(lines))
    Path(__file__).with_name("results").joinpath("opening.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

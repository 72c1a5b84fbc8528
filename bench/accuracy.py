"""What a Caffe network scores on labelled photographs, and where DeConvNet has something to say.

    python bench/accuracy.py squeezenet.caffemodel photographs/

The folder holds photographs and `labels.csv` with columns `file` and `index`. The second figure is
the reason why class signals start before a final ReLU and mean: how often DeConvNet's signal is
zero everywhere from the pooled class score, and from the class's strongest position on the map.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch

from phosphene import DECONVNET, Network, Unit, backward, open_network


def batches(folder: Path, size: int = 20) -> list[list[dict[str, str]]]:
    """Read the labels in batches."""
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def empty(net: Network, image: torch.Tensor, classes: torch.Tensor, pooled: str) -> list[int]:
    """Count signals that are zero everywhere: from the pooled score, and from the score map."""
    found = []
    for tape in net.tapes(image, [net[pooled], net.scores]):
        seed = Unit.predicted().plant(tape.activation, classes)
        signal = backward(tape, seed.p, DECONVNET)
        found.append(int((signal.flatten(1).abs().amax(1) == 0).sum()))
    return found


def main(model: str, folder: Path) -> None:
    """Measure and print."""
    net = open_network(model)
    pooled = net.layers()[-2].name
    first = fifth = count = 0
    zero = [0, 0]
    for rows in batches(folder):
        image = torch.cat([net.prepare(folder / row["file"])[0] for row in rows])
        top = net.probabilities(image).topk(5).indices
        truth = torch.tensor([int(row["index"]) for row in rows])
        first += int((top[:, 0] == truth).sum())
        fifth += int((top == truth[:, None]).any(1).sum())
        zero = [a + b for a, b in zip(zero, empty(net, image, top[:, 0], pooled), strict=True)]
        count += len(rows)
    print(f"{net.name}: {net.preprocessing}")
    print(f"{count} photographs: top-1 {first / count:.1%}, top-5 {fifth / count:.1%}")
    print(
        f"DeConvNet zero everywhere: {zero[0]} of {count} from {pooled}, "
        f"{zero[1]} from {net.scores.layer}"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""Whether transfer's scores are right, and what linear probing costs.

    python bench/transfer.py squeezenet.caffemodel
    python bench/transfer.py squeezenet.caffemodel --only kept --images 64 --rounds 1 --out a.md
    python bench/transfer.py --only scores

1. *Scores.* Average precision, mean IoU and detection, on random cases, beside scikit-learn,
   torchmetrics and the slow references of the tests, which are the definitions word by word (VOC's
   development kit among them). Asked for: equal to 1e-6.
2. *Joint.* An epoch of the training loop with probes of eight layers and 100 classes, uncached,
   against one bare forward pass over the same images. The bare pass gets tensors that are
   normalized and laid out as the network is quickest, in the batches it is quickest in; probes get
   bytes, as from a loader. Reading files is left out of both, which would make the ratio smaller.
   Then where the difference goes.
3. *Kept.* A whole run of the cached protocol (reading, features, learning, testing), and a second
   one with another seed that finds the features there, for several lengths, of eight layers and of
   one; and an epoch of the protocol with random crops. Beside them the floor: the matrix products
   of learning alone, which the first run and the second both need.

Images are noise in memory; a network takes as long for it as for photographs. Times are processor
time (of all threads), medians of rounds in which the ways take turns; the first round does not
count. The tables go to `bench/results/transfer.md`. All of it takes about six minutes of a core.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.training import loop
from phosphene.training.recipe import Recipe, sgd
from phosphene.transfer.benchmarks.records import Boxes, InMemory
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.probes import Probes, joint_loss
from phosphene.transfer.probing.running import fused, run
from phosphene.transfer.probing.setting import ProbingSetting
from phosphene.transfer.scores.average_precision import average_precision
from phosphene.transfer.scores.detections import Detections, class_scores
from phosphene.transfer.scores.mean_iou import Confusion
from phosphene.zoo.catalogue import open_network

LAYERS = (
    "relu_conv1", "fire2/concat", "fire3/concat", "fire4/concat", "fire5/concat", "fire6/concat",
    "fire8/concat", "fire9/concat",
)  # fmt: skip
CLASSES, BATCH = 100, 256
ROOT = Path(__file__).parents[1]
SECTIONS = ("scores", "joint", "kept")
Way = Callable[[], object]
Case = dict[str, float]
"""How far a score is from each reference, by the reference's name."""


class Ready:
    """Batches of images that are in memory."""

    def __init__(self, images: Tensor, labels: Tensor, size: int) -> None:
        self._images, self._labels, self._size = images, labels, size

    def __len__(self) -> int:
        return len(self._images) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches, in order."""
        for index in range(start, len(self)):
            rows = slice(index * self._size, (index + 1) * self._size)
            yield self._images[rows], self._labels[rows]


def in_turn(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Return seconds of each way in every round, the first of which does not count."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if number:
                spent[name].append(time.process_time() - start)
    return spent


def median_ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def bare(module: nn.Module, x: Tensor, size: int) -> None:
    with torch.inference_mode():
        for start in range(0, len(x), size):
            module(x[start : start + size])


def quickest(module: nn.Module, x: Tensor) -> int:
    """Return the batch size in which a pass over some images is quickest."""
    ways: dict[str, Way] = {str(size): partial(bare, module, x, size) for size in (8, 16, 32, 64)}
    spent = in_turn(ways, 3)
    return int(min(spent, key=lambda size: statistics.median(spent[size])))


def joint(net: Network, images: int, rounds: int) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    height, width = net.preprocessing.input_size
    noise = torch.randint(
        0, 256, (images, height, width, 3), dtype=torch.uint8, generator=generator
    )
    labels = torch.randint(CLASSES, (images,), generator=generator)
    x = net.input_of(noise.permute(0, 3, 1, 2).float() / 255)
    x = x.contiguous(memory_format=torch.channels_last)
    module = net.module.eval()
    size = quickest(module, x[:64])
    frozen = FrozenFeatures(net, LAYERS, at_once=size)
    average = FrozenFeatures(net, LAYERS, "average", at_once=size)
    recipe = Recipe(1, fused(sgd(0.01, 5e-4, 0.9, nesterov=True, biases=(1.0, 0.0))))

    def epoch(features: FrozenFeatures) -> None:
        probes = Probes(features.layers, features.grids, CLASSES)

        def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            return joint_loss(module, features(batch[0]), batch[1])

        loop.train(probes, Ready(noise, labels, min(BATCH, images)), loss, recipe)

    ways: dict[str, Way] = {
        "bare forward pass": partial(bare, module, x, size),
        "joint probing, bilinear": partial(epoch, frozen),
        "joint probing, average": partial(epoch, average),
    }
    spent = in_turn(ways, rounds)
    base = spent["bare forward pass"]
    lines = [
        "## One epoch of eight probes against the bare network",
        "",
        f"SqueezeNet, {height} px, {images} images, {CLASSES} classes, batches of "
        f"{min(BATCH, images)}, {size} at a time through the network. Asked for: at most 1.3.",
        "",
        "| | ms an image | of the bare pass (rounds) |",
        "|---|---|---|",
    ]
    for name, each in spent.items():
        ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(each, base, strict=True))
        ms = 1000 * statistics.median(each) / images
        lines.append(f"| {name} | {ms:.2f} | {median_ratio(each, base):.2f} ({ratios}) |")
    return [*lines, "", *parts(frozen, noise[:BATCH], labels[:BATCH], rounds)]


def parts(frozen: FrozenFeatures, images: Tensor, labels: Tensor, rounds: int) -> list[str]:
    net, count = frozen.network, len(images)
    probes = Probes(frozen.layers, frozen.grids, CLASSES).train()
    optimizer = fused(sgd(0.01, 5e-4, 0.9, nesterov=True, biases=(1.0, 0.0)))(probes)
    features = frozen(images)
    flat = [
        norm(values.reshape(-1, values.shape[-1])).view(count, -1)
        for norm, values in zip(probes.norms, features, strict=True)
    ]
    some = images[:32].permute(0, 3, 1, 2).float() / 255
    _, values = net.record(some.contiguous(memory_format=torch.channels_last), LAYERS)
    maps = [values[layer] for layer in LAYERS]

    def prepare() -> None:
        for start in range(0, count, 32):
            net.input_of(images[start : start + 32].permute(0, 3, 1, 2).float() / 255)

    def resize() -> None:
        for _ in range(0, count, 32):
            for grid, each in zip(frozen.grids, maps, strict=True):
                grid(each).contiguous()

    def norms() -> None:
        # In place, as in learning; what is normalized already takes as long.
        for norm, each in zip(probes.norms, features, strict=True):
            norm(each.reshape(-1, each.shape[-1]))

    def linears() -> None:
        optimizer.zero_grad()
        scores = [one(each) for one, each in zip(probes.linears, flat, strict=True)]
        torch.stack([nn.functional.cross_entropy(s, labels) for s in scores]).sum().backward()

    ways: dict[str, Way] = {
        "bytes to the network's input": prepare,
        "resizing eight layers' maps": resize,
        "batch normalization": norms,
        "linear classifiers, there and back": linears,
        "the optimizer's step": optimizer.step,
    }
    linears()
    lines = ["| part | ms an image |", "|---|---|"]
    for name, each in in_turn(ways, 2 * rounds).items():
        lines.append(f"| {name} | {1000 * statistics.median(each) / count:.3f} |")
    return [*lines, ""]


def noise_set(count: int, seed: int) -> InMemory:
    rng = np.random.default_rng(seed)
    images = [Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)) for _ in range(count)]
    classes = rng.permutation(np.arange(count) % CLASSES).tolist()
    return InMemory(images, [str(c) for c in range(CLASSES)], class_of=classes)


def products(net: Network, layers: tuple[str, ...], size: int, rounds: int) -> float:
    """Return seconds an image of the matrix products that an epoch of learning consists of."""
    grids = FrozenFeatures(net, layers).grids
    sides = [(torch.rand(size, g.numbers), torch.rand(CLASSES, g.numbers)) for g in grids]
    made = [torch.empty_like(weight) for _, weight in sides]

    def there_and_back() -> None:
        for (x, weight), gradient in zip(sides, made, strict=True):
            scores = x @ weight.T
            torch.mm(scores.T, x, out=gradient)

    return statistics.median(in_turn({"": there_and_back}, 2 * rounds + 1)[""]) / size


def kept(
    net: Network, layers: tuple[str, ...], images: int, epochs: tuple[int, ...], rounds: int
) -> list[str]:
    train, test = noise_set(images, 1), noise_set(max(32, images // 8), 2)
    size = min(BATCH, images)
    plain = ProbingSetting(layers=layers, batch=size)
    each = images // size

    def spent(setting: ProbingSetting, folder: Path | None, features: Path | None) -> float:
        start = time.process_time()
        run(setting, net, train, test, folder, features=features)
        return time.process_time() - start

    crops = spent(plain.shortened(each), None, None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        once = replace(plain.shortened(each), cached=True)
        first = spent(once, place / "first", place / "features")
        second = {
            count: statistics.median(
                spent(
                    replace(once.shortened(count * each), seed=seed),
                    place / f"{count}-{seed}",
                    place / "features",
                )
                for seed in range(1, rounds + 1)
            )
            for count in dict.fromkeys([1, *epochs])
        }
    making, floor = first - second[1], products(net, layers, size, rounds)
    lines = [
        f"### {len(layers)} layer{'s' if len(layers) > 1 else ''}",
        "",
        f"Random crops for an epoch took {crops:.1f} s, the first cached run for an epoch "
        f"{first:.1f} s, of which features {making:.1f}. Reckoned: random crops for more epochs, "
        "as many times that; the first run for more, as its features and a second run.",
        "",
        "| epochs | random crops, s | first, s | second, s | products alone, s | first / second | "
        "could be, at most | crops / second |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for count, seconds in second.items():
        least = floor * each * size * count
        lines.append(
            f"| {count} | {count * crops:.1f} | {making + seconds:.1f} | {seconds:.2f} | "
            f"{least:.2f} | {(making + seconds) / seconds:.1f} | {(making + least) / least:.1f} | "
            f"{count * crops / seconds:.1f} |"
        )
    least_, most = min(second), max(second)
    if most > least_:
        slope = (second[most] - second[least_]) / ((most - least_) * each * size)
        lines += [
            "",
            f"An epoch of learning takes {1000 * slope:.3f} ms an image, of which products "
            f"{1000 * floor:.3f}; a run takes "
            f"{max(0.0, second[least_] - slope * least_ * each * size):.2f} s besides.",
        ]
    return [*lines, ""]


def kept_both(net: Network, images: int, epochs: tuple[int, ...], rounds: int) -> list[str]:
    lines = [
        "## A second probe with kept features",
        "",
        f"Whole runs: {images} images to learn from, {max(32, images // 8)} to test, {CLASSES} "
        f"classes, batches of {min(BATCH, images)}; second runs are medians of {rounds}. Asked "
        "for: a second one at least 10 times faster than the first. Both learn, and learning takes "
        "its matrix products at least; so with enough epochs no cache is 10 times faster "
        '("could be": if all but the products were free).',
        "",
    ]
    for layers in (LAYERS, LAYERS[-1:]):
        lines += kept(net, layers, images, epochs, rounds)
    return lines


def precision_case(rng: np.random.Generator) -> Case:
    """Score a class, with equal scores and with what does not count."""
    from sklearn.metrics import average_precision_score
    from tests.reference import average_precision as literal

    count = int(rng.integers(1, 60))
    levels = int(rng.choice([2, 5, 20, 10**9]))
    scores = rng.integers(0, levels, count) / levels
    present = rng.choice([1, 0, -1], count, p=[0.3, 0.5, 0.2]).astype(np.int8)
    if not (present == 1).any():
        present[rng.integers(count)] = 1
    known = present >= 0
    theirs = average_precision_score(present[known] == 1, scores[known])
    missed = int((present == 1).sum()) + int(rng.integers(0, 5))
    found = {"sum, scikit-learn": abs(average_precision(scores, present) - theirs)}
    points = literal.curve(scores.tolist(), present.tolist())
    fewer = literal.curve(scores.tolist(), present.tolist(), missed)
    for name, definition in literal.DEFINITIONS.items():
        own = average_precision(scores, present, name)
        part = average_precision(scores, present, name, missed)
        apart = max(abs(own - definition(points)), abs(part - definition(fewer)))
        found[f"{name}, threshold by threshold"] = apart
    return found


def pixel_case(rng: np.random.Generator) -> Case:
    """Score label maps, with unknown pixels and classes that are not there."""
    from tests.reference import mean_iou as literal
    from torchmetrics.functional.classification import multiclass_jaccard_index

    classes = int(rng.integers(2, 22))
    used = rng.choice(classes, int(rng.integers(1, classes + 1)), replace=False)
    truth = rng.choice(used, (12, 15)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < 0.5, truth, rng.choice(used, truth.shape))
    truth[rng.random(truth.shape) < rng.choice([0, 0.1, 0.6])] = 255
    truth[0, 0] = used[0]
    counted = Confusion(classes)
    for rows in (slice(0, 5), slice(5, 12)):
        counted.add(truth[rows], found[rows].astype(np.uint8))
    said = truth.ravel().tolist(), found.ravel().tolist()
    theirs = multiclass_jaccard_index(
        torch.from_numpy(found.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)),
        classes, "macro", 255,
    )  # fmt: skip
    kit = [share for share in literal.devkit(*said, classes) if share is not None]
    slow = literal.by_class(*said, classes)
    own = [None if np.isnan(share) else float(share) for share in counted.by_class]
    if [share is None for share in slow] != [share is None for share in own]:
        return {"classes, pixel by pixel": float("inf")}
    apart = [abs(a - b) for a, b in zip(slow, own, strict=True) if a is not None and b is not None]
    return {
        "mean, torchmetrics": abs(counted.mean - float(theirs)),
        "mean, VOC's kit": abs(counted.mean - sum(kit) / len(kit)),
        "classes, pixel by pixel": max(apart),
    }


def detection_case(rng: np.random.Generator) -> Case:
    """Score detections near objects and far from any, some difficult, of equal scores or not."""
    from tests.reference import detections as literal

    def boxes(count: int) -> np.ndarray:
        at = rng.integers(0, 30, (count, 2))
        return np.concatenate([at, at + rng.integers(1, 30, (count, 2))], 1).astype(np.float64)

    truth = []
    for count in rng.integers(0, 6, 5):
        difficult = rng.random(count) < 0.3
        truth.append(Boxes(boxes(count), rng.integers(0, 2, count).astype(np.int64), difficult))
    count, levels = int(rng.integers(0, 40)), int(rng.choice([3, 10**9]))
    photographs = rng.integers(0, len(truth), count)
    corners, classes = boxes(count), rng.integers(0, 2, count)
    for row, number in enumerate(photographs):
        if len(truth[number]) and rng.random() < 0.7:
            at = int(rng.integers(len(truth[number])))
            near = truth[number].corners[at] + rng.integers(-3, 4, 4)
            near[2:] = np.maximum(near[2:], near[:2] + 1)
            corners[row], classes[row] = near, truth[number].classes[at]
    found = Detections(photographs, classes, corners, rng.integers(0, levels, count) / levels)
    scores = class_scores(found, truth, ("0", "1", "none"))
    worst = {"11-point, VOC's kit": 0.0, "all-point, VOC's kit": 0.0}
    for class_, name in enumerate(scores):
        said, total = literal.verdicts(
            literal.listed(found, class_), literal.objects_of(truth, class_)
        )
        if not total:
            both = np.isnan([scores[name].eleven_point, scores[name].all_point])
            worst["11-point, VOC's kit"] += 0.0 if both.all() else float("inf")
            continue
        points = literal.curve(said, total)
        for key, mine, theirs in (
            ("11-point, VOC's kit", scores[name].eleven_point, literal.eleven_point(points)),
            ("all-point, VOC's kit", scores[name].all_point, literal.all_point(points)),
        ):
            worst[key] = max(worst[key], abs(mine - theirs))
    return worst


def scores(cases: int) -> list[str]:
    sys.path.insert(0, str(ROOT))
    kinds: dict[str, tuple[Callable[[np.random.Generator], Case], str]] = {
        "average precision": (precision_case, "equal scores, what does not count, what was missed"),
        "IoU": (pixel_case, "unknown pixels, classes that are not there"),
        "detection": (detection_case, "equal scores, difficult objects, classes without any"),
    }
    lines = [
        "## Scores beside references",
        "",
        f"{cases} random cases of each. Asked for: equal to 1e-6. (torchmetrics' own detection "
        "scores are COCO's, and need its code.)",
        "",
        "| | of | beside | worst deviation |",
        "|---|---|---|---|",
    ]
    for name, (case, about) in kinds.items():
        worst: Case = {}
        for seed in range(cases):
            for key, apart in case(np.random.default_rng([7, seed])).items():
                worst[key] = max(worst.get(key, 0.0), apart if apart == apart else float("inf"))
        lines += [f"| {name} | {about} | {key} | {apart:.1e} |" for key, apart in worst.items()]
    return [*lines, ""]


def write(path: Path, lines: list[str]) -> None:
    """Write what there is so far: on a loaded machine the rest may take long."""
    path.write_text("\n".join(lines).rstrip() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "network", nargs="?", help="squeezenet.caffemodel, or another network of its layers"
    )
    parser.add_argument("--images", type=int, default=512, help="twice as many in `kept`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=SECTIONS)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/transfer.md")
    args = parser.parse_args()
    timed = [name for name in args.only if name != "scores"]
    if timed and args.network is None:
        parser.error(f"{' and '.join(timed)} need a network: name squeezenet.caffemodel")
    torch.set_num_threads(args.threads)
    lines = [
        "# Transfer: scores beside references, and what linear probing costs",
        "",
        f"{date.today()}, {platform.processor() or platform.machine()}, PyTorch "
        f"{torch.__version__}, {args.threads} thread{'s' if args.threads > 1 else ''}, processor "
        f"time, medians of {args.rounds} rounds; `python bench/transfer.py squeezenet.caffemodel`.",
        "",
    ]
    if "scores" in args.only:
        lines += scores(args.cases)
        write(args.out, lines)
    if timed:
        net = open_network(args.network)
        if "joint" in args.only:
            lines += joint(net, args.images, args.rounds)
            write(args.out, lines)
        if "kept" in args.only:
            lines += kept_both(net, 2 * args.images, tuple(args.epochs), args.rounds)
            write(args.out, lines)
    print(args.out.read_text())


if __name__ == "__main__":
    main()

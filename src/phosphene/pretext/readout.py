"""How well what is in front can be read out of features that were learned without being told.

Our proxy for the thesis's transfer to other tasks (section 3.3.5), whose data sets are large: as in
its linear probing the network is frozen, and a linear classifier is all that is taught.
Hypercolumns are read at random pixels of training frames, standardized, and told apart by logistic
regression, foreground and background weighing alike:

    min 1/2 |w|^2 + C sum_i weight_i log(1 + exp(-y_i (w . z_i + b))),   z = (x - mean) / deviation.

C is one of several, that which ranks pixels of left-out training sequences best, or given. The
threshold is that of the largest IoU over training pixels, each scored with its sequence left out.
Held-out sequences are scored pixel by pixel, each by itself: average precision, the sum of
(R_k - R_k-1) P_k over its pixels, and IoU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.motion.dataset import Augmentation, PairSet
from phosphene.motion.dataset.augmentation import seen
from phosphene.motion.dataset.sample import Sample
from phosphene.pretext.hypercolumn import Hypercolumn, pixel_grid
from phosphene.pretext.linear import (
    Features,
    Linear,
    Values,
    average_precision,
    chosen_c,
    chosen_threshold,
    iou,
)
from phosphene.pretext.readout_shown import Held, Readout
from phosphene.pretext.sampling import sample_pixels
from phosphene.training.seeds import seeded

PIXELS = 200
Baseline = Literal["colors"]


def readout(
    net: Network | None,
    layers: Sequence[str],
    train_pairs: PairSet,
    test_pairs: PairSet,
    *,
    pixels: int = PIXELS,
    test_pixels: int = 2000,
    side: int | None = None,
    c: float | None = None,
    baseline: Baseline | None = None,
    seed: int = 0,
    pictures: int = 6,
) -> Readout:
    """Read what is in front out of frozen features.

    Frames are shown as for validation: the middle square, at the network's own size. A sequence is
    what pairs' names say: what is before the last slash, or before the last space.

    Args:
        net: The network; it is run as for evaluation, and left as it is. `None` with a baseline.
        layers: Of the hypercolumns; names of layers of maps.
        train_pairs: Frames with labels, (h, w), 0 the ground and negative where nothing is known.
        test_pairs: Others, of sequences of their own.
        pixels: How many of each training frame are looked at.
        test_pixels: And of each that is held out.
        side: Of the square frames are shown as, pixels; the network's input if `None`, 128 for the
            baseline.
        c: C; if `None`, chosen among 1e-4, 1e-2 and 1 on training sequences alone.
        baseline: `"colors"` for red, green, blue and the place, x and y, in place of features.
        seed: Of the pixels that are looked at.
        pictures: How many held-out frames to show.

    Returns:
        The scores of every held-out sequence, and pictures.

    Raises:
        SettingError: Pairs have no labels; all training pixels are in front, or none; a sequence is
            in both sets; a number cannot be.
        UnknownLayer: A layer has no map.
    """
    if (net is None) == (baseline is None):
        raise SettingError("a readout needs a network or a baseline, and not both: give one")
    if pixels < 1 or test_pixels < 1:
        raise SettingError(f"{min(pixels, test_pixels)} pixels of a frame say nothing: give more")
    if c is not None and not 0 < c < np.inf:
        raise SettingError(f"C = {c:g} of the regression must be above 0")
    shared = set(_sequences(train_pairs)) & set(_sequences(test_pairs))
    if shared:
        raise SettingError(
            f"a sequence {min(shared)!r} is in both sets: hold out others than are learned from, "
            "and give worlds names of their own"
        )
    see = _Seeing(net, layers, side)
    learned = _sampled(see, train_pairs, pixels, seed)
    chosen = c if c is not None else chosen_c(learned.x, learned.y, learned.sequences)
    model = Linear.fitted(learned.x, learned.y, chosen)
    threshold = chosen_threshold(model, learned.x, learned.y, learned.sequences, chosen)
    held = _sampled(see, test_pairs, test_pixels, seed, model)
    by_sequence = {}
    for name in dict.fromkeys(held.sequences):
        own = np.array([each == name for each in held.sequences])
        by_sequence[name] = Held(
            average_precision(held.x[own], held.y[own]),
            iou(held.x[own] >= threshold, held.y[own]),
            float(held.y[own].mean()),
        )
    shown = []
    for index in np.linspace(0, len(test_pairs) - 1, min(pictures, len(test_pairs))).astype(int):
        sample = see.sample(test_pairs, int(index))
        assert sample.labels is not None
        found = see.all(sample, model)
        shown.append((sample.name, sample.image, sample.labels.numpy(), found))
    what = "colours and place" if net is None else f"{net.name}: {', '.join(layers)}"
    return Readout(what, learned.x.shape[1], by_sequence, chosen, threshold, seed, tuple(shown))


def sequence_of(name: str) -> str:
    """Say which sequence a pair is of: what is before the last slash, or the last space."""
    for mark in ("/", " "):
        if mark in name:
            return name.rpartition(mark)[0]
    return name


def _sequences(pairs: PairSet) -> list[str]:
    return [sequence_of(pairs.name(index)) for index in range(len(pairs))]


@dataclass(frozen=True, eq=False)
class _Sampled:
    x: NDArray[Any]
    y: NDArray[np.bool_]
    sequences: list[str]


class _Seeing:
    """Turns frames into features of pixels."""

    def __init__(self, net: Network | None, layers: Sequence[str], side: int | None) -> None:
        self.net = net
        self.column = None if net is None else Hypercolumn(net, layers)
        own = 128 if net is None else min(net.preprocessing.input_size)
        self.augmentation = Augmentation.preset("validation", side or own)

    def sample(self, pairs: PairSet, index: int) -> Sample:
        labels, pair = pairs.labels(index), pairs[index]
        if labels is None:
            raise SettingError(
                f"{pairs.name(index)} has no labels: a readout needs to know what is in front"
            )
        view = self.augmentation.draw(pair.flow.size, np.random.default_rng(0))
        return seen(pair, view, labels, index)

    def features(self, image: torch.Tensor, points: torch.Tensor) -> Features:
        """Read (n, 2) pixels off a frame: (n, d)."""
        if self.net is None or self.column is None:
            h, w = image.shape[1:]
            x, y = points.long().unbind(1)
            place = points / points.new_tensor((max(w - 1, 1), max(h - 1, 1)))
            return torch.cat((image[:, y, x].mT, place), 1).numpy()
        with self.net.running(gradients=False):
            x = self.net.input_of(image[None])
            read: Any = self.column(x, points[None].to(x.device))[0]
        return read.float().cpu().numpy()  # type: ignore[no-any-return]

    def all(self, sample: Sample, model: Linear) -> Values:
        """Score all pixels of a frame: (h, w)."""
        h, w = sample.valid.shape
        parts = torch.split(pixel_grid((h, w)), 1 << 13)
        return np.concatenate([model(self.features(sample.image, at)) for at in parts]).reshape(
            h, w
        )


def _sampled(
    see: _Seeing, pairs: PairSet, count: int, seed: int, model: Linear | None = None
) -> _Sampled:
    """Look at pixels of all frames: their features, or what a model scores them."""
    x, y, sequences = [], [], []
    for index in range(len(pairs)):
        sample = see.sample(pairs, index)
        assert sample.labels is not None
        known = sample.labels >= 0
        points, told = sample_pixels(known[None], min(count, known.numel()), seeded(seed, index))
        points = points[0][told[0]]
        across, down = points.long().unbind(1)
        read = see.features(sample.image, points)
        x.append(read if model is None else model(read))
        y.append((sample.labels[down, across] > 0).numpy())
        sequences += [sequence_of(pairs.name(index))] * len(points)
    if not x:
        raise SettingError("a set without pairs was given to be read out: give one with some")
    return _Sampled(np.concatenate(x), np.concatenate(y), sequences)

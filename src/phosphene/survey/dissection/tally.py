"""Counting how masks of units and labels of pixels meet.

For unit k with threshold T_k and concept c, over all images x with activation A_k(x) brought to the
size of the labels and labels L_c(x),

    M_k(x) = A_k(x) > T_k
    I = sum |M_k and L_c|,   G = sum |L_c|,   A = sum |M_k| over images that hold c's category
    IoU = I / (A + G - I)

An image holds a category if it has any label whose own (primary) category that is. NetDissect-Lite
counts an image for a unit only if one of the unit's *active* pixels has such a label, which makes A
smaller and the IoU larger. A label that holds for a whole image counts all its pixels; one that two
maps give to a pixel counts twice, as in the original.

Nothing is kept of an image. A map whose largest code does not exceed the threshold is passed over
before it is brought to size, as no interpolated value is larger. All counts are whole numbers of 64
bits: exact, and the same in whatever order.

Reference:
    D. Bau et al., *Network Dissection*, CVPR 2017, section 2.2-2.3, and its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import FormatError, ImageError
from phosphene.survey.collector import Batch, State
from phosphene.survey.dissection.concepts import ConceptSet, Labels, digest
from phosphene.survey.dissection.images import index_of
from phosphene.survey.dissection.recollection import Recollection
from phosphene.survey.dissection.upsampling import Upsampling
from phosphene.survey.layered import entry, layers_of
from phosphene.survey.summary import maxima

Counting = Literal["original", "lite"]
COUNTINGS: tuple[Counting, ...] = ("original", "lite")
Ints = NDArray[np.int64]
# Label pixels of all maps that are brought to size together.
_TOGETHER = 1 << 22
# Images that are recounted together.
_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Counts:
    """What was counted of a layer.

    Attributes:
        intersection: (c, n) pixels where unit and concept meet.
        active: (c, categories) active pixels in images that hold a category.
    """

    intersection: Ints
    active: Ints


class Tally:
    """Collects how units and concepts meet.

    Attributes:
        layers: The layers.
        thresholds: (c,) of each layer.
        upsamplings: How each layer's maps are brought to the size of the labels.
        concepts: The images and their labels.
        counting: One of `COUNTINGS`.
        truth: (n,) pixels that have each label.
        settings: What its counts depend on besides the images.
        images: How many images were counted.
        failed: Indices of images whose labels could not be read; they are not counted.
    """

    def __init__(
        self,
        thresholds: Mapping[str, Tensor],
        upsamplings: Mapping[str, Upsampling],
        concepts: ConceptSet,
        counting: Counting = "original",
    ):
        self.layers: Sequence[str] = layers_of(tuple(thresholds))
        self.thresholds = {layer: each.detach().cpu() for layer, each in thresholds.items()}
        self.upsamplings = dict(upsamplings)
        self.concepts, self.counting = concepts, counting
        self.settings = {
            "concepts": concepts.fingerprint,
            "counting": counting,
            "thresholds": {layer: digest(each.tolist()) for layer, each in self.thresholds.items()},
            "upsampling": {layer: upsamplings[layer].way for layer in self.layers},
        }
        words = concepts.vocabulary
        # (n, categories): which category a concept counts for; number 0 counts for none.
        self._of_category = np.eye(len(words.categories), dtype=np.int64)[list(words.primary)]
        self._of_category[0] = 0
        self.truth: Ints = np.zeros(len(words), np.int64)
        self.images = 0
        self.failed: set[int] = set()
        self.counts = {
            layer: Counts(
                np.zeros((len(each), len(words)), np.int64),
                np.zeros((len(each), len(words.categories)), np.int64),
            )
            for layer, each in self.thresholds.items()
        }

    def see(self, batch: Batch) -> None:
        """Take in a batch; labels that cannot be read are noted, and their images passed over.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        known = self._labels(batch.keys.tolist())
        if known is None:
            return
        for layer in self.layers:
            self._count(batch, layer, known)

    def state(self) -> State:
        """Return all it knows."""
        kept: State = {
            "truth": torch.from_numpy(self.truth.copy()),
            "images": torch.tensor(self.images),
            "failed": torch.tensor(sorted(self.failed), dtype=torch.int64),
        }
        for layer, counts in self.counts.items():
            kept[entry(layer, "threshold")] = self.thresholds[layer].clone()
            kept[entry(layer, "intersection")] = torch.from_numpy(counts.intersection.copy())
            kept[entry(layer, "active")] = torch.from_numpy(counts.active.copy())
        return kept

    def merge(self, state: State) -> None:
        """Take in what another has counted of other images.

        Raises:
            FormatError: It had other thresholds or concepts.
        """
        for layer in self.layers:
            threshold = state.get(entry(layer, "threshold"))
            if threshold is None or not torch.equal(threshold, self.thresholds[layer]):
                raise FormatError(
                    f"the counts of {layer!r} were made with other thresholds: take another folder"
                )
        if state["truth"].shape != self.truth.shape:
            raise FormatError("the counts are of other concepts: take another folder")
        self.truth += state["truth"].numpy()
        self.images += int(state["images"])
        self.failed |= set(state["failed"].tolist())
        for layer, counts in self.counts.items():
            counts.intersection[:] += state[entry(layer, "intersection")].numpy()
            counts.active[:] += state[entry(layer, "active")].numpy()

    def recount(self, recollection: Recollection, keys: Sequence[int]) -> None:
        """Count images from the maps that were kept of them, not from a pass.

        Args:
            recollection: What was kept, with the thresholds that it has found.
            keys: The images, in the order in which they were seen.
        """
        found = {layer: recollection.maps(layer, self.thresholds[layer]) for layer in self.layers}
        waiting = {layer: next(maps, None) for layer, maps in found.items()}
        for start in range(0, len(keys), _AT_ONCE):
            chunk = list(keys[start : start + _AT_ONCE])
            known = self._labels(chunk)
            for layer in self.layers:
                places, units, codes = [], [], []
                while (one := waiting[layer]) is not None and one[0] in chunk:
                    place = chunk.index(one[0])
                    if known is not None and known.has[place]:
                        places.append(np.full(len(one[1]), place))
                        units.append(one[1])
                        codes.append(one[2])
                    waiting[layer] = next(found[layer], None)
                if known is not None and places:
                    together = torch.cat(codes)
                    self._meet(
                        layer, known, np.concatenate(places), np.concatenate(units), together
                    )

    def _labels(self, keys: Sequence[int]) -> _Known | None:
        """Read the labels of images, and count them; `None` where none can be read."""
        found: dict[int, Labels] = {}
        for place, key in enumerate(keys):
            try:
                found[place] = self.concepts.labels(index_of(key))
            except ImageError:
                self.failed.add(index_of(key))
        if not found:
            return None
        self.images += len(found)
        known = _Known(found, len(keys), self._of_category, self.concepts.label_size)
        self.truth += known.truth
        return known

    def _count(self, batch: Batch, layer: str, known: _Known) -> None:
        codes = batch.codes[layer]
        over = (maxima(batch, layer) > self.thresholds[layer]).numpy() & known.has[:, None]
        places, units = over.nonzero()
        at = torch.from_numpy(places).to(codes.device), torch.from_numpy(units).to(codes.device)
        maps = codes[at] if codes.dtype == torch.float64 else codes[at].float()
        self._meet(layer, known, places, units, maps)

    def _meet(self, layer: str, known: _Known, places: Ints, units: Ints, maps: Tensor) -> None:
        """Bring maps, (n, h, w), to size, and count where they meet labels."""
        limits = self.thresholds[layer][torch.from_numpy(units)].to(maps)
        pixels = self.concepts.label_size[0] * self.concepts.label_size[1]
        step = max(1, _TOGETHER // pixels)
        for start in range(0, len(places), step):
            chunk = slice(start, start + step)
            active = self.upsamplings[layer].active(maps[chunk], limits[chunk])
            self._add(self.counts[layer], known, places[chunk], units[chunk], *active)

    def _add(
        self, counts: Counts, known: _Known, image: Ints, unit: Ints, which: Ints, pixel: Ints
    ) -> None:
        """Add masks, (n,) of images and units, given as map and pixel of each that is active."""
        area = np.bincount(which, minlength=len(unit))
        rows, columns = len(counts.active), len(known.local)
        holds = known.holds[image]
        if self.counting == "lite":
            holds = known.whole_categories[image].copy()
        for number in range(known.numbers.shape[1]):
            label = known.numbers[image[which], number, pixel]
            keys = unit[which] * columns + label
            met = np.bincount(keys, minlength=rows * columns).reshape(rows, columns)
            # Number 0 stands first among the local ones.
            counts.intersection[:, known.local[1:]] += met[:, 1:]
            if self.counting == "lite":
                pairs = np.bincount(which * columns + label, minlength=len(unit) * columns)
                holds |= (pairs.reshape(-1, columns) @ self._of_category[known.local]) > 0
        np.add.at(counts.active, unit, area[:, None] * holds)
        for place, number in known.whole:
            own = image == place
            np.add.at(counts.intersection, (unit[own], number), area[own])


class _Known:
    """The labels of a batch, numbered by the few concepts that occur in it."""

    def __init__(
        self, found: Mapping[int, Labels], count: int, of_category: Ints, size: tuple[int, int]
    ):
        pixels, most = size[0] * size[1], max(len(labels.maps) for labels in found.values())
        numbers = np.zeros((count, most, pixels), np.int32)
        self.has = np.zeros(count, np.bool_)
        self.whole = [(place, n) for place, labels in found.items() for _, n in labels.whole]
        for place, labels in found.items():
            self.has[place] = True
            numbers[place, : len(labels.maps)] = labels.maps.reshape(len(labels.maps), pixels)
        areas = np.stack(
            [np.bincount(each.ravel(), minlength=len(of_category)) for each in numbers]
        )
        areas[:, 0] = 0
        self.local = np.flatnonzero(areas.sum(0) > 0)
        self.local = np.concatenate([[0], self.local])
        short = np.zeros(len(of_category), np.int32)
        short[self.local] = np.arange(len(self.local))
        self.numbers = short[numbers]
        whole = np.zeros_like(areas)
        for place, number in self.whole:
            whole[place, number] += pixels
        self.truth: Ints = (areas + whole).sum(0)
        self.holds: NDArray[np.bool_] = ((areas + whole) @ of_category) > 0
        self.whole_categories: NDArray[np.bool_] = (whole @ of_category) > 0

"""What a layer makes of each concept on average, and which concept a code is nearest to.

Over all positions of a layer's map whose middle a concept's pixels lie under, the codes have a
mean. With each channel brought to mean 0 and deviation 1 over all positions, the mean of concept c
is a direction

    d_c = (mean_c - mean) / deviation

and a code a is nearest to the concept whose direction its own z = (a - mean) / deviation has the
largest cosine with. To test one unit, its own channel is left out of both: what the *other* units
make of an image is asked. Only concepts of one category are told apart, as every pixel has one of
each: a color, a texture, an object.

No segmentation is needed of the image that is asked about, so it may be one that was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.survey.collector import Batch, State
from phosphene.survey.dissection.concepts import ConceptSet, Vocabulary
from phosphene.survey.dissection.images import index_of
from phosphene.survey.facts import LayerFacts
from phosphene.survey.layered import entry

FEWEST = 20
"""Positions that a concept needs for its mean to be worth something."""
_SUMS = ("sums", "counts", "total", "squares", "positions")


@dataclass(frozen=True, eq=False)
class Nearest:
    """Tells which concept codes of a layer are nearest to.

    Attributes:
        directions: (n, c) standardized means of the concepts; those of too few positions are 0.
        known: (n,) whether a concept had positions enough.
        mean: (c,) of all positions.
        deviation: (c,) likewise; channels without any are left out.
        vocabulary: The concepts.
    """

    directions: Tensor
    known: Tensor
    mean: Tensor
    deviation: Tensor
    vocabulary: Vocabulary

    def candidates(self, category: str) -> list[int]:
        """List the numbers of a category's concepts that can win."""
        index = self.vocabulary.categories.index(category)
        primary = self.vocabulary.primary
        return [n for n in range(1, len(primary)) if primary[n] == index and bool(self.known[n])]

    def winner(self, code: Tensor, category: str, without: int) -> str:
        """Name the concept of a category that a code is nearest to; empty where none can be.

        Args:
            code: (c,) at one position.
            category: Among whose concepts.
            without: The channel that has no say.
        """
        numbers = self.candidates(category)
        alive = self.deviation > 0
        alive[without] = False
        if not numbers or not bool(alive.any()):
            return ""
        z = ((code.double() - self.mean) / self.deviation.clamp(min=1e-12))[alive]
        directions = self.directions[numbers][:, alive]
        size = directions.norm(dim=1) * z.norm()
        cosine = torch.where(size > 0, directions @ z / size.clamp(min=1e-30), -2.0)
        best = int(cosine.argmax())
        return self.vocabulary.names[numbers[best]] if float(cosine[best]) > -2 else ""


class ConceptMeans:
    """Collects the mean code of each concept.

    Attributes:
        layers: The layers.
        settings: What it was made with.
    """

    def __init__(self, facts: Mapping[str, LayerFacts], concepts: ConceptSet) -> None:
        self.layers: Sequence[str] = tuple(facts)
        self.settings = {"concepts": concepts.fingerprint, "layers": list(self.layers)}
        self._concepts = concepts
        size = concepts.label_size
        self._pixels = {name: middles(fact, size) for name, fact in facts.items()}
        n = len(concepts.vocabulary)
        self._kept: dict[str, dict[str, Tensor]] = {
            name: {
                "sums": torch.zeros(n, fact.channels, dtype=torch.float64),
                "counts": torch.zeros(n, dtype=torch.float64),
                "total": torch.zeros(fact.channels, dtype=torch.float64),
                "squares": torch.zeros(fact.channels, dtype=torch.float64),
                "positions": torch.zeros((), dtype=torch.float64),
            }
            for name, fact in facts.items()
        }

    def see(self, batch: Batch) -> None:
        """Take in a batch; images whose labels cannot be read count for no concept."""
        for place, key in enumerate(batch.keys.tolist()):
            try:
                labels = self._concepts.labels(index_of(key))
            except ImageError:
                continue
            for layer, kept in self._kept.items():
                codes = batch.codes[layer][place].detach().double().cpu().flatten(1).T
                kept["total"] += codes.sum(0)
                kept["squares"] += codes.square().sum(0)
                kept["positions"] += len(codes)
                rows, columns = self._pixels[layer]
                numbers = labels.maps[:, rows[:, None], columns].reshape(len(labels.maps), -1)
                local, which = np.unique(numbers, return_inverse=True)
                # (local concepts, positions): how many maps give a position a concept.
                gives = torch.zeros(len(local), len(codes), dtype=torch.float64)
                each = torch.arange(len(codes))
                for one in torch.from_numpy(which.reshape(numbers.shape)):
                    gives[one, each] += 1
                kept["sums"][local] += gives @ codes
                kept["counts"][local] += gives.sum(1)
                for _, whole in labels.whole:
                    kept["sums"][whole] += codes.sum(0)
                    kept["counts"][whole] += len(codes)

    def state(self) -> State:
        """Return all it knows."""
        return {
            entry(layer, name): kept[name].clone()
            for layer, kept in self._kept.items()
            for name in _SUMS
        }

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images."""
        for layer, kept in self._kept.items():
            for name in _SUMS:
                kept[name] += state[entry(layer, name)]

    def of(self, layer: str) -> Nearest:
        """Return what tells the concepts of a layer apart."""
        kept = self._kept[layer]
        positions = kept["positions"].clamp(min=1)
        mean = kept["total"] / positions
        variance = kept["squares"] / positions - mean.square()
        # What is left of two large sums that are nearly one is rounding.
        real = variance > 1e-10 * (kept["squares"] / positions)
        deviation = torch.where(real, variance, 0.0).clamp(min=0).sqrt()
        known = kept["counts"] >= FEWEST
        known[0] = False
        means = kept["sums"] / kept["counts"].clamp(min=1)[:, None]
        directions = (means - mean) / deviation.clamp(min=1e-12)
        directions = torch.where(known[:, None] & (deviation > 0), directions, 0.0)
        return Nearest(directions, known, mean, deviation, self._concepts.vocabulary)


Places = NDArray[np.intp]


def middles(fact: LayerFacts, size: tuple[int, int]) -> tuple[Places, Places]:
    """Find the label pixel under the middle of each position of a map; the nearest one beyond.

    Args:
        fact: The layer; without a receptive field its positions are spread evenly.
        size: (sh, sw) of label maps.

    Returns:
        Rows of labels by row of the map, and columns by column.
    """
    found = []
    for axis, count in enumerate((fact.height, fact.width)):
        k = np.arange(count, dtype=np.float64)
        middle = (k + 0.5) / count
        if fact.field is not None and min(fact.field.stride) > 0:
            centre, stride = fact.field.centre[axis], fact.field.stride[axis]
            middle = (centre + k * stride + 0.5) / fact.input_size[axis]
        found.append(np.clip(np.floor(middle * size[axis]), 0, size[axis] - 1).astype(np.intp))
    return found[0], found[1]

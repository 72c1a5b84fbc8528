"""Drawn scenes as a set of concepts: the objects, their parts, and all textures and colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import ImageError
from phosphene.survey.dissection.concepts import (
    ConceptSet,
    Labels,
    Numbers,
    Vocabulary,
    digest,
    half,
)
from phosphene.worlds.shapes import CLASSES, COLORS, PARTS, TEXTURES, scene

_CONCEPTS = {"object": CLASSES, "part": PARTS, "texture": TEXTURES, "color": COLORS}


@dataclass(frozen=True)
class SceneConcepts(ConceptSet):
    """Drawn scenes and the truth about their pixels.

    Attributes:
        count: How many.
        seed: Of the series.
    """

    count: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def name_of(self, index: int) -> str:
        """Say what an image is called."""
        return f"scenes/{self.seed:02d}-{index:06d}"

    def image(self, index: int) -> Image.Image:
        """Draw a scene."""
        return Image.fromarray(scene(self._seed(index), size=self.image_size).image)

    def labels(self, index: int) -> Labels:
        """Look up what a scene consists of."""
        drawn = scene(self._seed(index), size=self.image_size)
        masks: dict[str, Mapping[str, NDArray[np.bool_]]] = {
            "object": {CLASSES[drawn.label]: drawn.object},
            "part": drawn.parts,
            "texture": drawn.textures,
            "color": drawn.colors,
        }
        maps = np.stack([self._numbered(category, own) for category, own in masks.items()])
        return Labels(maps, tuple(masks))

    @property
    def fingerprint(self) -> str:
        """A hash of what the set consists of."""
        return digest((super().fingerprint, self.count, self.seed))

    def _seed(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise ImageError(f"there are {self.count} scenes, counted from 0, and no {index}")
        return (self.seed << 32) + index

    def _numbered(self, category: str, masks: Mapping[str, NDArray[np.bool_]]) -> Numbers:
        numbers = np.zeros(self.image_size, np.int32)
        for name, mask in masks.items():
            numbers[mask] = self.vocabulary.number(category, name)
        return nearest_pixels(numbers, self.label_size)


def scene_concepts(
    count: int = 500,
    seed: int = 7,
    *,
    size: tuple[int, int] = (96, 96),
    label_size: tuple[int, int] | None = None,
) -> SceneConcepts:
    """Take drawn scenes for a set of concepts.

    Args:
        count: How many.
        seed: Of the series; the demo network was trained on series from 1000 on.
        size: (h, w) of the scenes, pixels.
        label_size: (h, w) of the label maps; half of that where not given, as Broden has it.
    """
    vocabulary = Vocabulary.of({name: tuple(each) for name, each in _CONCEPTS.items()})
    facts = {"scenes": f"{count} of series {seed}"}
    labels = label_size or half(size)
    return SceneConcepts("drawn scenes", vocabulary, size, labels, count, seed, facts=facts)


def nearest_pixels(numbers: Numbers, size: tuple[int, int]) -> Numbers:
    """Bring (h, w) numbers to another size: each pixel takes the one at its middle."""
    picked = [
        np.minimum(((np.arange(new) + 0.5) * (old / new)).astype(np.intp), old - 1)
        for new, old in zip(size, numbers.shape, strict=True)
    ]
    found: Numbers = numbers[np.ix_(picked[0], picked[1])]
    return found

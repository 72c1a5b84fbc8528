"""What units detect: network dissection of an atlas's layers, and the colors of any image set."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from phosphene.atlas.plan import Cells
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError
from phosphene.survey.dissection.color_names import COLOR_NAMES, color_numbers
from phosphene.survey.dissection.concepts import ConceptSet, Labels, Vocabulary, digest, half
from phosphene.survey.dissection.dissect import dissect
from phosphene.survey.facts import LayerFacts
from phosphene.survey.images import ImageSet

Tick = Callable[[int, int, str], None]
_MATCHES = 5
STAGE = "concepts"


@dataclass(frozen=True)
class ImageColors(ConceptSet):
    """The colors of an image set's pixels, by their basic names.

    Attributes:
        images: The image set.
    """

    images: ImageSet

    def __len__(self) -> int:
        return len(self._named)

    def name_of(self, index: int) -> str:
        """Say what an image is called."""
        return self._named[index][1]

    def image(self, index: int) -> Image.Image:
        """Read an image, and cut out its middle."""
        if not 0 <= index < len(self._named):
            raise ImageError(f"{self.name} has {len(self._named)} images, and no {index}")
        return Preprocessing(self.image_size).fit(self.images.read(self._named[index][0]))[0]

    def labels(self, index: int) -> Labels:
        """Name the colors of an image."""
        height, width = self.label_size
        small = self.image(index).resize((width, height), Resampling.BOX)
        return Labels(1 + color_numbers(np.asarray(small))[None], ("color",))

    @property
    def fingerprint(self) -> str:
        """A hash of what the set consists of."""
        return digest((super().fingerprint, self.images.fingerprint))

    @cached_property
    def _named(self) -> list[tuple[int, str]]:
        return list(self.images)


def image_colors(images: ImageSet, size: tuple[int, int]) -> ImageColors:
    """Take an image set for a set of concepts: its colors.

    Args:
        images: The image set.
        size: (h, w) of the images that are made of it, pixels.
    """
    vocabulary = Vocabulary.of({"color": COLOR_NAMES})
    facts = {"concepts from": f"the colors of {images.name}"}
    name = f"colors of {images.name}"
    return ImageColors(name, vocabulary, size, half(size), images, facts=facts)


@dataclass(frozen=True)
class Found:
    """What a dissection came to.

    Attributes:
        layers: By layer and unit the best matches: label, category, IoU.
        minimum: The IoU from which on a unit is a detector.
        categories: Of the concepts.
        facts: What was done.
        failed: What could not be read and why, by name.
    """

    layers: dict[str, list[list[tuple[str, str, float]]]]
    minimum: float
    categories: tuple[str, ...]
    facts: dict[str, str]
    failed: dict[str, str]


def has_map(fact: LayerFacts) -> bool:
    """Tell whether a layer says of its image where: its codes are maps."""
    return fact.height > 1 and fact.width > 1


def gather_concepts(
    net: Network,
    layers: dict[str, LayerFacts],
    concepts: ConceptSet,
    cells: Cells,
    batch: int,
    workers: int,
    reopen: Callable[[], Network] | None,
    tick: Tick,
) -> Found | None:
    """Dissect the layers that have maps, once.

    Returns:
        What was found; `None` where no layer has maps.

    Raises:
        ImageError: No image can be read, or no labels.
        KeyboardInterrupt: It was asked to stop; what is done stays.
    """
    names = [name for name, fact in layers.items() if has_map(fact)]
    if not names:
        return None
    kept = cells.load("concepts")
    if kept is None:
        folder = cells.folder / "dissection"
        found = dissect(
            net, names, concepts, shown=0, pictures=0, batch=batch, folder=folder,
            workers=workers, reopen=reopen, tick=lambda d, n, _: tick(d, n, STAGE),
        )  # fmt: skip
        kept = {
            "layers": {name: _matches(layer) for name, layer in found.layers.items()},
            "minimum": found.minimum,
            "categories": list(concepts.vocabulary.categories),
            "facts": dict(found.facts),
            "failed": dict(found.failed),
        }
        cells.keep("concepts", kept)
        shutil.rmtree(folder, ignore_errors=True)
    return Found(
        kept["layers"],
        kept["minimum"],
        tuple(kept["categories"]),
        kept["facts"],
        kept["failed"],
    )


def _matches(layer: Any) -> list[list[tuple[str, str, float]]]:
    return [
        [(m.label, m.category, round(m.iou, 6)) for m in layer.matches(unit, _MATCHES)]
        for unit in range(layer.units)
    ]

"""The images of a set of concepts as a sweep takes them, and the way back from a key."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image

from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.images import ImageSet, Part, key, place

CHUNK = 64
"""How many images make a part."""


@dataclass(frozen=True)
class ConceptPart(Part):
    """A run of the images of a set of concepts.

    Attributes:
        name: What to call it.
        concepts: The set.
        first: The first of its images.
        many: How many it has.
    """

    name: str
    concepts: ConceptSet
    first: int
    many: int

    @property
    def count(self) -> int:
        """How many images it has."""
        return self.many

    def name_of(self, index: int) -> str:
        """Say what to call one of its images."""
        return self.concepts.name_of(self.first + index)

    def read(self, index: int) -> Image:
        """Read one of its images."""
        return self.concepts.image(self.first + index)


def concept_images(concepts: ConceptSet) -> ImageSet:
    """Return the images of a set of concepts, for a sweep."""
    count = len(concepts)
    parts = [
        ConceptPart(f"images {start} and on", concepts, start, min(CHUNK, count - start))
        for start in range(0, count, CHUNK)
    ]
    return ImageSet(concepts.name, parts, concepts.fingerprint)


def key_of(index: int) -> int:
    """Return the key that an image of a set of concepts has in a sweep.

    >>> index_of(key_of(200))
    200
    """
    return key(index // CHUNK, index % CHUNK)


def index_of(image: int) -> int:
    """Return which image of a set of concepts a key belongs to."""
    part, index = place(image)
    return part * CHUNK + index

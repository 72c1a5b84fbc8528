"""Images in which it is known what every pixel shows: the noun, and what all of its kind can do.

A concept has a number from 1 on, a name, and a category (color, object, part, texture...); 0 is
none. Labels come as maps, which say of every pixel a number, and as numbers that hold for a whole
image. A pixel may have several maps, as it may be red and part of a wheel.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

Numbers = NDArray[np.int32]
NONE = "-"
"""The name of number 0."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of one image.

    Attributes:
        maps: (m, sh, sw) numbers of concepts, 0 for none.
        categories: The category that each map was made for.
        whole: Category and number of what holds for the whole image.
    """

    maps: Numbers
    categories: tuple[str, ...]
    whole: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The concepts of a set.

    Attributes:
        categories: Names of the categories, in their order.
        names: Name of each concept, by its number; the first is no concept.
        primary: Index of each concept's category; of several that which it covers most of. It
            means nothing for number 0.
    """

    categories: tuple[str, ...]
    names: tuple[str, ...]
    primary: tuple[int, ...]

    @classmethod
    def of(cls, concepts: dict[str, Sequence[str]]) -> Vocabulary:
        """Number the concepts of each category, one after the other, from 1 on.

        >>> Vocabulary.of({"color": ["red", "blue"], "object": ["car"]}).names
        ('-', 'red', 'blue', 'car')
        """
        categories = tuple(concepts)
        names, primary = [NONE], [0]
        for index, category in enumerate(categories):
            names += concepts[category]
            primary += [index] * len(concepts[category])
        return cls(categories, tuple(names), tuple(primary))

    def __len__(self) -> int:
        """Return how many numbers there are, with 0."""
        return len(self.names)

    def number(self, category: str, name: str) -> int:
        """Return the number of a concept of one category."""
        index = self.categories.index(category)
        return next(
            k for k in range(1, len(self)) if self.primary[k] == index and self.names[k] == name
        )

    def check(self, labels: Labels, name: str, size: tuple[int, int]) -> Labels:
        """Return labels that fit: (sh, sw) maps of known numbers.

        Raises:
            ImageError: They do not.
        """
        if labels.maps.shape[1:] != size:
            (h, w), (sh, sw) = labels.maps.shape[1:], size
            raise ImageError(
                f"the labels of {name} are {w}x{h} pixels, and {sw}x{sh} are needed: label maps "
                "are never resized"
            )
        seen = {*np.unique(labels.maps).tolist(), *(number for _, number in labels.whole)}
        unknown = [n for n in sorted(seen) if not 0 <= n < len(self) or not self.names[n]]
        if unknown:
            raise ImageError(f"{name} has the label {unknown[0]}, which no concept is known by")
        return labels


@dataclass(frozen=True)
class ConceptSet(ABC):
    """Images and what is known of their pixels, one after the other or by number.

    Attributes:
        name: What to call the set.
        vocabulary: Its concepts.
        image_size: (ih, iw) of the images, pixels.
        label_size: (sh, sw) of the label maps; pixel (i, j) of a map stands for the part of the
            image that lies at the same share of its sides.
        facts: What else there is to say of it, by name.
    """

    name: str
    vocabulary: Vocabulary
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    facts: dict[str, str] = field(kw_only=True, default_factory=dict)

    @abstractmethod
    def __len__(self) -> int:
        """Return how many images there are."""

    @abstractmethod
    def name_of(self, index: int) -> str:
        """Say what an image is called: a path with `/`, without a suffix that matters."""

    @abstractmethod
    def image(self, index: int) -> Image:
        """Read an image, 8-bit RGB.

        Raises:
            ImageError: It cannot be read.
        """

    @abstractmethod
    def labels(self, index: int) -> Labels:
        """Read or compute the labels of an image.

        Raises:
            ImageError: They cannot be read, are of another size, or hold unknown numbers.
        """

    @property
    def fingerprint(self) -> str:
        """A hash of what the set consists of; sets of one fingerprint are taken for the same."""
        return digest([type(self).__name__, self.image_size, self.label_size, self.vocabulary])

    def __iter__(self) -> Iterator[tuple[Image, Labels]]:
        """Give every image with its labels."""
        for index in range(len(self)):
            yield self.image(index), self.labels(index)


def digest(about: Any) -> str:
    """Return a short hash of what a value's `repr` says."""
    return hashlib.sha256(repr(about).encode(errors="surrogateescape")).hexdigest()[:16]


def half(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of label maps that goes with a size of images, as Broden has it.

    >>> half((227, 227))
    (113, 113)
    """
    return max(1, size[0] // 2), max(1, size[1] // 2)

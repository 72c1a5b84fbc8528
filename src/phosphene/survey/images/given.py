"""Images that are no files: arrays and PIL images in memory, and scenes that are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.image import as_photograph, name_of, to_image
from phosphene.survey.images.part import Part


@dataclass(frozen=True, eq=False)
class Given(Part):
    """Images in memory, or files, in a list.

    Attributes:
        name: What to call it.
        given: What is taken for a photograph anywhere, and tensors (3, h, w) in [0, 1].
        first: The number of the first.
    """

    name: str
    given: Sequence[Any]
    first: int = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.given)

    def name_of(self, index: int) -> str:
        """Say what to call one of them."""
        if not 0 <= index < len(self.given):
            raise ImageError(f"{len(self.given)} images were given, and so no image {index}")
        return name_of(self.given[index], f"image {self.first + index}")

    def read(self, index: int) -> Image.Image:
        """Return one of them as an image."""
        name, photo = self.name_of(index), self.given[index]
        try:
            if isinstance(photo, Tensor):
                if photo.dim() != 3 or photo.shape[0] not in (1, 3) or not photo.numel():
                    raise ImageError(f"it has shape {tuple(photo.shape)}, and not (3, h, w)")
                return to_image(photo if photo.is_floating_point() else photo / 255)
            return as_photograph(photo)
        except ImageError as error:
            raise ImageError(str(error) if name in str(error) else f"{name}: {error}") from None


@dataclass(frozen=True)
class Drawn(Part):
    """Scenes drawn from a run of seeds.

    Attributes:
        name: What to call it.
        first: The seed of the first.
        many: How many there are.
    """

    name: str
    first: int
    many: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.many

    def name_of(self, index: int) -> str:
        """Say what to call one of them."""
        if not 0 <= index < self.many:
            raise ImageError(f"{self.name} are {self.many} scenes, and so no scene {index}")
        return f"scene {self.first + index}"

    def read(self, index: int) -> Image.Image:
        """Draw one of them."""
        from phosphene.worlds.shapes import scene

        self.name_of(index)
        return Image.fromarray(scene(self.first + index).image)

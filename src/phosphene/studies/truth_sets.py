"""What is known about the photographs of a study, found from where they lie.

| photographs | truths |
|---|---|
| arrays that are scenes of the demo network | their exact masks and boxes |
| in a folder with `boxes.json` | `read_boxes_json` |
| in a set that is packed as DAVIS, PASCAL VOC, COCO or ILSVRC, or beside masks | `packed_sets` |

Pictures that are themselves truths, such as the masks of a folder that was given whole, are no
photographs. Sets whose photographs have no place of their own (Guillaumin's) are handed to the
studies by their argument `truths`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phosphene.core.network import Network
from phosphene.errors import ImageError
from phosphene.segmentation.truths import (
    Box,
    Truth,
    read_boxes_json,
)
from phosphene.studies.packed_sets import PackedSet, packed_at
from phosphene.studies.setting import plural
from phosphene.zoo.demo import CLASSES, demo_scenes

BOXES = "boxes.json"
_TRUTHS = ("masks", "Annotations", "SegmentationClass", "SegmentationObject")
# How far above a photograph the folder of its set is looked for: root/frames/480p/VIDEO.
_ABOVE = 4


class Known:
    """Truths of a study's photographs, each read at the moment it is asked for.

    Attributes:
        numbers: Which photographs may have a truth, by their place among those given; the others
            are pictures of truths.
    """

    def __init__(self, photos: Sequence[Any], truths: Sequence[Truth] | None = None) -> None:
        """Look where truths may be.

        Args:
            photos: As in a `Plan`.
            truths: What is known about each, if it is known already.

        Raises:
            ImageError: There are not as many truths as photographs, or a set is damaged.
        """
        if truths is not None and len(truths) != len(photos):
            raise ImageError(
                f"{plural(len(truths), 'truth')} cannot be those of "
                f"{plural(len(photos), 'photograph')}: give one for each"
            )
        self._photos = photos
        self._truths = truths
        self._sets: dict[Path, tuple[PackedSet, ...]] = {}
        self.numbers = [n for n, photo in enumerate(photos) if truths or not _is_truth(photo)]

    def __getitem__(self, number: int) -> Truth | None:
        """Read what is known about a photograph; `None` if nothing is."""
        photo = self._photos[number]
        if self._truths is not None:
            return self._truths[number]
        if not isinstance(photo, str | Path):
            return _of_scene(photo)
        place = Path(photo).absolute()
        if place.parent not in self._sets:
            self._sets[place.parent] = tuple(_sets(place.parent, self._sets.values()))
        found = [truth for own in self._sets[place.parent] if (truth := own.of(place))]
        return _together(found) if found else None

    def each(self) -> Iterator[tuple[int, Truth | None]]:
        """Read all, with their places."""
        return ((number, self[number]) for number in self.numbers)


def truths_for(photos: Sequence[Any], truths: Sequence[Truth] | None = None) -> Known:
    """Find what is known about photographs, in the folders they lie in; see `Known`."""
    return Known(photos, truths)


def demand(count: int, unknown: Sequence[str], what: str) -> tuple[str, ...]:
    """Make sure that something is known, and warn where it is not.

    Args:
        count: Of how many photographs something is known.
        unknown: What the others are called.
        what: What has to be known: "mask".

    Raises:
        ImageError: Nothing is known about any.
    """
    of = count + len(unknown)
    if not count:
        raise ImageError(
            f"no {what} is known of any of the {plural(of, 'photograph')}: lay masks beside them "
            f"(photos/a.jpg, masks/a.png; DAVIS, PASCAL VOC, COCO and ILSVRC as they are packed), "
            f"or boxes in {BOXES}"
        )
    if not unknown:
        return ()
    left = f"{len(unknown)} of {plural(of, 'photograph')} left out, of which no {what} is known"
    return (f"{left} ({some(unknown)})",)


def some(names: Sequence[str]) -> str:
    """Name photographs, but not too many.

    >>> some(["a", "b"]), some("abcde")
    ('a, b', 'a, b, c, ...')
    """
    return ", ".join([*names[:3], *(["..."] if names[3:] else [])])


def numbers_of(net: Network, label: str) -> set[int]:
    """Return the classes of a network that go by a name: two of ImageNet's are called "crane".

    Where none does, and the name is a list of synonyms, those that go by the first that is known.
    """
    names = [name.casefold() for name in net.labels]
    parts = [{part.strip() for part in name.split(",")} for name in names]
    wanted = label.strip().casefold()
    whole = {i for i, name in enumerate(names) if name == wanted}
    if whole:
        return whole
    for synonym in (wanted, *(part.strip() for part in wanted.split(","))):
        found = {i for i, known in enumerate(parts) if synonym in known}
        if found:
            return found
    return set()


def _sets(folder: Path, others: Iterable[tuple[PackedSet, ...]]) -> Iterator[PackedSet]:
    """Find the sets that the photographs of a folder belong to; those found before are reused."""
    before = {own.photos: own for several in others for own in several}
    if (folder / BOXES).is_file():
        truths = read_boxes_json(folder / BOXES)
        yield PackedSet(folder, truths, lambda path: path.name)
    for photos in (folder, *folder.parents)[:_ABOVE]:
        found = before.get(photos) or packed_at(photos)
        if found is not None:
            yield found
            return


def _is_truth(photo: Any) -> bool:
    """Say whether a picture lies in a folder of masks."""
    if not isinstance(photo, str | Path):
        return False
    return any(folder.name in _TRUTHS for folder in list(Path(photo).absolute().parents)[:_ABOVE])


def _together(truths: Sequence[Truth]) -> Truth:
    """Join what several sets say about the same photograph."""
    first = truths[0]
    return Truth(
        first.name,
        first.photo,
        tuple(mask for truth in truths for mask in truth.masks),
        next((truth.boxes for truth in truths if truth.boxes), ()),
        next((truth.classes for truth in truths if truth.classes), ()),
    )


def _of_scene(photo: Any) -> Truth | None:
    """Find what is known about a scene of the demo network."""
    if isinstance(photo, Image.Image):
        photo = np.asarray(photo.convert("RGB"))
    if not isinstance(photo, np.ndarray):
        return None
    for scene in _scenes():
        if photo.shape == scene.image.shape and bool((photo == scene.image).all()):
            label = CLASSES[scene.label]
            x0, y0, x1, y1 = scene.box
            box = Box(label, x0, y0, x1, y1)
            mask = scene.object.astype(np.uint8)
            return Truth(f"scene {scene.seed}", scene.image, (mask,), (box,), (label,))
    return None


@cache
def _scenes() -> list[Any]:
    return demo_scenes()

"""Sets of truths that are found by how their folders are packed.

| set | photographs | truths |
|---|---|---|
| COCO | `val2017/*.jpg`, or `images/val2017/*.jpg` | `annotations/instances_val2017.json` |
| COCO | `images/*.jpg` | `annotations/instances_*.json` |
| ILSVRC | `Data/CLS-LOC/val/*.JPEG` | `Annotations/CLS-LOC/val/*.xml` |
| PASCAL VOC | `JPEGImages/*.jpg` | `ImageSets`, `SegmentationClass`, `Annotations` |
| DAVIS | `JPEGImages/480p/VIDEO/*.jpg` | `Annotations/480p/VIDEO/*.png` |
| a folder | `photos/a.jpg` | `masks/a.png` |

ILSVRC's boxes bear WordNet numbers. Where `LOC_synset_mapping.txt` lies beside `Data`, or beside
their folder as it is packed, the boxes get the names in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from phosphene.errors import FormatError, ImageError
from phosphene.segmentation.truths import (
    Truth,
    Truths,
    read_coco,
    read_davis,
    read_folder,
    read_ilsvrc,
    read_voc,
)

_SYNSETS = "LOC_synset_mapping.txt"


@dataclass(frozen=True)
class PackedSet:
    """A set of truths in a folder.

    Attributes:
        photos: Where its photographs are.
        truths: What is known about them.
        named: What a photograph is called in it, given the path from `photos` on.
    """

    photos: Path
    truths: Truths
    named: Callable[[Path], str]

    def of(self, photo: Path) -> Truth | None:
        """Read what is known about a photograph."""
        number = self._numbers.get(self.named(photo.relative_to(self.photos)))
        return None if number is None else self.truths[number]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.truths.names)}


def packed_at(photos: Path) -> PackedSet | None:
    """Find the packed set whose photographs are in a folder, and below.

    Raises:
        PhospheneError: There is one, and its list is damaged.
    """
    above = photos.parent
    found = _of_coco(photos) or _of_ilsvrc(photos)
    if found is not None:
        return found
    if photos.name == "JPEGImages" and (above / "ImageSets").is_dir():
        return _of_voc(above)
    # DAVIS names the folder of photographs, or one of their size in it.
    root, size = (above, "480p") if photos.name == "frames" else (above.parent, photos.name)
    layout = (above.name, photos.name) == ("JPEGImages", size) and photos.name != "frames"
    if (photos.name == "frames" and (above / "masks").is_dir()) or (
        layout and (root / "Annotations" / size).is_dir()
    ):
        return PackedSet(photos, read_davis(root, size=size), _stem)
    for masks in (photos / "masks", above / "masks"):
        if masks.is_dir() and masks != photos:
            try:
                return PackedSet(photos, read_folder(photos, masks), _stem)
            except ImageError:  # they are of other photographs
                continue
    return None


def _of_voc(root: Path) -> PackedSet:
    lists = sorted((root / "ImageSets" / "Segmentation").glob("*.txt"))
    task = "Segmentation" if lists else "Main"
    lists = lists or sorted((root / "ImageSets" / "Main").glob("*.txt"))
    names = [path.stem for path in lists]
    sets = [read_voc(root, name, task=task) for name in names]  # type: ignore[arg-type]
    return PackedSet(root / "JPEGImages", _joined(sets), _stem)


def _of_coco(photos: Path) -> PackedSet | None:
    above = photos.parent
    for root in (above, above.parent) if above.name == "images" else (above,):
        lists = root / "annotations"
        one = lists / f"instances_{photos.name}.json"
        flat = photos.name == "images" and not one.is_file()
        files = sorted(lists.glob("instances_*.json")) if flat else [one]
        if files and files[0].is_file():
            return PackedSet(photos, _joined([read_coco(f, photos) for f in files]), Path.as_posix)
    return None


def _of_ilsvrc(photos: Path) -> PackedSet | None:
    task, data = photos.parent, photos.parent.parent
    annotations = data.parent / "Annotations" / task.name / photos.name
    if data.name != "Data" or not annotations.is_dir():
        return None
    truths = read_ilsvrc(photos, annotations)
    lists = [place / _SYNSETS for place in (data.parent, data.parent.parent)]
    names = next((_synsets(path) for path in lists if path.is_file()), {})

    def read(number: int) -> Truth:
        truth: Truth = truths[number]
        boxes = tuple(replace(box, label=names.get(box.label, box.label)) for box in truth.boxes)
        classes = tuple(dict.fromkeys(box.label for box in boxes))
        return replace(truth, boxes=boxes, classes=classes)

    return PackedSet(photos, Truths(truths.names, read) if names else truths, _stem)


def _synsets(path: Path) -> dict[str, str]:
    """Read lines of a WordNet number and names: `n01440764 tench, Tinca tinca`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from None
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    if not all(len(pair) == 2 for pair in pairs):
        raise FormatError(f"{path} has a line that is not a WordNet number and its names")
    return {number: name.strip() for number, name in pairs}


def _joined(sets: list[Truths]) -> Truths:
    """Make one set of several; what is in more than one is that of the last."""
    where = {name: (own, n) for own in sets for n, name in enumerate(own.names)}
    known = list(where)

    def read(number: int) -> Truth:
        own, place = where[known[number]]
        truth: Truth = own[place]
        return truth

    return Truths(known, read)


def _stem(path: Path) -> str:
    return path.with_suffix("").as_posix()

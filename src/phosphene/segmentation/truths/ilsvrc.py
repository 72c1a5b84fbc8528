"""ILSVRC: boxes in XML."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import FormatError, ImageError
from phosphene.segmentation.truths.markup import read_boxes, read_xml
from phosphene.segmentation.truths.record import Truth, Truths

_ENDINGS = (".JPEG", ".jpg", ".jpeg", ".JPG", ".png")


def read_ilsvrc(photos: str | Path, annotations: str | Path, *, first: int = 0) -> Truths:
    """Read the boxes of ILSVRC's classification and localization task.

    Labels and classes are WordNet numbers, `n01440764`, as in the files. The annotation
    `n01440764/n01440764_18.xml` belongs to the photograph at the same place in the other folder,
    or with the same name in that folder itself. In the files a box's last pixels lie inside, as
    the development kit measures it; here as `Box` says.

    Args:
        photos: The folder of photographs, such as `ILSVRC/Data/CLS-LOC/val`.
        annotations: The folder of XML files, searched recursively, such as
            `ILSVRC/Annotations/CLS-LOC/val`.
        first: The number of the first pixel in the files. The overlap is the same for any.

    Raises:
        FormatError: There are no annotations, or, when it is read, one is damaged.
        ImageError: When it is read: its photograph is missing.

    *Reference*: Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge".
    """
    photos, annotations = Path(photos), Path(annotations)
    paths = sorted(annotations.rglob("*.xml"))
    if not paths:
        raise FormatError(f"{annotations} holds no annotations (.xml): check the path")
    names = [path.relative_to(annotations).with_suffix("").as_posix() for path in paths]

    def read(number: int) -> Truth:
        path, name = paths[number], names[number]
        boxes = read_boxes(read_xml(path), path, first)
        classes = tuple(dict.fromkeys(box.label for box in boxes))
        return Truth(name, _photo(photos, name, path), (), boxes, classes)

    return Truths(names, read)


def _photo(photos: Path, name: str, annotation: Path) -> Path:
    for place in (name, Path(name).name):
        for ending in _ENDINGS:
            path = photos / (place + ending)
            if path.is_file():
                return path
    raise ImageError(f"{annotation} annotates a photograph that is not in {photos}")

"""Folders of photographs and masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.errors import ImageError, SettingError
from phosphene.segmentation.truths.pixels import listed, read_labels, to_mask
from phosphene.segmentation.truths.record import Mask, Truth, Truths


def read_folder(
    photos: str | Path,
    masks: str | Path | Sequence[str | Path],
    *,
    suffix: str = "",
    above: int = 0,
    ignore: int | None = None,
) -> Truths:
    """Read photographs with a mask each, matched by name.

    `masks/cats/tom.png` is the mask of `photos/cats/tom.jpg`: the same place in the folder and the
    same name without its ending. Photographs without a mask are not part of the set. A subfolder
    is the class of what lies in it.

    Args:
        photos: The folder of photographs.
        masks: The folder of masks: gray, or with a palette of which the indices count. Several
            folders are several annotators; the first one says which photographs there are, and
            the others may lack some.
        suffix: What a mask's name has more than its photograph's: `"_mask"`.
        above: A pixel is foreground if its number is larger: 0, or 127 for masks with soft edges.
        ignore: The number of pixels that count nowhere, such as 255 in PASCAL VOC's masks.

    Raises:
        ImageError: A folder is missing or empty, no name matches, or, when it is read, a mask's
            photograph is missing or the mask is damaged.
        FormatError: When it is read: a mask has colors.
    """
    folders = [Path(masks)] if isinstance(masks, str | Path) else [Path(folder) for folder in masks]
    if not folders:
        raise SettingError("no folder of masks was given: give one, or one for each annotator")
    photos = Path(photos)
    by_name = {_stem(path, photos): path for path in listed(photos, "photographs")}
    masks_of = [_by_stem(folder, suffix) for folder in folders]
    names = [name for name in masks_of[0]]
    if not any(name in by_name for name in names):
        raise ImageError(
            f"no mask in {folders[0]} has the name of a photograph in {photos}: the same name "
            "before the ending is needed, or a suffix"
        )

    def read(number: int) -> Truth:
        name = names[number]
        if name not in by_name:
            raise ImageError(f"{masks_of[0][name]} is the mask of no photograph in {photos}")
        paths = [annotator[name] for annotator in masks_of if name in annotator]
        parent = Path(name).parent.as_posix()
        return Truth(
            name,
            by_name[name],
            tuple(_mask(path, above, ignore) for path in paths),
            classes=() if parent == "." else (parent,),
        )

    return Truths(names, read)


def _mask(path: Path, above: int, ignore: int | None) -> Mask:
    labels = read_labels(path)
    return to_mask(labels > above, None if ignore is None else labels == ignore)


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    stems = {_stem(path, folder): path for path in listed(folder, "masks")}
    found = {s.removesuffix(suffix): path for s, path in stems.items() if s.endswith(suffix)}
    if not found:
        raise ImageError(f"no mask in {folder} has a name that ends in {suffix!r}")
    return found

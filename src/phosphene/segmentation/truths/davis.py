"""DAVIS: videos of which every frame has a mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.segmentation.truths.pixels import has_palette, listed, read_labels, to_mask
from phosphene.segmentation.truths.record import Mask, Truth, Truths

_LAYOUTS = (("frames", "masks"), ("JPEGImages/{size}", "Annotations/{size}"))


def read_davis(
    root: str | Path,
    sequences: Sequence[str] | None = None,
    *,
    every: int = 1,
    size: str = "480p",
) -> Truths:
    """Read frames of DAVIS and their masks.

    Every object is foreground: of a gray mask what is not 0 (DAVIS 2016), of one with a palette
    every index but 0 and 255, the latter being ignored (DAVIS 2017). A truth is named
    "sequence/frame", and its class is the sequence, so that averages by class are DAVIS's own
    averages over sequences.

    Args:
        root: The folder with `frames/SEQUENCE/*.jpg` and `masks/SEQUENCE/*.png`, or with
            `JPEGImages/480p` and `Annotations/480p`, as DAVIS is packed.
        sequences: Which sequences; all if None.
        every: Take every n-th frame of each sequence, from its first one.
        size: Of DAVIS as packed: the name of the folder of its size.

    Raises:
        ImageError: A folder is missing or empty, or, when it is read, a frame's mask is damaged.
        SettingError: `every` is less than 1, or a sequence is not there.

    *Reference*: Perazzi et al. 2016, "A benchmark dataset and evaluation methodology for video
    object segmentation".
    """
    root = Path(root)
    if every < 1:
        raise SettingError(f"every {every}-th frame cannot be taken: give 1 or more")
    frames, masks = _folders(root, size)
    found: dict[str, list[Path]] = {}
    for path in listed(masks, "masks of DAVIS"):
        found.setdefault(path.relative_to(masks).parent.as_posix(), []).append(path)
    chosen: list[Path] = []
    for sequence in found if sequences is None else sequences:
        if sequence not in found:
            raise SettingError(f"{masks} has no sequence {sequence!r}{nearest(sequence, found)}")
        chosen += found[sequence][::every]
    places = [path.relative_to(masks).with_suffix("") for path in chosen]

    def read(number: int) -> Truth:
        photo = frames / places[number].with_suffix(".jpg")
        if not photo.is_file():
            raise ImageError(f"{chosen[number]} is the mask of {photo}, which is not there")
        sequence = places[number].parent.as_posix()
        return Truth(
            places[number].as_posix(), photo, (_mask(chosen[number]),), classes=(sequence,)
        )

    return Truths([place.as_posix() for place in places], read)


def _folders(root: Path, size: str) -> tuple[Path, Path]:
    for layout in _LAYOUTS:
        frames, masks = (root / part.format(size=size) for part in layout)
        if frames.is_dir() and masks.is_dir():
            return frames, masks
    raise ImageError(
        f"{root} has neither the folders frames and masks nor JPEGImages/{size} and "
        f"Annotations/{size}: give the folder that DAVIS was unpacked to"
    )


def _mask(path: Path) -> Mask:
    labels = read_labels(path)
    return to_mask(labels != 0, labels == 255 if has_palette(path) else None)

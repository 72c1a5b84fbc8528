"""Videos as folders of frames: YouTube-Objects, DAVIS, or any folder of such folders.

    CLASS/data/0001/shots/001/*.jpg         YouTube-Objects (Prest et al., CVPR 2012); gap 5
    JPEGImages/480p/SEQ/00000.jpg           DAVIS (Perazzi et al., CVPR 2016); gap 1
    Annotations/480p/SEQ/00000.png          its masks, the labels
    ImageSets/2016/train.txt                its splits, or 2017, where there is the file
    frames/SEQ/00000.jpg, masks/SEQ/...     the same by plainer names
    SEQ/00000.jpg                           frames of anything; gap 1

A pair is a frame and the one `gap` later in the same folder. Its flow is read from the file beside
the frame that has its name with `.flo`, or from `flow/` in the folder of the frame (`.flo` or
KITTI's `.png`), which is trusted to be of that gap; where there is none, it is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset.file_pairs import Files
from phosphene.motion.dataset.layouts.listing import Listing, Options, folders_in, images_in

_DAVIS = (("JPEGImages", "Annotations"), ("frames", "masks"))
_YOUTUBE_GAP = 5  # the thesis's, section 3.3.2


def fits_youtube(folder: Path) -> bool:
    """Tell whether a folder is laid out as YouTube-Objects."""
    return next(folder.glob("*/data/*/shots"), None) is not None


def fits_davis(folder: Path) -> bool:
    """Tell whether a folder is laid out as DAVIS."""
    return _davis(folder) is not None


def fits_frames(folder: Path) -> bool:
    """Tell whether a folder holds folders of frames."""
    return any(images_in(inside) for inside in folders_in(folder))


def listed_youtube(folder: Path, options: Options) -> Listing:
    """List the pairs of every shot; `split` is a class.

    Raises:
        FlowError: The folder is not laid out so.
        SettingError: There is no such class.
    """
    if not fits_youtube(folder):
        raise FlowError(
            f"{folder} is not laid out as YouTube-Objects: it has no CLASS/data/0001/shots"
        )
    classes = [path for path in folders_in(folder) if (path / "data").is_dir()]
    if options.split:
        names = [path.name for path in classes]
        if options.split not in names:
            raise SettingError(f"{folder} has no {options.split!r}: take {' or '.join(names)}")
        classes = [folder / options.split]
    listing = Listing()
    for video in (video for of_class in classes for video in folders_in(of_class / "data")):
        shots = video / "shots"
        for shot in folders_in(shots) if shots.is_dir() else ():
            _add(listing, folder, shot, options.gap or _YOUTUBE_GAP)
    return listing


def listed_davis(folder: Path, options: Options) -> Listing:
    """List the pairs of every sequence, with masks where there are some.

    Raises:
        FlowError: The folder is not laid out so.
        SettingError: There is no such split.
    """
    found = _davis(folder)
    if found is None:
        raise FlowError(f"{folder} is not laid out as DAVIS: it has no JPEGImages/480p/SEQ")
    frames, masks = found
    chosen = _split(folder, options.split) if options.split else None
    listing = Listing()
    for sequence in folders_in(frames):
        if chosen is None or sequence.name in chosen:
            _add(listing, frames, sequence, options.gap or 1, masks / sequence.name)
    missing = sorted(name for name in chosen or () if not (frames / name).is_dir())
    if missing:
        listing.notes.append(f"{len(missing)} sequences are missing: {', '.join(missing)}")
    return listing


def listed_frames(folder: Path, options: Options) -> Listing:
    """List the pairs of every folder of frames.

    Raises:
        FlowError: There is none.
    """
    if not fits_frames(folder):
        raise FlowError(f"{folder} holds no folders of frames")
    listing = Listing()
    for sequence in folders_in(folder):
        _add(listing, folder, sequence, options.gap or 1)
    return listing


def _add(listing: Listing, root: Path, folder: Path, gap: int, masks: Path | None = None) -> None:
    frames = images_in(folder)
    flows = _flows(folder)
    name = folder.relative_to(root).as_posix()
    if frames and len(frames) <= gap:
        listing.without(f"a frame {gap} later", folder)
    for first, second in zip(frames, frames[gap:], strict=False):
        mask = masks / f"{first.stem}.png" if masks else None
        listing.add(
            Files(
                f"{name}/{first.stem}",
                str(first),
                str(second),
                flows.get(first.stem, ""),
                labels=str(mask) if mask and mask.exists() else "",
            )
        )


def _flows(folder: Path) -> dict[str, str]:
    beside = {path.stem: str(path) for path in folder.glob("*.flo")}
    inside = folder / "flow"
    if inside.is_dir():
        kinds: Iterator[Path] = (p for p in inside.iterdir() if p.suffix in (".flo", ".png"))
        beside.update((path.stem, str(path)) for path in kinds)
    return beside


def _davis(folder: Path) -> tuple[Path, Path] | None:
    for frames, masks in _DAVIS:
        for size in ("480p", "Full-Resolution", "1080p", ""):
            if (folder / frames / size).is_dir() and fits_frames(folder / frames / size):
                return folder / frames / size, folder / masks / size
    return None


def _split(folder: Path, split: str) -> set[str]:
    """Read which sequences are in a split: their names, or paths of their frames."""
    for year in ("2016", "2017"):
        for place in (folder / "ImageSets" / year, folder / "ImageSets" / "480p"):
            if (place / f"{split}.txt").is_file():
                lines = (place / f"{split}.txt").read_text(errors="replace").splitlines()
                paths = [Path(line.split()[0]) for line in lines if line.strip()]
                return {path.parent.name if path.suffix else path.name for path in paths}
    raise SettingError(f"there is no split {split!r}: {folder}/ImageSets/2016 has no {split}.txt")

"""MPI Sintel (Butler et al., ECCV 2012).

    training/clean/SEQ/frame_0001.png       or final, or albedo
    training/flow/SEQ/frame_0001.flo        of every frame but the last
    training/invalid/SEQ/frame_0001.png     white where the flow does not hold
    training/occlusions/SEQ/frame_0001.png  white where a point goes out of sight

Flow of points that go out of sight is exact here and stays valid; `flow="noc"` leaves it out.
Splits are the thesis's: `train`, 20 sequences, and `test`, 3 (section 4.4.1).
"""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset.file_pairs import Files
from phosphene.motion.dataset.layouts.listing import Listing, Options, folders_in, images_in

SPLITS = {
    "train": (
        "alley_1 alley_2 ambush_2 ambush_4 ambush_5 ambush_6 ambush_7 bamboo_1 bamboo_2 bandage_1 "
        "bandage_2 cave_2 cave_4 market_2 market_5 market_6 mountain_1 shaman_2 shaman_3 sleeping_1"
    ).split(),
    "test": "sleeping_2 temple_2 temple_3".split(),
}


def fits(folder: Path) -> bool:
    """Tell whether a folder is laid out so."""
    return any((root / "flow").is_dir() and _renderings(root) for root in _roots(folder))


def listed(folder: Path, options: Options) -> Listing:
    """List its pairs.

    Raises:
        FlowError: The folder is not laid out so.
        SettingError: There is no such rendering or split.
    """
    root = next((r for r in _roots(folder) if (r / "flow").is_dir() and _renderings(r)), None)
    if root is None:
        raise FlowError(f"{folder} is not laid out as Sintel: clean/ and flow/ are not in it")
    there = _renderings(root)
    frames = options.frames or there[0]
    if frames not in there:
        raise SettingError(f"{root} has no frames {frames!r}: take {' or '.join(there)}")
    if options.flow not in ("", "occ", "noc"):
        raise SettingError(f"Sintel has no flow {options.flow!r}: take occ or noc")
    listing = Listing()
    for name in _sequences(root / frames, options.split, listing):
        for first in images_in(root / frames / name)[:-1]:
            listing.add(pair_of(root, frames, name, first, options.flow == "noc"))
    return listing


def pair_of(
    root: Path, frames: str, sequence: str, first: Path, in_sight: bool, labels: str = ""
) -> Files:
    """Name the files of a pair.

    Args:
        root: The folder that holds `flow`.
        frames: Which rendering.
        sequence: Of which sequence.
        first: Its first frame.
        in_sight: Whether flow counts only where a point stays in sight.
        labels: The folder of labels, if there is one.
    """
    stem = first.stem
    digits = stem.removeprefix("frame_")
    later = f"frame_{int(digits) + 1:0{len(digits)}d}" if digits.isdigit() else ""

    def beside(kind: str) -> str:
        path = root / kind / sequence / f"{stem}.png"
        return str(path) if kind and path.exists() else ""

    masks = [beside("invalid"), beside("occlusions") if in_sight else ""]
    return Files(
        f"{sequence}/{stem}",
        str(first),
        str(first.with_stem(later)) if later else "",
        str(root / "flow" / sequence / f"{stem}.flo"),
        tuple(mask for mask in masks if mask),
        beside(labels),
    )


def _roots(folder: Path) -> tuple[Path, Path]:
    return folder / "training", folder


def _renderings(root: Path) -> list[str]:
    return [name for name in ("clean", "final", "albedo") if (root / name).is_dir()]


def _sequences(folder: Path, split: str, listing: Listing) -> list[str]:
    there = [path.name for path in folders_in(folder)]
    if not split:
        return there
    if split not in SPLITS:
        raise SettingError(f"Sintel has no split {split!r}: take {' or '.join(SPLITS)}")
    missing = [name for name in SPLITS[split] if name not in there]
    if missing:
        listing.notes.append(f"{len(missing)} sequences are missing: {', '.join(missing)}")
    return [name for name in SPLITS[split] if name in there]

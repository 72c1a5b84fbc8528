"""What `phosphene worlds` writes: Sintel's folders, and labels beside (see `motion.sets`).

world.json                              which sequences there are, and which are in which split
clean/SEQ/frame_0001.png, flow/SEQ/frame_0001.flo, occlusions/SEQ/frame_0001.png
objects/SEQ/frame_0001.png, parts/SEQ/frame_0001.png
"""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import SettingError
from phosphene.motion.dataset.layouts.listing import Listing, Options, images_in
from phosphene.motion.dataset.layouts.sintel import pair_of
from phosphene.motion.sets import read_set


def fits(folder: Path) -> bool:
    """Tell whether a folder is laid out so."""
    return (folder / "world.json").is_file()


def listed(folder: Path, options: Options) -> Listing:
    """List its pairs.

    Raises:
        FlowError: The folder holds no set, or one that is not finished.
        SettingError: There is no such split, flow or labels.
    """
    worlds = read_set(folder)
    labels = options.labels or "objects"
    if labels not in ("objects", "parts"):
        raise SettingError(f"worlds have no labels {labels!r}: take objects or parts")
    if options.flow not in ("", "occ", "noc"):
        raise SettingError(f"worlds have no flow {options.flow!r}: take occ or noc")
    sequences = worlds.split(options.split) if options.split else worlds.sequences
    listing = Listing()
    for sequence in sequences:
        for first in images_in(folder / "clean" / sequence.name)[:-1]:
            in_sight = options.flow == "noc"
            listing.add(pair_of(folder, "clean", sequence.name, first, in_sight, labels))
    return listing

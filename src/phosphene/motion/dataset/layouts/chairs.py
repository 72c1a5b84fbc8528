"""FlyingChairs (Dosovitskiy et al., ICCV 2015).

data/00001_img1.ppm, data/00001_img2.ppm, data/00001_flow.flo
FlyingChairs_train_val.txt              beside data/ or in it: a line a pair, 1 train, 2 val
"""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset.file_pairs import Files
from phosphene.motion.dataset.layouts.listing import Listing, Options, images_in

_LIST = "FlyingChairs_train_val.txt"
_SPLITS = {"train": "1", "val": "2"}
_FIRST = "_img1"


def fits(folder: Path) -> bool:
    """Tell whether a folder is laid out so."""
    return _data(folder) is not None


def listed(folder: Path, options: Options) -> Listing:
    """List its pairs.

    Raises:
        FlowError: The folder is not laid out so, or the list of its splits does not fit.
        SettingError: There is no such split, or no list of them.
    """
    data = _data(folder)
    if data is None:
        raise FlowError(f"{folder} is not laid out as FlyingChairs: it has no 00001_img1.ppm")
    chosen = _chosen(folder, data, options.split) if options.split else None
    listing = Listing()
    for first in images_in(data):
        number = first.stem.removesuffix(_FIRST)
        if number == first.stem or not number.isdigit():
            continue
        if chosen is not None:
            if not 1 <= int(number) <= len(chosen):
                listing.without(f"a line in {_LIST}", first)
                continue
            if chosen[int(number) - 1] != _SPLITS[options.split]:
                continue
        second, flow = data / f"{number}_img2{first.suffix}", data / f"{number}_flow.flo"
        listing.add(Files(number, str(first), str(second), str(flow)))
    return listing


def _data(folder: Path) -> Path | None:
    for data in (folder / "data", folder):
        if data.is_dir() and next(data.glob("[0-9]*_img1.*"), None) is not None:
            return data
    return None


def _chosen(folder: Path, data: Path, split: str) -> list[str]:
    if split not in _SPLITS:
        raise SettingError(f"FlyingChairs has no split {split!r}: take {' or '.join(_SPLITS)}")
    for place in (folder, data, data.parent):
        if (place / _LIST).is_file():
            return (place / _LIST).read_text(errors="replace").split()
    raise SettingError(f"there is no {_LIST} in {folder}, which says what is in which split")

"""Opening a set of pairs by what names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from phosphene.errors import FlowError, SettingError, nearest
from phosphene.motion.dataset.file_pairs import FilePairs
from phosphene.motion.dataset.layouts import Listing, Options, chairs, kitti, sintel, videos, worlds
from phosphene.motion.dataset.pair_sets import PairSet
from phosphene.motion.dataset.sharded import ShardedPairs
from phosphene.motion.estimators import DEFAULT, Estimator
from phosphene.motion.shards import shards_of


class _Layout(NamedTuple):
    fits: Callable[[Path], bool]
    listed: Callable[[Path, Options], Listing]
    takes: tuple[str, ...]


# In the order they are tried in, the plainest last.
_LAYOUTS = {
    "youtube-objects": _Layout(videos.fits_youtube, videos.listed_youtube, ("split", "gap")),
    "hd1k": _Layout(kitti.fits_hd1k, kitti.listed_hd1k, ("flow",)),
    "kitti": _Layout(kitti.fits, kitti.listed, ("frames", "flow")),
    "worlds": _Layout(worlds.fits, worlds.listed, ("split", "flow", "labels")),
    "sintel": _Layout(sintel.fits, sintel.listed, ("split", "frames", "flow")),
    "chairs": _Layout(chairs.fits, chairs.listed, ("split",)),
    "davis": _Layout(videos.fits_davis, videos.listed_davis, ("split", "gap")),
    "frames": _Layout(videos.fits_frames, videos.listed_frames, ("gap",)),
}
LAYOUTS = ("shards", *_LAYOUTS)
_OPTION = re.compile(r",(split|frames|flow|gap|labels)=([^,=]*)$")

Source = str | Path | Sequence[str | Path]


def open_pairs(
    source: Source,
    *,
    split: str = "",
    frames: str = "",
    flow: str = "",
    gap: int = 0,
    labels: str = "",
    estimator: str | Estimator = DEFAULT,
    second: bool = False,
) -> PairSet:
    """Open pairs of frame and flow.

    Nothing is read but lists of files and indices of shards; what is missing there is left out and
    stands in `PairSet.skipped`, a sentence each.

    Args:
        source: A folder of shards, shards themselves (`pairs-{000000..000099}.tar`, patterns,
            lists), or a data set's folder, whose layout is found out. `LAYOUT:FOLDER` names it:
            sintel, kitti, hd1k, chairs (FlyingChairs), youtube-objects, davis, worlds (what
            `phosphene worlds` writes), frames (any folder of folders of frames), shards. Options
            may follow: `sintel:FOLDER,split=test,frames=final`.
        split: Which share: "train" or "test" of Sintel (the thesis's 20 and 3 sequences), "train"
            or "val" of FlyingChairs and DAVIS, those of a world, a class of YouTube-Objects; all if
            empty.
        frames: Which rendering: Sintel's "clean" (default), "final" or "albedo"; KITTI's folder.
        flow: "occ" (default) or "noc": whether flow that goes out of sight counts (Sintel,
            KITTI, worlds).
        gap: Frames from one to the other in folders of frames; 5 for YouTube-Objects, else 1, if 0.
        labels: Of a world, "objects" (default) or "parts" (the faces of cubes).
        estimator: What estimates flow that no file has: a name, or an estimator itself.
        second: Whether pairs have their later frame as well.

    Raises:
        FlowError: There is nothing at that place, no layout fits, or no pair is whole.
        SettingError: There is no such layout, split or rendering; or an option does not apply.
    """
    options = Options(split, frames, flow, gap, labels)
    if gap < 0:
        raise SettingError(f"a gap of {gap} frames cannot be: give 1 or more")
    if not isinstance(source, str | Path):
        return _sharded(source, options, second)
    layout, place, options = _parsed(str(source), options)
    if layout == "shards" or (not layout and _are_shards(place)):
        return _sharded(place, options, second)
    folder = Path(place)
    if not folder.is_dir():
        raise FlowError(f"there is no folder {folder}: check the path")
    if not layout:
        layout = next((name for name, known in _LAYOUTS.items() if known.fits(folder)), "")
    if not layout:
        raise FlowError(
            f"{folder} is laid out like no set of pairs: it needs shards (.tar), the folders of "
            "Sintel, KITTI, HD1K, FlyingChairs, DAVIS or YouTube-Objects, or folders of frames"
        )
    given = [name for name, value in vars(options).items() if value]
    _expect(layout, given, _LAYOUTS[layout].takes)
    listing = _LAYOUTS[layout].listed(folder, options)
    skipped = listing.skipped()
    if not listing.files:
        why = f": {'; '.join(skipped)}" if skipped else ""
        raise FlowError(f"{folder} holds no pairs{why}")
    return FilePairs(listing.files, skipped, estimator, second)


def _parsed(source: str, options: Options) -> tuple[str, str, Options]:
    """Split `LAYOUT:FOLDER,option=value` up, unless something has just that name."""
    if Path(source).exists():
        return "", source, options
    while (found := _OPTION.search(source)) is not None:
        source, (name, value) = source[: found.start()], found.groups()
        if name == "gap":
            if not value.isdigit() or int(value) < 1:
                raise SettingError(f"a gap of {value!r} frames cannot be: give 1 or more")
            options = replace(options, gap=int(value))
        else:
            options = replace(options, **{str(name): value})  # type: ignore[arg-type]
    layout, colon, place = source.partition(":")
    if not colon or Path(source).exists():
        return "", source, options
    if layout in LAYOUTS:
        return layout, place, options
    if len(layout) == 1 or "/" in layout:  # a drive, or part of a path
        return "", source, options
    hint = nearest(layout, LAYOUTS) or f": take one of {', '.join(LAYOUTS)}"
    raise SettingError(f"there is no layout {layout!r}{hint}")


def _are_shards(place: str) -> bool:
    path = Path(place)
    if path.is_dir():
        return next(path.glob("*.tar"), None) is not None
    return path.is_file() or path.suffix == ".tar"


def _expect(layout: str, given: Sequence[str], takes: Sequence[str]) -> None:
    """Refuse options that would change nothing."""
    for name in given:
        if name not in takes:
            needed = f"it takes {' and '.join(takes)}" if takes else "leave it out"
            raise SettingError(f"{name} says nothing of {layout}: {needed}")


def _sharded(source: Source, options: Options, second: bool) -> ShardedPairs:
    _expect("shards", [name for name, value in vars(options).items() if value], ())
    return ShardedPairs(shards_of(source), second)

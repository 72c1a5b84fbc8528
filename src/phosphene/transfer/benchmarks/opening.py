"""Opening a benchmark by what names it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.transfer.benchmarks.comparison import overlap_note, same_classes
from phosphene.transfer.benchmarks.layouts import LAYOUTS, Kind, Options, layout_of
from phosphene.transfer.benchmarks.records import Boxed, Labelled, Sorted, Tagged

_KNOWN: dict[Kind, str] = {
    "sorted": "the class of each photograph",
    "tagged": "the classes present in each photograph",
    "boxed": "boxes around objects",
    "labelled": "the class of each pixel",
}
_OPTION = re.compile(r",(split|sbd|classes|index|photos)=([^,=]*)$")


@overload
def open_benchmark(source: str | Path, kind: Literal["sorted"]) -> Sorted: ...
@overload
def open_benchmark(source: str | Path, kind: Literal["tagged"]) -> Tagged: ...
@overload
def open_benchmark(source: str | Path, kind: Literal["boxed"]) -> Boxed: ...
@overload
def open_benchmark(source: str | Path, kind: Literal["labelled"]) -> Labelled: ...
def open_benchmark(source: str | Path, kind: Kind) -> Any:
    """Open one split of a data set.

    Lists and annotations are read, photographs and label maps when they are asked for. What a
    person should know (what is missing, left over, clipped) is in `notes`.

    Args:
        source: A data set's folder, whose layout is found out, or `LAYOUT:FOLDER`: voc07, voc12
            (PASCAL VOC), sbd, coco, imagenet, shards (tars of webdataset), caltech, folders (any
            folder per class). Options follow: `voc07:FOLDER,split=trainval`,
            `voc12:FOLDER,split=train_aug,sbd=FOLDER`, `shards:FOLDER,split=val,classes=FILE,
            index=FILE`, `coco:FOLDER,split=val2017,photos=FOLDER`.
        kind: What must be known: "sorted" (one class each), "tagged" (classes present), "boxed" or
            "labelled" (every pixel).

    Raises:
        SettingError: There is no such layout, split or option, or the layout does not know that.
        ImageError: Nothing is there, or a list or annotation is missing or damaged.
    """
    layout, place, options = _parsed(str(source), kind)
    return _opened(layout, place, options, kind)


@overload
def open_splits(source: str | Path, kind: Literal["sorted"]) -> tuple[Sorted, Sorted]: ...
@overload
def open_splits(source: str | Path, kind: Literal["tagged"]) -> tuple[Tagged, Tagged]: ...
@overload
def open_splits(source: str | Path, kind: Literal["boxed"]) -> tuple[Boxed, Boxed]: ...
@overload
def open_splits(source: str | Path, kind: Literal["labelled"]) -> tuple[Labelled, Labelled]: ...
def open_splits(source: str | Path, kind: Kind) -> tuple[Any, Any]:
    """Open the splits of a data set that are usually trained and tested with.

    They are trainval and test of VOC 2007; train (of labelled pixels train_aug, where that is) and
    val of VOC 2012; train2017 and val2017 of COCO; train and val of ImageNet and SBD; train, and
    test or else val, of any others.

    Args:
        source: As `open_benchmark` takes it, without a split.
        kind: As there.

    Returns:
        What to train and what to test with. Photographs that are in both are noted in the latter.

    Raises:
        SettingError: As `open_benchmark`; or a split was given, or there are none, or they differ
            in their classes.
        ImageError: As there.
    """
    layout, place, options = _parsed(str(source), kind)
    if options.split:
        raise SettingError(
            f"{source} names the split {options.split}: leave it out where both are opened"
        )
    if options.index:
        raise SettingError("an index is of one split: open both by themselves")
    train, test = LAYOUTS[layout].splits(place, kind, options)
    # SBD says something of the set to train with alone.
    plain = replace(options, sbd="")
    first = plain if train == "train" else options
    trained = _opened(layout, place, replace(first, split=train), kind)
    tested = _opened(layout, place, replace(plain, split=test), kind)
    same_classes(trained, tested)
    if note := overlap_note(trained, tested):
        tested.notes = (*tested.notes, note)
    return trained, tested


def _opened(layout: str, place: str, options: Options, kind: Kind) -> Any:
    known = LAYOUTS[layout]
    for name, value in vars(options).items():
        takes = (name in known.takes) and (name != "sbd" or kind == "labelled")
        if value and not takes:
            raise SettingError(
                f"{name} says nothing of {_KNOWN[kind]} in {layout}: it takes "
                f"{' and '.join(known.takes)}"
            )
    return known.readers[kind](place, options)


def _parsed(source: str, kind: Kind) -> tuple[str, str, Options]:
    """Split `LAYOUT:FOLDER,option=value` up, unless something has just that name."""
    options = Options()
    while not Path(source).exists() and (found := _OPTION.search(source)) is not None:
        source, name, value = source[: found.start()], found[1], found[2]
        options = replace(options, **{name: value})
    layout, colon, place = source.partition(":")
    # A drive, or part of a path, is no layout.
    if not colon or Path(source).exists() or len(layout) == 1 or "/" in layout:
        return _found_out(source, kind), source, options
    if layout not in LAYOUTS:
        hint = nearest(layout, LAYOUTS) or f": take one of {', '.join(LAYOUTS)}"
        raise SettingError(f"there is no layout {layout!r}{hint}")
    if kind not in LAYOUTS[layout].readers:
        able = [name for name, known in LAYOUTS.items() if kind in known.readers]
        raise SettingError(
            f"{layout} does not say {_KNOWN[kind]}, which is needed: {', '.join(able)} do"
        )
    return layout, place, options


def _found_out(place: str, kind: Kind) -> str:
    layout = layout_of(place, kind)
    if layout:
        return layout
    if not Path(place).exists():
        raise ImageError(f"there is no folder {place}: check the path")
    able = [name for name, known in LAYOUTS.items() if kind in known.readers]
    raise ImageError(
        f"{place} is laid out like none of {', '.join(able)}, which say {_KNOWN[kind]}"
    )

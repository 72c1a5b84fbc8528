"""Boxes by selective search: segments of a photograph, merged with their likest neighbors.

Every segment on the way from the smallest to the whole gives a box.

Reference:
    J. Uijlings, K. van de Sande, T. Gevers and A. Smeulders, *Selective Search for Object
    Recognition*, IJCV 2013; as OpenCV's contributed modules have it. Girshick's published boxes are
    of the authors' own code in its fast mode, about 2000 a photograph, which OpenCV's resemble and
    do not repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.interruption import interruptible
from phosphene.training.made import in_turn
from phosphene.transfer.benchmarks.records import Photographs
from phosphene.transfer.detection.proposals.reading import read_proposals
from phosphene.transfer.detection.proposals.record import Proposals

Mode = Literal["fast", "quality"]
MODES: tuple[str, ...] = get_args(Mode)
_SECONDS = 60.0

Tick = Callable[[int, int, str], None]


class _Search(Protocol):
    def __call__(self, image: Image.Image) -> NDArray[np.float64]:
        """Return the boxes of a photograph."""


def selective_search(image: Image.Image, mode: Mode = "fast") -> NDArray[np.float64]:
    """Propose boxes for a photograph.

    Args:
        image: RGB.
        mode: `"fast"` or `"quality"`, which takes several times as long and proposes more.

    Returns:
        (n, 4): left, top, right, bottom, in an order that hangs on nothing but the boxes.

    Raises:
        SettingError: OpenCV's contributed modules are not installed, or there is no such mode.
    """
    if mode not in MODES:
        raise SettingError(f"selective search has no mode {mode!r}: take {' or '.join(MODES)}")
    try:
        import cv2

        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    except (ImportError, AttributeError) as error:
        raise SettingError(
            "selective search needs OpenCV's contributed modules: `pip install "
            "phosphene[motion]`, or give a file of boxes"
        ) from error
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
    search.setBaseImage(pixels)
    if mode == "fast":
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    # Its order is partly drawn by C's own generator, which belongs to nobody.
    found = np.array(search.process(), np.float64).reshape(-1, 4)
    boxes: NDArray[np.float64] = np.unique(
        np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1), axis=0
    )
    return boxes


def searched(
    photographs: Photographs,
    mode: Mode = "fast",
    cache: str | Path | None = None,
    *,
    loaders: int = 0,
    tick: Tick | None = None,
    search: _Search | None = None,
) -> Proposals:
    """Propose boxes for all photographs of a set.

    What a file has already is taken from there, and what is found is written to it once a minute,
    at the end, and when this is interrupted.

    Args:
        photographs: The set.
        mode: See `selective_search`.
        cache: A `.npz` file that boxes are kept in; nowhere if `None`.
        loaders: Processes that search; 0 for none but this one.
        tick: Called with the photographs done and their number.
        search: Another search, in place of selective search.

    Raises:
        SettingError: As `selective_search`.
        ImageError: A photograph cannot be read.
        FormatError: The file cannot be read.
        OutputError: It cannot be written.
        KeyboardInterrupt: It was interrupted; what was found is in the file.
    """
    place = None if cache is None else Path(cache)
    names = [photographs.name(index) for index in range(len(photographs))]
    found: dict[str, NDArray[np.float64]] = {}
    if place is not None and place.exists():
        before = read_proposals(place)
        found = {name: before.of(name) for name in names if name in before}
    open_ = [index for index, name in enumerate(names) if name not in found]
    how = search or partial(selective_search, mode=mode)
    last = time.monotonic()
    with interruptible() as asked:
        parts = in_turn(len(open_), _One(photographs, open_, how), loaders)
        for done, (index, boxes) in enumerate(parts, 1):
            found[names[index]] = boxes
            if tick is not None:
                tick(len(names) - len(open_) + done, len(names), "proposals")
            stopped = asked() and done < len(open_)
            late = time.monotonic() - last > _SECONDS
            if place is not None and (stopped or late or done == len(open_)):
                Proposals(found).save(place)
                last = time.monotonic()
            if stopped:
                raise KeyboardInterrupt
    return Proposals(found)


class _One:
    """Searches one photograph, here or in another process."""

    def __init__(self, photographs: Photographs, open_: list[int], search: Any) -> None:
        self._photographs, self._open, self._search = photographs, open_, search

    def __call__(self, turn: int) -> tuple[int, NDArray[np.float64]]:
        index = self._open[turn]
        return index, self._search(self._photographs.image(index))

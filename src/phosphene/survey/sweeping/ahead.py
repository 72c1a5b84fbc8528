"""Reading ahead: images are decoded by threads while the network is at work on others.

Pillow lets other threads run while it decodes and resizes. How many images wait is bounded, so
that memory does not hang on how many there are, nor on which of the two is faster.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from phosphene.core.preprocessing import Frame, Preprocessing
from phosphene.errors import ImageError
from phosphene.image import as_photograph
from phosphene.survey.images import Entry, ImageSet, key

Pixels = NDArray[np.uint8]
Fitted = tuple[Pixels, Frame]
_Event = tuple[int, Entry | None, "Future[Fitted | ImageError] | None", ImageError | None]


@dataclass
class Group:
    """Images of one size and one part, ready to go through the network together.

    Attributes:
        part: The part's number.
        keys: What each is known by.
        names: What each is called.
        pixels: (h, w, 3) each, RGB.
        frames: Which part of each photograph that is.
        failed: Images of the part in front of the last of these that could not be read, and why.
        end: The first image of the part that does not belong here.
        last: Whether the part ends here.
    """

    part: int
    keys: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    pixels: list[Pixels] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    end: int = 0
    last: bool = False

    def add(self, entry: Entry, fitted: Fitted) -> None:
        """Take in an image."""
        self.keys.append(key(self.part, entry.index))
        self.names.append(entry.name)
        self.pixels.append(fitted[0])
        self.frames.append(fitted[1])


@contextmanager
def groups(
    images: ImageSet,
    shares: Iterable[tuple[int, int]],
    preprocessing: Preprocessing,
    batch: int,
    whole: bool = False,
    threads: int | None = None,
) -> Iterator[Iterator[Group]]:
    """Read images ahead, in groups of at most `batch`.

    A group ends where the next image has another size, and where its part ends: what is in it does
    not depend on how parts are shared out.

    Args:
        images: The image set.
        shares: Parts by number, and the first image wanted of each.
        preprocessing: How the network wants them.
        batch: How many at a time.
        whole: Not cropped.
        threads: How many decode; as many as there are processors, and at most 8, by default.

    Yields:
        The groups, in order.
    """
    threads = threads or min(8, len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1)
    events: queue.Queue[_Event | None] = queue.Queue(2 * batch + threads)
    stopped = threading.Event()

    def fitted(read: Callable[[], Image]) -> Fitted | ImageError:
        try:
            if stopped.is_set():
                raise ImageError("stopped")
            image, frame = preprocessing.fit(as_photograph(read()), whole)
            return np.asarray(image.convert("RGB"), dtype=np.uint8), frame
        except ImageError as error:
            return error

    def put(event: _Event | None) -> bool:
        while not stopped.is_set():
            try:
                events.put(event, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def feed() -> None:
        for part, start in shares:
            trouble = None
            try:
                for entry in images.parts[part].images(start):
                    if not put((part, entry, pool.submit(fitted, entry.read), None)):
                        return
            except ImageError as error:
                trouble = error
            except Exception as error:  # a fault of ours must not leave the other side waiting
                faults.append(error)
                break
            if not put((part, None, None, trouble)):
                return
        put(None)

    faults: list[Exception] = []
    with ThreadPoolExecutor(threads, "decoding") as pool:
        feeder = threading.Thread(target=feed, name="reading ahead", daemon=True)
        feeder.start()
        try:
            yield _grouped(images, iter(events.get, None), batch, faults)
        finally:
            stopped.set()
            feeder.join()


def _grouped(
    images: ImageSet, events: Iterator[_Event], batch: int, faults: list[Exception]
) -> Iterator[Group]:
    group: Group | None = None
    unread: dict[str, str] = {}
    for part, entry, future, trouble in events:
        group = group or Group(part)
        if entry is None or future is None:
            if trouble is not None:
                unread[images.parts[part].name] = str(trouble)
            group.failed.update(unread)
            group.last = True
            yield group
            group, unread = None, {}
            continue
        found = future.result()
        if isinstance(found, ImageError):
            # It belongs to the group of the next image that can be read, wherever that goes.
            unread[entry.name] = str(found)
            continue
        full = len(group.pixels) == batch
        if group.pixels and (full or group.pixels[0].shape != found[0].shape):
            yield group
            group = Group(part)
        group.failed.update(unread)
        unread = {}
        group.add(entry, found)
        group.end = entry.index + 1
    if faults:
        raise faults[0]


_LINUX = hasattr(os, "sched_getaffinity")

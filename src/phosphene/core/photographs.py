"""Photographs made ready for a network, one at a time and in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.preprocessing import Frame
from phosphene.errors import ImageError
from phosphene.image import name_of

OnError = Callable[[Any, ImageError], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photograph as the network is fed it.

    Attributes:
        name: What to call it: its file's name, or its number.
        image: (1, c, h, w) RGB in [0, 1].
        frame: Which part of the photograph that is.
    """

    name: str
    image: Tensor
    frame: Frame


def several(photo: Any) -> list[Any]:
    """Return the photographs in a list, a tuple or a tensor (b, c, h, w), or the only one."""
    if isinstance(photo, Tensor):
        return list(photo) if photo.dim() == 4 else [photo]
    return list(photo) if isinstance(photo, list | tuple) else [photo]


def prepared(
    net: Network, photos: Iterable[Any], whole: bool = False, on_error: OnError | None = None
) -> Iterator[Prepared]:
    """Prepare photographs one at a time.

    Args:
        net: The network.
        photos: Photographs as for `Network.prepare`.
        whole: Not cropped.
        on_error: Takes a photograph that cannot be read, and the error; without it the error is
            raised.
    """
    for count, photo in enumerate(photos):
        try:
            yield Prepared(name_of(photo, f"image {count}"), *net.prepare(photo, whole))
        except ImageError as error:
            if on_error is None:
                raise
            on_error(photo, error)


def of_one_size(net: Network, ready: Iterable[Prepared]) -> tuple[int, int]:
    """Return the (h, w) of photographs that are found together.

    Raises:
        ImageError: They are of several sizes, or there are none.
    """
    sizes = {(int(p.image.shape[2]), int(p.image.shape[3])) for p in ready}
    if len(sizes) != 1:
        listed = ", ".join(f"{h}x{w}" for h, w in sorted(sizes)) or "none"
        raise ImageError(
            f"photographs of one size are needed, as {net.name} sees them as they are, and there "
            f"are {listed}: invert them one at a time, or crop them alike"
        )
    return sizes.pop()


def batches(ready: Iterable[Prepared], most: int) -> Iterator[list[Prepared]]:
    """Collect photographs of one size, as they come, into batches of at most `most`."""
    waiting: list[Prepared] = []
    for photo in ready:
        if waiting and photo.image.shape != waiting[0].image.shape:
            yield waiting
            waiting = []
        waiting.append(photo)
        if len(waiting) == most:
            yield waiting
            waiting = []
    if waiting:
        yield waiting

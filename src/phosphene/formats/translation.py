"""A layer of any format in the words of PyTorch, and what layers of all formats check alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from phosphene.errors import FormatError

Size = tuple[int, int, int]
"""Channels, height and width of a map."""

Error = Callable[[str], FormatError]
"""Makes the error that names a layer and its place in the file."""


@dataclass(frozen=True, eq=False)
class Translation:
    """A layer in the words of PyTorch.

    Attributes:
        kind: The module, one of `layers.KINDS`.
        options: Its arguments.
        sizes: Of the maps that it writes.
        blobs: Its weights by their names in the module.
    """

    kind: str
    options: dict[str, Any]
    sizes: tuple[Size, ...]
    blobs: dict[str, NDArray[Any]] = field(default_factory=dict)


def joined(sizes: Sequence[Size], axis: int, error: Error) -> Translation:
    """Translate the joining of maps along an axis of (b, c, h, w)."""
    at = axis - 1
    if len({size[:at] + size[at + 1 :] for size in sizes}) > 1:
        raise error(f"joins maps that do not fit each other: {_listed(sizes)}")
    size = list(sizes[0])
    size[at] = sum(each[at] for each in sizes)
    return Translation("Concat", {"dim": axis}, ((size[0], size[1], size[2]),))


def alike(sizes: Sequence[Size], does: str, error: Error) -> Size:
    """Return the size that all maps have, of a layer that `does` something with them."""
    if len(set(sizes)) > 1:
        raise error(f"{does} maps of different sizes: {_listed(sizes)}")
    return sizes[0]


def cropped(sizes: Sequence[Size], corner: tuple[int, int], error: Error) -> Translation:
    """Translate the cropping of one map to the height and width of another."""
    size = (sizes[0][0], *sizes[1][1:])
    if any(o + n > m for o, n, m in zip(corner, size[1:], sizes[0][1:], strict=True)):
        raise error(f"crops {_listed(sizes[1:])} at {corner} out of {_listed(sizes[:1])}")
    return Translation("Crop", {"offset": corner}, (size,))


def _listed(sizes: Sequence[Size]) -> str:
    return ", ".join("x".join(map(str, size)) for size in sizes)

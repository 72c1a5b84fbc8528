"""Folders of frames."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phosphene.errors import ImageError
from phosphene.image import SUFFIXES, as_photograph
from phosphene.motion.video.cuts import glance
from phosphene.motion.video.source import Frame, Pixels, scaled_size

_ORIENTATION = 0x0112
_END = b"\xff\xd9"
_DIGITS = re.compile(r"(\d+)")


def naturally(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return what names are sorted by for 9 to come before 10.

    >>> sorted(["f10.png", "f9.png", "f009.png", "g.png"], key=naturally)
    ['f009.png', 'f9.png', 'f10.png', 'g.png']
    """
    parts = _DIGITS.split(name)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)], name


class Folder:
    """The images of a folder, as the frames of a video.

    Attributes:
        name: What to call it.
        trouble: What has turned out to be wrong with it; empty for nothing.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name, self.trouble = name, ""
        self._path = path
        self._bad: dict[int, str] = {}

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._names)

    @cached_property
    def _names(self) -> list[str]:
        try:
            with os.scandir(self._path) as found:
                names = [
                    entry.name
                    for entry in found
                    if os.path.splitext(entry.name)[1].lower() in SUFFIXES
                    and not entry.name.startswith(".")
                ]
        except OSError as error:
            raise ImageError(f"the folder {self._path} cannot be read: {error.strerror}") from None
        return sorted(names, key=naturally)

    def frames(self, numbers: Sequence[int], short_side: int | None = None) -> Iterator[Frame]:
        """Read frames; see `Video`."""
        for number in numbers:
            try:
                content = (self._path / self._names[number]).read_bytes()
                yield _frame(number, content, short_side)
            except Exception as error:  # what a damaged file makes a decoder raise can be anything
                self._note(number, error)

    def glances(self, numbers: Sequence[int]) -> Iterator[Pixels]:
        """Read frames at a glance; see `Video`."""
        return (glance(frame.pixels) for frame in self.frames(numbers))

    def _note(self, number: int, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[:1]
        why = reason if isinstance(reason, str) else "".join(reason)
        # Pillow names the bytes it was given by their address.
        why = "it is no image" if "BytesIO" in why else why
        self._bad[number] = f"{self._names[number]} cannot be read ({why})"
        many = len(self._bad)
        first = self._bad[min(self._bad)]
        self.trouble = first if many == 1 else f"{many} frames cannot be read, as {first}"


def _frame(number: int, content: bytes, short_side: int | None) -> Frame:
    with Image.open(io.BytesIO(content)) as image:
        plain = _plain(image)
        # Turned by EXIF, its sides change places; the shorter one is the same.
        size = scaled_size((image.height, image.width), short_side)
        original = (image.height, image.width)
        if plain and size == original and (pixels := _decoded(content, original)) is not None:
            return Frame(number, pixels, original, content=content)
        if plain and size != original:
            # libjpeg scales by eighths while it decodes: to twice the size wanted at least.
            image.draft("RGB", (2 * size[1], 2 * size[0]))
        photograph = image if plain else as_photograph(image)
        pixels = np.asarray(photograph)
    if not plain:
        original = pixels.shape[:2]
        size = scaled_size(original, short_side)
    return Frame(number, shrunk(pixels, size), original)


def _decoded(content: bytes, size: tuple[int, int]) -> Pixels | None:
    """Decode a JPEG by OpenCV, in half of Pillow's time; `None` where it seems damaged."""
    if _END not in content[-64:]:  # OpenCV makes up what is missing
        return None
    import cv2

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    whole = pixels is not None and pixels.shape == (*size, 3)
    return np.asarray(pixels, np.uint8) if whole else None


def _plain(image: Image.Image) -> bool:
    """Tell a JPEG whose pixels are what is to be seen: upright, RGB, without a profile."""
    if image.format != "JPEG" or image.mode != "RGB" or "icc_profile" in image.info:
        return False
    return bool(image.getexif().get(_ORIENTATION, 1) == 1)


def shrunk(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale pixels down to (h, w) by averaging over areas."""
    if pixels.shape[:2] == size:
        return pixels
    import cv2

    small: Any = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)

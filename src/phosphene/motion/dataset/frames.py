"""Frames from files and from what files hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene import image
from phosphene.errors import ImageError, first_line
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.pair import Pixels

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def read_frame(path: str | Path) -> Pixels:
    """Read a frame from a file, (h, w, 3) 8-bit RGB; see `phosphene.image.read`.

    Raises:
        ImageError: It cannot be read.
    """
    return np.asarray(image.read(path))


def decoded(content: bytes, name: str) -> Pixels:
    """Decode a frame of a shard, (h, w, 3) 8-bit RGB.

    JPEGs go through OpenCV, which takes half the time of Pillow for the same pixels. Of one that
    was cut short it gives what there is, the rest grey: so the end is looked for.

    Args:
        content: The whole file.
        name: What to call it in errors.

    Raises:
        ImageError: It is damaged, or no image.
    """
    if content.startswith(_JPEG):
        import cv2

        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        whole = _JPEG_END in content[-64:]
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if whole else None
        if pixels is None:
            raise ImageError(f"the frame of {name} is damaged or cut short: build its shard again")
        return np.asarray(pixels, np.uint8)
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return np.asarray(image.to_rgb(opened))
    except Exception as error:  # what damaged bytes make a decoder raise can be anything
        raise ImageError(f"the frame of {name} cannot be read ({first_line(error)})") from None


def read_labels(path: str | Path) -> Labels:
    """Read labels from an image: indices of a palette, or shades of grey.

    A mask of black and white has 1 where it is white; colours are numbered in order.

    Returns:
        (h, w) int32, 0 the ground.

    Raises:
        ImageError: It cannot be read.
    """
    try:
        with Image.open(path) as opened:
            given, mode = np.asarray(opened), opened.mode
    except Exception as error:
        raise ImageError(f"the labels {path} cannot be read ({first_line(error)})") from None
    if given.ndim == 3:  # the alpha says nothing of what is seen
        deep = given[:, :, :3].astype(np.int32)
        given = deep[:, :, 0] << 16 | deep[:, :, 1] << 8 | deep[:, :, 2]
        numbered: Labels = np.unique(given, return_inverse=True)[1].astype(np.int32)
        return numbered.reshape(given.shape)
    if mode == "L" and set(np.unique(given)) == {0, 255}:
        return (given > 0).astype(np.int32)
    return given.astype(np.int32)

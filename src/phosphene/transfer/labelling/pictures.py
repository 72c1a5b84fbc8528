"""Pictures of labelled photographs, in the colors of PASCAL VOC."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.transfer.benchmarks.records import UNKNOWN

_COVER = 0.65


def palette() -> NDArray[np.uint8]:
    """Return the colors of VOC's label files, (256, 3): bits of a label, spread over channels.

    The three lowest bits are the highest of red, green and blue, the next three the next, and so
    on. 0 is black, 255 a pale beige.

    >>> palette()[[1, 15, 255]].tolist()
    [[128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    labels = np.arange(256)
    colors = np.zeros((256, 3), np.int64)
    for level in range(8):
        for channel in range(3):
            colors[:, channel] |= ((labels >> (3 * level + channel)) & 1) << (7 - level)
    return colors.astype(np.uint8)


def drawn(photograph: Image.Image, labels: NDArray[Any]) -> Image.Image:
    """Lay labels, (h, w), over a gray photograph; the ground stays gray."""
    gray = np.array(photograph.convert("L").convert("RGB")).astype(np.float64)
    cover = np.where(labels == 0, 0.0, _COVER)[:, :, None]
    mixed = gray * (1 - cover) + palette()[labels] * cover
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def own_iou(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the mean IoU of a single photograph, over the classes that are there or were found."""
    from phosphene.transfer.scores.mean_iou import Confusion

    known = truth[truth != UNKNOWN]
    counted = Confusion(1 + int(max(known.max(initial=0), found.max(initial=0))))
    counted.add(truth, found)
    return counted.mean

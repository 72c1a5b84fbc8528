"""Object and background told apart by colour, cutting and learning in turns.

After each cut the colour models are learned again from what was cut out, until a few rounds have
passed (Rother, Kolmogorov & Blake, "GrabCut", 2004). It is OpenCV's, with 8 neighbours, 5 + 5
Gaussians fitted by k-means and a contrast term of 50; the trimap says what is object and what is
background to begin with. What is unknown counts as background there, and is free to change.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.segmentation.trimap import (
    FOREGROUND,
    SURE_BACKGROUND,
    SURE_FOREGROUND,
    Trimap,
)

ROUNDS = 5
# OpenCV starts k-means with five centres on either side.
_LEAST = 5


def grab_cut(image: NDArray[np.float32], known: Trimap, rounds: int = ROUNDS) -> NDArray[np.bool_]:
    """Cut an object out of an image, learning its colours anew after each cut.

    Args:
        image: (h, w, 3) RGB in [0, 1].
        known: What the map says about its pixels.
        rounds: How often it is cut; 1 at least.

    Returns:
        (h, w), True for object; nowhere if the trimap holds no object. A side of fewer than five
        pixels is too small to learn from, and the trimap's object comes back as it is.

    Raises:
        SettingError: OpenCV is not installed, or there is no round.
    """
    if rounds < 1:
        raise SettingError(f"GrabCut of {rounds} rounds cuts nothing: give 1 at least")
    try:
        import cv2
    except ImportError as error:
        raise SettingError(
            "engine='grab-cut' needs the package OpenCV, which is not installed: "
            "pip install 'phosphene[segmentation]', or choose engine='threshold'"
        ) from error
    inside = known.foreground
    if known.empty or min(int(inside.sum()), int((~inside).sum())) < _LEAST:
        return inside
    labels = np.full(known.levels.shape, cv2.GC_PR_BGD, np.uint8)
    labels[known.levels == FOREGROUND] = cv2.GC_PR_FGD
    labels[known.levels == SURE_FOREGROUND] = cv2.GC_FGD
    labels[known.levels == SURE_BACKGROUND] = cv2.GC_BGD
    pixels = np.rint(image * 255).astype(np.uint8)
    # Its k-means draws from OpenCV's generator, which every thread has for itself: in a thread of
    # its own the result is always the same, and the caller's generator is left alone.
    failed: list[BaseException] = []
    bgr = np.ascontiguousarray(pixels[..., ::-1])

    def cut() -> None:
        try:
            cv2.setRNGSeed(0)
            one, other = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.grabCut(bgr, labels, (0, 0, 1, 1), one, other, rounds, cv2.GC_INIT_WITH_MASK)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=cut)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    found: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found

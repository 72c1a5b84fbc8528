"""Dense SIFT written out pixel by pixel: VLFeat's with both windows, and the authors' network.

In double precision, but for the bits of the quick root's first guess, which are those of single
precision; the two steps of Newton's method behind it leave 1e-10 of the difference.
"""

from __future__ import annotations

import math
import struct

import numpy as np

EPSILON = 2.0**-23


def quick_root(x: float) -> float:
    """VLFeat's square root."""
    if x < 1e-8:
        return 0.0
    (bits,) = struct.unpack("<i", struct.pack("<f", x))
    (guess,) = struct.unpack("<f", struct.pack("<i", 0x5F3759DF - (bits >> 1)))
    for _ in range(2):
        guess = guess * (1.5 - 0.5 * x * guess * guess)
    return x * guess


def quick_angle(gy: float, gx: float) -> float:
    """VLFeat's arc tangent of two arguments."""
    above = abs(gy) + EPSILON
    if gx >= 0:
        r, angle = (gx - above) / (gx + above), math.pi / 4
    else:
        r, angle = (gx + above) / (above - gx), 3 * math.pi / 4
    angle += (0.1821 * r * r - 0.9675) * r
    return -angle if gy < 0 else angle


def vlfeat_votes(image: np.ndarray) -> np.ndarray:
    """(h, w) image to (h, w, 8): what every pixel gives to the eight orientations."""
    height, width = image.shape
    votes = np.zeros((height, width, 8))
    for y in range(height):
        for x in range(width):
            west, east = max(x - 1, 0), min(x + 1, width - 1)
            north, south = max(y - 1, 0), min(y + 1, height - 1)
            # One-sided differences are not halved: their neighbours are one pixel apart.
            gx = (float(image[y, east]) - float(image[y, west])) / (east - west)
            gy = (float(image[south, x]) - float(image[north, x])) / (south - north)
            length = quick_root(gx * gx + gy * gy)
            angle = quick_angle(gy, gx)
            if angle < 0:
                angle += float(np.float32(2 * math.pi))
            place = angle * 8 / (2 * math.pi)
            below = math.floor(place)
            votes[y, x, below % 8] += (1 - (place - below)) * length
            votes[y, x, (below + 1) % 8] += (place - below) * length
    return votes


def tap(u: int, index: int, bin: int, size: float, window: str) -> float:
    """The weight of the pixel `u` beside the centre of the bin `index`, along one axis."""
    triangle = 1 - abs(u) / bin
    centre, sigma = bin * (index - 1.5), bin * size
    if window == "gaussian":
        return triangle * math.exp(-0.5 * ((u + centre) / sigma) ** 2)
    values = [math.exp(-0.5 * ((v - centre) / sigma) ** 2) for v in range(1 - bin, bin)]
    return triangle * sum(values) / len(values)


def corners(
    height: int, width: int, bin: int, step: int, bounds: tuple[int, int, int, int] | None
) -> tuple[list[int], list[int]]:
    """Rows and columns of the frames' first bins."""
    left, top, right, bottom = bounds or (0, 0, width - 1, height - 1)
    rows, columns = [], []
    while top <= bottom - 3 * bin:
        rows.append(top)
        top += step
    while left <= right - 3 * bin:
        columns.append(left)
        left += step
    return rows, columns


def vlfeat_raw(
    image: np.ndarray,
    bin: int = 8,
    step: int = 8,
    window: str = "gaussian",
    size: float = 2.0,
    bounds: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
    """(h, w) image to (128, rows, columns) histograms that are not yet normalized."""
    height, width = image.shape
    votes = vlfeat_votes(image)
    rows, columns = corners(height, width, bin, step, bounds)
    found = np.zeros((4, 4, 8, len(rows), len(columns)))
    for row, top in enumerate(rows):
        for column, left in enumerate(columns):
            for by in range(4):
                for bx in range(4):
                    for v in range(1 - bin, bin):
                        for u in range(1 - bin, bin):
                            # Beyond the border the outermost votes go on.
                            y = min(max(top + by * bin + v, 0), height - 1)
                            x = min(max(left + bx * bin + u, 0), width - 1)
                            weight = tap(v, by, bin, size, window) * tap(u, bx, bin, size, window)
                            found[by, bx, :, row, column] += weight * votes[y, x]
    return found.reshape(128, len(rows), len(columns))


def vlfeat_normalized(raw: np.ndarray) -> np.ndarray:
    """Normalize, clip, and normalize again."""
    found = raw.copy()
    for row in range(raw.shape[1]):
        for column in range(raw.shape[2]):
            values = raw[:, row, column]
            values = values / (quick_root(float((values**2).sum())) + EPSILON)
            values = np.minimum(values, 0.2)
            values = values / (quick_root(float((values**2).sum())) + EPSILON)
            found[:, row, column] = values
    return found


def network_dsift(image: np.ndarray, bin: int = 8) -> np.ndarray:
    """(h, w) image to (128, rows, columns), as `dsift_net` computes it."""
    height, width = image.shape[0] - 2, image.shape[1] - 2
    votes = np.zeros((8, height, width))
    for y in range(height):
        for x in range(width):
            gx = (float(image[y + 1, x + 2]) - float(image[y + 1, x])) / 2
            gy = (float(image[y + 2, x + 1]) - float(image[y, x + 1])) / 2
            length = math.hypot(gx, gy)
            for k in range(8):
                score = gx * math.cos(k * math.pi / 4) + gy * math.sin(k * math.pi / 4)
                cosine = min(1.0, max(-1.0, score / max(length, 1e-10)))
                votes[k, y, x] = length * max(0.0, 1 - 4 / math.pi * math.acos(cosine))
    taps = [min(2 * t + 1, 4 * bin - 2 * t - 1) / (2 * bin) for t in range(2 * bin)]
    rows, columns = (height - 2 * bin) // bin + 1, (width - 2 * bin) // bin + 1
    cells = np.zeros((8, rows, columns))
    for row in range(rows):
        for column in range(columns):
            for i, down in enumerate(taps):
                for j, across in enumerate(taps):
                    cells[:, row, column] += (
                        down * across * votes[:, row * bin + i, column * bin + j]
                    )
    found = np.zeros((128, (rows - 4) // 3 + 1, (columns - 4) // 3 + 1))
    for row in range(found.shape[1]):
        for column in range(found.shape[2]):
            for i in range(4):
                for j in range(4):
                    weight = math.exp(-((i - 1.5) ** 2 + (j - 1.5) ** 2) / (2 * 1.5**2))
                    for o in range(8):
                        given = weight * cells[o, 3 * row + i, 3 * column + j]
                        found[o + 8 * j + 32 * i, row, column] = given
            values = found[:, row, column]
            found[:, row, column] = np.minimum(values / math.sqrt(1e-6 + (values**2).sum()), 0.2)
    return found

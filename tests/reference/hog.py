"""HOG written out pixel by pixel: VLFeat's two variants, and the authors' network.

Everything runs in Python's double precision, but for what VLFeat's result hangs on: directions are
rounded to single precision, and the places of pixels among cells.
"""

from __future__ import annotations

import math

import numpy as np


def directions(orientations: int) -> list[tuple[float, float]]:
    """The unit vectors of the undirected bins."""
    angles = [k * math.pi / orientations for k in range(orientations)]
    return [(float(np.float32(math.cos(a))), float(np.float32(math.sin(a)))) for a in angles]


def shares(gx: float, gy: float, orientations: int, binning: str) -> dict[int, float]:
    """What a gradient gives to which directed bins."""
    length = math.hypot(gx, gy)
    if length == 0:
        return {}
    if binning == "relu":
        # max(0, <g, u> - a |g|) / (1 - a) of every directed bin, a the cosine of their distance
        a = math.cos(math.pi / orientations)
        given = {}
        for k in range(2 * orientations):
            angle = k * math.pi / orientations
            score = gx * math.cos(angle) + gy * math.sin(angle)
            given[k] = max(0.0, score - a * length) / (1 - a)
        return given
    scores = [gx * ux + gy * uy for ux, uy in directions(orientations)]
    # Python's max and sorted keep the first of equals.
    order = sorted(range(orientations), key=lambda k: -abs(scores[k]))
    bins = [k if scores[k] >= 0 else k + orientations for k in order[:2]]
    if binning == "hard":
        return {bins[0]: length}
    # Of the cosine |score| / |g| the angle is not well known near 0; of the angles it is.
    middle = bins[0] * math.pi / orientations
    theta = abs(math.remainder(math.atan2(gy, gx) - middle, 2 * math.pi))
    second = theta * orientations / math.pi
    return {bins[0]: length * (1 - second), bins[1]: length * second}


def vlfeat_gradient(image: np.ndarray, y: int, x: int) -> tuple[float, float]:
    """The steepest channel's plain differences; of equal ones the first channel's."""
    best, steepest = 0.0, (0.0, 0.0)
    for channel in image:
        gx = float(channel[y, x + 1]) - float(channel[y, x - 1])
        gy = float(channel[y + 1, x]) - float(channel[y - 1, x])
        if gx * gx + gy * gy > best:
            best, steepest = gx * gx + gy * gy, (gx, gy)
    return steepest


def place(pixel: int, cell: int) -> tuple[int, float]:
    """The cell below a pixel, and how far beyond its centre the pixel lies, in cells."""
    at = float(np.float32((pixel + 0.5) / cell - 0.5))
    return math.floor(at), at - math.floor(at)


def vlfeat_cells(image: np.ndarray, cell: int, orientations: int, binning: str) -> np.ndarray:
    """(c, h, w) image to (2 n, rows, columns) directed histograms."""
    _, height, width = image.shape
    rows, columns = (height + cell // 2) // cell, (width + cell // 2) // cell
    cells = np.zeros((2 * orientations, rows, columns))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            gx, gy = vlfeat_gradient(image, y, x)
            (row, down), (column, across) = place(y, cell), place(x, cell)
            for k, given in shares(gx, gy, orientations, binning).items():
                for r, wr in ((row, 1 - down), (row + 1, down)):
                    for c, wc in ((column, 1 - across), (column + 1, across)):
                        if 0 <= r < rows and 0 <= c < columns:
                            cells[k, r, c] += given * wr * wc
    return cells


def vlfeat_hog(
    image: np.ndarray,
    cell: int = 8,
    orientations: int = 9,
    variant: str = "uoctti",
    binning: str = "hard",
) -> np.ndarray:
    """(c, h, w) image to (3 n + 4 or 4 n, rows, columns)."""
    n = orientations
    directed = vlfeat_cells(image, cell, n, binning)
    undirected = directed[:n] + directed[n:]
    _, rows, columns = directed.shape
    energy = (undirected**2).sum(0)
    found = np.zeros((3 * n + 4 if variant == "uoctti" else 4 * n, rows, columns))

    def energy_at(y: int, x: int) -> float:
        return float(energy[min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)])

    for y in range(rows):
        for x in range(columns):
            # upper left, upper right, lower left, lower right
            for q, (dy, dx) in enumerate(((-1, -1), (-1, 0), (0, -1), (0, 0))):
                block = sum(energy_at(y + dy + i, x + dx + j) for i in (0, 1) for j in (0, 1))
                factor = 1 / math.sqrt(block + 1e-4)
                for k in range(2 * n):
                    share = min(0.2, factor * directed[k, y, x])
                    if variant == "uoctti":
                        found[k, y, x] += 0.5 * share
                for k in range(n):
                    share = min(0.2, factor * undirected[k, y, x])
                    if variant == "uoctti":
                        found[2 * n + k, y, x] += 0.5 * share
                        found[3 * n + q, y, x] += share / math.sqrt(18)
                    else:
                        found[q * n + k, y, x] = share
    return found


def network_hog(image: np.ndarray, cell: int = 8, binning: str = "hard", n: int = 9) -> np.ndarray:
    """(h, w) image to (3 n, h / cell, w / cell), as `hog_net` computes it."""
    height, width = image.shape
    black = np.zeros((height + 2, width + 2))
    black[1:-1, 1:-1] = image
    votes = np.zeros((2 * n, height, width))
    for y in range(height):
        for x in range(width):
            gx = (black[y + 1, x + 2] - black[y + 1, x]) / 2
            gy = (black[y + 2, x + 1] - black[y, x + 1]) / 2
            responses = [s * (gx * ux + gy * uy) for s in (1, -1) for ux, uy in directions(n)]
            length = math.sqrt(sum(r * r for r in responses) / n)
            if binning == "hard":
                votes[responses.index(max(responses)), y, x] = length
                continue
            for k, response in enumerate(responses):
                cosine = min(1.0, max(-1.0, response / max(length, 1e-10)))
                votes[k, y, x] = length * max(0.0, 1 - n / math.pi * math.acos(cosine))
    taps = [min(2 * t + 1, 4 * cell - 2 * t - 1) / (2 * cell) for t in range(2 * cell)]
    rows, columns = height // cell, width // cell
    cells = np.zeros((3 * n, rows, columns))
    for row in range(rows):
        for column in range(columns):
            for i, down in enumerate(taps):
                for j, across in enumerate(taps):
                    y, x = row * cell - cell // 2 + i, column * cell - cell // 2 + j
                    if 0 <= y < height and 0 <= x < width:
                        cells[: 2 * n, row, column] += down * across * votes[:, y, x]
    cells[2 * n :] = cells[:n] + cells[n : 2 * n]
    found = np.zeros_like(cells)
    for row in range(rows - 1):
        for column in range(columns - 1):
            block = cells[:, row : row + 2, column : column + 2]
            length = max(math.sqrt((block[2 * n :] ** 2).sum()), 1e-6)
            for i in (0, 1):
                for j in (0, 1):
                    share = np.minimum(block[:, i, j] / length, 0.2)
                    found[:, row + i, column + j] += 0.5 * share
    return found

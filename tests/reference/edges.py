"""Edge correlation, agreement of signs and sharpness from their formulas, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np

Plane = list[list[float]]


def clamp(index: int, count: int) -> int:
    return min(max(index, 0), count - 1)


def blur(plane: Plane, sigma: float) -> Plane:
    """The two-dimensional Gaussian, cut to a square at 3 sigma, border replicated."""
    reach = math.ceil(3 * sigma)
    height, width = len(plane), len(plane[0])
    out = []
    for v in range(height):
        row = []
        for u in range(width):
            total = weights = 0.0
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    weight = math.exp(-(i * i + j * j) / (2 * sigma**2))
                    total += weight * plane[clamp(v + i, height)][clamp(u + j, width)]
                    weights += weight
            row.append(total / weights)
        out.append(row)
    return out


def edges(image: np.ndarray) -> Plane:
    """(c, h, w) -> rows of e(u), the image's largest magnitude taken as 1."""
    most = max(abs(float(value)) for value in image.flat) or 1.0
    planes = [blur([[float(x) / most for x in row] for row in channel], 1.0) for channel in image]
    height, width = image.shape[1:]
    return [
        [
            math.sqrt(
                sum(
                    ((p[v][clamp(u + 1, width)] - p[v][clamp(u - 1, width)]) / 2) ** 2
                    + ((p[clamp(v + 1, height)][u] - p[clamp(v - 1, height)][u]) / 2) ** 2
                    for p in planes
                )
            )
            for u in range(width)
        ]
        for v in range(height)
    ]


def flat(plane: Plane) -> list[float]:
    return [value for row in plane for value in row]


def relative(image: np.ndarray, *, photo: bool) -> tuple[list[float], list[float]]:
    """r(u), and G_s * e(u)."""
    e = edges(image)
    around = flat(blur(e, min(image.shape[1:]) / 16))
    strengths = flat(e)
    floor = 0.1 * sum(strengths) / len(strengths) if photo else 1e-3 * max(around)
    found = []
    for value, ground in zip(strengths, around, strict=True):
        found.append(value / (ground + floor) if ground + floor > 0 else 0.0)
    return found, around


def pearson(a: list[float], b: list[float], weights: list[float] | None = None) -> float:
    weights = weights or [1.0] * len(a)
    total = sum(weights)
    if not total:
        return 0.0
    mean_a = sum(w * x for w, x in zip(weights, a, strict=True)) / total
    mean_b = sum(w * x for w, x in zip(weights, b, strict=True)) / total
    both = ones = others = 0.0
    for w, x, y in zip(weights, a, b, strict=True):
        both += w * (x - mean_a) * (y - mean_b)
        ones += w * (x - mean_a) ** 2
        others += w * (y - mean_b) ** 2
    return both / math.sqrt(ones * others) if ones * others > 0 else 0.0


def edge_correlation(signal: np.ndarray, photo: np.ndarray) -> float:
    a, weights = relative(signal, photo=False)
    b, _ = relative(photo, photo=True)
    return pearson(a, b, weights)


def plain_edge_correlation(signal: np.ndarray, photo: np.ndarray) -> float:
    return pearson(flat(edges(signal)), flat(edges(photo)))


def gray(image: np.ndarray) -> Plane:
    channels, height, width = image.shape
    return [
        [sum(float(image[k, v, u]) for k in range(channels)) / channels for u in range(width)]
        for v in range(height)
    ]


def sign_agreement(signal: np.ndarray, photo: np.ndarray) -> float:
    sigma = min(photo.shape[1:]) / 64
    plain = gray(photo)
    smooth = blur(plain, sigma)
    detail = [
        [x - y for x, y in zip(row, other, strict=True)]
        for row, other in zip(plain, smooth, strict=True)
    ]
    return pearson(flat(blur(gray(signal), 1.0)), flat(blur(detail, 1.0)))


def sharpness(signal: np.ndarray) -> float | None:
    r, weights = relative(signal, photo=False)
    total = sum(weights)
    if not total:
        return None
    first = sum(w * x for w, x in zip(weights, r, strict=True)) / total
    second = sum(w * x * x for w, x in zip(weights, r, strict=True)) / total
    return 1 - first**2 / second

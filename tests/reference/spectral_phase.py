"""Images of given amplitudes and phases from the definition of the Fourier transform."""

from __future__ import annotations

import cmath
import math

import numpy as np


def transform(plane: np.ndarray) -> list[list[complex]]:
    height, width = plane.shape
    return [
        [
            sum(
                float(plane[v, u]) * cmath.exp(-2j * math.pi * (k * v / height + m * u / width))
                for v in range(height)
                for u in range(width)
            )
            for m in range(width)
        ]
        for k in range(height)
    ]


def image(spectrum: list[list[complex]]) -> np.ndarray:
    """The real part of the inverse transform."""
    height, width = len(spectrum), len(spectrum[0])
    found = np.zeros((height, width))
    for v in range(height):
        for u in range(width):
            total = 0j
            for k in range(height):
                for m in range(width):
                    turn = 2j * math.pi * (k * v / height + m * u / width)
                    total += spectrum[k][m] * cmath.exp(turn)
            found[v, u] = total.real / (height * width)
    return found


def amplitudes_replaced(plane: np.ndarray, drawn: np.ndarray, symmetric: bool) -> np.ndarray:
    """`drawn`: |N| for all frequencies; of f and -f the one that is read first counts."""
    height, width = plane.shape
    spectrum = transform(plane)
    for k in range(height):
        for m in range(width):
            place = (k, m)
            if symmetric:
                place = min(place, (-k % height, -m % width))
            amplitude = abs(float(drawn[place]))
            spectrum[k][m] = cmath.rect(amplitude, cmath.phase(spectrum[k][m]))
    return image(spectrum)


def phases_replaced(plane: np.ndarray, noise: np.ndarray) -> np.ndarray:
    spectrum, other = transform(plane), transform(noise)
    for k, row in enumerate(spectrum):
        for m, value in enumerate(row):
            if (k, m) != (0, 0):
                row[m] = cmath.rect(abs(value), cmath.phase(value) + cmath.phase(other[k][m]))
    return image(spectrum)


def combined(phases: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    spectrum, other = transform(phases), transform(amplitudes)
    return image(
        [
            [cmath.rect(abs(b), cmath.phase(a)) for a, b in zip(row, line, strict=True)]
            for row, line in zip(spectrum, other, strict=True)
        ]
    )

"""Linear probing by its formulas, one number at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def side(channels: int, height: int, width: int) -> tuple[int, int]:
    """Of all squares of at most 10,000 numbers that fit, the one nearest to 9000."""
    if channels * height * width <= 10_000:
        return height, width
    best = 1
    for candidate in range(1, min(height, width) + 1):
        numbers = channels * candidate * candidate
        nearer = abs(numbers - 9000) < abs(channels * best * best - 9000)
        if numbers <= 10_000 and nearer:
            best = candidate
    return best, best


def bilinear(maps: Values, rows: int, columns: int) -> Values:
    """Resize (c, h, w) to (rows, columns, c), each position between its four neighbours."""
    channels, height, width = maps.shape
    found = np.zeros((rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            y = min(max((i + 0.5) * height / rows - 0.5, 0.0), height - 1.0)
            x = min(max((j + 0.5) * width / columns - 0.5, 0.0), width - 1.0)
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            for c in range(channels):
                upper = maps[c, top, left] * (1 - (x - left)) + maps[c, top, right] * (x - left)
                lower = maps[c, bottom, left] * (1 - (x - left)) + maps[c, bottom, right] * (
                    x - left
                )
                found[i, j, c] = upper * (1 - (y - top)) + lower * (y - top)
    return found


def average(maps: Values, rows: int, columns: int) -> Values:
    """Average (c, h, w) over windows from floor(i h / rows) to ceil((i + 1) h / rows)."""
    channels, height, width = maps.shape
    found = np.zeros((rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            top, bottom = math.floor(i * height / rows), math.ceil((i + 1) * height / rows)
            left, right = math.floor(j * width / columns), math.ceil((j + 1) * width / columns)
            for c in range(channels):
                values = [maps[c, y, x] for y in range(top, bottom) for x in range(left, right)]
                found[i, j, c] = sum(values) / len(values)
    return found


def windows(maps: Values, kernel: int, stride: int) -> Values:
    """Average (c, h, w) over kernel x kernel windows every so many positions."""
    channels, height, width = maps.shape
    rows, columns = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    found = np.zeros((rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            for c in range(channels):
                values = [
                    maps[c, i * stride + y, j * stride + x]
                    for y in range(kernel)
                    for x in range(kernel)
                ]
                found[i, j, c] = sum(values) / len(values)
    return found


def normalized(features: Values, epsilon: float = 1e-5) -> Values:
    """Bring every channel of (n, rows, columns, c) to mean 0 and variance 1."""
    found = np.empty_like(features)
    for c in range(features.shape[-1]):
        values = features[..., c].ravel()
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        found[..., c] = (features[..., c] - mean) / math.sqrt(variance + epsilon)
    return found


def top_k(scores: Values, labels: NDArray[np.int64], k: int) -> float:
    """Count rows in which fewer than k other classes score as much as the true one."""
    hits = 0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        better = sum(1 for c, score in enumerate(row) if c != label and score >= row[label])
        hits += better < k
    return hits / len(labels)


class Probe:
    """A linear classifier that learns by Nesterov's momentum, weight by weight.

    v <- m v + (g + d w),  w <- w - r (g + d w + m v), where g is the mean gradient of the cross
    entropy over a batch, d the decay, m the momentum and r the rate.
    """

    def __init__(
        self, weight: Values, bias: Values, rate: float, decay: float, momentum: float,
        biases: tuple[float, float] = (1.0, 0.0),
    ) -> None:  # fmt: skip
        self.weight, self.bias = weight.copy(), bias.copy()
        self._speed, self._bias_speed = np.zeros_like(weight), np.zeros_like(bias)
        self.rate, self._decay, self._momentum, self._biases = rate, decay, momentum, biases

    def learn(self, x: Values, labels: NDArray[np.int64]) -> float:
        """Learn from (n, d) normalized features; return their mean cross entropy."""
        loss, grad, bias_grad = 0.0, np.zeros_like(self.weight), np.zeros_like(self.bias)
        for row, label in zip(x, labels.tolist(), strict=True):
            scores = [float(w @ row + b) for w, b in zip(self.weight, self.bias, strict=True)]
            most = max(scores)
            total = sum(math.exp(score - most) for score in scores)
            for c, score in enumerate(scores):
                share = math.exp(score - most) / total
                slope = (share - (c == label)) / len(x)
                grad[c] += slope * row
                bias_grad[c] += slope
            loss += (math.log(total) + most - scores[label]) / len(x)
        grad += self._decay * self.weight
        bias_grad += self._decay * self._biases[1] * self.bias
        self._speed = self._momentum * self._speed + grad
        self._bias_speed = self._momentum * self._bias_speed + bias_grad
        self.weight -= self.rate * (grad + self._momentum * self._speed)
        bias_rate = self.rate * self._biases[0]
        self.bias -= bias_rate * (bias_grad + self._momentum * self._bias_speed)
        return loss

"""Multinomial logistic regression and accuracy over classes, number by number."""

from __future__ import annotations

import math

Rows = list[list[float]]


def objective(rows: Rows, classes: list[int], weights: Rows, biases: list[float]) -> float:
    """Mean cross entropy of a softmax."""
    total = 0.0
    for row, truth in zip(rows, classes, strict=True):
        scores = [
            sum(w * x for w, x in zip(weight, row, strict=True)) + bias
            for weight, bias in zip(weights, biases, strict=True)
        ]
        total -= scores[truth] - math.log(sum(math.exp(s) for s in scores))
    return total / len(rows)


def descended(
    rows: Rows, classes: list[int], count: int, decay: float, steps: int, rate: float
) -> tuple[Rows, list[float]]:
    """Minimize the objective + decay/2 |weights|^2 by plain gradient descent from 0."""
    d = len(rows[0])
    weights, biases = [[0.0] * d for _ in range(count)], [0.0] * count
    for _ in range(steps):
        slopes, slants = [[decay * w for w in weight] for weight in weights], [0.0] * count
        for row, truth in zip(rows, classes, strict=True):
            scores = [
                sum(w * x for w, x in zip(weight, row, strict=True)) + bias
                for weight, bias in zip(weights, biases, strict=True)
            ]
            below = sum(math.exp(s) for s in scores)
            for c in range(count):
                pull = (math.exp(scores[c]) / below - (c == truth)) / len(rows)
                slants[c] += pull
                for k in range(d):
                    slopes[c][k] += pull * row[k]
        weights = [
            [w - rate * g for w, g in zip(weight, slope, strict=True)]
            for weight, slope in zip(weights, slopes, strict=True)
        ]
        biases = [b - rate * g for b, g in zip(biases, slants, strict=True)]
    return weights, biases


def mean_accuracy(found: list[int], truth: list[int]) -> float:
    shares = []
    for each in sorted(set(truth)):
        own = [f for f, t in zip(found, truth, strict=True) if t == each]
        shares.append(sum(f == each for f in own) / len(own))
    return sum(shares) / len(shares)

"""Losses, crops and rates of change of the classification protocol, number by number."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

Rows = list[list[float]]


def sigmoid_loss(scores: Rows, present: Rows) -> float:
    total = 0.0
    for row, truth in zip(scores, present, strict=True):
        for s, y in zip(row, truth, strict=True):
            if y != -1:
                p = 1 / (1 + math.exp(-s))
                total -= math.log(p) if y == 1 else math.log(1 - p)
    return total / len(scores)


def softmax_loss(scores: Rows, present: Rows) -> float:
    total = 0.0
    for row, truth in zip(scores, present, strict=True):
        counted = [(s, y) for s, y in zip(row, truth, strict=True) if y != -1]
        below = sum(math.exp(s) for s, _ in counted)
        shown = [s for s, y in counted if y == 1]
        total -= sum(math.log(math.exp(s) / below) for s in shown) / max(1, len(shown))
    return total / len(scores)


def padded_crop(
    scaled: np.ndarray, size: tuple[int, int], place: tuple[float, float]
) -> np.ndarray:
    """Crop a photograph that was scaled already, pixel by pixel; place is (across, down)."""
    h, w = scaled.shape[:2]
    rows, columns = size
    across, down = place
    top = int(down * (h - rows + 1)) if h >= rows else -((rows - h) // 2)
    left = int(across * (w - columns + 1)) if w >= columns else -((columns - w) // 2)
    crop = np.zeros((rows, columns, 3), np.uint8)
    for y in range(rows):
        for x in range(columns):
            if 0 <= top + y < h and 0 <= left + x < w:
                crop[y, x] = scaled[top + y, left + x]
    return crop


def rates(layers: list[nn.Linear], x: Tensor) -> list[float]:
    """rms gradient over rms weight of a ReLU perceptron, for all possible signs of l = eta . z.

    The mean over normal eta of (dl/dw)^2 is the sum over outputs and images of (dz/dw)^2.
    """
    squares = [torch.zeros_like(layer.weight) for layer in layers]
    for image in x:
        for unit in range(layers[-1].out_features):
            y = image
            for number, layer in enumerate(layers):
                y = layer(y)
                if number < len(layers) - 1:
                    y = y.clamp(min=0)
            slopes = torch.autograd.grad(y[unit], [layer.weight for layer in layers])
            for square, slope in zip(squares, slopes, strict=True):
                square += slope**2
    return [
        math.sqrt(float(square.mean()) / float((layer.weight.detach() ** 2).mean()))
        for square, layer in zip(squares, layers, strict=True)
    ]

"""Moving photographs, pixel by pixel: what is seen at a centre, where it goes, whether it hides.

Straight from the definition, in float64 and pure loops: layers from the nearest to the farthest, a
3x3 inverse for every map, alpha read off bilinearly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phosphene.worlds.moving_photographs import MovingPhotographs


def homogeneous(layer: Any, t: int) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, :2] = layer.maps[t].linear
    matrix[:2, 2] = layer.maps[t].shift
    return matrix


def holds(layer: Any, t: int, x: float, y: float) -> bool:
    """Whether a layer's outline holds a point of the frame."""
    texture = layer.texture.astype(np.float64)
    if texture.shape[2] == 3:
        return True
    u, v, _ = np.linalg.inv(homogeneous(layer, t)) @ (x, y, 1.0)
    left, top = math.floor(u), math.floor(v)
    alpha = 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < texture.shape[0] and 0 <= column < texture.shape[1]:
                weight = (1 - abs(u - column)) * (1 - abs(v - row))
                alpha += weight * texture[row, column, 3]
    return alpha >= 0.5


def truth(world: MovingPhotographs, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow (h, w, 2), objects (h, w) and occlusion (h, w) of a frame."""
    height, width = world.size
    flow = np.zeros((height, width, 2))
    objects = np.zeros((height, width), np.int32)
    occluded = np.zeros((height, width), bool)
    for i in range(height):
        for j in range(width):
            own = len(world.layers) - 1
            while not holds(world.layers[own], t, j, i):
                own -= 1
            layer = world.layers[own]
            point = np.linalg.inv(homogeneous(layer, t)) @ (j, i, 1.0)
            x, y, _ = homogeneous(layer, t + 1) @ point
            flow[i, j] = x - j, y - i
            objects[i, j] = own
            inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5
            nearer = world.layers[own + 1 :]
            occluded[i, j] = not inside or any(holds(each, t + 1, x, y) for each in nearer)
    return flow, objects, occluded

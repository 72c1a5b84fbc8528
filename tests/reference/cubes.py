"""Cubes ray by ray in plain loops: what each pixel sees, where it goes and whether it is hidden.

A ray is met with a cube as a box in the cube's own axes, by slabs (Kay and Kajiya 1986): no planes
of faces, no homographies. Whether a point is hidden in the next frame is decided by casting the ray
there and asking whether it ends at the same point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Vector = list[float]
FAR = 1e6


@dataclass
class Hit:
    distance: float
    cube: int
    face: int
    own: Vector
    """Where, in the cube's own axes."""


def _forth(matrix: np.ndarray, vector: Vector) -> Vector:
    return [sum(float(matrix[i, j]) * vector[j] for j in range(3)) for i in range(3)]


def _back(matrix: np.ndarray, vector: Vector) -> Vector:
    return [sum(float(matrix[j, i]) * vector[j] for j in range(3)) for i in range(3)]


def ray(scene, x: float, y: float) -> tuple[Vector, Vector]:
    """Start and direction of what is seen at a pixel."""
    camera = scene.camera
    right = (x - (camera.size[1] - 1) / 2) / camera.focal
    below = (y - (camera.size[0] - 1) / 2) / camera.focal
    if camera.projection == "orthographic":
        return [right, below, -100.0], [0.0, 0.0, 1.0]
    return [0.0, 0.0, 0.0], [right, below, 1.0]


def pixel(scene, point: Vector) -> tuple[float, float]:
    camera = scene.camera
    depth = point[2] if camera.projection == "perspective" else 1.0
    x = (camera.size[1] - 1) / 2 + camera.focal * point[0] / depth
    y = (camera.size[0] - 1) / 2 + camera.focal * point[1] / depth
    return x, y


def cast(scene, t: int, x: float, y: float) -> Hit | None:
    """What a ray through (x, y) meets first in frame t."""
    start, way = ray(scene, x, y)
    nearest = None
    for index, (cube, motion) in enumerate(zip(scene.cubes, scene.motions, strict=True)):
        rotation, center = motion.rotations[t], motion.centers[t]
        own_start = _back(rotation, [start[i] - float(center[i]) for i in range(3)])
        own_way = _back(rotation, way)
        enter, leave, face = -FAR, FAR, -1
        for axis in range(3):
            if own_way[axis] == 0:
                if abs(own_start[axis]) > cube.edge / 2:
                    enter = FAR
                continue
            low = (-cube.edge / 2 - own_start[axis]) / own_way[axis]
            high = (cube.edge / 2 - own_start[axis]) / own_way[axis]
            first = min(low, high)
            if first > enter:
                # Faces are counted +x, -x, +y, -y, +z, -z; a ray along +x enters by -x.
                enter, face = first, 2 * axis + (1 if own_way[axis] > 0 else 0)
            leave = min(leave, max(low, high))
        if enter <= leave and enter > 0 and (nearest is None or enter < nearest.distance):
            own = [own_start[i] + enter * own_way[i] for i in range(3)]
            nearest = Hit(enter, index, face, own)
    return nearest


def placed(scene, t: int, hit: Hit) -> Vector:
    motion = scene.motions[hit.cube]
    turned = _forth(motion.rotations[t], hit.own)
    return [turned[i] + float(motion.centers[t, i]) for i in range(3)]


def instant(scene, t: int) -> dict[str, np.ndarray]:
    """Objects, parts, flow and occlusion of frame t."""
    height, width = scene.camera.size
    objects = np.zeros((height, width), dtype=int)
    parts = np.zeros((height, width), dtype=int)
    flow = np.zeros((height, width, 2))
    occluded = np.zeros((height, width), dtype=bool)
    for i in range(height):
        for j in range(width):
            hit = cast(scene, t, j, i)
            if hit is None:
                x, y = j + scene.backdrop.drift[0], i + scene.backdrop.drift[1]
            else:
                objects[i, j], parts[i, j] = hit.cube + 1, 6 * hit.cube + hit.face + 1
                point = placed(scene, t + 1, hit)
                x, y = pixel(scene, point)
            flow[i, j] = x - j, y - i
            again = cast(scene, t + 1, x, y)
            inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5
            if hit is None or again is None:
                same = hit is None and again is None
            else:
                same = math.dist(point, placed(scene, t + 1, again)) < 1e-6
            occluded[i, j] = not (inside and same)
    return {"objects": objects, "parts": parts, "flow": flow, "occluded": occluded}

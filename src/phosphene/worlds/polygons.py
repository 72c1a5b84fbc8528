"""Polygons to put things together from: blocks, ellipses, rings, ribbons.

A polygon is an array (n, 2) of corners (x, y), y pointing down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Polygon = npt.NDArray[np.float64]


def polygon(*corners: tuple[float, float]) -> Polygon:
    """Make a polygon (n, 2) of corners (x, y)."""
    return np.array(corners, dtype=np.float64)


def block(left: float, top: float, right: float, bottom: float) -> Polygon:
    """Make an upright rectangle (4, 2)."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(
    x: float,
    y: float,
    radius_x: float,
    radius_y: float,
    *,
    tilt: float = 0.0,
    arc: tuple[float, float] = (0.0, 360.0),
) -> Polygon:
    """Make an ellipse, or the segment of it between two angles, as a polygon (n, 2).

    Args:
        x: Middle.
        y: Middle.
        radius_x: Half axis along x before the tilt.
        radius_y: Half axis along y before the tilt.
        tilt: Rotation in degrees, clockwise as y points down.
        arc: First and last angle in degrees; 0 is right, 90 is down.
    """
    theta = np.radians(np.linspace(arc[0], arc[1], 28))
    a, b = radius_x * np.cos(theta), radius_y * np.sin(theta)
    c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    return np.stack([x + a * c - b * s, y + a * s + b * c], axis=1)


def ring(x: float, y: float, outer: tuple[float, float], thickness: float) -> Polygon:
    """Make an open ring, as a polygon (n, 2) whose inside stays free."""
    rim = ellipse(x, y, *outer, arc=(0.0, 359.0))
    hole = ellipse(x, y, outer[0] - thickness, outer[1] - thickness, arc=(0.0, 359.0))
    return np.concatenate([rim, hole[::-1]])


def ribbon(path: Polygon, width: float) -> Polygon:
    """Give a path (n, 2) a width, as a polygon (2 n, 2)."""
    along = np.gradient(path, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return np.concatenate([path + normal * (width / 2), (path - normal * (width / 2))[::-1]])


def bounds(polygons: Sequence[npt.NDArray[Any]]) -> tuple[float, float, float, float]:
    """Say how far polygons reach: left, top, right, bottom."""
    corners = np.concatenate(polygons)
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    return left, top, right, bottom

"""Trajectories: cubes that drift and spin, keep in their room and never touch.

Each cube is stood for by the ball around it. Balls fly straight on, and are turned back softly by
the walls of their room and by each other: within a margin before contact a spring pushes them
apart, so stiff that all the energy there is could not press it to the end. Paths are therefore
smooth, stay inside and do not meet. Each cube spins about two axes of its own,

    R(t) = exp(t [a]x) exp(t [b]x) R(0),

which is smooth, has a nearly constant speed and seldom comes back to where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phosphene.errors import SettingError
from phosphene.worlds.cubes.bodies import Motion
from phosphene.worlds.cubes.camera import Camera, Numbers

_STEP = 0.2
"""Of a step of integration, in radians of the stiffest spring's swing."""
_TRIES = 50
_PUSHES = 200


@dataclass(frozen=True, eq=False)
class Room:
    """A convex room: the points p with normals @ p >= offsets + keep * radius for each ball.

    Attributes:
        normals: (walls, 3), of length 1, inward.
        offsets: (walls,)
        keep: (walls,): how much of a ball's radius its middle keeps from each wall.
        low: (3,), of a box around the room.
        high: (3,)
    """

    normals: Numbers
    offsets: Numbers
    keep: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def before(cls, camera: Camera, near: float, far: float, keep: float) -> Room:
        """The part of space that a camera sees between two depths.

        Args:
            camera: Its frame bounds the room.
            near: Least depth, kept by whole balls.
            far: Largest depth, kept by whole balls.
            keep: How much of its radius a ball's middle keeps from the frame's borders: 1 keeps it
                in the frame, 0 lets one half out.
        """
        height, width = camera.size
        reach = np.array([width, height]) / (2 * camera.focal)
        sides = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=np.float64)
        offsets = -np.repeat(reach, 2)
        widest = reach
        if camera.projection == "perspective":
            sides[:, 2], offsets, widest = np.repeat(reach, 2), np.zeros(4), reach * far
            sides /= np.linalg.norm(sides, axis=1, keepdims=True)
        return cls(
            np.concatenate([sides, [[0, 0, 1], [0, 0, -1]]]),
            np.concatenate([offsets, [near, -far]]),
            np.array([keep] * 4 + [1.0, 1.0]),
            np.array([*-widest, near]),
            np.array([*widest, far]),
        )

    def gaps(self, centers: Numbers, radii: Numbers) -> Numbers:
        """(n, walls): how far balls are from the walls; negative where they are beyond."""
        return centers @ self.normals.T - self.offsets - self.keep * radii[:, None]


def distances(centers: Numbers, radii: Numbers) -> tuple[Numbers, Numbers]:
    """(n, n) gaps between balls, infinite on the diagonal, and (n, n, 3) the ways from j to i."""
    ways = centers[:, None] - centers[None]
    lengths = np.sqrt((ways**2).sum(axis=2))
    np.fill_diagonal(lengths, np.inf)
    return lengths - (radii[:, None] + radii[None]), ways / lengths[:, :, None]


def _overlaps(room: Room, centers: Numbers, radii: Numbers, margin: float) -> tuple[Numbers, float]:
    """(n, 3), which way balls are pushed, by how far springs are pressed; and the furthest."""
    walls = np.maximum(margin - room.gaps(centers, radii), 0.0)
    between, ways = distances(centers, radii)
    pairs = np.maximum(margin - between, 0.0)
    push: Numbers = walls @ room.normals + (pairs[:, :, None] * ways).sum(axis=1)
    return push, max(float(walls.max()), float(pairs.max()))


def _placed(room: Room, radii: Numbers, margin: float, rng: np.random.Generator) -> Numbers:
    """Find places for balls at which no spring is pressed: anywhere, then pushed apart."""
    for _ in range(_TRIES):
        centers = room.low + (room.high - room.low) * rng.random((len(radii), 3))
        for _ in range(_PUSHES):
            push, furthest = _overlaps(room, centers, radii, 1.1 * margin)
            if furthest <= 0.1 * margin:
                return centers
            centers += 0.5 * push
    raise SettingError(
        f"{len(radii)} cubes do not fit before the camera: ask for fewer, or another seed"
    )


def paths(
    room: Room, radii: Numbers, margin: float, step: float, poses: int, seed: list[int]
) -> Numbers:
    """Let balls fly at a mean speed of one.

    Args:
        room: That they stay in.
        radii: (n,)
        margin: How far before contact they begin to be turned back.
        step: Time from one pose to the next.
        poses: How many.
        seed: Where starts and directions come from.

    Returns:
        (poses, n, 3), where their middles are.
    """
    rng = np.random.default_rng(seed)
    centers = _placed(room, radii, margin, rng)
    speeds = _directions(rng, len(radii))
    # All the energy, n / 2, presses one spring by no more than 0.7 of the margin.
    stiffness = 2.0 * len(radii) / margin**2
    inner = max(1, math.ceil(step * math.sqrt(stiffness) / _STEP))
    time = step / inner

    def push() -> Numbers:
        return stiffness * _overlaps(room, centers, radii, margin)[0]

    found = np.empty((poses, *centers.shape))
    force = push()
    for pose in range(poses):
        found[pose] = centers
        for _ in range(inner):  # velocity Verlet, which keeps the energy
            speeds += 0.5 * time * force
            centers = centers + time * speeds
            force = push()
            speeds += 0.5 * time * force
    return found


def turned(axes: Numbers) -> Numbers:
    """Give the rotations (..., 3, 3) about axes (..., 3), by their lengths in radians (Rodrigues).

    >>> turned(np.array([0.0, 0.0, np.pi / 2])).round(6) @ [1, 0, 0]
    array([0., 1., 0.])
    """
    angle = np.linalg.norm(axes, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axes / np.maximum(angle[..., 0], 1e-300), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    rotation: Numbers = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation


def _directions(rng: np.random.Generator, count: int) -> Numbers:
    drawn = rng.standard_normal((count, 3))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def motions(
    camera: Camera,
    room: Room,
    edges: Numbers,
    *,
    frames: int,
    speed: float,
    seed: list[int],
    margin: float,
) -> tuple[Motion, ...]:
    """Draw the motions of cubes.

    Args:
        camera: That sees them; it decides what a pixel is.
        room: That they stay in.
        edges: (n,)
        frames: How many have a flow; there is a pose more.
        speed: Median over frames and corners of how far a corner moves to the next frame, in
            pixels.
        seed: Where all comes from.
        margin: How far before contact cubes begin to be turned back.

    Raises:
        SettingError: There is no room for so many cubes.
    """
    rng = np.random.default_rng([*seed, 1])
    radii = edges * math.sqrt(3) / 2
    count = len(edges)
    starts = turned(_directions(rng, count) * math.pi * rng.random((count, 1)))
    # Half an edge in front of its middle, a face moves about as fast by the spin as by the flight.
    rates = (0.6 + 1.2 * rng.random(count)) / edges
    share = 0.25 + 0.5 * rng.random((count, 1))
    first = _directions(rng, count) * share * rates[:, None]
    second = _directions(rng, count) * (1 - share) * rates[:, None]
    depth = float(room.low[2] + room.high[2]) / 2 if camera.projection == "perspective" else 1.0
    step = speed * depth / camera.focal
    for _ in range(3):  # a few corrections of the tempo bring the speed to what was asked for
        centers = paths(room, radii, margin, step, frames + 1, seed)
        times = step * np.arange(frames + 1)[:, None, None]
        rotations = turned(times * first) @ turned(times * second) @ starts
        found = tuple(Motion(rotations[:, i], centers[:, i]) for i in range(count))
        corners = [m.corners(float(edge)) for m, edge in zip(found, edges, strict=True)]
        moved = np.diff(camera.project(np.stack(corners)), axis=1)
        median = float(np.median(np.linalg.norm(moved, axis=-1)))
        if abs(median - speed) <= 0.03 * speed:
            break
        step *= speed / median
    return found

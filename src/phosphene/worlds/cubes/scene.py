"""Scenes of cubes in motion, drawn frame by frame, with what is exactly known of each frame.

A pixel's face is the nearest that the ray through its centre meets, and the point of the face is
where. The cube's rigid motion carries the point on, and the camera projects it again: that is the
flow, to the precision of float64. Nothing is rendered and measured.

A point is occluded in the next frame where its face has turned away, where it lands outside of the
frame (half a pixel beyond the outermost centres), or where the ray to it meets the face of another
cube nearer to the camera. Its own cube is convex and cannot hide a face that is turned to the
camera, so that no face is compared with itself or its neighbours and no tolerance is needed; cubes
do not touch, so that different ones are never at the same depth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.worlds.cubes.bodies import FACES, NORMALS, Cube, Motion, expect_texture
from phosphene.worlds.cubes.camera import Camera, Numbers
from phosphene.worlds.cubes.drawing import Painter
from phosphene.worlds.cubes.planes import Planes, linear, present
from phosphene.worlds.instant import Instant
from phosphene.worlds.textures import Texture


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What is behind all cubes: a plane parallel to the frame.

    Attributes:
        texture: (height, width, 3), 8-bit RGB; brought to the size of the frame.
        drift: (x, y), how far it moves from each frame to the next, in pixels, as it does when the
            camera moves along it. Its texture is mirrored beyond its borders.

    Raises:
        ImageError: The texture is none.
        SettingError: The drift is not finite.
    """

    texture: Texture
    drift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        expect_texture(self.texture)
        if len(self.drift) != 2 or not all(math.isfinite(d) for d in self.drift):
            raise SettingError(f"a drift of {self.drift} cannot be: give (x, y) in pixels a frame")


@dataclass(frozen=True, eq=False)
class Scene:
    """Cubes in motion before a camera.

    Attributes:
        camera: That sees them.
        cubes: One at least.
        motions: One for each cube, of the same number of frames.
        backdrop: Behind them.
        light: 0: all faces are as bright as their textures, so that a point keeps its color while
            it moves. Up to 1: faces turned away from a light behind the camera's left shoulder are
            darker, and brightness changes as they turn.

    Raises:
        SettingError: Cubes and motions do not fit each other, or a cube comes to the camera.
    """

    camera: Camera
    cubes: tuple[Cube, ...]
    motions: tuple[Motion, ...]
    backdrop: Backdrop
    light: float = 0.0

    def __post_init__(self) -> None:
        if not self.cubes or len(self.cubes) != len(self.motions):
            raise SettingError(
                f"{len(self.cubes)} cubes with {len(self.motions)} motions are no scene: give one "
                "cube at least, and a motion for each"
            )
        lengths = {motion.frames for motion in self.motions}
        if len(lengths) > 1:
            raise SettingError(
                f"motions of {' and '.join(map(str, sorted(lengths)))} frames do not fit together: "
                "give all cubes the same number"
            )
        if not 0 <= self.light <= 1:
            raise SettingError(f"light of {self.light} cannot be: give 0 (none) to 1")
        both = zip(self.cubes, self.motions, strict=True)
        nearest = min(float(motion.corners(cube.edge)[:, :, 2].min()) for cube, motion in both)
        if self.camera.projection == "perspective" and nearest <= 0:
            raise SettingError("a cube comes behind the camera: keep all depths above 0")

    @cached_property
    def _painter(self) -> Painter:
        return Painter(self.camera, self.cubes, self.motions, self.backdrop.texture)

    def __len__(self) -> int:
        """How many frames there are."""
        return self.motions[0].frames

    def __iter__(self) -> Iterator[Instant]:
        return self.frames()

    def frames(self) -> Iterator[Instant]:
        """Draw all frames in their order."""
        return (self.instant(t) for t in range(len(self)))

    def planes(self, t: int) -> Planes:
        """Place the faces of all cubes as they are in frame t, 0 to `len(self)`."""
        return Planes.of(
            self.camera,
            np.array([cube.edge for cube in self.cubes]),
            np.stack([motion.rotations[t] for motion in self.motions]),
            np.stack([motion.centers[t] for motion in self.motions]),
        )

    def instant(self, t: int) -> Instant:
        """Draw one frame, without the ones before.

        Args:
            t: 0 to `len(self)` - 1.

        Raises:
            SettingError: There is no such frame.
        """
        if not 0 <= t < len(self):
            raise SettingError(f"there is no frame {t}: frames go from 0 to {len(self) - 1}")
        now, then = self.planes(t), self.planes(t + 1)
        drift = (t * self.backdrop.drift[0], t * self.backdrop.drift[1])
        image, seen = self._painter.paint(now, drift, self._shades(t))
        flow = self._flow(seen, now, then)
        return Instant(
            image=image,
            flow=flow,
            objects=(seen + FACES) // FACES,
            parts=seen + 1,
            occluded=self._occluded(seen, flow, then),
        )

    def _flow(self, seen: NDArray[np.int32], now: Planes, then: Planes) -> Numbers:
        flow = np.empty((*seen.shape, 2))
        flow[:] = self.backdrop.drift
        for face in present(seen):
            rows, columns = np.nonzero(seen == face)
            here = np.stack([columns, rows, np.ones_like(rows)]).astype(np.float64)
            there = then.pixels[face] @ (now.faces[face] @ here)
            flow[rows, columns] = (there[:2] / there[2] - here[:2]).T
        return flow

    def _occluded(self, seen: NDArray[np.int32], flow: Numbers, then: Planes) -> NDArray[np.bool_]:
        height, width = seen.shape
        x, y = np.arange(width) + flow[:, :, 0], np.arange(height)[:, None] + flow[:, :, 1]
        hidden: NDArray[np.bool_] = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
        own = np.full(seen.shape, -np.inf)
        for face in present(seen):
            at = seen == face
            own[at] = linear(then.nearness[face], x[at], y[at])
        for face in np.flatnonzero(then.front).tolist():
            left, top, right, bottom = then.boxes[face] + (-1e-6, -1e-6, 1e-6, 1e-6)
            at = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
            at &= seen // FACES != face // FACES  # -1 // FACES is -1: the backdrop is no cube's
            met, near = then.meet(face, x[at], y[at])
            hidden[at] |= met & (near > own[at])
        away = np.append(~then.front, False)  # the last, -1, is the backdrop
        hidden |= away[seen]
        return hidden

    def _shades(self, t: int) -> Numbers:
        """(faces,), what each face's texture is multiplied with."""
        toward = np.array([-0.5, -0.7, -1.0]) / math.sqrt(1.74)
        lit = np.concatenate([NORMALS @ motion.rotations[t].T @ toward for motion in self.motions])
        shades: Numbers = 1.0 - self.light * (1.0 - np.clip(lit, 0.0, 1.0)) * 0.8
        return shades

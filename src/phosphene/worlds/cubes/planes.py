"""Which face is seen where: rays through pixels meet the planes of faces.

A face's homography H takes its (u, v, 1) to pixels; the inverse takes the pixel (x, y, 1) back to
(u, v, 1) times a third number, which is 1 (orthographic) or 1 / Z (perspective). Depth is linear
over a pixel grid too: -Z = -(a_z, b_z, o_z) . H^-1 (x, y, 1) under orthography, 1 / Z itself under
perspective. Both grow towards the camera: they are the `nearness` by which faces are compared, and
everything is a linear function of the pixel.

Of a convex body only the faces turned to the camera can be seen, and none of them hides another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.worlds.cubes.bodies import ACROSS, DOWN, FACES, ORIGIN
from phosphene.worlds.cubes.camera import Camera, Numbers

SLACK = 1e-9
"""How far beyond its edges, in edges, a face still counts as met: rounding must not open the seam
between two faces. Also the least area, as a share of a frontal face's, at which it is seen at all.
"""


@dataclass(frozen=True, eq=False)
class Planes:
    """The faces of all cubes in one frame, six to a cube.

    Attributes:
        pixels: (n, 3, 3), from (u, v, 1) of each face to pixels.
        faces: (n, 3, 3), from pixels to (u, v, 1), times a third number; 0 where it is not `front`.
        nearness: (n, 3), what it is multiplied with (x, y, 1) to give, larger when nearer.
        front: (n,), turned to the camera.
        boxes: (n, 4), the least x, least y, largest x and largest y of each face, in pixels.
    """

    pixels: Numbers
    faces: Numbers
    nearness: Numbers
    front: NDArray[np.bool_]
    boxes: Numbers

    @classmethod
    def of(cls, camera: Camera, edges: Numbers, rotations: Numbers, centers: Numbers) -> Planes:
        """Place the faces of cubes before a camera.

        Args:
            camera: That sees them.
            edges: (cubes,)
            rotations: (cubes, 3, 3)
            centers: (cubes, 3); the whole of every cube lies before the camera.
        """
        scaled = edges[:, None, None] * rotations.transpose(0, 2, 1)
        across, down = (ACROSS @ scaled).reshape(-1, 3), (DOWN @ scaled).reshape(-1, 3)
        origin = (ORIGIN @ scaled + centers[:, None]).reshape(-1, 3)
        pixels = camera.homographies(across, down, origin)
        # The determinant is focal^2 edge^2 cos(angle) under orthography, and that times the
        # distance from the camera to the plane's foot under perspective.
        whole = camera.focal**2 * np.repeat(edges, FACES) ** 2
        if camera.projection == "perspective":
            whole = whole * np.linalg.norm(origin, axis=1)
        front = np.linalg.det(pixels) > SLACK * whole
        faces = np.zeros_like(pixels)
        faces[front] = np.linalg.inv(pixels[front])
        if camera.projection == "perspective":
            nearness = faces[:, 2]
        else:
            depth = np.stack([across[:, 2], down[:, 2], origin[:, 2]], axis=1)
            nearness = -(depth[:, None] @ faces)[:, 0]
        square = np.stack([origin, origin + across, origin + down, origin + across + down], axis=1)
        seen = camera.project(square)
        boxes = np.concatenate([seen.min(axis=1), seen.max(axis=1)], axis=1)
        return cls(pixels, faces, nearness, front, boxes)

    def meet(self, face: int, x: Numbers, y: Numbers) -> tuple[NDArray[np.bool_], Numbers]:
        """Cast rays at one face.

        Args:
            face: Index, of a face that is `front`.
            x: Of the rays in pixels, of any shape; y of a shape that broadcasts with it.
            y: Of the rays in pixels.

        Returns:
            Whether each ray meets the face, and how near the face's plane is there.
        """
        u, v, scale = (linear(row, x, y) for row in self.faces[face])
        low, high = -SLACK * scale, (1 + SLACK) * scale
        # Behind the camera scale is negative and low above high, so that nothing is met there.
        met = (u >= low) & (u <= high) & (v >= low) & (v <= high)
        return met, linear(self.nearness[face], x, y)

    def coordinates(self, face: int, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Give u and v, in 0 to 1, of the points of a face seen at pixels."""
        u, v, scale = (linear(row, x, y) for row in self.faces[face])
        return np.clip(u / scale, 0, 1), np.clip(v / scale, 0, 1)

    def seen(self, x: Numbers, y: Numbers) -> NDArray[np.int32]:
        """Say which face is seen where, by casting a ray through every point of a grid.

        Args:
            x: (columns,) in pixels, ascending and evenly spaced.
            y: (rows,) in pixels, likewise.

        Returns:
            (rows, columns), index of the nearest face; -1 where there is none.
        """
        nearest = np.full((len(y), len(x)), -np.inf)
        result = np.full((len(y), len(x)), -1, dtype=np.int32)
        for face in np.flatnonzero(self.front).tolist():
            left, top, right, bottom = self.boxes[face]
            columns = slice(*np.searchsorted(x, (left - 1e-6, right + 1e-6)))
            rows = slice(*np.searchsorted(y, (top - 1e-6, bottom + 1e-6)))
            met, near = self.meet(face, x[None, columns], y[rows, None])
            met &= near > nearest[rows, columns]
            nearest[rows, columns][met] = near[met]
            result[rows, columns][met] = face
        return result


def present(faces: NDArray[np.int32]) -> list[int]:
    """List which faces there are among indices of any shape, in their order; -1 is none."""
    found: list[int] = np.flatnonzero(np.bincount(faces.ravel() + 1)[1:]).tolist()
    return found


def linear(row: Numbers, x: Numbers, y: Numbers) -> Numbers:
    """Give row . (x, y, 1), for x and y of shapes that broadcast."""
    result: Numbers = row[0] * x + (row[1] * y + row[2])
    return result

"""Drawing: from faces and their textures to antialiased pixels.

Nine rays go through each pixel, in a grid that has one in the pixel's centre; the pixel takes the
mean of what they meet (of the backdrop, its mean in that pixel). What the middle ray meets is what
the pixel shows, for masks and flow.

Textures are brought once to about one texel per pixel, as a face is seen from in front at its
cube's middling distance, and are sampled bilinearly. How a texture is filtered does not hang on how
its face is turned, so that a point keeps its color while it moves; what is seen at a grazing angle
is smoothed by the nine rays.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from phosphene.worlds.cubes.bodies import Cube, Motion
from phosphene.worlds.cubes.camera import Camera, Numbers
from phosphene.worlds.cubes.planes import Planes, present
from phosphene.worlds.textures import Texture, fitted

RAYS = 3
"""Rays through a pixel, along each side; odd, so that one goes through its centre."""
_BAND = 1 << 16
"""Rays that are cast at once."""

Samples = NDArray[np.float32]


def _fine(count: int) -> Numbers:
    """Where the rays through a row of pixels are; exactly whole in the pixels' centres."""
    middle = (RAYS - 1) // 2
    return (np.arange(count * RAYS) - middle) / RAYS


def texels(camera: Camera, edge: float, motion: Motion) -> int:
    """How many texels go along the edge of a cube's textures, 8 to 2048."""
    scale = camera.focal
    if camera.projection == "perspective":
        scale /= float(np.median(motion.centers[:, 2]))
    return min(max(8, math.ceil(edge * scale)), 2048)


class Painter:
    """Draws frames of cubes.

    Args:
        camera: That sees them.
        cubes: Whose textures are seen.
        motions: One for each cube.
        backdrop: Behind them.
    """

    def __init__(
        self,
        camera: Camera,
        cubes: tuple[Cube, ...],
        motions: tuple[Motion, ...],
        backdrop: Texture,
    ) -> None:
        self._x, self._y = _fine(camera.size[1]), _fine(camera.size[0])
        self._textures: list[Samples] = []
        for cube, motion in zip(cubes, motions, strict=True):
            side = texels(camera, cube.edge, motion)
            self._textures += [fitted(t, side, side).astype(np.float32) for t in cube.textures]
        self._backdrop = fitted(backdrop, *camera.size).astype(np.float32)
        self._behind: tuple[tuple[float, float], Samples] | None = None

    def paint(
        self, planes: Planes, drift: tuple[float, float], shades: Numbers
    ) -> tuple[Texture, NDArray[np.int32]]:
        """Draw one frame.

        Args:
            planes: The faces of all cubes.
            drift: (x, y), how far the backdrop has moved, in pixels.
            shades: (faces,), what textures are multiplied with.

        Returns:
            (h, w, 3), 8-bit RGB, and (h, w), the face seen at each pixel's centre, -1 for none.
        """
        image = self._ground(drift).copy()
        shown = np.empty(image.shape[:2], dtype=np.int32)
        middle = (RAYS - 1) // 2
        # In bands: what belongs to all rays of a large frame would not fit into a cache.
        band = max(1, _BAND // (RAYS * len(self._x)))
        for top in range(0, len(image), band):
            rows = slice(top, top + band)
            y = self._y[top * RAYS : (top + band) * RAYS]
            seen = planes.seen(self._x, y)
            shown[rows] = seen[middle::RAYS, middle::RAYS]
            self._cover(image[rows], planes, seen, y, shades)
        return np.rint(image).astype(np.uint8), shown

    def _cover(
        self, image: Samples, planes: Planes, seen: NDArray[np.int32], y: Numbers, shades: Numbers
    ) -> None:
        """Lay faces over a band of the image, each pixel's by the share of rays that meet them."""
        width = image.shape[1]
        rays = np.flatnonzero(seen >= 0)
        met = seen.ravel()[rays]
        total = np.zeros((image.shape[0] * width, 4))
        for face in present(met):
            rows, columns = np.divmod(rays[met == face], seen.shape[1])
            u, v = planes.coordinates(face, self._x[columns], y[rows])
            texture = self._textures[face]
            side = len(texture)
            colors = sampled(texture, u * side - 0.5, v * side - 0.5)
            pixels = (rows // RAYS) * width + columns // RAYS
            for channel in range(3):
                summed = np.bincount(pixels, colors[:, channel], len(total))
                total[:, channel] += shades[face] * summed
            total[:, 3] += np.bincount(pixels, minlength=len(total))
        covered = np.flatnonzero(total[:, 3])
        share = total[covered] / RAYS**2
        flat = image.reshape(-1, 3)
        flat[covered] = flat[covered] * (1 - share[:, 3:]) + share[:, :3]

    def _ground(self, drift: tuple[float, float]) -> Samples:
        """The backdrop in every pixel, (h, w, 3): the mean of what the nine rays meet of it."""
        if self._behind is None or self._behind[0] != drift:
            height, width = self._backdrop.shape[:2]
            x = _mirrored(self._x - drift[0], width)
            y = _mirrored(self._y - drift[1], height)
            # Rows first, then columns: sampling bilinearly over a grid comes apart into the two.
            tall = _between(self._backdrop, y, 0).reshape(height, RAYS, width, 3).mean(axis=1)
            both = _between(tall, x, 1).reshape(height, width, RAYS, 3).mean(axis=2)
            self._behind = (drift, both)
        return self._behind[1]


def _mirrored(where: Numbers, count: int) -> Numbers:
    """Fold positions back into 0 to count - 1, at the centres of the outermost texels."""
    if count == 1:
        return np.zeros_like(where)
    period = 2.0 * (count - 1)
    rest = np.mod(where, period)
    return np.minimum(rest, period - rest)


def _between(values: Samples, where: Numbers, axis: int) -> Samples:
    count = values.shape[axis]
    low = np.clip(np.floor(where).astype(np.intp), 0, max(count - 2, 0))
    share = (where - low).astype(np.float32)
    share = share[:, None, None] if axis == 0 else share[None, :, None]
    one: Samples = values.take(low, axis=axis)
    other = values.take(np.minimum(low + 1, count - 1), axis=axis)
    one += share * (other - one)
    return one


def sampled(texture: Samples, x: Numbers, y: Numbers) -> Samples:
    """Sample a texture bilinearly; beyond its outermost texels' centres it goes on as there.

    Args:
        texture: (height, width, 3)
        x: (n,) in texels, whole at their centres.
        y: (n,) likewise.

    Returns:
        (n, 3)
    """
    height, width = texture.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left = np.minimum(x.astype(np.intp), width - 2)
    top = np.minimum(y.astype(np.intp), height - 2)
    right = (x - left).astype(np.float32)[:, None]
    below = (y - top).astype(np.float32)[:, None]
    flat = texture.reshape(-1, 3)
    at = top * width + left
    upper = flat[at] + right * (flat[at + 1] - flat[at])
    at += width
    lower = flat[at] + right * (flat[at + 1] - flat[at])
    result: Samples = upper + below * (lower - upper)
    return result

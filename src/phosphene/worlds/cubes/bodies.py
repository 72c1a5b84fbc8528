"""Cubes and how they move: the nouns of which a scene is made.

A cube's own axes run through its middle. Its faces are counted 0 to 5: right (+x), left (-x), lower
(+y), upper (-y), far (+z) and near (-z), as they lie while the cube is not turned. A face's texture
is seen upright and not mirrored from outside; u runs along its columns, v along its rows, both from
0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from phosphene.errors import ImageError, SettingError
from phosphene.worlds.cubes.camera import Numbers
from phosphene.worlds.textures import Texture

FACES = 6


NORMALS: Numbers = np.array([sign * axis for axis in np.eye(3) for sign in (1.0, -1.0)])
"""(6, 3), outward, of the faces of a cube that is not turned."""
ACROSS: Numbers = np.array(
    [[0, 0, 1], [0, 0, -1], [1, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0, 0]], dtype=np.float64
)
"""(6, 3): where u runs, on a cube of edge 1."""
DOWN: Numbers = np.cross(ACROSS, NORMALS)
"""(6, 3): where v runs."""
ORIGIN: Numbers = (NORMALS - ACROSS - DOWN) / 2
"""(6, 3): the corner of each face that they start from."""

CORNERS: Numbers = np.array(list(product((-0.5, 0.5), repeat=3)))
"""(8, 3), the corners of a cube of edge 1."""


@dataclass(frozen=True, eq=False)
class Cube:
    """A cube with a texture on each face.

    Attributes:
        edge: Length of its edges, above 0.
        textures: Six arrays (height, width, 3) of 8-bit RGB; what is not square is cropped to the
            square in its middle.

    Raises:
        SettingError: The edge cannot be.
        ImageError: The textures are not six, or not of 8-bit RGB.
    """

    edge: float
    textures: tuple[Texture, ...]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.edge) and self.edge > 0):
            raise SettingError(f"a cube of edge {self.edge} cannot be: give a length above 0")
        if len(self.textures) != FACES:
            raise ImageError(f"a cube was given {len(self.textures)} textures: give six")
        for texture in self.textures:
            expect_texture(texture)


def expect_texture(texture: Texture) -> None:
    """Refuse what is no texture.

    Raises:
        ImageError: It is not an array (height, width, 3) of 8-bit RGB.
    """
    if not isinstance(texture, np.ndarray):
        raise ImageError(
            f"a {type(texture).__name__} is no texture: give an array (height, width, 3) of 8-bit "
            "RGB (phosphene.worlds.textures.photograph reads one from a file)"
        )
    if texture.ndim != 3 or texture.shape[2] != 3 or 0 in texture.shape or texture.dtype != "u1":
        raise ImageError(
            f"an array of {texture.dtype} and shape {texture.shape} is no texture: give "
            "(height, width, 3) of 8-bit RGB"
        )


@dataclass(frozen=True, eq=False)
class Motion:
    """Where a cube is in every frame; rigid.

    A point p of the cube, in its own axes, is at rotations[t] @ p + centers[t].

    Attributes:
        rotations: (frames + 1, 3, 3) float64. The last is where the last frame's flow leads to.
        centers: (frames + 1, 3) float64, in the camera's axes.

    Raises:
        SettingError: Shapes that do not fit, fewer than two poses, or a matrix that is no rotation.
    """

    rotations: Numbers
    centers: Numbers

    def __post_init__(self) -> None:
        poses = len(self.centers)
        if self.rotations.shape != (poses, 3, 3) or self.centers.shape != (poses, 3):
            raise SettingError(
                f"rotations of shape {self.rotations.shape} and centers of {self.centers.shape} "
                "are no motion: give (frames + 1, 3, 3) and (frames + 1, 3)"
            )
        if poses < 2:
            raise SettingError(f"a motion of {poses} poses has no flow: give two or more")
        if not np.isfinite(self.centers).all():
            raise SettingError("a motion's centers hold NaN or infinity: give finite positions")
        squares = self.rotations @ self.rotations.transpose(0, 2, 1)
        turned = np.abs(squares - np.eye(3)).max() < 1e-9
        if not (turned and (np.linalg.det(self.rotations) > 0).all()):  # false for NaN
            raise SettingError(
                "a motion's matrices are not all rotations: give orthogonal ones of determinant 1"
            )

    @property
    def frames(self) -> int:
        """How many frames have a flow: one fewer than there are poses."""
        return len(self.centers) - 1

    def corners(self, edge: float) -> Numbers:
        """(frames + 1, 8, 3), where the corners of a cube of that edge are."""
        return edge * CORNERS @ self.rotations.transpose(0, 2, 1) + self.centers[:, None]

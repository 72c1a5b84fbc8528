"""Textured cubes in translation and rotation, with their exact motion.

The worlds on which S3-CNN was shown to find segments by motion alone: a single cube under an
orthographic camera, whose faces each move affinely, and several cubes under a perspective one,
which are rigid and obey an epipolar constraint each.

    for instant in single_cube(seed=1):
        instant.image, instant.flow, instant.parts, instant.occluded

The flow is exact to 1e-9 pixels: affine models of faces and epipolar lines of cubes leave no more.
Frame t + 1 warped back by it gives frame t, where a point is not occluded and off the edges of
faces, to within interpolation: a mean difference of 1.5 to 2.8 steps of 255 by bilinear and of 1.0
to 1.7 by bicubic interpolation (rounding to 8 bits included; drawn textures, and photographs).

Reference:
    The thesis's section 4.4.1. There the frames were rendered with Panda3D; resolution, textures,
    speeds and the number of cubes are not given, so that those here are our own.
"""

from phosphene.worlds.cubes.bodies import Cube, Motion
from phosphene.worlds.cubes.camera import Camera
from phosphene.worlds.cubes.scene import Backdrop, Scene
from phosphene.worlds.cubes.sequences import (
    Scenes,
    multi_cube,
    multi_cube_set,
    single_cube,
    single_cube_set,
)

__all__ = [
    "Backdrop",
    "Camera",
    "Cube",
    "Motion",
    "Scene",
    "Scenes",
    "multi_cube",
    "multi_cube_set",
    "single_cube",
    "single_cube_set",
]

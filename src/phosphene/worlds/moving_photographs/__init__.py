"""Moving photographs: things that move affinely over real or drawn grounds, with exact truth.

    world = moving_photographs("photos/", open_cutouts("frames/", "masks/"), seed=3)
    for instant in world:
        instant.image, instant.flow, instant.objects, instant.occluded

A middle ground between cubes, whose world is all drawn, and films, whose motion nobody knows: the
pictures are real, and the flow of every pixel is known to the precision of float64.
"""

from phosphene.worlds.moving_photographs.cutout import Cutout
from phosphene.worlds.moving_photographs.files import CutoutFile, open_cutouts
from phosphene.worlds.moving_photographs.sequence import MovingPhotographs
from phosphene.worlds.moving_photographs.series import Series
from phosphene.worlds.moving_photographs.staging import moving_photographs
from phosphene.worlds.moving_photographs.supply import DrawnThings

__all__ = [
    "Cutout",
    "CutoutFile",
    "DrawnThings",
    "MovingPhotographs",
    "Series",
    "moving_photographs",
    "open_cutouts",
]

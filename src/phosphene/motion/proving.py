"""The ground that estimators are proved on: pairs of frames from worlds whose motion is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phosphene.errors import SettingError
from phosphene.motion.trial import Trial, trials
from phosphene.worlds.cubes import multi_cube
from phosphene.worlds.moving_photographs import moving_photographs

SPEEDS = (1.0, 12.0)
"""Pixels from frame to frame, of 240 pixels of height: from slow to what 5 frames of video make."""


def proving_ground(
    sequences: int = 20,
    size: tuple[int, int] = (240, 320),
    photographs: Sequence[Path] = (),
    seed: int = 0,
) -> Iterator[Trial]:
    """Go through frames of cubes and of moving photographs by turns, a new sequence for each.

    Args:
        sequences: How many of each; each gives one pair of frames.
        size: (h, w) of the frames.
        photographs: What cubes, things and backgrounds are covered with; drawn textures if none.
        seed: Start of the random numbers: the same for the same frames.

    Yields:
        `sequences` trials of the world `cubes`, and as many of `moving photographs`, the speed of
        each drawn from 1 to 12 pixels a frame at 240 pixels of height, evenly in its logarithm.

    Raises:
        SettingError: There is nothing to make, or frames are too small.
        ImageError: A photograph cannot be read.
    """
    if sequences < 1:
        raise SettingError(f"{sequences} sequences were asked for: give 1 at least")
    scale = min(size) / 240
    speed = (SPEEDS[0] * scale, SPEEDS[1] * scale)
    photos = list(photographs)
    for number in range(sequences):
        own = seed * 100_003 + number
        cubes = multi_cube(own, 2, size, speed=speed, photographs=photos)
        yield from trials(cubes.frames(), "cubes", f"cubes {number}")
        moving = moving_photographs(photos or None, seed=own, frames=2, size=size, speed=speed)
        yield from trials(moving, "moving photographs", f"moving photographs {number}")

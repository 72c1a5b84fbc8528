"""Staging: which things move where, and how, all from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from phosphene.errors import ImageError, SettingError
from phosphene.worlds.moving_photographs.affine import Affine, Wave, Way
from phosphene.worlds.moving_photographs.cutout import Cutout
from phosphene.worlds.moving_photographs.files import CutoutFile
from phosphene.worlds.moving_photographs.layer import DENSITY, Layer, gathered
from phosphene.worlds.moving_photographs.sequence import MovingPhotographs
from phosphene.worlds.moving_photographs.supply import Backgrounds, Things, grounds_of, things_of

Speed = float | tuple[float, float]

SPEEDS = (1.5, 4.0)
_ENLARGED = 3.0
"""How much a thing is enlarged at most, and a background."""
_SMALLEST, _MOST_OBJECTS, _MOST_FRAMES = 32, 12, 100_000
_FASTEST = 1 / 8
"""Of the frame's shorter side, in a frame."""
_STILL = 0.2
"""Share of sequences whose camera stands still."""


def moving_photographs(
    backgrounds: Backgrounds = None,
    cutouts: Sequence[Cutout | CutoutFile] | Things | None = None,
    seed: int = 0,
    *,
    frames: int = 20,
    size: tuple[int, int] = (240, 320),
    objects: tuple[int, int] = (1, 3),
    speed: Speed = SPEEDS,
) -> MovingPhotographs:
    """Let things move affinely before a background, with exact truth.

    The camera moves over the background at up to half the speed (in one sequence of five it stands
    still), turns by up to 2 degrees and zooms by up to 4 %. Every thing goes on an ellipse of its
    own at 0.6 to 1.4 times the speed, and sways by up to 15 degrees, swells by up to 15 % and leans
    by up to 6 %; to that comes the camera's motion. All of it is smooth, the order in depth is
    fixed, and things may leave the frame for a while.

    Args:
        backgrounds: Photographs (files, images, arrays, or a folder), one of which is drawn by lot;
            drawn grounds if `None`; or a function from a generator to an RGB image.
        cutouts: Cut-outs or files of them (`open_cutouts`), or a function from a generator to a
            `Cutout`; if `None`, irregular pieces of the backgrounds, or drawn things where those
            are drawn.
        seed: Any whole number from 0 on; the same for the same sequence.
        frames: How many.
        size: (h, w) of a frame in pixels.
        objects: Least and largest number of things.
        speed: Of things, in pixels a frame, or (least, largest) from which it is drawn, evenly in
            its logarithm. Above 0, and no more than an eighth of the shorter side.

    Returns:
        The sequence.

    Raises:
        SettingError: A setting is out of its range.
        ImageError: A photograph or a cut-out cannot be read, is empty or too small.

    >>> world = moving_photographs(seed=4, frames=2, size=(48, 64))
    >>> len(world), world.instant(0).image.shape
    (2, (48, 64, 3))
    """
    _check(seed, frames, size, objects)
    grounds, things = grounds_of(backgrounds), things_of(cutouts, backgrounds)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    pace = _pace(speed, size, rng)
    camera = _camera(rng, size, pace)
    seen_from = [camera.at(t) for t in range(frames + 1)]
    layers = [_ground(grounds(rng), rng, seen_from, size)]
    names = []
    for _ in range(int(rng.integers(objects[0], objects[1] + 1))):
        thing = things(rng)
        names.append(thing.name)
        layers.append(_thing(thing, rng, seen_from, size, pace))
    return MovingPhotographs(tuple(layers), size, tuple(names))


def _check(seed: int, frames: int, size: tuple[int, int], objects: tuple[int, int]) -> None:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingError(f"the seed {seed!r} cannot be: give a whole number from 0 on")
    if not isinstance(frames, int | np.integer) or not 1 <= frames <= _MOST_FRAMES:
        raise SettingError(f"{frames} frames were asked for: give 1 to {_MOST_FRAMES:,}")
    if min(size) < _SMALLEST:
        raise SettingError(
            f"frames of {size[0]} x {size[1]} pixels were asked for: give {_SMALLEST} a side at "
            "least"
        )
    if not 0 <= objects[0] <= objects[1] <= _MOST_OBJECTS:
        raise SettingError(
            f"{objects[0]} to {objects[1]} objects were asked for: give a least and a largest "
            f"number from 0 to {_MOST_OBJECTS}"
        )


def _pace(speed: Speed, size: tuple[int, int], rng: np.random.Generator) -> float:
    least, largest = speed if isinstance(speed, tuple) else (speed, speed)
    most = _FASTEST * min(size)
    if not 0 < least <= largest <= most:
        raise SettingError(
            f"a speed of {speed} pixels a frame cannot be: give above 0, and up to {most:g} (an "
            f"eighth of the shorter side) for frames of {size[0]} x {size[1]}"
        )
    return float(math.exp(rng.uniform(math.log(least), math.log(largest))))


def _phase(rng: np.random.Generator) -> float:
    return rng.uniform(0, 2 * math.pi)


def _camera(rng: np.random.Generator, size: tuple[int, int], speed: float) -> Way:
    """Draw the camera's way: from where the world would be seen if it stood still to the frame."""
    high, wide = size
    side = min(size)
    still = rng.random() < _STILL
    reach = rng.uniform(0.04, 0.12) * side
    axes = (reach, reach * rng.uniform(0.3, 1.0))
    rate = rng.uniform(0.15, 0.5) * speed / reach
    way = Way(
        middle=((wide - 1) / 2, (high - 1) / 2),
        axes=axes,
        tilt=_phase(rng),
        rate=rate if rng.random() < 0.5 else -rate,
        phase=_phase(rng),
        sway=Wave(math.radians(rng.uniform(0, 2)), rate * rng.uniform(0.5, 1.2), _phase(rng)),
        swell=Wave(rng.uniform(0, 0.04), rate * rng.uniform(0.5, 1.2), _phase(rng)),
    )
    return Way(middle=way.middle) if still else way


def _ground(
    image: Image.Image, rng: np.random.Generator, seen_from: list[Affine], size: tuple[int, int]
) -> Layer:
    """Enlarge a background so far that its border is never seen."""
    high, wide = size
    corners = np.array([[x, y] for x in (-0.5, wide - 0.5) for y in (-0.5, high - 0.5)])
    reach = np.max([np.abs(view.inverse()(corners)).max(0) for view in seen_from], axis=0)
    # With the middle of the texture at the origin.
    across, down = (2 * math.ceil(r * DENSITY) + 5 for r in reach)
    fitting = min(image.width / across, image.height / down)  # of the photograph, by texture pixel
    if fitting * DENSITY < 1 / _ENLARGED:
        raise ImageError(
            f"a background of {image.width}x{image.height} pixels is too small: give "
            f"{math.ceil(across / DENSITY / _ENLARGED)}x{math.ceil(down / DENSITY / _ENLARGED)} "
            "at least, or ask for smaller frames"
        )
    share = fitting * rng.uniform(max(0.65, min(1.0, 1 / (_ENLARGED * DENSITY * fitting))), 1.0)
    kept = across * share, down * share
    left = (image.width - kept[0]) * rng.random()
    top = (image.height - kept[1]) * rng.random()
    box = (left, top, min(left + kept[0], image.width), min(top + kept[1], image.height))
    resized = image.resize((across, down), Image.Resampling.LANCZOS, box)
    own = _from_texture((down, across), 1 / DENSITY)
    texture = gathered(np.asarray(resized, dtype=np.float32))
    return Layer(texture, tuple(view.after(own) for view in seen_from))


def _thing(
    cutout: Cutout,
    rng: np.random.Generator,
    seen_from: list[Affine],
    size: tuple[int, int],
    speed: float,
) -> Layer:
    side, longest = min(size), max(cutout.alpha.shape)
    length = min(rng.uniform(0.35, 0.8) * side, longest * _ENLARGED)
    texture = gathered(cutout.texture(length / longest * DENSITY))
    texture[[0, -1], :, 3] = texture[:, [0, -1], 3] = 0
    reach = max(rng.uniform(0.1, 0.3) * side, 4 * speed)
    axes = (reach, reach * rng.uniform(0.4, 1.0))
    rate = rng.uniform(0.6, 1.4) * speed * math.sqrt(2) / math.hypot(*axes)
    way = Way(
        # The camera's view has its origin in the middle.
        middle=(rng.uniform(-0.22, 0.22) * size[1], rng.uniform(-0.22, 0.22) * size[0]),
        axes=axes,
        tilt=_phase(rng),
        rate=rate if rng.random() < 0.5 else -rate,
        phase=_phase(rng),
        mirror=1.0 if rng.random() < 0.5 else -1.0,
        angle=math.radians(rng.uniform(-10, 10)),
        sway=Wave(math.radians(rng.uniform(0, 15)), rate * rng.uniform(0.5, 1.5), _phase(rng)),
        swell=Wave(rng.uniform(0, 0.15), rate * rng.uniform(0.5, 1.5), _phase(rng)),
        lean=Wave(rng.uniform(0, 0.06), rate * rng.uniform(0.5, 1.5), _phase(rng)),
    )
    own = _from_texture((texture.shape[0], texture.shape[1]), 1 / DENSITY)
    maps = (view.after(way.at(t)).after(own) for t, view in enumerate(seen_from))
    return Layer(texture, tuple(maps))


def _from_texture(shape: tuple[int, int], scale: float) -> Affine:
    """Return the map from a texture's pixels to its middle, in pixels of the frame."""
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    return Affine(np.eye(2) * scale, -middle * scale)

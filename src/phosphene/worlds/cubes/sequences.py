"""Sequences of cubes drawn from a seed, and the thesis's two sets of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.worlds.cubes.bodies import FACES, Cube, Motion
from phosphene.worlds.cubes.camera import Camera
from phosphene.worlds.cubes.drawing import texels
from phosphene.worlds.cubes.scene import Backdrop, Scene
from phosphene.worlds.cubes.trajectories import Room, motions
from phosphene.worlds.patterns import COLORS
from phosphene.worlds.textures import KINDS, Texture, backdrop, fitted, photograph, texture

Photo: TypeAlias = str | Path | Image.Image | NDArray[Any]
Speed: TypeAlias = float | tuple[float, float] | None

SPEEDS = (1 / 128, 4 / 128)
FASTEST = 1 / 10
"""In shorter sides of the frame to a frame; beyond, cubes would cross it in a few frames."""
MOST_CUBES = 6
MOST_FRAMES = 100_000


def single_cube(
    seed: int,
    frames: int = 99,
    size: tuple[int, int] = (128, 128),
    *,
    speed: Speed = None,
    photographs: Sequence[Photo] = (),
    drift: tuple[float, float] = (0.0, 0.0),
    light: float = 0.0,
) -> Scene:
    """A cube in translation and rotation under an orthographic camera.

    The flow of each of its faces is exactly affine in the pixel. The cube stays in the frame.

    Args:
        seed: Any whole number from 0 on; the same arguments give the same scene.
        frames: How many, 1 to 100,000. Each has a flow, also the last.
        size: (h, w) in pixels.
        speed: Median of how far the cube's corners move from frame to frame, in pixels, or (least,
            largest) from which it is drawn, evenly in its logarithm. Above 0, and no more than a
            tenth of the shorter side. Where not given, it is drawn from 1 to 4 pixels in a frame
            of 128 x 128, and in proportion in others.
        photographs: Files, images or arrays from which faces and backdrop take their textures, at
            random (each face its own, as long as there are enough); drawn textures if none are
            given.
        drift: Of the backdrop, (x, y) in pixels a frame.
        light: 0 for none, so that points keep their color; see `Scene`.

    Returns:
        The scene: `len`, `frames()`, `instant(t)`.

    Raises:
        SettingError: An argument that cannot be.
        ImageError: A photograph that is none.
    """
    rng = _generator(seed, 1)
    _expect(frames, size)
    pace = _pace(speed, size, rng)
    camera = Camera(size, float(min(size)), "orthographic")
    edges = 0.33 + 0.13 * rng.random(1)
    room = Room.before(camera, -1.0, 1.0, keep=1.0)
    moves = motions(camera, room, edges, frames=frames, speed=pace, seed=[seed, 1], margin=0.06)
    return _scene(camera, edges, moves, rng, photographs, drift, light)


def multi_cube(
    seed: int,
    frames: int = 198,
    size: tuple[int, int] = (128, 128),
    *,
    cubes: int | tuple[int, int] = (2, 4),
    speed: Speed = None,
    photographs: Sequence[Photo] = (),
    drift: tuple[float, float] = (0.0, 0.0),
    light: float = 0.0,
) -> Scene:
    """Several cubes that move independently under a perspective camera.

    Each cube's flow obeys an epipolar constraint of its own. Cubes pass before and behind each
    other, do not touch, and may leave the frame by up to a half.

    Args:
        seed: Any whole number from 0 on; the same arguments give the same scene.
        frames: How many, 1 to 100,000. Each has a flow, also the last.
        size: (h, w) in pixels.
        cubes: How many, 1 to 6, or (least, largest) from which it is drawn.
        speed: As for `single_cube`, over all cubes.
        photographs: As for `single_cube`.
        drift: Of the backdrop, (x, y) in pixels a frame.
        light: 0 for none, so that points keep their color; see `Scene`.

    Returns:
        The scene: `len`, `frames()`, `instant(t)`.

    Raises:
        SettingError: An argument that cannot be.
        ImageError: A photograph that is none.
    """
    rng = _generator(seed, 2)
    _expect(frames, size)
    least, largest = (cubes, cubes) if isinstance(cubes, int) else cubes
    if not 1 <= least <= largest <= MOST_CUBES:
        raise SettingError(f"{cubes} cubes were asked for: give 1 to {MOST_CUBES}, or a range")
    count = int(rng.integers(least, largest + 1))
    pace = _pace(speed, size, rng)
    camera = Camera(size, 1.1 * min(size), "perspective")
    edges = (0.66 + 0.4 * rng.random(count)) * (3 / max(count, 3)) ** (1 / 3)
    room = Room.before(camera, 1.6, 5.2, keep=0.5)
    moves = motions(camera, room, edges, frames=frames, speed=pace, seed=[seed, 2], margin=0.15)
    return _scene(camera, edges, moves, rng, photographs, drift, light)


@dataclass(frozen=True)
class Scenes(Sequence[Scene]):
    """Scenes that are made when they are asked for.

    Attributes:
        seeds: Of the scenes.
        make: From a seed, one.
    """

    seeds: tuple[int, ...]
    make: Callable[[int], Scene]

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Scenes(self.seeds[index], self.make)
        return self.make(self.seeds[index])

    def __iter__(self) -> Iterator[Scene]:
        return map(self.make, self.seeds)


def single_cube_set(seed: int = 0, size: tuple[int, int] = (128, 128), **options: Any) -> Scenes:
    """The thesis's set of single cubes: 5 sequences of 99 frames, all for training.

    Args:
        seed: Of the set; sets of different seeds share no sequence.
        size: (h, w) in pixels.
        options: More arguments of `single_cube`.
    """
    return Scenes(_seeds(seed, 5), partial(single_cube, frames=99, size=size, **options))


def multi_cube_set(
    seed: int = 0,
    size: tuple[int, int] = (128, 128),
    *,
    split: Literal["all", "train", "test"] = "all",
    **options: Any,
) -> Scenes:
    """The thesis's set of several cubes: 40 sequences of 198 frames for training, 5 for testing.

    Args:
        seed: Of the set; sets of different seeds share no sequence.
        size: (h, w) in pixels.
        split: `"all"` 45, the first 40 (`"train"`) or the last 5 (`"test"`).
        options: More arguments of `multi_cube`.

    Raises:
        SettingError: There is no such split.
    """
    splits = {"all": slice(None), "train": slice(40), "test": slice(40, None)}
    if split not in splits:
        raise SettingError(f"there is no split {split!r}: take 'all', 'train' or 'test'")
    seeds = _seeds(seed, 45)[splits[split]]
    return Scenes(seeds, partial(multi_cube, frames=198, size=size, **options))


def _seeds(seed: int, count: int) -> tuple[int, ...]:
    _generator(seed, 0)
    return tuple(range(seed << 32, (seed << 32) + count))


def _generator(seed: int, kind: int) -> np.random.Generator:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingError(f"the seed {seed!r} cannot be: give a whole number from 0 on")
    return np.random.default_rng([int(seed), kind, 0])


def _expect(frames: int, size: tuple[int, int]) -> None:
    Camera(size, 1.0)
    if not isinstance(frames, int | np.integer) or not 1 <= frames <= MOST_FRAMES:
        raise SettingError(f"{frames} frames were asked for: give 1 to {MOST_FRAMES:,}")


def _pace(speed: Speed, size: tuple[int, int], rng: np.random.Generator) -> float:
    side = min(size)
    if speed is None:
        speed = (SPEEDS[0] * side, SPEEDS[1] * side)
    least, largest = speed if isinstance(speed, tuple) else (speed, speed)
    most = FASTEST * side
    if not 0 < least <= largest <= most:
        raise SettingError(
            f"a speed of {speed} pixels a frame cannot be: give above 0, and up to {most:g} (a "
            f"tenth of the shorter side) for frames of {size[0]} x {size[1]}"
        )
    return float(math.exp(rng.uniform(math.log(least), math.log(largest))))


def _scene(
    camera: Camera,
    edges: NDArray[np.float64],
    moves: tuple[Motion, ...],
    rng: np.random.Generator,
    photographs: Sequence[Photo],
    drift: tuple[float, float],
    light: float,
) -> Scene:
    if isinstance(photographs, str | Path):
        raise SettingError(f"photographs are given as a list: [{str(photographs)!r}]")
    height, width = camera.size
    sides = [texels(camera, float(e), m) for e, m in zip(edges, moves, strict=True)]
    if photographs:
        order = [photographs[i] for i in rng.permutation(len(photographs))]
        turns = cycle(order)
        behind = fitted(photograph(next(turns)), height, width)
        surfaces = [
            fitted(photograph(next(turns)), side, side) for side in sides for _ in range(FACES)
        ]
    else:
        behind = backdrop(height, width, rng)
        surfaces = [surface for side in sides for surface in _six(side, rng)]
    bodies = tuple(
        Cube(float(edge), tuple(surfaces[FACES * i : FACES * (i + 1)]))
        for i, edge in enumerate(edges)
    )
    return Scene(camera, bodies, moves, Backdrop(behind, drift), light)


def _six(side: int, rng: np.random.Generator) -> list[Texture]:
    """Textures of six colors and kinds, so that a cube's faces can be told apart."""
    colors, kinds = rng.permutation(len(COLORS))[:FACES], rng.permutation(len(KINDS))[:FACES]
    return [
        texture(KINDS[kind], side, rng, color=COLORS[color])
        for color, kind in zip(colors, kinds, strict=True)
    ]

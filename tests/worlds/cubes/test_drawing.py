"""Frames look as is said of them: textures where they belong, colors that move with the flow."""

from pathlib import Path

import numpy as np
import pytest

from phosphene.worlds.cubes import (
    Backdrop,
    Camera,
    Cube,
    Motion,
    Scene,
    multi_cube,
    single_cube,
)
from phosphene.worlds.cubes.bodies import NORMALS

GREY = np.full((8, 8, 3), 120, dtype=np.uint8)


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1 - right) + image[top, left + 1] * right
    lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return upper * (1 - below) + lower * below


def warp_errors(scene: Scene, t: int) -> np.ndarray:
    """Differences of frame t from frame t + 1 warped back, on unoccluded pixels off all edges."""
    now, then = scene.instant(t), scene.instant(t + 1)
    height, width = now.parts.shape
    x = np.arange(width) + now.flow[:, :, 0]
    y = np.arange(height)[:, None] + now.flow[:, :, 1]
    clear = ~now.occluded & (now.parts > 0)
    clear &= (x >= 1) & (x < width - 2) & (y >= 1) & (y < height - 2)
    x, y = np.where(clear, x, 1), np.where(clear, y, 1)
    padded = np.pad(now.parts, 1, mode="edge")
    for i in range(-1, 3):
        for j in range(-1, 3):
            clear &= then.parts[np.floor(y).astype(int) + i, np.floor(x).astype(int) + j] == (
                now.parts
            )
            if max(i, j) < 2:
                clear &= padded[1 + i : 1 + i + height, 1 + j : 1 + j + width] == now.parts
    return np.abs(bilinear(then.image.astype(float), x, y) - now.image)[clear]


@pytest.mark.parametrize(("make", "seed"), [(single_cube, 0), (single_cube, 1), (multi_cube, 0)])
def test_the_next_frame_warped_back_is_this_frame(make, seed: int) -> None:
    errors = np.concatenate([warp_errors(make(seed), t) for t in (0, 33, 66)])
    assert errors.size > 15_000
    assert errors.mean() < 3.0, "of 255; interpolation, and rounding to 8 bits"
    # Without the motion nothing would fit.
    scene = make(seed)
    one, two = scene.instant(0), scene.instant(1)
    moving = one.parts > 0
    still = np.abs(one.image.astype(float) - two.image)[moving].mean()
    assert still > 2.5 * errors.mean()


def test_smooth_textures_leave_next_to_nothing() -> None:
    ramp = np.linspace(40, 215, 64)
    smooth = np.stack(np.broadcast_arrays(ramp, ramp[:, None], 128.0), axis=2).astype(np.uint8)
    scene = single_cube(7, 3)
    cube = Cube(scene.cubes[0].edge, (smooth,) * 6)
    scene = Scene(scene.camera, (cube,), scene.motions, scene.backdrop)
    assert warp_errors(scene, 0).mean() < 0.4


def facing(normal: np.ndarray) -> np.ndarray:
    """A rotation that turns a face of a cube to the camera."""
    if normal[2]:
        # About y: half a turn for the far face, none for the near one.
        return np.diag([-normal[2], 1.0, -normal[2]])
    axis = np.cross(normal, [0, 0, -1.0])
    return np.stack(
        [np.cross(axis, e) + axis * (axis @ e) for e in np.eye(3)], axis=1
    )  # fmt: skip


@pytest.mark.parametrize("face", range(6))
def test_each_face_wears_its_texture_upright_and_not_mirrored(face: int) -> None:
    rng = np.random.default_rng(0)
    textures = tuple(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(6))
    poses = np.broadcast_to(facing(NORMALS[face]), (2, 3, 3))
    motion = Motion(poses, np.zeros((2, 3)))
    camera = Camera((32, 32), 24.0, "orthographic")
    found = Scene(camera, (Cube(1.0, textures),), (motion,), Backdrop(GREY)).instant(0)
    inside = slice(4, 28)
    assert (found.parts[inside, inside] == face + 1).all()
    assert found.parts[:4].max() == 0
    shown, worn = found.image[inside, inside].astype(float), textures[face].astype(float)
    turns = [np.corrcoef(np.rot90(worn, k).ravel(), shown.ravel())[0, 1] for k in range(4)]
    mirrored = [
        np.corrcoef(np.rot90(worn[:, ::-1], k).ravel(), shown.ravel())[0, 1] for k in range(4)
    ]
    assert max(turns) > 0.95
    assert max(mirrored) < 0.3
    if face not in (2, 3):  # which have no upper side while they lie
        assert turns[0] > 0.95


def test_pixels_on_an_edge_are_mixed() -> None:
    white = np.full((8, 8, 3), 255, dtype=np.uint8)
    motion = Motion(np.broadcast_to(np.eye(3), (2, 3, 3)), np.zeros((2, 3)))
    # From 15.5 - 8.17 to 15.5 + 8.17: of the columns at both ends a third is covered.
    camera = Camera((32, 32), 49 / 3, "orthographic")
    black = np.zeros((8, 8, 3), dtype=np.uint8)
    found = Scene(camera, (Cube(1.0, (white,) * 6),), (motion,), Backdrop(black)).instant(0)
    row = found.image[16, :, 0]
    assert row[8:24].min() == 255
    assert row[:7].max() == row[25:].max() == 0
    assert row[7] == row[24] == 0 or 80 <= row[7] <= 90


def test_a_drifting_backdrop_moves_as_its_flow_says() -> None:
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    base = single_cube(2, 40, (64, 64))
    scene = Scene(base.camera, base.cubes, base.motions, Backdrop(texture, (2.0, -1.0)))
    one, two, late = scene.instant(0), scene.instant(1), scene.instant(39)
    behind = (one.parts == 0) & ~one.occluded
    assert (one.flow[one.parts == 0] == [2.0, -1.0]).all()
    # Two columns and a row leave the frame.
    assert one.occluded[:, -2:].all()
    assert one.occluded[0].all()
    rows, columns = np.nonzero(behind)
    kept = two.parts[rows - 1, columns + 2] == 0
    before, after = one.image[rows, columns], two.image[rows - 1, columns + 2]
    close = (np.abs(before.astype(int) - after).max(axis=1) <= 1)[kept]
    assert close.mean() > 0.9
    assert late.image.std() > 20


def test_light_darkens_what_is_turned_away_and_moves_nothing() -> None:
    plain, lit = single_cube(1, 5), single_cube(1, 5, light=1.0)
    one, two = plain.instant(2), lit.instant(2)
    np.testing.assert_array_equal(one.flow, two.flow)
    np.testing.assert_array_equal(one.parts, two.parts)
    np.testing.assert_array_equal(one.image[0], two.image[0])
    moving = one.parts > 0
    assert (two.image[moving] <= one.image[moving]).all()
    shares = []
    for part in np.unique(one.parts[one.parts > 0]):
        shown = one.parts == part
        shares.append(float(two.image[shown].mean() / one.image[shown].mean()))
    assert min(shares) < 0.8
    assert max(shares) > min(shares) + 0.1


def test_photographs_become_textures(shared: Path) -> None:
    files = sorted((shared / "data" / "imagenet_sample").glob("*.jpg"))[:4]
    one, two = single_cube(1, 3, photographs=files), single_cube(1, 3)
    np.testing.assert_array_equal(one.instant(1).flow, two.instant(1).flow)
    assert (one.instant(1).image != two.instant(1).image).mean() > 0.9
    assert warp_errors(one, 0).mean() < 4.0


def test_arrays_and_wide_photographs_become_textures() -> None:
    rng = np.random.default_rng(1)
    scene = multi_cube(
        1, 2, photographs=[rng.random((30, 70, 3)), rng.integers(0, 256, (9, 5), dtype=np.uint8)]
    )
    assert scene.instant(0).image.shape == (128, 128, 3)

"""Sequences: the same from the same seed in any order, within bounds; and what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.worlds.cubes import (
    Backdrop,
    Camera,
    Cube,
    Motion,
    Scene,
    multi_cube,
    multi_cube_set,
    single_cube,
    single_cube_set,
)
from phosphene.worlds.cubes.trajectories import distances, turned

TEXTURE = np.zeros((8, 8, 3), dtype=np.uint8)
CUBE = Cube(1.0, (TEXTURE,) * 6)
STILL = Motion(np.broadcast_to(np.eye(3), (3, 3, 3)), np.broadcast_to([0.0, 0, 5], (3, 3)))


def corners(scene: Scene) -> np.ndarray:
    """(cubes, frames + 1, 8, 3)."""
    both = zip(scene.cubes, scene.motions, strict=True)
    return np.stack([motion.corners(cube.edge) for cube, motion in both])


@pytest.mark.parametrize("make", [single_cube, multi_cube])
def test_a_sequence_is_a_function_of_its_seed_in_any_order(make) -> None:
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    one, two, other = make(5, 6, (32, 32)), make(5, 6, (32, 32)), make(6, 6, (32, 32))
    assert len(one) == 6
    last = two.instant(5)
    for t, instant in enumerate(one):
        again = two.instant(t)
        for name in ("image", "flow", "objects", "parts", "occluded"):
            np.testing.assert_array_equal(getattr(instant, name), getattr(again, name))
    np.testing.assert_array_equal(instant.image, last.image)
    assert (other.instant(0).image != one.instant(0).image).mean() > 0.5
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # type: ignore[index]


def test_instants_are_of_the_right_kind() -> None:
    instant = multi_cube(0, 2, (40, 50)).instant(1)
    kinds = {"image": "u1", "flow": "f8", "objects": "i4", "parts": "i4", "occluded": "?"}
    for name, kind in kinds.items():
        array = getattr(instant, name)
        assert array.shape[:2] == (40, 50)
        assert array.dtype == kind
        array[0, 0] = 0  # its own, not a view of what later frames are drawn from


@pytest.mark.parametrize("seed", range(6))
def test_a_single_cube_stays_in_the_frame(seed: int) -> None:
    scene = single_cube(seed, size=(96, 144))
    seen = scene.camera.project(corners(scene))
    assert seen.min() >= -0.5
    assert (seen.max(axis=(0, 1, 2)) <= [143.5, 95.5]).all()
    moved = np.ptp(scene.motions[0].centers, axis=0)
    assert (moved[:2] > 0.02).all()


@pytest.mark.parametrize("count", [1, 3, 6])
def test_cubes_do_not_touch_and_show_at_least_their_middles(count: int) -> None:
    for seed in range(2):
        scene = multi_cube(seed, cubes=count, speed=(1.0, 6.0))
        assert len(scene.cubes) == count
        radii = np.array([cube.edge for cube in scene.cubes]) * np.sqrt(3) / 2
        centers = np.stack([motion.centers for motion in scene.motions], axis=1)
        gaps = [distances(each, radii)[0].min() for each in centers]
        assert min(gaps) > 0.01
        middles = scene.camera.project(centers)
        assert middles.min() > 0
        assert middles.max() < 127
        assert corners(scene)[..., 2].min() > 1.5


@pytest.mark.parametrize("make", [single_cube, multi_cube])
@pytest.mark.parametrize("speed", [0.2, 2.0, 8.0])
def test_corners_move_at_the_speed_that_was_asked_for(make, speed: float) -> None:
    scene = make(3, 60, speed=speed)
    moved = np.diff(scene.camera.project(corners(scene)), axis=1)
    lengths = np.linalg.norm(moved, axis=-1)
    assert np.median(lengths) == pytest.approx(speed, rel=0.1)
    assert lengths.max() < 8 * speed


def test_motion_is_smooth() -> None:
    scene = multi_cube(2, 198, cubes=4, speed=0.5)
    second = np.diff(corners(scene), n=2, axis=1)
    first = np.diff(corners(scene), axis=1)
    assert np.linalg.norm(second, axis=-1).mean() < 0.1 * np.linalg.norm(first, axis=-1).mean()


def test_cubes_turn_as_well_as_move() -> None:
    for scene in (single_cube(0), multi_cube(0)):
        for motion in scene.motions:
            step = motion.rotations[1:] @ motion.rotations[:-1].transpose(0, 2, 1)
            angles = np.arccos(np.clip((np.trace(step, axis1=1, axis2=2) - 1) / 2, -1, 1))
            assert np.degrees(angles).max() > 0.2
            assert np.linalg.norm(np.diff(motion.centers, axis=0), axis=1).max() > 0


def test_rotations_are_by_the_axis_and_angle() -> None:
    axes = np.random.default_rng(0).standard_normal((20, 3))
    found = turned(axes)
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.eye(3)[None].repeat(20, 0), atol=1e-12
    )
    np.testing.assert_allclose((found @ axes[:, :, None])[:, :, 0], axes, atol=1e-12)
    angles = np.linalg.norm(axes, axis=1)
    np.testing.assert_allclose(
        np.trace(found, axis1=1, axis2=2), 1 + 2 * np.cos(angles), atol=1e-12
    )
    np.testing.assert_array_equal(turned(np.zeros(3)), np.eye(3))


def test_the_sets_are_the_thesis_s() -> None:
    single, multi = single_cube_set(), multi_cube_set(size=(32, 32))
    train, test = multi_cube_set(split="train"), multi_cube_set(split="test")
    assert (len(single), len(multi), len(train), len(test)) == (5, 45, 40, 5)
    assert len(single[0]) == 99
    assert len(multi[44]) == 198
    assert 2 <= len(multi[0].cubes) <= 4
    assert not set(train.seeds) & set(test.seeds)
    assert not set(multi_cube_set(1).seeds) & set(multi.seeds)
    assert set(train.seeds + test.seeds) == set(multi.seeds)
    assert len(multi[:3]) == 3
    assert [scene.cubes[0].edge for scene in multi[:2]] == [multi[i].cubes[0].edge for i in (0, 1)]
    again = pickle.loads(pickle.dumps(single_cube_set(2, (32, 32), light=0.5)))
    assert again[1].light == 0.5
    np.testing.assert_array_equal(
        again[1].instant(3).image, single_cube_set(2, (32, 32), light=0.5)[1].instant(3).image
    )


def test_scenes_can_be_handed_to_other_processes() -> None:
    scene = single_cube(1, 4, (32, 32))
    first = scene.instant(2)
    again = pickle.loads(pickle.dumps(scene)).instant(2)
    np.testing.assert_array_equal(first.image, again.image)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: single_cube(-1), "the seed -1 cannot be: give a whole number from 0 on"),
        (lambda: single_cube(1.5), "the seed 1.5 cannot be"),
        (lambda: single_cube(1, 0), "0 frames were asked for: give 1 to 100,000"),
        (lambda: single_cube(1, size=(8, 64)), r"size \(8, 64\) were asked for: give height and"),
        (lambda: single_cube(1, size=64), "frames of size 64 were asked for"),
        (lambda: single_cube(1, size=(64.5, 64)), "in whole pixels"),
        (lambda: single_cube(1, speed=0), "a speed of 0 pixels a frame cannot be: give above 0"),
        (lambda: single_cube(1, speed=13), r"up to 12\.8 \(a tenth of the shorter side\)"),
        (lambda: single_cube(1, speed=(3, 2)), r"a speed of \(3, 2\) pixels"),
        (lambda: single_cube(1, speed=float("nan")), "a speed of nan pixels"),
        (lambda: single_cube(1, light=2), "light of 2 cannot be: give 0"),
        (lambda: single_cube(1, drift=(np.inf, 0)), "a drift of .* cannot be"),
        (lambda: single_cube(1, photographs="cat.png"), r"given as a list: \['cat.png'\]"),
        (lambda: multi_cube(1, cubes=0), "0 cubes were asked for: give 1 to 6, or a range"),
        (lambda: multi_cube(1, cubes=(3, 2)), r"\(3, 2\) cubes were asked for"),
        (lambda: multi_cube(1, cubes=7), "7 cubes were asked for"),
        (lambda: multi_cube_set(split="val"), "there is no split 'val': take 'all', 'train'"),
        (lambda: multi_cube_set(-3), "the seed -3 cannot be"),
        (lambda: single_cube(1, 3).instant(3), "there is no frame 3: frames go from 0 to 2"),
        (lambda: single_cube(1, 3).instant(-1), "there is no frame -1"),
        (lambda: Camera((32, 32), 0.0), "the focal length 0.0 cannot be"),
        (lambda: Camera((32, 32), 9.0, "fisheye"), "there is no projection 'fisheye': take"),
        (lambda: Cube(-1.0, (TEXTURE,) * 6), "a cube of edge -1.0 cannot be"),
        (lambda: Motion(np.zeros((2, 3, 3)), np.zeros((2, 3))), "are not all rotations"),
        (lambda: Motion(-np.stack([np.eye(3)] * 2), np.zeros((2, 3))), "of determinant 1"),
        (lambda: Motion(np.eye(3)[None], np.zeros((1, 3))), "a motion of 1 poses has no flow"),
        (lambda: Motion(np.zeros((2, 3)), np.zeros((2, 3))), "are no motion: give"),
        (lambda: Motion(STILL.rotations, STILL.centers * np.nan), "hold NaN or infinity"),
        (
            lambda: Scene(Camera((32, 32), 9.0), (CUBE,), (), Backdrop(TEXTURE)),
            "1 cubes with 0 motions are no scene",
        ),
        (
            lambda: Scene(
                Camera((32, 32), 9.0),
                (CUBE,) * 2,
                (STILL, Motion(STILL.rotations[1:], STILL.centers[1:])),
                Backdrop(TEXTURE),
            ),
            "motions of 1 and 2 frames do not fit together",
        ),
        (
            lambda: Scene(
                Camera((32, 32), 9.0),
                (CUBE,),
                (Motion(STILL.rotations, STILL.centers * 0),),
                Backdrop(TEXTURE),
            ),
            "a cube comes behind the camera: keep all depths above 0",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        call()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Cube(1.0, (TEXTURE,) * 5), "a cube was given 5 textures: give six"),
        (
            lambda: Cube(1.0, (TEXTURE / 255,) * 6),
            r"an array of float64 and shape \(8, 8, 3\) is no",
        ),
        (lambda: Cube(1.0, (TEXTURE[:, :, 0],) * 6), "is no texture: give"),
        (lambda: Cube(1.0, ("cat.png",) * 6), "a str is no texture: give an array"),
        (lambda: Backdrop(TEXTURE[:0]), "is no texture"),
        (lambda: single_cube(1, photographs=[Path("nowhere.png")]), "no file nowhere.png"),
        (lambda: single_cube(1, photographs=[np.full((4, 4), 7.0)]), "pixels run from 7 to 7"),
    ],
)
def test_what_is_no_texture_is_refused_in_a_sentence(call, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        call()

"""What is said of each pixel is so: against rays cast one by one, and by the laws of the motion."""

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
from phosphene.worlds.cubes.scene import FACES
from phosphene.worlds.instant import Instant
from tests.reference import cubes as reference

BLANK = np.full((8, 8, 3), 99, dtype=np.uint8)
SCENES = {
    "single": lambda: single_cube(3, 4, (40, 56), speed=2.5),
    "single, slow": lambda: single_cube(4, 3, (32, 32), speed=0.1),
    "multi": lambda: multi_cube(1, 6, (40, 50), cubes=4, speed=3.5),
    "multi, crowded": lambda: multi_cube(5, 4, (44, 36), cubes=6, speed=2.5, drift=(0.7, -1.2)),
}


def frontal(camera: Camera, depth: float, *moves: tuple[float, float, float]) -> Scene:
    """A cube of edge 1 that looks straight at the camera, in poses given by where its middle is."""
    centers = np.array(moves) + np.array([0.0, 0.0, depth])
    motion = Motion(np.broadcast_to(np.eye(3), (len(moves), 3, 3)), centers)
    return Scene(camera, (Cube(1.0, (BLANK,) * 6),), (motion,), Backdrop(BLANK))


@pytest.mark.parametrize("name", SCENES)
def test_each_pixel_agrees_with_rays_cast_one_by_one(name: str) -> None:
    scene = SCENES[name]()
    for t in (0, len(scene) - 1):
        found, expected = scene.instant(t), reference.instant(scene, t)
        np.testing.assert_array_equal(found.objects, expected["objects"])
        np.testing.assert_array_equal(found.parts, expected["parts"])
        np.testing.assert_allclose(found.flow, expected["flow"], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found.occluded, expected["occluded"])
        assert 0 < found.occluded.mean() < 0.3
        assert found.objects.max() == len(scene.cubes)


def test_a_part_belongs_to_its_object() -> None:
    found = multi_cube(2, 1).instant(0)
    np.testing.assert_array_equal(found.objects, (found.parts + FACES - 1) // FACES)
    assert found.parts.dtype == found.objects.dtype == np.int32


def fitted(instant: Instant, part: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) pixels of a part, homogeneous, and where they go."""
    rows, columns = np.nonzero(instant.parts == part)
    here = np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(float)
    return here, here[:, :2] + instant.flow[rows, columns]


@pytest.mark.parametrize("seed", range(3))
def test_under_orthography_each_face_moves_affinely(seed: int) -> None:
    scene = single_cube(seed, 60)
    tested = 0
    for t in (0, 29, 59):
        instant = scene.instant(t)
        for part in np.unique(instant.parts):
            here, there = fitted(instant, part)
            if len(here) < 12:
                continue
            affine = np.linalg.lstsq(here, there, rcond=None)[0]
            assert np.abs(here @ affine - there).max() < 1e-9
            tested += 1
    assert tested >= 9


def normalized(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points brought to mean 0 and mean square 1 (Hartley 1997), and the matrix that does so."""
    middle, spread = points.mean(axis=0), points.std()
    matrix = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, spread]]) / spread
    return np.column_stack([points, np.ones(len(points))]) @ matrix.T, matrix


@pytest.mark.parametrize("seed", range(3))
def test_under_perspective_each_cube_obeys_an_epipolar_constraint(seed: int) -> None:
    scene = multi_cube(seed, 60)
    tested = 0
    for t in (0, 29, 59):
        instant = scene.instant(t)
        for index in range(1, len(scene.cubes) + 1):
            rows, columns = np.nonzero(instant.objects == index)
            if len(rows) < 30:
                continue
            here = np.stack([columns, rows], axis=1).astype(float)
            there = here + instant.flow[rows, columns]
            (one, first), (two, second) = normalized(here), normalized(there)
            system = (two[:, :, None] * one[:, None, :]).reshape(-1, 9)
            fundamental = np.linalg.svd(system, full_matrices=False)[2][-1].reshape(3, 3)
            fundamental = second.T @ fundamental @ first
            lines = np.column_stack([here, np.ones(len(here))]) @ fundamental.T
            residual = (np.column_stack([there, np.ones(len(there))]) * lines).sum(axis=1)
            assert np.abs(residual / np.hypot(lines[:, 0], lines[:, 1])).max() < 1e-6
            tested += 1
    assert tested >= 6


def test_a_frontal_translation_is_what_the_camera_makes_of_it() -> None:
    camera = Camera((33, 33), 20.0, "orthographic")
    found = frontal(camera, 5.0, (0, 0, 0), (0.1, -0.05, 0.4)).instant(0)
    inside = found.objects == 1
    assert inside.sum() == 21 * 21
    assert set(np.unique(found.parts[inside])) == {6}, "the near face"
    np.testing.assert_allclose(found.flow[inside] - [2.0, -1.0], 0, atol=1e-12)
    assert (found.flow[~inside] == 0).all()
    # Under perspective, coming nearer swells the face about the middle: z = 4.5 becomes 4.
    camera = Camera((33, 33), 90.0, "perspective")
    found = frontal(camera, 5.0, (0, 0, 0), (0, 0, -0.5)).instant(0)
    rows, columns = np.nonzero(found.objects)
    swollen = np.stack([columns - 16, rows - 16], axis=1) * (4.5 / 4 - 1)
    np.testing.assert_allclose(found.flow[rows, columns], swollen, atol=1e-12)


def test_occlusion_of_the_four_kinds() -> None:
    camera = Camera((41, 41), 20.0, "orthographic")
    # The face ends at 10.5; it moves two pixels to the right: two columns before it get hidden.
    found = frontal(camera, 5.0, (0, 0, 0), (0.1, 0, 0)).instant(0)
    assert found.occluded.sum() == 2 * 21
    assert (np.nonzero(found.occluded)[1] >= 31).all()
    # It leaves the frame by 9.5 pixels.
    found = frontal(camera, 5.0, (0.5, 0, 0), (0.975, 0, 0)).instant(0)
    gone = found.occluded & (found.objects == 1)
    assert gone.sum() == 9 * 21
    # A quarter turn turns the near face away.
    quarter = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    motion = Motion(np.stack([np.eye(3), quarter @ quarter]), np.zeros((2, 3)))
    scene = Scene(camera, (Cube(1.0, (BLANK,) * 6),), (motion,), Backdrop(BLANK))
    found = scene.instant(0)
    np.testing.assert_array_equal(found.occluded, found.objects == 1)
    # Of two cubes, the nearer one hides the other, and not the reverse.
    still = np.broadcast_to(np.eye(3), (2, 3, 3))
    far = Motion(still, np.array([[0.0, 0, 9], [0, 0, 9]]))
    near = Motion(still, np.array([[1.2, 0, 5], [0.2, 0, 5]]))
    cube = Cube(1.0, (BLANK,) * 6)
    found = Scene(camera, (cube, cube), (far, near), Backdrop(BLANK)).instant(0)
    hidden = np.nonzero(found.occluded & (found.objects == 1))
    assert len(hidden[0]) == 17 * 21
    assert (hidden[1] >= 14).all()
    assert not (found.occluded & (found.objects == 2)).any()


def test_no_seam_opens_where_edges_meet_pixels() -> None:
    # Turned by an eighth about y, an edge runs exactly along the middle column of pixels.
    half = np.sqrt(0.5)
    turn = np.array([[half, 0, half], [0, 1, 0], [-half, 0, half]])
    motion = Motion(np.stack([turn, turn]), np.array([[0.0, 0, 4], [0, 0, 4]]))
    for projection, focal in (("orthographic", 20.0), ("perspective", 80.0)):
        camera = Camera((41, 41), focal, projection)
        found = Scene(camera, (Cube(1.0, (BLANK,) * 6),), (motion,), Backdrop(BLANK)).instant(0)
        middle = found.objects[15:26]
        seen = np.flatnonzero(middle[5])
        assert (middle[:, seen[0] : seen[-1] + 1] == 1).all()
        assert not found.occluded.any()
        np.testing.assert_allclose(found.flow, 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_occlusion_agrees_with_a_fine_map_of_the_next_frame(seed: int) -> None:
    scene = multi_cube(seed, 20, cubes=4, speed=4.0)
    instant, fine = scene.instant(11), 8
    height, width = instant.parts.shape
    at_x = (np.arange(width * fine) - (fine - 1) / 2) / fine
    at_y = (np.arange(height * fine) - (fine - 1) / 2) / fine
    parts = scene.planes(12).seen(at_x, at_y) + 1
    x = np.arange(width) + instant.flow[:, :, 0]
    y = np.arange(height)[:, None] + instant.flow[:, :, 1]
    column, row = np.rint((x + 0.5) * fine - 0.5), np.rint((y + 0.5) * fine - 0.5)
    inside = (column >= 1) & (column < width * fine - 1) & (row >= 1) & (row < height * fine - 1)
    column, row = np.where(inside, column, 1).astype(int), np.where(inside, row, 1).astype(int)
    around = np.stack([parts[row + i, column + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    # Where the map is of one piece around the point, it decides; at its borders it is too coarse.
    plain = inside & (around == around[0]).all(axis=0)
    assert plain.mean() > 0.9
    np.testing.assert_array_equal((around[0] != instant.parts)[plain], instant.occluded[plain])
    assert instant.occluded[plain].sum() > 100

"""Scenes: the same from the same seed, true about every pixel, and of a class by form alone."""

import itertools

import numpy as np
import pytest

from phosphene.errors import ImageError
from phosphene.worlds.parts import outline
from phosphene.worlds.shapes import (
    CLASSES,
    COLORS,
    PARTS,
    TEXTURES,
    Scene,
    batch,
    scene,
    scenes,
)


@pytest.fixture(scope="module")
def drawn() -> list[Scene]:
    return list(scenes(60, seed=11))


def test_a_scene_is_a_function_of_its_seed() -> None:
    one, two, other = scene(123), scene(123), scene(133)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.object, two.object)
    assert one.label == other.label
    assert (one.image != other.image).any()


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    scene(3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]


def test_a_series_can_be_drawn_scene_by_scene(drawn: list[Scene]) -> None:
    for each in drawn[:5]:
        np.testing.assert_array_equal(scene(each.seed).image, each.image)


def test_series_of_different_seeds_share_no_scene() -> None:
    first = {each.seed for each in scenes(20, seed=0)}
    assert not first & {each.seed for each in scenes(20, seed=1)}


def test_a_batch_is_the_series_without_masks(drawn: list[Scene]) -> None:
    images, labels = batch(12, seed=11)
    np.testing.assert_array_equal(images, np.stack([each.image for each in drawn[:12]]))
    assert labels.tolist() == [each.label for each in drawn[:12]]


def test_classes_take_turns(drawn: list[Scene]) -> None:
    counts = np.bincount([each.label for each in drawn], minlength=len(CLASSES))
    assert counts.tolist() == [6] * 10


def test_a_class_can_be_asked_for() -> None:
    assert scene(5, label=7).label == 7


def test_image_and_masks_have_the_form_they_promise(drawn: list[Scene]) -> None:
    for each in drawn:
        assert each.image.shape == (96, 96, 3)
        assert each.image.dtype == np.uint8
        masks = [each.object, *each.parts.values(), *each.textures.values()]
        for mask in [*masks, *each.colors.values()]:
            assert mask.shape == (96, 96)
            assert mask.dtype == np.bool_
            assert mask.any()


def test_the_object_is_the_union_of_its_parts(drawn: list[Scene]) -> None:
    for each in drawn:
        count = np.sum(list(each.parts.values()), axis=0)
        np.testing.assert_array_equal(count, each.object.astype(int))


@pytest.mark.parametrize("kind", ["textures", "colors"])
def test_textures_and_colors_divide_the_image(drawn: list[Scene], kind: str) -> None:
    for each in drawn:
        count = np.sum(list(getattr(each, kind).values()), axis=0)
        np.testing.assert_array_equal(count, np.ones((96, 96), dtype=int))


def test_the_box_is_tight(drawn: list[Scene]) -> None:
    for each in drawn:
        left, top, right, bottom = each.box
        inside = each.object[top:bottom, left:right]
        assert inside.sum() == each.object.sum()
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()


def test_masks_are_true_of_the_image() -> None:
    # Of a plain part's inner pixels nothing but light and grain can change the color.
    checked = 0
    for each in scenes(30, seed=12):
        plain = each.textures["plain"]
        for mask in each.parts.values():
            inner = mask & plain
            for step, axis in itertools.product((-1, 1), (0, 1)):
                inner &= np.roll(mask, step, axis)
            if inner.sum() > 60:
                spread = each.image[inner].astype(float).std(axis=0)
                assert spread.max() < 14.0
                checked += 1
    assert checked > 20


def test_something_in_front_takes_pixels_from_the_object() -> None:
    # The sum of an object's pixels falls short of its silhouette only where it is covered.
    names = [set(each.parts) for each in scenes(200, seed=13)]
    full = [
        {name for name, _ in outline(label, np.random.Generator(np.random.PCG64(1)))}
        for label in range(10)
    ]
    assert any(len(found) < len(full[index % 10]) for index, found in enumerate(names))


def test_all_parts_textures_and_colors_turn_up(drawn: list[Scene]) -> None:
    for kind, names in (("parts", PARTS), ("textures", TEXTURES), ("colors", COLORS)):
        seen = set().union(*(getattr(each, kind) for each in drawn))
        assert seen == set(names)
    assert len(CLASSES) == 10
    assert len(COLORS) == 11


@pytest.mark.parametrize("label", range(10))
def test_outlines_stay_in_their_square(label: int) -> None:
    for seed in range(40):
        for name, polygons in outline(label, np.random.Generator(np.random.PCG64(seed))):
            assert name in PARTS
            assert max(float(np.abs(corners).max()) for corners in polygons) < 1.2


@pytest.mark.parametrize("size", [(32, 32), (64, 128), (200, 150)])
def test_other_sizes(size: tuple[int, int]) -> None:
    for each in scenes(10, seed=14, size=size):
        assert each.image.shape == (*size, 3)
        left, top, right, bottom = each.box
        assert 0 <= left < right <= size[1]
        assert 0 <= top < bottom <= size[0]
        assert each.object.mean() < 0.6


def test_too_small_a_scene_is_refused() -> None:
    with pytest.raises(ImageError, match="20 x 96"):
        scene(0, size=(20, 96))
    with pytest.raises(ImageError, match="32 x 32"):
        batch(1, 0, size=(96, 31))


def test_a_seed_or_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ImageError, match="seed -1"):
        scene(-1)
    with pytest.raises(ImageError, match="0 to 9"):
        scene(0, label=10)


def _histograms(images: np.ndarray) -> np.ndarray:
    cells = (images // 64).astype(int)
    index = cells[..., 0] * 16 + cells[..., 1] * 4 + cells[..., 2]
    flat = index.reshape(len(images), -1)
    counts = np.stack([np.bincount(row, minlength=64) for row in flat])
    return np.sqrt(counts / flat.shape[1])


def test_color_does_not_tell_the_class() -> None:
    images, labels = batch(300, seed=15)
    unseen, truth = batch(300, seed=16)
    x, y = _histograms(images), np.eye(10)[labels]
    x, z = np.hstack([x, np.ones((300, 1))]), np.hstack([_histograms(unseen), np.ones((300, 1))])
    for strength in (0.01, 1.0):
        weights = np.linalg.solve(x.T @ x + strength * np.eye(65), x.T @ y)
        assert ((z @ weights).argmax(axis=1) == truth).mean() < 0.2
    centroids = np.stack([x[labels == label].mean(axis=0) for label in range(10)])
    distance = np.linalg.norm(z[:, None] - centroids[None], axis=2)
    assert (distance.argmin(axis=1) == truth).mean() < 0.2


def test_textures_and_background_colors_do_not_tell_the_class() -> None:
    def shares(each: Scene) -> list[float]:
        behind = [each.colors[name] & ~each.object for name in COLORS if name in each.colors]
        found = dict(zip((n for n in COLORS if n in each.colors), behind, strict=True))
        colors = [float(found[n].mean()) if n in found else 0.0 for n in COLORS]
        textures = [float(each.textures[n].mean()) if n in each.textures else 0.0 for n in TEXTURES]
        return [*colors, *textures, 1.0]

    series = [list(scenes(300, seed=seed)) for seed in (17, 18)]
    x, z = (np.array([shares(each) for each in one]) for one in series)
    y, truth = (np.array([each.label for each in one]) for one in series)
    weights = np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ np.eye(10)[y])
    assert ((z @ weights).argmax(axis=1) == truth).mean() < 0.3

"""Moving photographs: their truth against loops, and against their own frames."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from phosphene.errors import ImageError, SettingError
from phosphene.motion.flow import Flow
from phosphene.motion.warping import warped
from phosphene.worlds.instant import Instant
from phosphene.worlds.moving_photographs import Cutout, MovingPhotographs, moving_photographs
from tests.reference.moving_photographs import truth

PHOTOS = (skimage.data.coffee(), skimage.data.chelsea(), skimage.data.astronaut())


def disc(side: int = 60) -> Cutout:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return Cutout.of(skimage.data.rocket()[100 : 100 + side, 200 : 200 + side],
                     np.hypot(x, y) < side / 2 - 2)  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_truth_is_that_of_the_definition(seed: int) -> None:
    world = moving_photographs(
        PHOTOS, seed=seed, frames=3, size=(33, 40), objects=(2, 3), speed=3.0
    )
    now = world.instant(1)
    flow, objects, occluded = truth(world, 1)
    np.testing.assert_allclose(now.flow, flow, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(now.objects, objects)
    np.testing.assert_array_equal(now.occluded, occluded)
    np.testing.assert_array_equal(now.parts, now.objects)


def test_the_cases_of_the_reference_hold_something() -> None:
    found = [
        moving_photographs(PHOTOS, seed=s, frames=3, size=(33, 40), objects=(2, 3), speed=3.0)
        for s in range(4)
    ]
    moments = [world.instant(1) for world in found]
    assert all(m.objects.max() >= 2 for m in moments)
    assert all(0 < m.occluded.mean() < 0.5 for m in moments)


def residuals(instant: Instant) -> list[float]:
    """Largest distance, in pixels, from the affine map that fits a part's flow best."""
    rows, columns = np.indices(instant.parts.shape)
    found = []
    for part in np.unique(instant.parts):
        own = instant.parts == part
        if own.sum() < 3:
            continue
        design = np.stack([columns[own], rows[own], np.ones(own.sum())], axis=1)
        fit, *_ = np.linalg.lstsq(design, instant.flow[own], rcond=None)
        found.append(float(np.abs(design @ fit - instant.flow[own]).max()))
    return found


def test_affine_models_fit_every_segment() -> None:
    for seed in range(3):
        world = moving_photographs(PHOTOS, seed=seed, frames=6, size=(96, 128))
        for t in (0, 3, 5):
            assert max(residuals(world.instant(t))) < 1e-9


def settled(now: Instant, then: Instant) -> np.ndarray:
    """Where pixels and their neighbors are of one thing, now and where they go, and not hidden."""

    def even(labels: np.ndarray) -> np.ndarray:
        rolled = [
            np.roll(labels, (i, j), (0, 1)) == labels for i in (-2, -1, 0, 1, 2)
            for j in (-2, -1, 0, 1, 2)
        ]  # fmt: skip
        result = np.all(rolled, axis=0)
        result[[0, 1, -2, -1]] = False
        result[:, [0, 1, -2, -1]] = False
        return result

    objects, inside = warped(then.objects, Flow.of(now.flow))
    whole, _ = warped(even(then.objects).astype(np.float32), Flow.of(now.flow))
    same = np.abs(objects - now.objects) < 1e-3
    return even(now.objects) & ~now.occluded & inside & same & (whole > 1 - 1e-6)


def smooth(photo: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(24)))


def test_the_next_frame_warped_back_is_this_frame() -> None:
    # Of smooth pictures, so that reading between pixels adds little: what is left is rounding.
    photos = [smooth(photo) for photo in PHOTOS]
    for seed in range(4):
        world = moving_photographs(photos, seed=seed, frames=3, size=(96, 128), speed=4.0)
        now, then = world.instant(1), world.instant(2)
        where = settled(now, then)
        assert where.mean() > 0.5
        back, _ = warped(then.image, Flow.of(now.flow))
        error = np.abs(back - now.image)[where]
        assert error.mean() < 0.45  # of 255; rounding both frames leaves 1/3
        assert error.max() < 2
        wrong, _ = warped(then.image, Flow.of(now.flow * 0.8))
        assert np.abs(wrong - now.image)[where].mean() > 1.3 * error.mean()


def test_unoccluded_pixels_of_sharp_photographs_come_back_too() -> None:
    world = moving_photographs(PHOTOS, seed=5, frames=3, size=(120, 160), speed=4.0)
    now, then = world.instant(0), world.instant(1)
    back, inside = warped(then.image, Flow.of(now.flow))
    seen = ~now.occluded & inside
    still = np.abs(then.image.astype(float) - now.image)[seen].mean()
    assert np.abs(back - now.image)[seen].mean() < 0.35 * still
    hidden = now.occluded & inside
    assert np.abs(back - now.image)[hidden].mean() > 3 * np.abs(back - now.image)[seen].mean()


def test_what_comes_back_differs_by_no_more_than_reading_between_pixels_does() -> None:
    errors, readings = [], []
    for seed in range(4):
        world = moving_photographs(PHOTOS, seed=seed, frames=3, size=(120, 160))
        now, then = world.instant(0), world.instant(1)
        back, _ = warped(then.image, Flow.of(now.flow))
        # A frame that is read half a pixel off, and from there half a pixel back.
        frame = np.pad(now.image.astype(float), ((1, 1), (1, 1), (0, 0)), "edge")
        for _ in range(2):
            frame = (frame[1:, 1:] + frame[:-1, 1:] + frame[1:, :-1] + frame[:-1, :-1]) / 4
        where = settled(now, then)
        errors.append(np.abs(back - now.image)[where].mean())
        readings.append(np.abs(frame - now.image)[where].mean())
    assert np.mean(errors) < 0.6 * np.mean(readings)


def test_a_thing_before_another_hides_it() -> None:
    world = moving_photographs(PHOTOS, [disc()], seed=1, frames=2, size=(64, 64), objects=(1, 1))
    now = world.instant(0)
    expected = (now.objects == 1).sum()
    alone = MovingPhotographs(world.layers[:1], world.size)
    doubled = MovingPhotographs((*world.layers, world.layers[1]), world.size)
    assert expected > 200
    assert alone.instant(0).objects.max() == 0
    assert (doubled.instant(0).objects == 2).sum() == expected
    assert not (doubled.instant(0).objects == 1).any()


def test_frames_are_the_same_by_seed_and_in_any_order() -> None:
    one, other = (moving_photographs(seed=7, frames=4, size=(48, 64)) for _ in range(2))
    straight = list(one)
    assert len(straight) == len(one) == 4
    for t in (3, 0):
        again = other.instant(t)
        for name in ("image", "flow", "objects", "parts", "occluded"):
            np.testing.assert_array_equal(getattr(again, name), getattr(straight[t], name))
    different = moving_photographs(seed=8, frames=4, size=(48, 64)).instant(0)
    assert (different.image != straight[0].image).mean() > 0.5
    assert straight[0].image.dtype == np.uint8
    assert straight[0].flow.dtype == np.float64
    assert straight[0].objects.dtype == straight[0].parts.dtype == np.int32


def test_longer_sequences_begin_like_shorter_ones_where_the_camera_allows() -> None:
    short = moving_photographs(seed=7, frames=4, size=(48, 64))
    long = moving_photographs(seed=7, frames=40, size=(48, 64))
    for mine, other in zip(short.layers[1:], long.layers[1:], strict=True):
        np.testing.assert_allclose(mine.maps[2].linear, other.maps[2].linear)
        np.testing.assert_allclose(mine.maps[2].shift, other.maps[2].shift)


def test_motion_is_smooth_and_the_foreground_moves_by_itself() -> None:
    for seed in range(6):
        world = moving_photographs(seed=seed, frames=12, size=(96, 128), speed=3.0)
        for layer in world.layers[1:]:
            middle = np.array([layer.texture.shape[1] / 2, layer.texture.shape[0] / 2])
            way = np.array([each(middle) for each in layer.maps])
            behind = np.array([
                world.layers[0].maps[t + 1].after(world.layers[0].maps[t].inverse())(way[t])
                for t in range(len(world))
            ])  # fmt: skip
            own = np.hypot(*(way[1:] - behind).T)
            assert own.min() > 0.4
            assert own.max() < 9
            assert np.hypot(*np.diff(way, 2, axis=0).T).max() < 2.5


def test_the_background_reaches_over_the_frame_at_all_times() -> None:
    for seed in range(8):
        world = moving_photographs(PHOTOS, seed=seed, frames=60, size=(48, 64), objects=(0, 0))
        high, wide = world.layers[0].texture.shape[:2]
        corners = np.array([[x, y] for x in (-0.5, 63.5) for y in (-0.5, 47.5)])
        for view in world.layers[0].maps:
            seen = view.inverse()(corners)
            assert seen.min() >= 0
            assert (seen.max(0) <= (wide - 1, high - 1)).all()


def test_edges_are_soft_and_carry_no_color_of_where_they_come_from() -> None:
    image = np.full((80, 80, 3), (0, 255, 0), np.uint8)
    y, x = np.mgrid[:80, :80] - 39.5
    mask = np.hypot(x, y) < 30
    image[mask] = (255, 0, 0)
    thing = Cutout.of(image, mask, "a ball")
    ground = np.full((100, 100, 3), (0, 0, 255), np.uint8)
    world = moving_photographs([ground], [thing], 2, frames=1, size=(96, 96), objects=(1, 1))
    frame = world.instant(0).image
    assert frame[:, :, 1].max() < 12
    mixed = (frame[:, :, 0] > 40) & (frame[:, :, 0] < 215)
    assert 40 < mixed.sum() < 600
    red = frame[:, :, 0].astype(float).sum() / 255
    assert abs(red - (world.instant(0).objects == 1).sum()) < 0.03 * red


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": -1}, "seed -1"),
        ({"frames": 0}, "0 frames"),
        ({"size": (16, 64)}, "16 x 64 pixels"),
        ({"objects": (3, 1)}, "3 to 1 objects"),
        ({"objects": (0, 40)}, "0 to 40 objects"),
        ({"speed": 0.0}, "speed of 0.0"),
        ({"speed": 40.0}, "speed of 40.0"),
        ({"speed": (3.0, 1.0)}, r"speed of \(3.0, 1.0\)"),
        ({"speed": float("nan")}, "speed of nan"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        moving_photographs(**{"seed": 0, "size": (64, 64), **options})


def test_there_is_no_frame_beyond() -> None:
    world = moving_photographs(seed=0, frames=2, size=(32, 32))
    for t in (-1, 2):
        with pytest.raises(SettingError, match=f"no frame {t}: frames go from 0 to 1"):
            world.instant(t)


def test_small_or_missing_pictures_are_refused() -> None:
    tiny = np.zeros((10, 12, 3), np.uint8)
    with pytest.raises(ImageError, match=r"12x10 pixels is too small: give .* at least"):
        moving_photographs([tiny], [disc()], size=(64, 64))
    with pytest.raises(ImageError, match="there is no background"):
        moving_photographs([], size=(64, 64))
    with pytest.raises(ImageError, match="there is no cut-out"):
        moving_photographs(PHOTOS, [], size=(64, 64))
    with pytest.raises(ImageError, match="too small to cut a piece from"):
        moving_photographs([np.zeros((23, 200, 3), np.uint8)], size=(32, 32))

"""Cut-outs from files: photographs with masks, images with an alpha, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.worlds.moving_photographs import (
    Cutout,
    CutoutFile,
    Series,
    moving_photographs,
    open_cutouts,
)
from phosphene.worlds.moving_photographs.series import divided

MASK = np.zeros((30, 40), bool)
MASK[5:20, 10:31] = True


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Frames and masks of two films, laid out as DAVIS."""
    rng = np.random.default_rng(0)
    for film in ("goat", "swan"):
        for kind in ("frames", "masks"):
            (tmp_path / kind / film).mkdir(parents=True)
        for i in range(2):
            photo = rng.integers(0, 256, (30, 40, 3), np.uint8)
            Image.fromarray(photo).save(tmp_path / "frames" / film / f"{i:05d}.jpg")
            mask = Image.fromarray(MASK.astype(np.uint8) * np.uint8(255))
            mask.save(tmp_path / "masks" / film / f"{i:05d}.png")
    return tmp_path / "frames", tmp_path / "masks"


def test_folders_are_paired_by_name(folders: tuple[Path, Path]) -> None:
    found = open_cutouts(*folders)
    assert [f"{c.image.parent.name}/{c.image.name}" for c in found] == [
        "goat/00000.jpg", "goat/00001.jpg", "swan/00000.jpg", "swan/00001.jpg"
    ]  # fmt: skip
    for cutout in found:
        assert cutout.mask is not None
        assert cutout.mask.parts[-2:] == (cutout.image.parent.name, f"{cutout.image.stem}.png")
        read = cutout.read()
        assert read.image.shape == (15, 21, 3)
        assert (read.alpha == 255).all()
    world = moving_photographs(None, found, 0, frames=2, size=(64, 64), objects=(1, 1))
    assert world.names[0].endswith(".png")
    assert (world.instant(0).objects == 1).any()


def test_files_are_paired_in_order(folders: tuple[Path, Path]) -> None:
    photo, mask = folders[0] / "goat" / "00000.jpg", folders[1] / "swan" / "00001.png"
    assert open_cutouts(photo, mask) == (CutoutFile(photo, mask),)
    assert open_cutouts([photo], [mask]) == (CutoutFile(photo, mask),)
    assert open_cutouts(photo, folders[1] / "goat") == (
        CutoutFile(photo, folders[1] / "goat" / "00000.png"),
    )
    with pytest.raises(ImageError, match="1 masks were given for 2 photographs"):
        open_cutouts([photo, folders[0] / "swan" / "00000.jpg"], [mask])


def test_an_image_with_an_alpha_is_its_own_mask(tmp_path: Path) -> None:
    rgba = np.full((30, 40, 4), 200, np.uint8)
    rgba[:, :, 3] = MASK * np.uint8(255)
    rgba[5, 10:31, 3] = 130
    Image.fromarray(rgba).save(tmp_path / "thing.png")
    found = open_cutouts(tmp_path)[0].read()
    assert found.alpha.shape == (15, 21)
    assert (found.alpha[0] == 130).all()
    assert (found.alpha[1:] == 255).all()


@pytest.mark.parametrize("mode", ["labels", "palette", "bits", "16 bits", "color"])
def test_masks_of_all_kinds(folders: tuple[Path, Path], tmp_path: Path, mode: str) -> None:
    photo, path = folders[0] / "goat" / "00000.jpg", tmp_path / "mask.png"
    labels = MASK.astype(np.uint8)
    labels[5:20, 20:31] *= 2
    if mode == "palette":
        image = Image.fromarray(labels)
        image.putpalette([0, 0, 0, 3, 0, 0, 0, 4, 0])
    elif mode == "bits":
        image = Image.fromarray(MASK)
    elif mode == "16 bits":
        image = Image.fromarray(labels.astype(np.uint16) * 300)
    elif mode == "color":
        image = Image.fromarray(np.stack([MASK * np.uint8(255)] + [labels * 0] * 2, axis=2))
    else:
        image = Image.fromarray(labels)
    image.save(path)
    found = open_cutouts(photo, path)[0].read()
    assert found.alpha.shape == (15, 21)
    assert (found.alpha == 255).all()


def test_what_is_wrong_with_a_pair_is_said(folders: tuple[Path, Path], tmp_path: Path) -> None:
    frames, masks = folders
    path = masks / "goat" / "00001.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"00001\.png is no whole image"):
        open_cutouts(frames, masks)
    path.unlink()
    with pytest.raises(ImageError, match=r"00001\.jpg has no mask: it should be .*00001\.png"):
        open_cutouts(frames, masks)
    Image.new("L", (40, 30)).save(path)
    with pytest.raises(ImageError, match=r"00001\.png: the mask is empty"):
        open_cutouts(frames, masks)
    assert len(open_cutouts(frames, masks, skip_empty=True)) == 3
    with pytest.raises(ImageError, match=r"all masks of .* are empty"):
        open_cutouts(frames / "goat" / "00001.jpg", path, skip_empty=True)
    with pytest.raises(ImageError, match="is a photograph without a mask"):
        open_cutouts(frames)
    with pytest.raises(ImageError, match="there is no file"):
        open_cutouts(tmp_path / "nowhere", masks)


def test_damage_that_shows_only_later_is_named(folders: tuple[Path, Path]) -> None:
    frames, masks = folders
    Image.new("L", (41, 30), 255).save(masks / "goat" / "00000.png")
    found = open_cutouts(frames / "goat", masks / "goat")
    with pytest.raises(ImageError, match=r"00000\.png: a mask of 41x30 pixels does not fit a "):
        found[0].read()
    photo = frames / "goat" / "00001.jpg"
    photo.write_bytes(photo.read_bytes()[:300])
    with pytest.raises(ImageError, match=r"00001\.jpg is damaged"):
        found[1].read()
    with pytest.raises(ImageError, match="the mask is empty"):
        Cutout.of(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool))


def test_test_sequences_share_nothing_with_the_others(folders: tuple[Path, Path]) -> None:
    photos = tuple(np.full((60, 80, 3), 20 * i, np.uint8) for i in range(6))
    series = Series(9, 3, 1, photos, open_cutouts(*folders), frames=1, size=(32, 32))
    assert len(series) == 9
    films: list[set[str]] = [set(), set()]
    grays: list[set[int]] = [set(), set()]
    for index in range(9):
        world = series(index)
        films[index >= 6] |= {Path(name).parent.name for name in world.names}
        grays[index >= 6].add(int(np.median(world.layers[0].texture)))
    assert films[0] | films[1] == {"goat", "swan"}
    assert not films[0] & films[1]
    assert not grays[0] & grays[1]
    again = Series(9, 3, 1, photos, open_cutouts(*folders), frames=1, size=(32, 32))
    np.testing.assert_array_equal(again(4).instant(0).image, series(4).instant(0).image)


def test_dividing() -> None:
    training, testing = divided(range(10), str, 0.2, 0)
    assert sorted((*training, *testing)) == list(range(10))
    assert len(testing) == 2
    by_parity = divided(range(10), lambda n: str(n % 2), 0.01, 0)
    assert {len({n % 2 for n in part}) for part in by_parity} == {1}
    assert divided([3], str, 0.5, 0) == ((3,), (3,))


def test_films_over_photographs(shared: Path) -> None:
    data = shared / "data"
    found = open_cutouts(data / "davis" / "frames" / "camel", data / "davis" / "masks" / "camel")
    assert len(found) == 90
    world = moving_photographs(
        sorted((data / "imagenet_sample").glob("*.jpg"))[:3], found, 0, frames=2, size=(96, 128)
    )
    assert "camel" in world.names[0]
    assert (world.instant(0).objects > 0).mean() > 0.03

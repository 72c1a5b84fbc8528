"""Concepts computed from photographs: names of colors, and masks of the foreground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.survey.dissection.color_names import COLOR_NAMES, color_numbers, to_lab
from phosphene.survey.dissection.photographs import photo_concepts
from phosphene.worlds.shapes import scene

# Keywords of CSS Color Module Level 4 that nobody would call by another of the eleven names.
KEYWORDS = {
    "black": ("000000",),
    "white": ("ffffff", "f5f5f5"),
    "gray": ("808080", "696969", "a9a9a9", "708090"),
    "red": ("ff0000", "b22222", "8b0000", "dc143c"),
    "orange": ("ffa500", "ff8c00"),
    "yellow": ("ffff00", "ffd700", "f0e68c"),
    "green": ("008000", "00ff00", "6b8e23", "556b2f", "2e8b57", "9acd32"),
    "blue": ("0000ff", "87ceeb", "4682b4", "000080", "b0e0e6"),
    "purple": ("800080", "9370db", "4b0082", "ee82ee"),
    "pink": ("ffc0cb", "ff69b4", "ffb6c1"),
    "brown": ("8b4513", "a0522d", "654321"),
}


def film(folder: Path, count: int = 2) -> Path:
    """Write two videos with masks, in DAVIS's layout, and one without."""
    for video in ("dog", "cat", "plain"):
        (folder / "JPEGImages" / video).mkdir(parents=True)
        (folder / "Annotations" / video).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (80, 40), "red").save(folder / f"JPEGImages/{video}/{index}.png")
            mask = np.zeros((40, 80), np.uint8)
            mask[:20] = 255
            if video != "plain":
                Image.fromarray(mask).save(folder / f"Annotations/{video}/{index}.png")
    return folder


def test_keywords_have_their_names() -> None:
    assert tuple(KEYWORDS) == COLOR_NAMES
    for name, codes in KEYWORDS.items():
        for code in codes:
            pixel = np.frombuffer(bytes.fromhex(code), np.uint8)
            assert COLOR_NAMES[int(color_numbers(pixel))] == name, code


def test_lab_agrees_with_another_implementation() -> None:
    from skimage.color import rgb2lab

    rgb = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(to_lab(rgb), rgb2lab(rgb), atol=0.05)
    assert np.abs(to_lab(np.full(3, 0.5))[1:]).max() < 1e-9


def test_names_of_painted_colors() -> None:
    """Colors of scenes are jittered, textured and lit; most keep their names."""
    right = total = 0
    for seed in range(20):
        drawn = scene(seed)
        names = np.array(COLOR_NAMES)[color_numbers(drawn.image)]
        for name, mask in drawn.colors.items():
            right += int((names[mask] == name).sum())
            total += int(mask.sum())
    assert right / total > 0.6


def test_masks_and_colors(tmp_path: Path) -> None:
    concepts = photo_concepts(film(tmp_path), size=(40, 40))
    words = concepts.vocabulary
    assert words.categories == ("color", "object")
    assert words.names == ("-", *COLOR_NAMES, "foreground", "cat", "dog")
    assert concepts.facts == {"photographs": "6, 4 with a mask"}
    assert [concepts.name_of(i) for i in (0, 5)] == ["cat/0.png", "plain/1.png"]
    image, labels = next(iter(concepts))
    assert image.size == (40, 40)
    assert labels.categories == ("color", "object", "object")
    assert (labels.maps[0] == words.number("color", "red")).all()
    for number, name in enumerate(("foreground", "cat"), 1):
        assert (labels.maps[number][:10] == words.number("object", name)).all()
        assert not labels.maps[number][10:].any()
    assert concepts.labels(5).categories == ("color",)


def test_masks_follow_the_crop(tmp_path: Path) -> None:
    """Of a wide photograph the middle is seen, and of its mask the same."""
    pixels = np.zeros((50, 120, 3), np.uint8)
    pixels[10:30, 50:80] = 255
    (tmp_path / "p").mkdir()
    (tmp_path / "m").mkdir()
    Image.fromarray(pixels).save(tmp_path / "p" / "a.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "m" / "a.png")
    concepts = photo_concepts(tmp_path / "p", tmp_path / "m", size=(100, 100), label_size=(50, 50))
    labels = concepts.labels(0)
    white = labels.maps[0] == concepts.vocabulary.number("color", "white")
    front = labels.maps[1] > 0
    assert labels.categories == ("color", "object"), "the photograph lies in no folder of its own"
    assert front.sum() == 20 * 30
    assert (white == front).mean() > 0.99


def test_what_cannot_be(tmp_path: Path) -> None:
    folder = film(tmp_path)
    with pytest.raises(ImageError, match="no folder of masks"):
        photo_concepts(folder / "JPEGImages", folder / "Masks")
    with pytest.raises(ImageError, match=r"belongs to a photograph: that of cat/0\.png would be"):
        photo_concepts(folder / "JPEGImages", folder / "Annotations" / "cat")
    Image.new("L", (7, 7)).save(folder / "Annotations" / "cat" / "0.png")
    (folder / "Annotations" / "cat" / "1.png").write_bytes(b"none")
    concepts = photo_concepts(folder, size=(40, 40))
    with pytest.raises(ImageError, match="7x7, and its photograph is 80x40"):
        concepts.labels(0)
    with pytest.raises(ImageError, match="cannot be read"):
        concepts.labels(1)


def test_given_photographs(tmp_path: Path) -> None:
    film(tmp_path)
    files = sorted((tmp_path / "JPEGImages").rglob("*.png"))[:3]
    concepts = photo_concepts(files, size=(40, 40))
    assert concepts.name_of(1) == "000001-1.png"
    assert concepts.vocabulary.categories == ("color",)
    before = concepts.fingerprint
    Image.new("RGB", (90, 90)).save(files[0])
    assert photo_concepts(files, size=(40, 40)).fingerprint != before

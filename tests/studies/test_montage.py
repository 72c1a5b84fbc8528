"""Mosaics and boxes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from phosphene.studies.montage import RED, boxed, mosaic


def test_a_mosaic_has_one_size_whatever_it_is_made_of() -> None:
    for side in (4, 33, 200):
        tiles = [Image.new("RGB", (side, side), (n * 20, 0, 0)) for n in range(5)]
        whole = np.asarray(mosaic(tiles, 301))
        assert whole.shape == (301, 301, 3)
        cell = (301 - 2 * 4) // 3
        for n in range(5):
            row, column = divmod(n, 3)
            y, x = row * (cell + 4), column * (cell + 4)
            block = whole[y : y + cell, x : x + cell]
            assert (block == (n * 20, 0, 0)).all()
        assert (whole[-cell:, -cell:] == 255).all()


def test_a_box_lies_around_its_region() -> None:
    image = Image.new("RGB", (50, 50))
    drawn = np.asarray(boxed(image, (10, 20, 5, 8)))
    assert (drawn[10:15, 20:28] == 0).all()
    assert (drawn[9, 19:29] == RED).all()
    assert (drawn[15, 19:29] == RED).all()
    assert (drawn[9:16, 19] == RED).all()
    assert (drawn[9:16, 28] == RED).all()
    assert np.asarray(image).max() == 0
    assert (drawn == RED).all(2).sum() == 2 * 10 + 2 * 5


def test_a_box_beyond_the_image_follows_its_border() -> None:
    drawn = np.asarray(boxed(Image.new("RGB", (30, 20)), (-50, -50, 300, 300)))
    ring = (drawn == RED).all(2)
    assert ring[0].all()
    assert ring[-1].all()
    assert ring[:, 0].all()
    assert ring[:, -1].all()
    assert not ring[1:-1, 1:-1].any()

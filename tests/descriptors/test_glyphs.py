from __future__ import annotations

import math

import pytest
import torch

from phosphene.descriptors.glyphs import glyphs, strokes
from phosphene.descriptors.hog import HOG
from phosphene.errors import ImageError, NotFinite, SettingError


def direction(picture: torch.Tensor) -> float:
    """The angle of a stroke, from +x towards +y, by its moments of inertia, in 0 .. pi."""
    side = len(picture)
    place = torch.arange(side) - (side - 1) / 2
    y, x = place[:, None], place[None, :]
    xx, yy, xy = ((picture * m).sum() for m in (x * x, y * y, x * y))
    return float(0.5 * torch.atan2(2 * xy, xx - yy)) % math.pi


@pytest.mark.parametrize(("n", "size"), [(9, 21), (9, 40), (6, 15), (3, 21)])
def test_each_stroke_is_at_right_angles_to_its_orientation(n: int, size: int) -> None:
    for k, stroke in enumerate(strokes(n, size)):
        apart = (direction(stroke) - (k * math.pi / n + math.pi / 2)) % math.pi
        assert min(apart, math.pi - apart) < 0.02
        assert stroke.min() == 0
        assert stroke.max() == 1


@pytest.mark.parametrize("variant", ["uoctti", "network", "dalal-triggs"])
@pytest.mark.parametrize("upright", [True, False])
def test_an_edge_has_a_stroke_along_it(variant: str, upright: bool) -> None:
    image = torch.zeros(1, 1, 64, 64)
    image[..., 28:] = 255
    image = image if upright else image.mT
    picture = glyphs(HOG(8, variant=variant)(image), variant=variant)[0, 0]  # type: ignore[arg-type]
    row, column = (4, 3) if upright else (3, 4)
    angle = direction(picture[row * 21 : row * 21 + 21, column * 21 : column * 21 + 21])
    # Straight down is between two of nine orientations.
    apart, most = (
        (abs(angle - math.pi / 2), 0.01) if upright else (min(angle, math.pi - angle), 0.18)
    )
    assert apart < most
    assert picture[:, : 2 * 21].max() == 0 if upright else picture[: 2 * 21].max() == 0


def test_glyphs_are_sums_of_strokes() -> None:
    codes = torch.randn(2, 31, 3, 4, generator=torch.Generator().manual_seed(0))
    drawn = strokes(9, 7)
    for negative in (False, True):
        picture = glyphs(codes, size=7, negative=negative, brightest=2.0)
        for b, row, column in [(0, 0, 0), (1, 2, 3), (0, 1, 2)]:
            star = torch.zeros(7, 7)
            for k in range(9):
                value = float(codes[b, 18 + k, row, column])
                star += max(-value if negative else value, 0) * drawn[k]
            place = slice(7 * row, 7 * row + 7), slice(7 * column, 7 * column + 7)
            torch.testing.assert_close(picture[b, 0][place], (star / 2).clamp(max=1))


def test_blocks_of_dalal_and_triggs_are_averaged() -> None:
    codes = torch.rand(1, 36, 2, 2, generator=torch.Generator().manual_seed(0))
    same = torch.zeros(1, 27, 2, 2)
    same[:, 18:] = (codes[:, :9] + codes[:, 9:18] + codes[:, 18:27] + codes[:, 27:]) / 4
    torch.testing.assert_close(
        glyphs(codes, variant="dalal-triggs"), glyphs(same, variant="network")
    )


def test_pictures_are_stretched_each_by_itself_and_no_code_is_black() -> None:
    codes = torch.rand(3, 27, 2, 5, generator=torch.Generator().manual_seed(0))
    codes[1] *= 1e-3
    codes[2] = 0
    picture = glyphs(codes, variant="network", size=9)
    assert picture.shape == (3, 1, 18, 45)
    assert picture.amax((1, 2, 3)).tolist() == [1, 1, 0]
    lone = torch.zeros(1, 27, 1, 1)
    lone[0, 20] = 3
    assert glyphs(lone, variant="network").max() == 0.5
    assert glyphs(lone, variant="network", brightest=3).max() == 1


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ImageError, match=r"\(b, 27, rows, columns\)"):
        glyphs(torch.zeros(1, 31, 2, 2), variant="network")
    with pytest.raises(ImageError, match="were given"):
        glyphs(torch.zeros(31, 2, 2))
    with pytest.raises(NotFinite, match="no finite numbers"):
        glyphs(torch.full((1, 31, 2, 2), math.nan))
    with pytest.raises(SettingError, match="no variant"):
        glyphs(torch.zeros(1, 31, 2, 2), variant="other")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="at least"):
        glyphs(torch.zeros(1, 31, 2, 2), size=2)
    with pytest.raises(SettingError, match="white above 0"):
        glyphs(torch.zeros(1, 31, 2, 2), brightest=0)

from itertools import pairwise

import pytest
from PIL import Image, ImageDraw

from phosphene.view import typeset

TEXTS = [
    "plain",
    "Löwenzahn, « pissenlit », é",
    "蒲公英 タンポポ 민들레",
    "שן הארי / هندباء برية",
    "αβγ → 13 \u00d7 13, 😀",
    "e\u0301 combining, zero\u200bwidth, \u202eoverride",
    "lone surrogate \udcff, null \0, bell \a, tab\tnew\nline",
    "\u0301 begins with a mark",
    "\U0010ffff \ue000",
    "",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_any_text_is_measured_wrapped_and_drawn(text):
    draw = ImageDraw.Draw(Image.new("RGB", (200, 40), "white"))
    for line in typeset.wrap(text, 14, 120, 3):
        assert line == line.strip()
        assert typeset.length(line, 14) <= 120
        typeset.write(draw, (0, 0), line, 14, "black")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_without_any_font_of_the_system(text, monkeypatch):
    monkeypatch.setattr(typeset, "_installed", lambda: ())
    image = Image.new("RGB", (400, 40), "white")
    for line in typeset.wrap(text, 14, 120, 3):
        typeset.write(ImageDraw.Draw(image), (0, 0), line, 14, "black")
        assert image.getcolors(1 << 16) != [(400 * 40, (255, 255, 255))]


def test_an_accent_without_a_font_gives_way_to_its_letter(monkeypatch):
    monkeypatch.setattr(typeset, "_installed", lambda: ())
    assert typeset.length("Löwe", 14) == typeset.length("Lowe", 14)


def test_lines_hold_all_words_in_order_and_are_as_full_as_they_can_be():
    words = [f"w{'o' * (k % 7)}rd{k}" for k in range(60)]
    lines = typeset.wrap(" ".join(words), 14, 150, 100)
    assert " ".join(lines).split() == words
    for line, following in pairwise(lines):
        assert typeset.length(line, 14) <= 150
        assert typeset.length(f"{line} {following.split()[0]}", 14) > 150


def test_what_does_not_fit_ends_in_an_ellipsis():
    lines = typeset.wrap("a caption that is a good deal too long for its tile " * 9, 14, 150, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert typeset.length(lines[-1], 14) <= 150


def test_what_just_fits_has_no_ellipsis():
    text = "just so"
    assert typeset.wrap(text, 14, typeset.length(text, 14), 1) == [text]


def test_long_words_are_broken_at_marks_or_anywhere():
    path = "/data/" + "/".join(["photographs"] * 9)
    lines = typeset.wrap(path, 14, 120, 50)
    assert "".join(lines) == path
    assert all(line.endswith("/") for line in lines[:-1])
    assert "".join(typeset.wrap("x" * 300, 14, 120, 50)) == "x" * 300


@pytest.mark.parametrize("width", [-5, 0, 1, 3])
def test_no_room_still_ends(width):
    assert len(typeset.wrap("word word", 14, width, 4)) == 4


def test_huge_texts_are_quick():
    assert len(typeset.wrap("word " * 1_000_000, 14, 200, 3)) == 3

"""Lines of text for pictures: fonts, lengths, wrapping.

Pillow carries one clean scalable font, Aileron, which knows little beyond ASCII. A string with
other letters goes whole to the first font of the system that knows them, so that no word is set in
two faces; signs, and what no single font knows, go character by character to the first that does.
"""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

BUNDLED = ""

# The usual sans fonts of Linux, macOS and Windows, the ones of widest coverage first.
_ELSEWHERE = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "segoeui.ttf",
    "arial.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "YuGothM.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
)
_LONGEST = 4000
_BREAKS = "/\\_-.,:;|)"


def legible(text: str) -> str:
    """Replace what no page or picture can hold: control characters and lone surrogates."""
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r" else c
        for c in text
    )


def single_line(text: str) -> str:
    """Bring a text to one line of composed characters, without invisible ones."""
    text = legible(text[:_LONGEST])
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(text.split())


def length(text: str, size: int) -> float:
    """Measure a line, in pixels."""
    return sum(font.getlength(part) for part, font in _runs(text, size))


def leading(size: int) -> int:
    """Say how far apart lines stand, in pixels."""
    return round(size * 1.36)


def wrap(text: str, size: int, width: float, most: int) -> list[str]:
    """Break a text into lines.

    Args:
        text: Any text; line breaks in it count as spaces.
        size: Of the font, in pixels.
        width: What a line may measure, in pixels.
        most: How many lines there may be; the last ends in an ellipsis if more is left.

    Returns:
        The lines; none for an empty text.
    """
    rest, lines = single_line(text), list[str]()
    while rest:
        cut = _fitting(rest, size, width)
        if cut < len(rest) and len(lines) + 1 == most:
            cut = max(1, _fitting(rest, size, width - length("…", size), anywhere=True))
            return [*lines, rest[:cut].rstrip() + "…"]
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return lines


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    color: str,
) -> None:
    """Draw one line whose top left corner is at (x, y); its box is `leading(size)` high."""
    x, baseline = at[0], round(at[1] + 0.5 * leading(size) + 0.34 * size)
    for part, font in _runs(text, size):
        draw.text((x, baseline), part, color, font, anchor="ls")
        x += font.getlength(part)


def _fitting(text: str, size: int, width: float, anywhere: bool = False) -> int:
    """Count the characters that fit a line, at least one; back to a good place to break."""
    low, high = 1, min(len(text), 1 + math.ceil(8 * max(width, 1) / size))
    if length(text[:high], size) <= width:
        low = high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if length(text[:middle], size) <= width else (low, middle)
    if low == len(text) or anywhere:
        return low
    space = text.rfind(" ", 0, low + 1)
    if space > 0:
        return space
    mark = max(text.rfind(c, 1, low) for c in _BREAKS) + 1
    return mark if mark > low // 3 else low


def _runs(text: str, size: int) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """Cut a line into stretches of one font each."""
    if text.isascii() or all(_knows(BUNDLED, c) for c in text):
        return [(text, _font(BUNDLED, size))]
    foreign = any(c.isalpha() and not _knows(BUNDLED, c) for c in text)
    for name in _installed() if foreign else ():
        if all(_knows(name, c) for c in text):
            return [(text, _font(name, size))]
    order = (*_installed(), BUNDLED) if foreign else (BUNDLED, *_installed())
    runs: list[tuple[str, str]] = []
    for character in text:
        known = [name for name in order if _knows(name, character)]
        if not known:
            # Without any font for an accented letter its base letter is better than a box.
            base = unicodedata.normalize("NFKD", character)[0]
            character = base if _knows(BUNDLED, base) else character
        name = (known or [BUNDLED])[0]
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + character, name)
        else:
            runs.append((character, name))
    return [(part, _font(name, size)) for part, name in runs]


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    if name != BUNDLED:
        return ImageFont.truetype(name, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # given a size, it is never the bitmap font
    return font


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Find which of the usual fonts this system has; looked for only when a text needs one."""
    found = []
    for name in _ELSEWHERE:
        try:
            _font(name, 16)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


@lru_cache(maxsize=16384)
def _knows(name: str, character: str) -> bool:
    """Tell whether a font has a character: what it lacks it draws as U+FFFF, which none has."""
    if name == BUNDLED and " " <= character <= "~":
        return True
    font = _font(name, 16)
    drawn, lacking = font.getmask(character), font.getmask("\uffff")
    return drawn.size != lacking.size or bytes(drawn) != bytes(lacking)

"""The page of a unit, read back: its rows of pictures, and which photographs they are of."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit


@dataclass
class PagePicture:
    """A picture of a unit's page.

    Attributes:
        address: From the server's root.
        width: Pixels.
        height: Pixels.
        caption: A line about it; may be empty.
        source: The photograph it is part of; may be empty.
    """

    address: str
    width: int
    height: int
    caption: str = ""
    source: str = ""


@dataclass
class PageStrip:
    """A row of pictures.

    Attributes:
        title: What they are.
        pictures: In order.
    """

    title: str
    pictures: list[PagePicture] = field(default_factory=list)


class UnitPage(HTMLParser):
    """Reads the rows of a page that the template `unit.html` has written.

    Args:
        address: The page's, from the server's root.

    Attributes:
        strips: What was read.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.strips: list[PageStrip] = []
        self._says = ""
        self._beside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in the beginning of an element."""
        given = {name: value or "" for name, value in attrs}
        words = given.get("class", "").split()
        if tag == "section":
            self._says = ""
            if "strip" in words:
                self.strips.append(PageStrip(given.get("aria-label", "")))
        elif tag == "div" and "beside" in words:
            self._beside = True
        elif self._beside or not self.strips:
            return
        elif tag == "img":
            picture = _picture(self.address, given)
            if picture is not None:
                self.strips[-1].pictures.append(picture)
        elif tag == "span" and self.strips[-1].pictures:
            self._says = "source" if "source" in words else "caption"

    def handle_endtag(self, tag: str) -> None:
        """Take in the end of an element."""
        if tag == "span" and self._says in ("source", "caption"):
            self._says = ""

    def handle_data(self, data: str) -> None:
        """Take in a text."""
        if self._says in ("source", "caption"):
            last = self.strips[-1].pictures[-1]
            setattr(last, self._says, getattr(last, self._says) + data)


def _picture(page: str, given: dict[str, str]) -> PagePicture | None:
    try:
        address = urlsplit(urljoin(page, given.get("src", "")))
        size = int(given.get("width", "")), int(given.get("height", ""))
    except ValueError:
        return None
    if address.scheme or address.netloc or not address.path.startswith("/") or min(size) < 1:
        return None
    if address.path.startswith("//"):
        return None
    return PagePicture(address.path, *size)

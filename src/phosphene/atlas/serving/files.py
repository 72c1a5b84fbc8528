"""The files of a site, strictly those below its folder.

A site may come from somebody else, and its pages share their origin with the live page. So of
scripts only phosphene's own are sent, from the package and never from the folder; the list of
units, which a site writes as a script, is read as data and written again. All else goes out as a
kind that browsers run nothing of.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from phosphene.atlas.pages import script
from phosphene.atlas.places import INDEX
from phosphene.atlas.serving.answers import HTML, SITE_POLICY, Answer, Refused
from phosphene.atlas.serving.site_units import read_index, written_index
from phosphene.atlas.site import SCRIPTS
from phosphene.errors import OutputError

KINDS = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".avif": "image/avif",
}
_OTHER = "application/octet-stream"
_SCRIPT = "text/javascript; charset=utf-8"
_FRESH = {"Cache-Control": "no-cache"}
_TOOLS = b'<div class="tools">'
_LINK = b'<a class="chip" href="/live">Try a photograph</a>'
_NOT_FOUND = "there is no such page here"


@dataclass(frozen=True)
class SiteFiles:
    """Serves the files of a folder.

    Attributes:
        root: The folder, with all links resolved.
        live: Whether its pages shall lead to the live page.
    """

    root: Path
    live: bool = False

    @classmethod
    def of(cls, folder: str | Path, live: bool = False) -> SiteFiles:
        """Take a site.

        Raises:
            OutputError: The folder holds none.
        """
        root = Path(folder).resolve()
        if not (root / INDEX).is_file() or not (root / "static" / "atlas.css").is_file():
            raise OutputError(
                f"{folder} holds no atlas: `phosphene atlas MODEL --images DIR -o {folder}` makes "
                "one"
            )
        return cls(root, live)

    def answer(self, path: str) -> Answer:
        """Return a file.

        Args:
            path: Of the request, still quoted, without a query.

        Raises:
            Refused: There is none, or it is not below the folder.
        """
        name = self._name(path)
        if name.startswith("static/") and name.endswith(".js"):
            return self._script(name.removeprefix("static/"))
        body = self._read(name)
        kind = KINDS.get(Path(name).suffix.lower(), _OTHER)
        headers = dict(_FRESH)
        if kind == _OTHER:
            headers["Content-Disposition"] = "attachment"
        if kind == HTML and self.live:
            body = body.replace(_TOOLS, _TOOLS + b"\n" + _LINK, 1)
        return Answer(body, kind, policy=SITE_POLICY, headers=headers)

    def _name(self, path: str) -> str:
        quoted = path.removeprefix("/") or INDEX
        name = os.fsdecode(unquote_to_bytes(quoted))
        parts = name.split("/")
        # What begins with a dot is hidden, as the workings of an atlas are.
        if any(part == "" or part.startswith(".") for part in parts) or re.search(r"[\\\0]", name):
            raise Refused(404, _NOT_FOUND)
        return name

    def _script(self, name: str) -> Answer:
        if name in SCRIPTS:
            body = script(name).encode()
        elif name == "index.js":
            body = written_index(read_index(self._read("static/index.js"))).encode()
        else:
            raise Refused(404, _NOT_FOUND)
        return Answer(body, _SCRIPT, policy=SITE_POLICY, headers=_FRESH)

    def _read(self, name: str) -> bytes:
        try:
            # Where links lead is found first, so that none leads out.
            place = (self.root / name).resolve(strict=True)
            if not place.is_relative_to(self.root) or not stat.S_ISREG(place.stat().st_mode):
                raise Refused(404, _NOT_FOUND)
            return place.read_bytes()
        except (OSError, ValueError, RuntimeError):
            raise Refused(404, _NOT_FOUND) from None


def part_of(answer: Answer, asked: str | None) -> Answer:
    """Return the part of an answer that a Range header asks for.

    Args:
        answer: A whole one.
        asked: The header; of several ranges, and of what is no range, the whole answer is returned.

    Raises:
        Refused: The range lies behind the end.
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (asked or "").strip())
    if found is None or not any(found.groups()) or answer.status != 200:
        return answer
    first, last = found.groups()
    size = len(answer.body)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if first and last and int(last) < int(first):
        return answer
    if start >= size:
        raise Refused(416, "the file ends before that", {"Content-Range": f"bytes */{size}"})
    headers = {**answer.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return Answer(answer.body[start : end + 1], answer.kind, 206, answer.policy, headers)

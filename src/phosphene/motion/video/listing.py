"""From what videos are named by to a list of them; nothing is opened."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from phosphene.errors import ImageError
from phosphene.image import SUFFIXES as IMAGES
from phosphene.motion.shards.keys import Keys
from phosphene.motion.video.films import SUFFIXES as FILMS

_LISTS = frozenset((".txt", ".lst", ".list"))


class Videos:
    """Videos by name, in the order of their names.

    Attributes:
        names: What each is called: its path within the folder it was found in.
        paths: Where each is.
    """

    def __init__(self, found: dict[str, str]) -> None:
        """Args: found: path by name."""
        ordered = sorted(found)
        self.names: Sequence[str] = Keys(ordered)
        self.paths: Sequence[str] = Keys(found[name] for name in ordered)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.names)


def videos_of(sources: str | Path | Sequence[str | Path]) -> Videos:
    """List videos.

    Args:
        sources: One of these, or several:

            - a film;
            - a folder: all films in it and in the folders in it; a folder that holds images and
              no film is one video, whose frames they are; what is hidden (a leading dot) is left
              out, and links to folders are not followed;
            - a list (`.txt`, `.lst`): one path a line, relative to the list, of films or folders
              of frames; blank lines and lines that begin with # are left out;
            - a pattern (`films/*.mp4`).

    Raises:
        ImageError: There is none, or two go by the same name.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: dict[str, str] = {}
    for source in sources:
        for name, path in _of(str(source)):
            if found.setdefault(name, path) != path:
                raise ImageError(
                    f"two videos go by the name {name} ({found[name]} and {path}): give the folder "
                    "that holds both"
                )
    if not found:
        raise ImageError("no videos were given: give films, or folders of films or of frames")
    return Videos(found)


def _of(source: str) -> Iterator[tuple[str, str]]:
    """Yield name and path of each video of a source."""
    path = Path(source)
    if path.is_dir():
        yield from _folder(path, source)
    elif not path.exists():
        matches = sorted(glob.glob(source, recursive=True))
        if not matches:
            raise ImageError(f"there is no file or folder {source}: check the path")
        for match in matches:
            yield from _of(match)
    elif path.suffix.lower() in _LISTS:
        yield from _list(path)
    elif path.suffix.lower() in IMAGES - {".gif", ".apng", ".webp", ".avif"}:
        raise ImageError(f"{source} is one image: give the folder of frames that it is in")
    else:
        yield path.name, source


def _folder(path: Path, source: str) -> Iterator[tuple[str, str]]:
    many = False
    for name, place in _walked(source, ""):
        many = True
        yield name or path.resolve().name, place
    if not many:
        raise ImageError(f"the folder {source} holds no films, and no folder of frames")


def _walked(at: str, before: str) -> Iterator[tuple[str, str]]:
    films: list[str] = []
    folders: list[str] = []
    frames = False
    try:
        with os.scandir(at) as found:
            for entry in found:
                suffix = os.path.splitext(entry.name)[1].lower()
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif suffix in FILMS:
                    films.append(entry.name)
                else:
                    frames = frames or suffix in IMAGES
    except OSError as error:
        raise ImageError(f"the folder {at} cannot be read: {error.strerror}") from None
    if frames and not films:
        yield before.rstrip("/"), at
    for name in films:
        yield before + name, os.path.join(at, name)
    for name in folders:
        yield from _walked(os.path.join(at, name), f"{before}{name}/")


def _list(path: Path) -> Iterator[tuple[str, str]]:
    try:
        # Names of files are bytes: what is not UTF-8 is passed on as it stands.
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ImageError(f"the list {path} cannot be read: {error.strerror}") from None
    many = 0
    for number, line in enumerate(text.split("\n"), 1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        if any(ord(letter) < ord(" ") and letter != "\t" for letter in name):
            raise ImageError(
                f"line {number} of {path} is no path: give a text file, one path a line"
            )
        many += 1
        yield name.lstrip("/"), os.path.join(path.parent, name)
    if not many:
        raise ImageError(f"the list {path} names no videos: give one path a line")

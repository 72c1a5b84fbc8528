"""Where a result goes: one picture, one page, or a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from phosphene.errors import OutputError

PICTURES, PAGES = (".png", ".jpg", ".jpeg", ".webp"), (".html", ".htm")
# More than a person scrolls through, and about what memory and a browser hold.
_MOST_ROWS, _MOST_TILES = 50, 5000


class Place:
    """Where a result goes.

    Attributes:
        path: A file or a folder; `None` for nowhere.
        folder: Whether it is a folder.
        suffix: Of the file, in lower case; empty for a folder.
    """

    def __init__(self, text: str | None) -> None:
        self.path = Path(text) if text is not None else None
        self.folder = self.path is not None and (
            str(text).endswith("/") or self.path.suffix == "" or self.path.is_dir()
        )
        self.suffix = self.path.suffix.lower() if self.path and not self.folder else ""
        if self.suffix and self.suffix not in PICTURES + PAGES:
            raise OutputError(
                f"{text} is nothing phosphene writes: end it in .png or .html, or in / for a folder"
            )
        self._made = False

    def claim(self) -> None:
        """Make sure that there is a place to write to, before any work is done."""
        if self.path is not None:
            self._made = claim(self.path, self.folder)

    def release(self) -> None:
        """Remove a folder that was made for nothing."""
        if self.path is not None and self._made:
            folder = self.path if self.folder else self.path.parent
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def allow(self, rows: int, tiles: int) -> None:
        """Make sure that a picture or page does not grow beyond use.

        Args:
            rows: How many rows of pictures it will have.
            tiles: How many pictures are in a row.

        Raises:
            OutputError: It would.
        """
        limit = _MOST_ROWS if self.suffix in PICTURES else _MOST_TILES // tiles
        if self.suffix and rows > limit:
            instead = "-o results/" if self.suffix in PAGES else "-o results.html, or -o results/"
            raise OutputError(
                f"{self.path} would hold {rows} rows of pictures, more than {limit}: write "
                f"{instead} for a folder"
            )

    def spare(self, photographs: Iterable[Path], what: str) -> None:
        """Make sure that no photograph is overwritten.

        Args:
            photographs: What is asked for, by name.
            what: What they are for.
        """
        if self.suffix and any(self.is_at(path) for path in photographs):
            raise OutputError(
                f"{self.path} is a photograph to {what}, and would be overwritten: give another "
                "name behind -o"
            )

    def holds(self, file: Path) -> bool:
        """Tell whether a file lies in the folder that is written to."""
        return (
            self.path is not None
            and self.folder
            and file.resolve().is_relative_to(self.path.resolve())
        )

    def is_at(self, file: Path) -> bool:
        """Tell whether a file is the very one that is written."""
        return self.path is not None and file.resolve() == self.path.resolve()


def claim(path: Path, folder: bool = False) -> bool:
    """Make sure that a file, or files in a folder, can be written; make the folder.

    Returns:
        Whether the folder was made.

    Raises:
        OutputError: They cannot.
    """
    within = path if folder else path.parent
    made = not within.exists()
    try:
        within.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=within):
            pass
        if not folder and path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not folder and path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        reason = f"{within} is no folder" if within.is_file() else error.strerror
        raise OutputError(f"{path} cannot be written: {reason}") from error
    return made


@contextmanager
def nothing_left(*folders: Path) -> Iterator[None]:
    """Remove what of some folders was made for nothing, if what is done within fails.

    Args:
        folders: Those to be written to. Files stay, and so do folders that were there before.
    """
    missing = [[at for at in (folder, *folder.parents) if not at.exists()] for folder in folders]
    new = [above[-1] for above in missing if above]
    try:
        yield
    except BaseException:
        for folder in new:
            for at, _, _ in os.walk(folder, topdown=False):
                with suppress(OSError):  # it is not empty
                    os.rmdir(at)
        raise

"""Where pre-images go: the page, what is written beside it, and the state of unfinished ones."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.cli.found import panel_of, save_folder, write_trace
from phosphene.cli.options import say
from phosphene.cli.places import Place, claim
from phosphene.cli.preimages import Result
from phosphene.cli.records import names_of
from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from phosphene.preimage.result import PreImage

# Between two writings of a folder: seconds, and at least so many times what writing takes.
_PAUSE, _SHARE = 30.0, 10.0


class Destination:
    """Where the images of a run go.

    Attributes:
        place: Of the page, picture or folder.
        states: Folder that descents are kept in while they are on their way; `None` for none.
    """

    def __init__(self, name: str, asked: Result) -> None:
        """Check what was asked for.

        Args:
            name: What comes out, which names the page.
            asked: Where to.
        """
        asked.check()
        self._asked = asked
        self.place = Place(asked.out or (None if asked.json else f"{name}.html"))
        self.states: Path | None = None
        self._made: list[Path] = []
        self._written = (time.monotonic(), 0.0)

    @property
    def interrupted(self) -> bool:
        """Whether there is a state to go on from."""
        return self.states is not None and self.states.is_dir()

    @property
    def files(self) -> tuple[Path | None, ...]:
        """What a person should open: the page, the movie, the trace, as far as they are wanted."""
        path = self.place.path
        page = path / "index.html" if path and self.place.folder else path
        return page, self._asked.movie, self._asked.trace

    def photographs(self, given: Sequence[Path]) -> dict[Path, str]:
        """List the photographs behind files and folders, with what to call them.

        Raises:
            ImageError: There are none.
            OutputError: One would be overwritten.
        """
        from phosphene.image import find

        self.place.spare(given, "show")
        movie = self._asked.movie and self._asked.movie.resolve()
        if movie and movie in [path.resolve() for path in given]:
            raise OutputError(f"{self._asked.movie} is a photograph to show: name another movie")
        files = [
            file
            for file in find(list(given))
            if not self.place.is_at(file) and file.resolve() != movie
        ]
        inside = [file for file in files if self.place.holds(file)]
        # What an earlier result left is no photograph; what someone else put there is.
        ours = self.place.path is not None and (self.place.path / "facts.json").exists()
        if inside and (not ours or len(inside) == len(files) or set(inside) & set(given)):
            raise OutputError(
                f"{inside[0]} lies in {self.place.path}, where the result goes: give another place "
                "behind -o"
            )
        files = [file for file in files if file not in set(inside)]
        if not files:
            raise ImageError(f"there are no photographs but {self.place.path} itself")
        names = names_of(files)
        return {file: names[str(file)] for file in files}

    def beside(self, name: str) -> Path | None:
        """Return where a file goes that belongs to the result; `None` if nothing is written."""
        path = self.place.path
        return None if path is None else (path if self.place.folder else path.parent) / name

    def open(self) -> None:
        """Make sure that everything can be written, and see whether there is a state to take up."""
        self.place.claim()
        try:
            for path in (self._asked.movie, self._asked.trace):
                self.claim(path)
        except OutputError:
            self.release()
            raise
        if self.place.path is not None:
            whole = self.place.path.absolute()
            beside = os.access(whole.parent, os.W_OK)
            self.states = whole.with_name(f".{whole.name}.resume") if beside else whole / ".resume"
        if self.interrupted and not self._asked.resume:
            self.forget()
            say("begun anew; what an interrupted run left (for --resume) is removed", "dim")
        elif self._asked.resume and not self.interrupted:
            say(f"there is nothing to resume for {self.place.path}: begun anew", "yellow")

    def claim(self, path: Path | None) -> None:
        """Make sure that a file beside the result can be written."""
        if path is not None and claim(path):
            self._made.append(path.parent)

    def release(self) -> None:
        """Remove folders that were made for nothing."""
        for folder in self._made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self.place.release()

    def save(self, found: PreImage) -> None:
        """Write everything that is wanted of images."""
        shown = found.stretched() if self._asked.stretch else found
        if self.place.path is not None:
            if self.place.folder:
                save_folder(shown, self.place.path)
            else:
                from phosphene.view import save

                save(panel_of(shown), self.place.path)
        if self._asked.trace is not None:
            write_trace(found, self._asked.trace)
        if self._asked.movie is not None:
            found.movie(self._asked.movie)

    def meanwhile(self, found: PreImage) -> None:
        """Write a folder before everything is there, if it is time for that."""
        last, took = self._written
        begin = time.monotonic()
        if self.place.folder and begin - last > max(_PAUSE, _SHARE * took):
            self.save(found)
            self._written = (time.monotonic(), time.monotonic() - begin)

    def forget(self) -> None:
        """Remove the states of descents."""
        from phosphene.preimage.watch import forget

        forget(self.states)

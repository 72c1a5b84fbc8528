"""One run of a verb of natural pre-images: batches, progress, interruption, and what is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from phosphene.cli.destination import Destination
from phosphene.cli.found import as_json, lines_of, side_of
from phosphene.cli.options import print_json, say
from phosphene.cli.preimages import Result
from phosphene.cli.steps import Steps
from phosphene.errors import ImageError, PhospheneError, UnitError

if TYPE_CHECKING:
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

Item = TypeVar("Item")
_FRAMES = 48


class Run:
    """One run of a verb, from its options to its exit code.

    As a context manager it makes sure beforehand that results can be written, and at the end
    writes what was found, says so, and leaves by the exit code: also when it is interrupted.

    Attributes:
        to: Where the result goes.
        found: The images so far.
        failed: What could not be done and why, by name.
    """

    def __init__(self, name: str, doing: str, asked: Result) -> None:
        """Check what was asked for.

        Args:
            name: What comes out, which names the page.
            doing: The verb, as in `inverting`.
            asked: Where to.
        """
        self.doing, self.asked = doing, asked
        self.to = Destination(name, asked)
        self.found: PreImage | None = None
        self.failed: dict[str, str] = {}
        self._count, self._stopped = 0, ""

    def __enter__(self) -> Run:
        """Make sure that everything can be written."""
        self.to.open()
        return self

    def go(
        self,
        items: Mapping[Item, str] | Sequence[tuple[Item, str]],
        find: Callable[[Sequence[Item], Watch], PreImage],
        batch: int,
        *,
        repeats: int = 1,
        parts: int = 1,
        check: Callable[[Item], Any] | None = None,
    ) -> None:
        """Find the images of all items, batch by batch.

        Args:
            items: What images are wanted of, with names.
            find: Finds those of some of them.
            batch: Most images at a time.
            repeats: Images of each item.
            parts: Descents for each batch, one after another.
            check: Raises an error for an item that is then named and passed over.

        Raises:
            PhospheneError: It cannot be done, and for no item's fault.
        """
        left = list(items.items() if isinstance(items, Mapping) else items)
        self._count = len(left)
        square = check is None and repeats == 1
        rows = side_of(self._count) if square else self._count
        self.to.place.allow(rows, rows if square else 1 + repeats)
        most = max(1, batch // repeats)
        chunks = [left[i : i + most] for i in range(0, len(left), most)]
        descents = parts * math.ceil(min(most, len(left)) * repeats / batch)
        with Steps(self.doing, len(chunks), descents, self._begun) as steps:
            for number, chunk in enumerate(chunks, 1):
                good = chunk if check is None else self.sound(chunk, check)
                watch = self._watch(steps.of(number))
                for some in self._together(good, find, watch, repeats):
                    self._take(some)
                    if some.interrupted:
                        at = f" in batch {number} of {len(chunks)}" if len(chunks) > 1 else ""
                        self._stopped = f"stopped at {steps.where}{at}"
                        return
                if number < len(chunks) and self.found is not None:
                    self.to.meanwhile(self.found)

    def sound(
        self, items: Sequence[tuple[Item, str]], check: Callable[[Item], Any]
    ) -> list[tuple[Item, str]]:
        """Return the items that pass a check; the others are named.

        Args:
            items: With names.
            check: Raises an error for an item that cannot be done.
        """
        good = []
        for item, name in items:
            try:
                check(item)
            except (ImageError, UnitError) as error:
                if len(items) == 1 and not isinstance(error, ImageError):
                    raise
                self.fail(name, error)
            else:
                good.append((item, name))
        return good

    def fail(self, name: str, error: PhospheneError) -> None:
        """Name something that cannot be done, and pass over it."""
        if str(error) in self.failed.values():
            raise error  # nothing that is wrong with this one alone
        self.failed[name] = str(error)
        say(f"! {error}", "yellow")

    def _together(
        self,
        chunk: Sequence[tuple[Item, str]],
        find: Callable[[Sequence[Item], Watch], PreImage],
        watch: Watch,
        repeats: int,
    ) -> Iterable[PreImage]:
        """Find images together, or by themselves where one of the items cannot be done."""
        if not chunk:
            return
        try:
            result = find([item for item, _ in chunk], watch)
        except (ImageError, UnitError) as error:
            if len(chunk) == 1:
                if self._count == 1:
                    raise
                self.fail(chunk[0][1], error)
                return
            for one in chunk:
                yield from self._together([one], find, watch, repeats)
            return
        names = tuple(name for _, name in chunk for _ in range(repeats))
        yield replace(result, names=names[: len(result)])

    def _take(self, result: PreImage) -> None:
        from phosphene.preimage.result import joined

        self.found = result if self.found is None else joined([self.found, result])

    def _watch(self, tick: Callable[[int, int], None]) -> Watch:
        from phosphene.preimage.watch import Watch

        frames = (self.asked.frames or _FRAMES) if self.asked.movie else 0
        return Watch(tick, frames, self.to.states)

    def _begun(self, done: int) -> None:
        """Say whether a state was taken up, at the first step."""
        if not self.asked.resume or not self.to.interrupted:
            return
        if done > 1:
            say(f"going on from step {done}", "dim")
        else:
            say("what is kept is of other options, photographs or versions: begun anew", "yellow")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write and say what there is, and leave by the exit code."""
        if self.found is None:
            self.to.release()
        else:
            self.to.save(self.found)
        interrupted = kind is KeyboardInterrupt or bool(self.found and self.found.interrupted)
        if interrupted:
            self._report(interrupted)
            on = self.to.interrupted
            again = "; the same command with --resume goes on from there" if on else ""
            say(f"{self._stopped or 'interrupted'}{again}", "yellow")
            raise typer.Exit(130) from None
        if kind is not None:
            self._say_what_there_is()
            return
        self.to.forget()
        self._report(interrupted)
        if self.failed:
            raise typer.Exit(1)

    def _report(self, interrupted: bool) -> None:
        if self.asked.json:
            print_json(as_json(self.found, self.to.place.path, interrupted, self.failed))
        else:
            self._say_what_there_is()

    def _say_what_there_is(self) -> None:
        for line in lines_of(self.found, self.to.files, self.failed):
            say(line, "yellow" if line.startswith("!") else "")

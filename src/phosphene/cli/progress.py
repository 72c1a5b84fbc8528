"""A bar with the time left, for people; silent where the output is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from phosphene.cli.options import terminal

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def tracked(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar for the length of a `with` block.

    Args:
        what: What is being done.
        total: How many steps there are.

    Yields:
        A function to call after each step.
    """
    with _bar(terminal.is_terminal and total > 1) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def followed(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar for work that knows itself how far it is.

    Args:
        what: What is being done, until the work says so.

    Yields:
        A function to call with how many steps are done, of how many, and what is being done.
    """
    with _bar(terminal.is_terminal) as progress:
        task = progress.add_task(escape(what), total=None)

        def tick(done: int, total: int, now: str) -> None:
            progress.update(task, completed=done, total=total, description=escape(now or what))

        yield tick


@contextmanager
def in_stages(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar for work in stages, with the time left in the stage.

    Args:
        what: What is being done, until the work says so.

    Yields:
        A function to call with how many steps of a stage are done, of how many (0 where that is
        open), and the stage.
    """
    with _bar(terminal.is_terminal, elapsed=True) as progress:
        task = progress.add_task(escape(what), total=None)
        stage = what

        def tick(done: int, total: int, now: str) -> None:
            nonlocal stage
            if now != stage:
                # How quick one stage is says nothing of the next.
                stage = now
                progress.reset(task, total=total or None, completed=done, description=escape(now))
            progress.update(task, total=total or None, completed=done)

        yield tick


@contextmanager
def swept_over(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar for a pass over many images, with how many a second.

    Args:
        what: What is being done.

    Yields:
        A function to call with how many images are done, and of how many if that is known.
    """
    with _bar(terminal.is_terminal, "{task.fields[rate]}", elapsed=True) as progress:
        task = progress.add_task(what, total=None, rate="")

        def tick(done: int, total: int | None) -> None:
            # What an earlier run has done is in the bar, and not in the rate.
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f} images/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate)

        yield tick


def _bar(shown: bool, *texts: str, elapsed: bool = False) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *map(TextColumn, texts),
        *((TimeElapsedColumn(), TextColumn("left")) if elapsed else ()),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=terminal, transient=True, disable=not shown)

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


def _bar(shown: bool) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=terminal, transient=True, disable=not shown)

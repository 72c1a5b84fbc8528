"""A bar with the time left, for people; silent where the output is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from phosphene.cli.options import terminal


@contextmanager
def tracked(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar for the length of a `with` block.

    Args:
        what: What is being done.
        total: How many steps there are.

    Yields:
        A function to call after each step.
    """
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
    shown = terminal.is_terminal and total > 1
    with Progress(*columns, console=terminal, transient=True, disable=not shown) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)

"""A bar for work in stages: the name of the stage, and the time left in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.markup import escape

from phosphene.cli.options import terminal


@contextmanager
def in_stages(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar for the length of a `with` block; silent in no terminal.

    Args:
        what: What is being done, until the work says so.

    Yields:
        A function to call with how many steps of a stage are done, of how many (0 where that is
        open), and the stage.
    """
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
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = terminal.is_terminal
    with Progress(*columns, console=terminal, transient=True, disable=not shown) as progress:
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

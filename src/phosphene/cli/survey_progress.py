"""A bar for a pass over many images: how many a second, and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from phosphene.cli.options import terminal


@contextmanager
def swept_over(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar with a rate for the length of a `with` block; silent in no terminal.

    Args:
        what: What is being done.

    Yields:
        A function to call with how many images are done, and of how many if that is known.
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
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = terminal.is_terminal
    with Progress(*columns, console=terminal, transient=True, disable=not shown) as progress:
        task = progress.add_task(what, total=None, rate="")

        def tick(done: int, total: int | None) -> None:
            # What an earlier run has done is in the bar, and not in the rate.
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f} images/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate)

        yield tick

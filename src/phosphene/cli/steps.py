"""A bar over the steps of descents."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from phosphene.cli.progress import followed


class Steps:
    """The steps of several descents as one progress bar with the time left.

    Attributes:
        where: Where the descent under way stands, in words.
    """

    def __init__(
        self, doing: str, batches: int, descents: int, begun: Callable[[int], None]
    ) -> None:
        """Plan the bar.

        Args:
            doing: What is being done.
            batches: How many batches there are.
            descents: How many descents a batch takes.
            begun: Told the number of the very first step.
        """
        self._doing, self._descents, self._all = doing, descents, batches * descents
        self._begun: Callable[[int], None] | None = begun
        self._stack = ExitStack()
        self.where = "step 0"

    def __enter__(self) -> Steps:
        """Show the bar."""
        self._tick = self._stack.enter_context(followed(self._doing))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._stack.close()

    def of(self, number: int) -> Callable[[int, int], None]:
        """Return what a batch tells of its steps; batches count from 1."""
        before = (number - 1) * self._descents
        last = 0

        def tick(done: int, total: int) -> None:
            nonlocal before, last
            if self._begun is not None:
                self._begun(done)
                self._begun = None
            if done < last:
                before += 1
            last = done
            if done < total:  # the end is told even when it was stopped on the way
                self.where = f"step {done} of {total}"
            self._tick(min(before, self._all - 1) * total + done, self._all * total, self._doing)

        return tick

"""One thread that computes, one thing after the other, and a short queue before it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from phosphene.atlas.serving.answers import Refused

T = TypeVar("T")
Job = tuple[Callable[[], Any], "Future[Any]"]

WAITING = 8
"""So many may wait."""


class Worker:
    """Computes for many threads in one.

    Args:
        waiting: How many may wait behind the one under way.
    """

    def __init__(self, waiting: int = WAITING) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(waiting)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="phosphene-serve", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], T]) -> T:
        """Compute something when its turn comes, and return it; what it raises is raised here.

        Raises:
            Refused: Too many wait, or the server is ending.
        """
        done: Future[T] = Future()
        if self._closed.is_set():
            raise _ending()
        try:
            self._jobs.put_nowait((work, done))
        except queue.Full:
            raise Refused(
                503,
                "the network is busy and too many are waiting: try again in a moment",
                {"Retry-After": "5"},
            ) from None
        return done.result()

    def close(self, patience: float = 5.0) -> None:
        """End after what is under way; what waits is refused.

        Args:
            patience: Seconds to wait for what is under way.
        """
        self._closed.set()
        self._refuse_waiting()
        self._jobs.put(None)
        self._thread.join(patience)

    def _refuse_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job[1].set_exception(_ending())

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            try:
                done.set_result(work())
            except BaseException as error:  # whoever waits for it has to be told
                done.set_exception(error)
        self._refuse_waiting()


def _ending() -> Refused:
    return Refused(503, "the server is ending: start `phosphene serve` again")

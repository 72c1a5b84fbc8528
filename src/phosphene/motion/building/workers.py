"""Processes that share shards.

A worker takes the next shard from a counter that all share, and says over a pipe when a video is
done. Ctrl-C and a scheduler's end reach the one that started them alone, which then asks them to
stop; where that one is killed, the pipe breaks, and they end as well.
"""

from __future__ import annotations

import multiprocessing as mp
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.motion.building.one_shard import build_shard
from phosphene.motion.building.one_video import Gathered
from phosphene.motion.building.plan import Plan
from phosphene.motion.estimators import Estimator

_POLL = 0.2
"""Seconds after which it is asked again whether to stop."""


@dataclass(frozen=True)
class Job:
    """What the workers share.

    Attributes:
        plan: What is built.
        shards: Which shards of it.
        estimator: What estimates the flow.
    """

    plan: Plan
    shards: tuple[int, ...]
    estimator: Estimator


def share(job: Job, many: int, asked: Callable[[], bool], tell: Callable[[], Any]) -> None:
    """Build shards by several processes.

    Args:
        job: What is to be done.
        many: How many processes.
        asked: Whether to stop.
        tell: Is called after each video.

    Raises:
        PhospheneError: What one of them has raised, or that one was ended from outside.
    """
    context = mp.get_context("spawn")
    following, stop = context.Value("q", 0), context.Event()
    ends: dict[Connection, Any] = {}
    with _signals_kept():
        for _ in range(many):
            here, there = context.Pipe(duplex=False)
            given = (job, following, stop, there)
            process = context.Process(target=_work, args=given, daemon=True)
            process.start()
            there.close()
            ends[here] = process
    trouble: PhospheneError | None = None
    try:
        while ends:
            if asked() or trouble:
                stop.set()
            for end in wait(list(ends), _POLL):
                assert isinstance(end, Connection)
                try:
                    said = end.recv()
                except EOFError:
                    process = ends.pop(end)
                    process.join()
                    if process.exitcode and trouble is None:
                        trouble = _ended(process.exitcode)
                    continue
                if isinstance(said, PhospheneError):
                    trouble = trouble or said
                else:
                    tell()
    finally:
        for process in ends.values():
            process.kill()
            process.join()
    if trouble is not None:
        raise trouble


def _ended(code: int) -> PhospheneError:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return PhospheneError(
        f"a worker was ended from outside ({how}): what was built before is kept, and the same "
        "call goes on from there; if memory was short, give fewer workers"
    )


def _work(job: Job, following: Any, stop: Any, parent: Connection) -> None:
    _one_thread()

    def tell(name: str, gathered: Gathered) -> None:
        try:
            parent.send(name)
        except OSError:  # nobody is left to work for
            stop.set()

    try:
        while not stop.is_set():
            with following.get_lock():
                turn = following.value
                following.value += 1
            if turn >= len(job.shards):
                break
            build_shard(job.plan, job.shards[turn], job.estimator, stop.is_set, tell)
    except PhospheneError as error:
        with suppress(OSError):
            parent.send(error)
    finally:
        parent.close()


def _one_thread() -> None:
    """Leave the other processors to the other workers."""
    import cv2

    cv2.setNumThreads(1)
    if "torch" in sys.modules:  # loaded with an estimator that needs it
        import torch

        torch.set_num_threads(1)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Start processes that no signal of a terminal or a scheduler reaches."""
    # What is blocked stays so in processes that are started, and comes here a moment later.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

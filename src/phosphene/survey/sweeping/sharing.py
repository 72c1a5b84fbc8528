"""A sweep shared out among processes, by Lightning Fabric.

The parts that are not done yet go round: the first process takes the first, the second the second,
and so on. Every process keeps a state of its own; what they all know is merged at the end, and
whenever a folder is gone on with, by any number of processes.

Fabric either starts the processes on this machine (one for each worker; on GPUs each has one), or
finds those that torchrun or SLURM has started, on this machine and others.
"""

from __future__ import annotations

import copy
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from phosphene.core.network import Network
from phosphene.errors import OutputError, PhospheneError, SettingError
from phosphene.interruption import interruptible
from phosphene.survey.collector import Collector
from phosphene.survey.images import ImageSet
from phosphene.survey.sweeping.board import Board
from phosphene.survey.sweeping.folder_lock import locked
from phosphene.survey.sweeping.job import Job
from phosphene.survey.sweeping.launching import connect, fabric_for, launch
from phosphene.survey.sweeping.passing import Watch, pass_over
from phosphene.survey.sweeping.sending import moved, sendable
from phosphene.survey.sweeping.standing import Standing, keep, read, settle, state_path, take_up

Figures = tuple[int, int]
"""How many images are done, failed ones among them, and how many parts."""
_POLL = 0.2


@dataclass(frozen=True)
class Task:
    """What is to be done; see `sweep`."""

    net: Network | None
    images: ImageSet
    collectors: Mapping[str, Collector]
    folder: Path | None
    job: Job
    batch: int
    whole: bool
    every: float
    reopen: Callable[[], Network] | None

    @property
    def network(self) -> Network:
        """The network, where it is not left to others to open it."""
        assert self.net is not None
        return self.net


def figures(standing: Standing) -> Figures:
    """Return how far a standing is."""
    return standing.count + len(standing.failed), len(standing.done)


def teller(
    tick: Callable[[int, int | None], None] | None,
    images: ImageSet,
    ask: Callable[[], Iterable[Figures]],
) -> Callable[[], None]:
    """Make the function that tells how far all processes are together."""
    total, parts = images.count, len(images.parts)
    before = -1

    def told() -> None:
        nonlocal before
        if tick is None:
            return
        done, ended = (sum(column) for column in zip(*ask(), strict=True))
        if done == before:
            return
        before = done
        # Shards and videos do not say how long they are: the mean of those that are done does.
        guess = round(done / ended * parts) if ended else None
        tick(done, total if total is not None else max(guess, done) if guess else None)

    return told


def among(
    task: Task, tick: Callable[[int, int | None], None] | None, workers: int
) -> tuple[Standing, bool]:
    """Start processes on this machine, and merge what they find.

    Returns:
        How far it is, and whether that is to the end.
    """
    fresh = copy.deepcopy(task.collectors)
    with ExitStack() as stack:
        kept = task.folder
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        standing, shares = _begin(task, folder)
        if not shares:
            return standing, True
        workers = min(workers, len(shares))
        fabric = fabric_for(task.network, workers, workers, "spawn")
        net = None if task.reopen else sendable(task.network)
        board = Board.of(workers)
        sent = replace(task, net=net, collectors=fresh, folder=folder)
        # Whoever was interrupted still merges; what earlier runs did is counted in.
        told = teller(tick, task.images, lambda: [figures(standing), *board.figures()])
        stopping = stack.enter_context(interruptible())
        stack.enter_context(_polling(board, told, stopping))
        # Bound to the function: Fabric looks into arguments, and not into what is bound.
        work = partial(_spawned, task=sent, shares=shares, board=board, parent=os.getpid())
        launch(fabric, work, board)
        ended = _gather(task, standing, folder, workers)
        if kept:
            keep(state_path(folder, 0), standing, task.collectors, task.job)
            settle(folder, standing)
        return standing, ended


def as_launched(
    sizes: tuple[int, int], task: Task, tick: Callable[[int, int | None], None] | None
) -> tuple[Standing, bool]:
    """Be one of the processes that were started from outside; each returns the whole result."""
    here, many = sizes
    folder = task.folder
    if folder is None:
        raise SettingError(
            f"{many} processes share a sweep by a folder that all of them see: give one"
        )
    fresh = copy.deepcopy(task.collectors)
    fabric = fabric_for(task.network, here, many, "popen")
    connect(fabric)
    rank: int = fabric.global_rank
    first = rank == 0
    with ExitStack() as stack:
        shares = _first(fabric, lambda: _claim(task, folder, stack))
        standing = Standing()
        own = replace(task, net=moved(task.network, fabric.device), collectors=fresh)
        told = teller(tick if first else None, task.images, lambda: [figures(standing)])
        with interruptible() as stopping:
            _work(own, shares[rank::many], standing, state_path(folder, rank + 1), told, stopping)
        fabric.barrier()

        def gathered() -> bool:
            base, _, _ = read(state_path(folder, 0))
            ended = _gather(task, base, folder, many)
            keep(state_path(folder, 0), base, task.collectors, task.job)
            settle(folder, base)
            return ended

        ended = _first(fabric, gathered)
        standing, states, _ = read(state_path(folder, 0))
        if not first:
            for name, collector in task.collectors.items():
                collector.merge(states[name])
        fabric.barrier()
    return standing, ended


def _claim(task: Task, folder: Path, stack: ExitStack) -> list[tuple[int, int]]:
    stack.enter_context(locked(folder))
    standing, shares = _begin(task, folder)
    keep(state_path(folder, 0), standing, task.collectors, task.job)
    return shares


def _begin(task: Task, folder: Path) -> tuple[Standing, list[tuple[int, int]]]:
    """Take up what earlier runs have left, into one file."""
    standing = take_up(folder, task.collectors, task.job)
    if standing.absorbed:
        keep(state_path(folder, 0), standing, task.collectors, task.job)
        settle(folder, standing)
    return standing, standing.rest(len(task.images.parts))


def _gather(task: Task, standing: Standing, folder: Path, workers: int) -> bool:
    """Merge what the processes have written; return whether all is done."""
    seconds = 0.0
    for rank in range(1, workers + 1):
        path = state_path(folder, rank)
        if not path.is_file():
            raise OutputError(
                f"process {rank} of {workers} has left nothing in {folder}: all processes need to "
                "see one and the same folder"
            )
        other, states, _ = read(path)
        for name, collector in task.collectors.items():
            collector.merge(states[name])
        standing.absorb(other)
        seconds = max(seconds, other.seconds)
    standing.seconds += seconds
    return not standing.rest(len(task.images.parts))


def _first(fabric: Any, make: Callable[[], Any]) -> Any:
    """Let the first process do something, and all of them have the result, or its error."""
    made: Any = None
    if fabric.global_rank == 0:
        try:
            made = make()
        except PhospheneError as error:
            made = error
    made = fabric.broadcast(made, src=0)
    if isinstance(made, PhospheneError):
        raise made
    return made


def _spawned(
    fabric: Any, task: Task, shares: Sequence[tuple[int, int]], board: Board, parent: int
) -> None:
    """Be a worker."""
    rank: int = fabric.global_rank
    try:
        net = moved(task.reopen() if task.reopen else task.net, fabric.device)
        # Tensors come to all workers in the same memory: each makes its collectors its own.
        own = replace(task, net=net, collectors=copy.deepcopy(task.collectors))
        standing = Standing()
        assert task.folder is not None
        with interruptible() as stopping:
            _work(
                own,
                shares[rank :: fabric.world_size],
                standing,
                state_path(task.folder, rank + 1),
                lambda: board.tell(rank, figures(standing)),
                lambda: stopping() or board.stopped or os.getppid() != parent,
                lambda: os.getppid() == parent,
            )
    except PhospheneError as error:
        board.fail(rank, error)


def _work(
    task: Task,
    shares: Sequence[tuple[int, int]],
    standing: Standing,
    path: Path,
    told: Callable[[], None],
    stopping: Callable[[], bool],
    may_write: Callable[[], bool] = lambda: True,
) -> None:
    def kept() -> None:
        if may_write():  # the folder may be another's once the parent is gone
            keep(path, standing, task.collectors, task.job)

    watch = Watch(kept, task.every, told, stopping)
    pass_over(
        task.network, task.images, shares, task.collectors, standing, watch,
        batch=task.batch, whole=task.whole,
    )  # fmt: skip
    kept()


def _polling(board: Board, told: Callable[[], None], stopping: Callable[[], bool]) -> Any:
    """Look at the board while the workers work, and hand Ctrl-C on to them."""
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(_POLL):
            if stopping():
                board.stop()
            told()

    stack = ExitStack()
    thread = threading.Thread(target=poll, name="watching workers", daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)
    return stack

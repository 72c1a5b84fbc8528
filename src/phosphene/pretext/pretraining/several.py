"""A run by several processes: those that torchrun or SLURM have started, or some of our own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from phosphene import errors
from phosphene.errors import PhospheneError, SettingError
from phosphene.pretext.pretraining.presets import run_stages
from phosphene.pretext.pretraining.results import Pretrained
from phosphene.pretext.pretraining.running import How
from phosphene.pretext.pretraining.settings import Setting
from phosphene.training.launching import hush, launched, quiet
from phosphene.training.loop import Tick
from phosphene.training.processes import fabric_of, rank

Watched = Callable[[], AbstractContextManager[Tick]]
_RAISED = re.compile(r"^phosphene\.errors\.(\w+): (.+)$", re.MULTILINE)


def found_fabric(how: How) -> Any:
    """Return the Fabric of the processes that torchrun or srun have started; `None` if none."""
    sizes = launched()
    if sizes is None:
        return None
    here, many = sizes
    fabric = fabric_of(how.device, here, many // here, how.precision)
    with quiet():
        fabric.launch()
    return fabric


def run_with(
    stages: Sequence[Setting],
    folder: str | Path,
    *,
    workers: int = 1,
    how: How | None = None,
    watched: Watched | None = None,
    say: Callable[[str], None] | None = None,
) -> Pretrained:
    """Run stages with so many processes on this machine, or in those that torchrun has started.

    Args:
        stages: Their settings.
        folder: Where to.
        workers: How many processes, each with a GPU of its own where GPUs are used.
        how: What changes nothing of what is learned.
        watched: Opens what follows the progress, in the first process; it and `say` have to be
            functions of modules where there are workers.
        say: Told what a person should know.

    Raises:
        SettingError: A batch cannot be shared by the processes; and what `run` raises, in whatever
            process it happened.
    """
    how = how or How()
    fabric = found_fabric(how)
    if fabric is not None and workers > 1:
        raise SettingError(
            "torchrun (or srun) has started the processes already: leave --workers out"
        )
    count = fabric.world_size if fabric is not None else workers
    for stage in stages:
        if stage.batch % count:
            raise SettingError(
                f"a batch of {stage.batch} cannot be shared evenly by {count} processes: give a "
                "multiple of their number"
            )
    if workers > 1:
        return _spawned(stages, Path(folder), workers, how, watched, say)
    return _work(stages, Path(folder), how, watched, say, fabric)


def _work(
    stages: Sequence[Setting],
    folder: Path,
    how: How,
    watched: Watched | None,
    say: Callable[[str], None] | None,
    fabric: Any,
) -> Pretrained:
    watching = watched() if watched is not None and rank() == 0 else nullcontext(None)
    with watching as tick:
        told = say or (lambda text: None)
        return run_stages(stages, folder, how=how, fabric=fabric, tick=tick, say=told)


def _spawned(
    stages: Sequence[Setting],
    folder: Path,
    workers: int,
    how: How,
    watched: Watched | None,
    say: Callable[[str], None] | None,
) -> Pretrained:
    if sys.platform == "linux" and how.device == "cpu":
        # All are on this machine, whose own name may lead nowhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    fabric = fabric_of(how.device, workers, 1, how.precision, start="spawn")
    threads = max(1, torch.get_num_threads() // workers)
    try:
        with quiet(), _handed_on():
            asked = _Held((list(stages), folder, how, watched, say))
            told = fabric.launch(_process, asked, threads)
    except Exception as error:
        raised = _RAISED.findall(str(error))
        if isinstance(error, PhospheneError) or not raised:
            raise
        kind = getattr(errors, raised[-1][0], PhospheneError)
        raise kind(raised[-1][1]) from None
    found: Pretrained = told.value
    return found


def _process(fabric: Any, asked: _Held, threads: int) -> _Held:
    # Ctrl-C reaches all processes of a terminal's group; from us they hear of it once.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    torch.set_num_threads(threads)
    stages, folder, how, watched, say = asked.value
    return _Held(_work(stages, folder, how, watched, say, fabric))


class _Held:
    """What Fabric carries between processes as it is: it would take frozen dataclasses apart."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Read in a new process before Fabric tells the terminal that it starts.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        hush()
        vars(self).update(state)


@contextmanager
def _handed_on() -> Iterator[None]:
    """Hand Ctrl-C, or the end that a scheduler sets, on to the processes of a `with` block."""

    def note(number: int, frame: Any) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Work that several processes do together: those that torchrun or SLURM started, or our own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from phosphene import errors
from phosphene.errors import PhospheneError, SettingError
from phosphene.training.launching import hush, launched, quiet
from phosphene.training.processes import Precision, fabric_of

Work = Callable[..., Any]
"""Called with the Fabric, `None` where there is but one process, and whatever it was given."""

_RAISED = re.compile(r"^phosphene\.errors\.(\w+): (.+)$", re.MULTILINE)


def found_fabric(device: str, precision: Precision = "32-true") -> Any:
    """Return the Fabric of the processes that torchrun or srun have started; `None` if none."""
    sizes = launched()
    if sizes is None:
        return None
    here, many = sizes
    fabric = fabric_of(device, here, many // here, precision)
    with quiet():
        fabric.launch()
    return fabric


def together(
    work: Work, *given: Any, workers: int = 1, device: str, precision: Precision = "32-true"
) -> Any:
    """Let so many processes of this machine work, or those that torchrun has started.

    Args:
        work: What each does; a function of a module where there are workers. It may raise
            `KeyboardInterrupt` where all of them do.
        given: What it is called with behind the Fabric; sent to the processes.
        workers: How many, each with a GPU of its own where GPUs are used.
        device: Where they work.
        precision: See `processes.fabric_of`.

    Returns:
        What the first process returned (of torchrun's, each its own).

    Raises:
        SettingError: torchrun has started the processes already.
        PhospheneError: What any of them raised.
        KeyboardInterrupt: They were stopped.
    """
    fabric = found_fabric(device, precision)
    if fabric is not None and workers > 1:
        raise SettingError(
            "torchrun (or srun) has started the processes already: leave --workers out"
        )
    if workers == 1:
        return work(fabric, *given)
    if sys.platform == "linux" and device == "cpu":
        # All are on this machine, whose own name may lead nowhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    fabric = fabric_of(device, workers, 1, precision, start="spawn")
    threads = max(1, torch.get_num_threads() // workers)
    with quiet(), _handed_on() as stopped:
        try:
            told = fabric.launch(_process, _Held((work, given)), threads).value
        except Exception as error:
            if stopped():  # in between what can be stopped in order
                raise KeyboardInterrupt from None
            raised = _RAISED.findall(str(error))
            if isinstance(error, PhospheneError) or not raised:
                raise
            kind = getattr(errors, raised[-1][0], PhospheneError)
            raise kind(raised[-1][1]) from None
    if isinstance(told, _Stopped):
        raise KeyboardInterrupt
    return told


def _process(fabric: Any, asked: _Held, threads: int) -> _Held:
    # Ctrl-C reaches all processes of a terminal's group; from us they hear of it once.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    torch.set_num_threads(threads)
    work, given = asked.value
    try:
        return _Held(work(fabric, *given))
    except KeyboardInterrupt:
        return _Held(_Stopped())  # an exception of this kind would not come through


class _Stopped:
    """In place of what would have been returned."""


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
def _handed_on() -> Iterator[Callable[[], bool]]:
    """Hand Ctrl-C, or the end that a scheduler sets, on to the processes of a `with` block.

    Yields:
        Whether there was one.
    """
    asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Sets written to disk: whole sequences, in processes side by side, gone on with."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image

from phosphene.errors import OutputError, SettingError
from phosphene.image import replacing
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import write_flow
from phosphene.motion.sets.labels import labels_image
from phosphene.provenance import versions
from phosphene.worlds.instant import Instant

Make = Callable[[int], Iterable[Instant]]
"""Makes the sequence of a number."""
Tick = Callable[[int, int], None]

FACTS = "world.json"
KINDS = ("flow", "occlusions", "objects", "parts", "clean")
"""What there is of a frame, in the order in which it is put in place."""
_BEGUN = ".begun"
_MOST_WORKERS = 256
_PACKED = 4
"""How hard frames are compressed: half the time of Pillow's own 6, for 1 % more bytes."""


@dataclass(frozen=True)
class SetPlan:
    """What a set shall consist of.

    Attributes:
        names: Of its sequences, each once.
        about: What they are made from: enough to make them again, as JSON has it.
        splits: Names of sequences by split, such as `train` and `test`; empty for none.

    Raises:
        SettingError: There are no sequences, two of a name, or a split names others.
    """

    names: tuple[str, ...]
    about: Mapping[str, Any]
    splits: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise SettingError(
                f"{len(self.names)} sequences cannot be: give one at least, each by its own name"
            )
        named = {name for names in self.splits.values() for name in names}
        if named - set(self.names):
            stray = min(named - set(self.names))
            raise SettingError(f"a split holds {stray!r}, which is no sequence of the set")

    @property
    def facts(self) -> dict[str, Any]:
        """What `world.json` says."""
        facts = {
            "phosphene": versions()["phosphene"],
            **self.about,
            "sequences": list(self.names),
            "splits": {split: list(names) for split, names in self.splits.items()},
        }
        plain: dict[str, Any] = json.loads(json.dumps(facts))
        return plain


def write_set(
    folder: str | Path, make: Make, plan: SetPlan, *, workers: int = 1, tick: Tick | None = None
) -> int:
    """Write a set, or what is missing of it.

    Args:
        folder: Where to.
        make: From a sequence's number to its frames, two at least, all of one size. With more
            workers than one it goes to other processes, and has to be picklable: a function of a
            module, or a `functools.partial` of one.
        plan: What the set consists of.
        workers: Processes that share the sequences.
        tick: Called with how many sequences are there, and of how many.

    Returns:
        How many sequences were written now.

    Raises:
        OutputError: The folder holds something else, cannot be written, or the disk is full.
        SettingError: The number of workers, or a sequence, cannot be.
    """
    if not 1 <= workers <= _MOST_WORKERS:
        raise SettingError(f"{workers} workers were asked for: give 1 to {_MOST_WORKERS}")
    folder = Path(folder)
    _begin(folder, plan)
    missing = [i for i, name in enumerate(plan.names) if not (folder / "clean" / name).is_dir()]
    total = len(plan.names)
    done = total - len(missing)
    tick = tick or (lambda done, total: None)
    tick(done, total)
    for _ in _written(folder, make, plan.names, missing, min(workers, len(missing))):
        done += 1
        tick(done, total)
    shutil.rmtree(folder / _BEGUN, ignore_errors=True)
    return len(missing)


def _begin(folder: Path, plan: SetPlan) -> None:
    path = folder / FACTS
    with _told(folder):
        shutil.rmtree(folder / _BEGUN, ignore_errors=True)
        begun = (folder / "clean").is_dir() and any((folder / "clean").iterdir())
        strange = folder.is_dir() and any(folder.iterdir()) and not path.is_file()
    if strange:
        raise OutputError(f"{folder} holds other things: give a folder that is new or empty")
    if begun:
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            found = {}
        wanted = plan.facts
        differ = [key for key in (*wanted, *found) if found.get(key) != wanted.get(key)]
        if differ:
            raise OutputError(
                f"{folder} holds another set (of other {differ[0]}): give another folder, or "
                "remove that one first"
            )
    else:  # what has no sequence yet may be changed
        with replacing(path) as file:
            file.write((json.dumps(plan.facts, indent=2) + "\n").encode())


def _written(
    folder: Path, make: Make, names: Sequence[str], missing: list[int], workers: int
) -> Iterator[None]:
    if workers <= 1:
        for index in missing:
            _write(folder, names[index], make, index)
            yield
        return
    # Forked processes may hang in libraries that have started threads; fresh ones do not.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _serve)
    try:
        jobs = [pool.submit(_write, folder, names[index], make, index) for index in missing]
        for job in as_completed(jobs):
            job.result()
            yield
    except BrokenProcessPool:
        raise OutputError(
            f"a process that wrote to {folder} was ended from outside, as happens where memory "
            "runs out: the same call goes on from here, best with fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _serve() -> None:
    """Leave Ctrl-C to the process that has started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _write(folder: Path, name: str, make: Make, index: int) -> None:
    begun = folder / _BEGUN / name
    frames = iter(make(index))
    with _told(folder):
        shutil.rmtree(begun, ignore_errors=True)
        for kind in KINDS:
            (begun / kind).mkdir(parents=True)
            (folder / kind).mkdir(exist_ok=True)
    last, count = next(frames, None), 1
    while last is not None:
        following = next(frames, None)
        if following is None and count < 2:
            raise SettingError(f"a sequence of {count} frame has no flow: ask for 2 at least")
        with _told(folder):
            _write_frame(begun, f"frame_{count:04d}", last, following is not None)
        last, count = following, count + 1
    with _told(folder):
        for kind in KINDS:  # frames last: where they are, all is
            place = folder / kind / name
            shutil.rmtree(place, ignore_errors=True)
            os.rename(begun / kind, place)
        begun.rmdir()


def _write_frame(begun: Path, name: str, instant: Instant, moves: bool) -> None:
    frame = Image.fromarray(instant.image)
    frame.save(begun / "clean" / f"{name}.png", compress_level=_PACKED)
    labels_image(instant.objects).save(begun / "objects" / f"{name}.png")
    labels_image(instant.parts).save(begun / "parts" / f"{name}.png")
    if moves:
        write_flow(Flow.of(instant.flow), begun / "flow" / f"{name}.flo")
        occluded = Image.fromarray(instant.occluded.astype(np.uint8) * np.uint8(255))
        occluded.save(begun / "occlusions" / f"{name}.png")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in a sentence that something cannot be written."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise OutputError(f"{folder} cannot be written: {reason}") from error

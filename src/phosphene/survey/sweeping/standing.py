"""How far a sweep is: what is done, and what the collectors know of it; in files and in memory.

A folder holds `state-0`, which knows all that earlier runs have done, and a `state-RANK` for every
process that is at work beside it (1, 2, ...). A run that begins, or ends, takes the others' files
into `state-0` and removes them. That takes several steps, and may be cut off between any two: so
every file has a mark of its own and lists the marks of those that it has taken in; a file whose
mark is listed counts no more. Thus no image is ever counted twice or lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from phosphene.errors import OutputError
from phosphene.image import replacing
from phosphene.survey.collector import Collector, State
from phosphene.survey.sweeping.differing import told_apart
from phosphene.survey.sweeping.job import Job

FINISHED = "survey.safetensors"
_VERSION = "1"


@dataclass
class Standing:
    """How far a sweep is.

    Attributes:
        done: The parts that are done.
        partial: How many images of other parts are done, by part.
        failed: What could not be read and why, by name.
        count: How many images have gone through the network.
        failures: How many could not be read.
        seconds: How long it took.
        mark: Tells it from any other.
        absorbed: The marks of those that it has taken in.
    """

    done: set[int] = field(default_factory=set)
    partial: dict[int, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    count: int = 0
    seconds: float = 0.0
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    absorbed: set[str] = field(default_factory=set)

    def note(self, part: int, end: int, seen: int, failed: Mapping[str, str], last: bool) -> None:
        """Note that a part is done up to an image, or all of it.

        Args:
            part: Its number.
            end: The first image that is not done.
            seen: How many images went through the network.
            failed: What could not be read.
            last: Whether it is done.
        """
        self.count += seen
        self.failed.update(failed)
        if last:
            self.done.add(part)
            self.partial.pop(part, None)
        else:
            self.partial[part] = end

    def absorb(self, other: Standing) -> None:
        """Take in what another process has done of other images."""
        self.done |= other.done
        for part, end in other.partial.items():
            self.partial[part] = max(end, self.partial.get(part, 0))
        self.partial = {p: end for p, end in self.partial.items() if p not in self.done}
        self.failed.update(other.failed)
        self.count += other.count
        self.absorbed |= {other.mark, *other.absorbed}

    def rest(self, parts: int) -> list[tuple[int, int]]:
        """Return the parts that are not done, in order, and where to go on in each."""
        return [(p, self.partial.get(p, 0)) for p in range(parts) if p not in self.done]


def keep(path: Path, standing: Standing, collectors: Mapping[str, Collector], job: Job) -> None:
    """Write a standing and what the collectors know, whole or not at all.

    Raises:
        OutputError: It cannot be written; what was there before stays.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {
        "done": torch.tensor(sorted(standing.done), dtype=torch.int64),
        "partial": torch.tensor(sorted(standing.partial.items()), dtype=torch.int64).view(-1, 2),
    }
    for name, collector in collectors.items():
        for key, value in collector.state().items():
            own = value.detach().cpu().contiguous()
            # A part of a larger tensor would be refused, or written whole.
            whole = own.untyped_storage().nbytes() == own.nbytes
            tensors[f"collectors/{name}/{key}"] = own if whole else own.clone()
    about = {
        "version": _VERSION,
        "job": json.dumps(job),
        "failed": json.dumps(standing.failed),
        "count": str(standing.count),
        "seconds": repr(standing.seconds),
        "mark": standing.mark,
        "absorbed": json.dumps(sorted(standing.absorbed)),
    }
    content = save(tensors, about)
    with replacing(path) as file:
        file.write(content)


def read(path: Path) -> tuple[Standing, dict[str, State], Job]:
    """Read what `keep` has written.

    Returns:
        The standing, the state of every collector, and what the sweep is about.

    Raises:
        OutputError: It is damaged, or of another version of phosphene.
    """
    from safetensors import SafetensorError, safe_open

    states: dict[str, State] = {}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if about.get("version") != _VERSION:
                raise OutputError(
                    f"{path} was written by another version of phosphene: give another folder"
                )
            done, partial = file.get_tensor("done"), file.get_tensor("partial")
            for key in file.keys():
                if key.startswith("collectors/"):
                    name, _, inner = key.removeprefix("collectors/").partition("/")
                    states.setdefault(name, {})[inner] = file.get_tensor(key)
        standing = Standing(
            set(done.tolist()),
            {part: end for part, end in partial.tolist()},
            json.loads(about["failed"]),
            int(about["count"]),
            float(about["seconds"]),
            about["mark"],
            set(json.loads(about["absorbed"])),
        )
        return standing, states, json.loads(about["job"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise OutputError(
            f"{path} is damaged ({error}): remove it, and what it counted is counted anew"
        ) from error


def take_up(folder: Path, collectors: Mapping[str, Collector], job: Job) -> Standing:
    """Merge all that earlier runs have left in a folder into the collectors.

    Raises:
        OutputError: The folder holds another sweep, or damaged files.
    """
    found = {path: read(path) for path in _files(folder)}
    absorbed = {mark for standing, _, _ in found.values() for mark in standing.absorbed}
    base: Standing | None = None
    seconds = 0.0
    for path, (standing, states, other) in found.items():
        if standing.mark in absorbed:
            continue
        if differing := told_apart(job, other):
            raise OutputError(
                f"{folder} holds a sweep with {differing}: give another folder, or all that that "
                "sweep was given"
            )
        for name, collector in collectors.items():
            if states.get(name):
                collector.merge(states[name])
        if base is None and path.name in (FINISHED, "state-0.safetensors"):
            base = standing
        else:
            base = base or Standing()
            base.absorb(standing)
            seconds = max(seconds, standing.seconds)
    base = base or Standing()
    base.seconds += seconds
    return base


def settle(folder: Path, standing: Standing) -> None:
    """Remove the files that a standing has taken in, now that it is written itself."""
    for path in _files(folder):
        if path.name != FINISHED and read(path)[0].mark in standing.absorbed:
            path.unlink(missing_ok=True)


def state_path(folder: Path, rank: int) -> Path:
    """Return where a process keeps its state; 0 is what all have done together."""
    return folder / f"state-{rank}.safetensors"


def _files(folder: Path) -> Iterable[Path]:
    def number(path: Path) -> int:
        rank = path.stem.removeprefix("state-")
        return int(rank) if rank.isdigit() else 0

    finished = [path for path in (folder / FINISHED,) if path.is_file()]
    return [*finished, *sorted(folder.glob("state-*.safetensors"), key=number)]

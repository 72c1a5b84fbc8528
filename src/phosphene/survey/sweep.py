"""A sweep: one pass over an image set that records all layers at once and feeds the collectors.

It may be interrupted at any time and goes on from where its folder says; it may be shared out
among processes, and what they have found is merged. As batches never cross the parts of an image
set, every batch is the same however parts are shared out, and after any number of interruptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from phosphene.core.network import Network
from phosphene.errors import ImageError, SettingError
from phosphene.interruption import interruptible
from phosphene.survey.collector import Collector
from phosphene.survey.facts import LayerFacts, facts_of
from phosphene.survey.images import ImageSet
from phosphene.survey.sweeping.folder_lock import locked
from phosphene.survey.sweeping.job import Job, job_of
from phosphene.survey.sweeping.passing import Watch, all_layers, pass_over
from phosphene.survey.sweeping.sharing import Task, among, as_launched, figures, teller
from phosphene.survey.sweeping.standing import Standing, keep, settle, state_path, take_up
from phosphene.training.launching import launched

Tick = Callable[[int, int | None], None]
"""Takes how many images are done, and of how many (estimated, or `None`, where that is open)."""


@dataclass(frozen=True)
class Swept:
    """What a sweep came to.

    Attributes:
        count: How many images went through the network, those of earlier runs among them.
        failed: What could not be read and why, by name.
        layers: The layers, by name.
        collectors: The collectors, which have seen all images; those that were given.
        seconds: How long it took, with earlier runs.
        interrupted: Whether it was stopped before its end.
        job: What it was about.
    """

    count: int
    failed: dict[str, str]
    layers: dict[str, LayerFacts]
    collectors: Mapping[str, Collector]
    seconds: float
    interrupted: bool
    job: Job


def sweep(
    net: Network,
    images: ImageSet,
    collectors: Mapping[str, Collector],
    *,
    batch: int = 16,
    whole: bool = False,
    folder: str | Path | None = None,
    every: float = 120.0,
    workers: int = 1,
    reopen: Callable[[], Network] | None = None,
    tick: Tick | None = None,
) -> Swept:
    """Show a network all images of a set, and collectors what it makes of them.

    Images that cannot be read are named, counted and passed over. Ctrl-C finishes the batch that is
    under way and keeps what there is; the same call on the same folder goes on from there, with
    any number of workers.

    Args:
        net: The network.
        images: The image set.
        collectors: What is collected, by name; they are fed, and must have seen nothing yet.
        batch: Images at a time. Of files at most 64 go together, a part of their set.
        whole: Show the network whole photographs, not their centre crops; only neighbours of one
            size then go together.
        folder: Where the state is kept: a folder of its own. Without one an interrupted sweep
            cannot go on.
        every: Seconds between two states.
        workers: How many processes share the images: on the network's device the processor, or as
            many GPUs. Where torchrun or SLURM has started the processes, these share them, and
            `workers` is not asked; all of them return the result.
        reopen: How a worker opens the network by itself. Without it the network is sent, which
            works for modules whose classes can be imported.
        tick: Called after every batch.

    Raises:
        ImageError: The network takes no photographs.
        UnknownLayer: A collector asks for a layer that there is not.
        SettingError: A number cannot be, or a package is missing that shares out work.
        OutputError: The folder cannot be written, is in use, or holds another sweep.
        OutOfMemory: The batch does not fit.
    """
    _check(net, collectors, batch, every, workers)
    layers = facts_of(net, all_layers(collectors))
    place = Path(folder) if folder is not None else None
    job = job_of(net, images, collectors, whole)
    task = Task(net, images, collectors, place, job, batch, whole, every, reopen)
    sizes = launched()
    if sizes is not None:
        standing, ended = as_launched(sizes, task, tick)
    else:
        with locked(place) if place else nullcontext():
            run = alone if workers == 1 else among
            standing, ended = run(task, tick, workers)
    return Swept(
        standing.count, standing.failed, layers, collectors, standing.seconds, not ended, job
    )


def alone(task: Task, tick: Tick | None, workers: int = 1) -> tuple[Standing, bool]:
    """Do it all in this process.

    Returns:
        How far it is, and whether that is to the end.
    """
    folder = task.folder
    standing = take_up(folder, task.collectors, task.job) if folder else Standing()
    shares = standing.rest(len(task.images.parts))
    if not shares:
        return standing, True

    def kept() -> None:
        if folder:
            keep(state_path(folder, 0), standing, task.collectors, task.job)

    if folder and standing.absorbed:
        kept()
        settle(folder, standing)
    told = teller(tick, task.images, lambda: [figures(standing)])
    with interruptible() as stopping:
        watch = Watch(kept, task.every, told, stopping)
        try:
            ended = pass_over(
                task.network, task.images, shares, task.collectors, standing, watch,
                batch=task.batch, whole=task.whole,
            )  # fmt: skip
        except KeyboardInterrupt:  # pressed twice: the batch under way may be in some collectors
            return standing, False
        kept()
    return standing, ended


def _check(
    net: Network, collectors: Mapping[str, Collector], batch: int, every: float, workers: int
) -> None:
    if net.preprocessing.channels is None:
        raise ImageError(
            f"{net.name} does not take photographs (its input is no RGB or gray image), and so "
            "cannot be shown an image set"
        )
    if not collectors:
        raise SettingError("a sweep needs a collector: give one or more, by name")
    for name in collectors:
        if not name or "/" in name:
            raise SettingError(f"{name!r} is no name of a collector: give a word without a slash")
    for what, number in (("batch", batch), ("workers", workers)):
        if number < 1:
            raise SettingError(f"{what} {number} cannot be: give 1 or more")
    if not every > 0:
        raise SettingError(f"a state every {every:g} seconds cannot be kept: give more than 0")

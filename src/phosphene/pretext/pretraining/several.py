"""A run by several processes: those that torchrun or SLURM have started, or some of our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from phosphene.errors import SettingError
from phosphene.pretext.pretraining.presets import run_stages
from phosphene.pretext.pretraining.results import Pretrained
from phosphene.pretext.pretraining.running import How
from phosphene.pretext.pretraining.settings import Setting
from phosphene.training.launching import launched
from phosphene.training.loop import Tick
from phosphene.training.processes import rank
from phosphene.training.spawning import together

Watched = Callable[[], AbstractContextManager[Tick]]


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
    sizes = launched()
    count = workers if sizes is None else sizes[1]
    for stage in stages:
        if stage.batch % count:
            raise SettingError(
                f"a batch of {stage.batch} cannot be shared evenly by {count} processes: give a "
                "multiple of their number"
            )
    found: Pretrained = together(
        _work, list(stages), Path(folder), how, watched, say,
        workers=workers, device=how.device, precision=how.precision,
    )  # fmt: skip
    return found


def _work(
    fabric: Any,
    stages: Sequence[Setting],
    folder: Path,
    how: How,
    watched: Watched | None,
    say: Callable[[str], None] | None,
) -> Pretrained:
    watching = watched() if watched is not None and rank() == 0 else nullcontext(None)
    with watching as tick:
        told = say or (lambda text: None)
        return run_stages(stages, folder, how=how, fabric=fabric, tick=tick, say=told)

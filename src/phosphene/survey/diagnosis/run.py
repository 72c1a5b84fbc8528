"""The diagnosis of a training run: every checkpoint, and when something began to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phosphene.errors import SettingError
from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.survey.diagnosis.diagnose import Diagnosis, diagnose
from phosphene.survey.diagnosis.finding import Bounds
from phosphene.survey.diagnosis.page import share_table
from phosphene.survey.evolution.checkpoints import Checkpoint
from phosphene.survey.images import ImageSet

Tick = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class RunDiagnosis(Shows):
    """What was found of a run.

    Attributes:
        stages: The diagnosis of each checkpoint, first to last.
    """

    stages: Mapping[str, Diagnosis]

    @property
    def last(self) -> Diagnosis:
        """The diagnosis of the last checkpoint."""
        return list(self.stages.values())[-1]

    @property
    def healthy(self) -> bool:
        """Whether the last checkpoint has no fault; training may have mended earlier ones'."""
        return self.last.healthy

    def since(self) -> dict[tuple[str, str], str]:
        """Return from which checkpoint on the last one's faults, (kind, layer), have been there."""
        names = list(self.stages)
        found = {}
        for fault in self.last.faults:
            mark, first = (fault.kind, fault.layer), names[-1]
            for name in reversed(names):
                if mark not in {(f.kind, f.layer) for f in self.stages[name].faults}:
                    break
                first = name
            found[mark] = first
        return found

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON knows them."""
        since = [
            {"kind": kind, "layer": layer, "since": at}
            for (kind, layer), at in self.since().items()
        ]
        stages = {name: stage.as_json() for name, stage in self.stages.items()}
        return {"healthy": self.healthy, "since": since, "checkpoints": stages}

    def panel(self) -> Panel:
        """Show the last checkpoint, with curves over all of them."""
        last = self.last.panel()
        rows = tuple((kind, layer, at) for (kind, layer), at in self.since().items())
        since = Table("Faults", ("fault", "layer", "since"), rows)
        tables = (*([since] if rows else []), share_table(dict(self.stages)), *last.tables)
        return replace(last, plots=(*self._curves(), *last.plots), tables=tables)

    def _curves(self) -> list[Plot]:
        names = tuple(self.stages)
        dead: dict[str, list[float]] = {}
        size: dict[str, list[float]] = {}
        for stage in self.stages.values():
            for layer, activity in stage.activity.items():
                if activity.dead is not None:
                    dead.setdefault(layer, []).append(100 * activity.dead)
                else:
                    size.setdefault(layer, []).append(activity.size)
        plots = []
        for title, what, values in (
            ("Dead units through training", "% of the layer", dead),
            ("Size of the answers through training", "root mean square", size),
        ):
            whole = {layer: v for layer, v in values.items() if len(v) == len(names)}
            # More lines than a person can tell apart are thinned out evenly.
            step = -(-len(whole) // 8) or 1
            lines = [Series(n, names, tuple(v)) for n, v in list(whole.items())[::step]]
            if lines:
                log = values is size
                plots.append(Plot(title, tuple(lines), "checkpoint", what, log=log))
        return plots


def diagnose_run(
    checkpoints: Sequence[Checkpoint],
    images: ImageSet | None = None,
    *,
    bounds: Bounds | None = None,
    batch: int = 16,
    tick: Tick | None = None,
) -> RunDiagnosis:
    """Diagnose every checkpoint of a run.

    Args:
        checkpoints: First to last.
        images: As for `diagnose`.
        bounds: Likewise.
        batch: Images at a time.
        tick: Called with the checkpoints done, their number, and which one is looked at.

    Raises:
        SettingError: There is no checkpoint.
    """
    if not checkpoints:
        raise SettingError("a run has one checkpoint at least, and none was given")
    found = {}
    for number, checkpoint in enumerate(checkpoints):
        if tick is not None:
            tick(number, len(checkpoints), checkpoint.name)
        found[checkpoint.name] = diagnose(checkpoint.open(), images, bounds=bounds, batch=batch)
    if tick is not None:
        tick(len(checkpoints), len(checkpoints), "")
    return RunDiagnosis(found)

"""Which estimator comes nearest to the truth.

Estimators are tried on frames whose motion is known exactly (`phosphene.worlds`), and lie in the
order of their mean endpoint error over what is seen in both frames.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from phosphene.errors import FlowError, SettingError
from phosphene.motion.endpoint_error import EndpointError, endpoint_error, pooled
from phosphene.motion.estimators import Estimator, open_estimator
from phosphene.motion.flow import Flow
from phosphene.motion.tiles import errors, flow_tile, frame_tile, heat_tile
from phosphene.motion.trial import JUMP, REACH, Trial
from phosphene.panel import Panel, Shows, Table, Tile

_TOP = 3.0
"""Endpoint error that error maps show in their lightest colour, in pixels: KITTI's outlier."""

Tick = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Score:
    """How an estimator did in a world, over the pixels of all its trials.

    Attributes:
        estimator: Its name.
        world: Of the trials.
        everywhere: Over all pixels with a known truth.
        unoccluded: Over what is seen in both frames.
        moving: Over what of it is of objects; `None` where objects are not known.
        boundaries: Over what of it is at motion boundaries.
        seconds: Median time for two frames.
        trials: How many there were.
    """

    estimator: str
    world: str
    everywhere: EndpointError
    unoccluded: EndpointError
    moving: EndpointError | None
    boundaries: EndpointError
    seconds: float
    trials: int


@dataclass(frozen=True, eq=False)
class Ranking(Shows):
    """Estimators in the order of what they are worth.

    Attributes:
        scores: Of every estimator in every world: worlds as they came, in each the best first.
        failed: What an estimator said that failed, by its name; it has no scores.
        examples: For each world a trial, and every estimator's flow in it, by name.
        facts: What it was made with.
    """

    scores: tuple[Score, ...]
    failed: dict[str, str]
    examples: tuple[tuple[Trial, dict[str, Flow]], ...]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The estimator with the least error over what is seen in both frames, worlds alike."""
        totals: dict[str, float] = {}
        for score in self.scores:
            totals[score.estimator] = totals.get(score.estimator, 0) + score.unoccluded.mean
        return min(totals, key=lambda name: totals[name])

    def tables(self) -> tuple[Table, ...]:
        """Lay the scores out, a table for each world."""
        worlds = dict.fromkeys(score.world for score in self.scores)
        return tuple(self._table(world) for world in worlds)

    def panel(self) -> Panel:
        """Show an example of each world, and the tables."""
        rows = tuple(row for trial, flows in self.examples for row in _example_rows(trial, flows))
        return Panel(
            title="Estimators of flow, ranked by the truth",
            rows=rows,
            facts=self.facts,
            warnings=tuple(f"{name} failed: {why}" for name, why in self.failed.items()),
            tables=self.tables(),
        )

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts; what was not measured is `None`."""
        return {
            "best": self.best,
            "scores": [_plain(asdict(score)) for score in self.scores],
            "failed": self.failed,
            "facts": self.facts,
        }

    def _table(self, world: str) -> Table:
        scores = [score for score in self.scores if score.world == world]
        return Table(
            title=world or "Errors",
            columns=(
                "estimator", "unoccluded", "everywhere", "moving", "boundaries", "Fl %", "seconds",
            ),
            rows=tuple(
                (
                    s.estimator,
                    *(_number(e) for e in (s.unoccluded, s.everywhere, s.moving, s.boundaries)),
                    round(100 * s.everywhere.outliers, 2),
                    round(s.seconds, 4),
                )
                for s in scores
            ),
            note=(
                f"Mean endpoint error in pixels over {scores[0].trials} pairs of frames: over what "
                "is seen in both frames, over all pixels, on objects, and within "
                f"{REACH} pixels of jumps of the flow by more than {JUMP:g} (the last two "
                "only where seen in both). Fl: share of all pixels with an error above 3 pixels "
                "and 5 %. Median seconds for two frames."
            ),
        )  # fmt: skip


def rank(
    estimators: Sequence[str | Estimator],
    trials: Iterable[Trial],
    *,
    facts: dict[str, str] | None = None,
    tick: Tick | None = None,
    stop: Callable[[], bool] | None = None,
) -> Ranking:
    """Try estimators on frames whose motion is known.

    Args:
        estimators: Names, as `open_estimator` takes them, or estimators.
        trials: Frames with their truth; `trials` makes them of a world's moments.
        facts: To keep with the result.
        tick: Is told how many trials are done, 0 for how many are left as that is open, and of
            which world the present one is.
        stop: Asked before every trial; if it says so, what there is by then is ranked.

    Raises:
        SettingError: There are no estimators or no trials, or an estimator is named twice.
        FlowError: All estimators failed.
    """
    opened = [open_estimator(e) if isinstance(e, str) else e for e in estimators]
    names = [estimator.name for estimator in opened]
    if not opened or len(set(names)) < len(names):
        raise SettingError(
            f"{', '.join(names) or 'no estimators'}: name at least one, and each once"
        )
    measured = _Measured(names)
    for number, trial in enumerate(trials):
        if stop is not None and stop():
            break
        if tick is not None:
            tick(number, 0, trial.world)
        for estimator in opened:
            measured.add(estimator, trial)
    return measured.ranking(facts or {})


class _Measured:
    """What was measured so far."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._found: dict[tuple[str, str], list[dict[str, EndpointError | None]]] = {}
        self._times: dict[tuple[str, str], list[float]] = {}
        self._examples: dict[str, tuple[Trial, dict[str, Flow]]] = {}
        self._failed: dict[str, str] = {}

    def add(self, estimator: Estimator, trial: Trial) -> None:
        """Try one estimator once; from its first failure on it is left out."""
        name, world = estimator.name, trial.world
        if name in self._failed:
            return
        begin = time.perf_counter()
        try:
            flow = estimator(trial.first, trial.second)
        except FlowError as error:
            self._failed[name] = str(error)
            return
        self._times.setdefault((world, name), []).append(time.perf_counter() - begin)
        truth, moving = trial.pair.flow, trial.moving
        self._found.setdefault((world, name), []).append(
            {
                "everywhere": endpoint_error(flow, truth),
                "unoccluded": endpoint_error(flow, truth, trial.unoccluded),
                "moving": None if moving is None else endpoint_error(flow, truth, moving),
                "boundaries": endpoint_error(flow, truth, trial.boundaries),
            }
        )
        example, flows = self._examples.setdefault(world, (trial, {}))
        if example is trial:
            flows[name] = flow

    def ranking(self, facts: dict[str, str]) -> Ranking:
        """Put everything in order."""
        if not self._found:
            if self._failed:
                name, why = next(iter(self._failed.items()))
                raise FlowError(f"no estimator came through: {name}: {why}")
            raise SettingError(
                "there are no trials to rank estimators on: give two frames at least"
            )
        scores = [
            self._score(world, name) for world, name in self._found if name not in self._failed
        ]
        worlds = list(self._examples)
        scores.sort(key=lambda s: (worlds.index(s.world), _order(s.unoccluded.mean)))
        examples = tuple(
            (trial, {n: f for n, f in flows.items() if n not in self._failed})
            for trial, flows in self._examples.values()
        )
        if not scores:
            name, why = next(iter(self._failed.items()))
            raise FlowError(f"no estimator came through: {name}: {why}")
        return Ranking(tuple(scores), dict(self._failed), examples, facts)

    def _score(self, world: str, name: str) -> Score:
        found = self._found[world, name]
        taken: dict[str, Any] = {}
        for region in found[0]:
            known = [e for each in found if (e := each[region]) is not None]
            taken[region] = pooled(known) if known else None
        seconds = float(np.median(self._times[world, name]))
        return Score(name, world, seconds=seconds, trials=len(found), **taken)


def _example_rows(trial: Trial, flows: dict[str, Flow]) -> list[tuple[str, tuple[Tile, ...]]]:
    truth = trial.pair.flow
    largest = float(truth.magnitude.max()) or 1.0
    first = (
        frame_tile(trial.first, "first frame"),
        frame_tile(trial.second, "second frame"),
        flow_tile(truth, largest, f"truth, up to {largest:.1f} px"),
    )
    found, amiss = [], []
    for name, flow in flows.items():
        error = errors(flow, truth)
        mean = float(np.nanmean(error)) if not np.isnan(error).all() else math.nan
        found.append(flow_tile(flow, largest, name))
        amiss.append(heat_tile(error, _TOP, f"error, {mean:.2f} px"))
    return [
        (trial.pair.name, first),
        ("", tuple(found)),
        (f"endpoint errors, 0 to {_TOP:g} pixels", tuple(amiss)),
    ]


def _number(error: EndpointError | None) -> float | None:
    return None if error is None or math.isnan(error.mean) else round(error.mean, 3)


def _order(mean: float) -> float:
    return math.inf if math.isnan(mean) else mean


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value

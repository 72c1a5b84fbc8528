"""A run from its setting to its files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from phosphene.errors import OutputError
from phosphene.pretext.learners import GroupingLearner
from phosphene.pretext.pretraining import watching
from phosphene.pretext.pretraining.beginning import Beginning
from phosphene.pretext.pretraining.binding import region_facts
from phosphene.pretext.pretraining.exporting import check_alike, write_network
from phosphene.pretext.pretraining.results import (
    Pretrained,
    take_classes,
    write_head,
    write_setting,
)
from phosphene.pretext.pretraining.settings import Setting
from phosphene.pretext.pretraining.teaching import answers
from phosphene.pretext.pretraining.validation import Teaching, Validation, some_of
from phosphene.provenance import versions
from phosphene.training.absorption import absorb
from phosphene.training.log import CsvLog, Log, TensorBoardLog
from phosphene.training.loop import Tick, Trained, train
from phosphene.training.processes import agreed, fabric_of, rank, ranks, summed
from phosphene.training.recipe import Recipe, adam, drops

LOG, BOARD, STATE = "log.csv", "tensorboard", "state"


@dataclass(frozen=True, kw_only=True)
class How:
    """What changes nothing of what is learned.

    Attributes:
        device: Where.
        precision: Of the passes; weights are float32 always.
        minutes: After how many this part of the run ends as if it were done; it can go on.
        every: Seconds between two states of the run.
        pictures: Epochs between two pictures; 0 for none.
        tensorboard: Whether TensorBoard is written for.
        caffe: Whether Caffe's weights are written.
    """

    device: str = "cpu"
    precision: Any = "32-true"
    minutes: float | None = None
    every: float = 120.0
    pictures: int = 1
    tensorboard: bool = False
    caffe: bool = False


def run(
    setting: Setting,
    folder: str | Path,
    *,
    how: How | None = None,
    fabric: Any = None,
    tick: Tick | None = None,
    say: Callable[[str], None] = lambda text: None,
    pictures: watching.Pictures = watching.pictures,
) -> Pretrained:
    """Learn, and write what came of it.

    The folder gets `network.safetensors`, which every verb opens, `head.safetensors` (what lay
    behind the backbone), `setting.json`, `log.csv`, `pictures/`, `index.html` and `state/`, from
    which a run that was stopped goes on, to the same result on the last bit (on a CPU, with as
    many threads and processes).

    Args:
        setting: What is learned, and how.
        folder: Where everything goes.
        how: The rest.
        fabric: Of `training.processes.fabric_of`, launched; each of its processes calls this. One
            process if `None`.
        tick: Called with the updates done, their number, and how it goes.
        say: Told, by the first process, what a person should know, as it comes up.
        pictures: What draws a learner and a batch.

    Raises:
        FlowError: There are no pairs.
        ImageError: There are no photographs.
        FormatError: Weights to begin with do not fit.
        NotFinite: The loss or a gradient was not; the last state is kept.
        SettingError: Something cannot be what was given, or the folder holds another run.
        NetworkError: Normalization cannot be absorbed.
        OutOfMemory: A process that loads was lost.
    """
    how, folder = how or How(), Path(folder)
    with _claimed(folder):
        began = Beginning.of(setting)
    tell = say if rank() == 0 else (lambda text: None)
    for note in began.data.notes:
        tell(note)
    learner = began.learner
    fabric = fabric or fabric_of(how.device, precision=how.precision)
    batches = began.batches(setting)
    updates = len(batches) // setting.accumulate
    recipe = _recipe(setting, updates)
    logs: list[Log] = [CsvLog(folder / LOG)]
    if how.tensorboard:
        logs.append(TensorBoardLog(folder / BOARD))
    if rank() == 0:
        write_setting(folder, setting, began.data.classes)
    watch = watching.Watch(
        folder, began, logs, every=how.pictures, updates=updates, say=tell, draw=pictures
    )
    clock = _Clock(how.minutes, tick)
    teaching = Teaching(setting.flow)
    learner.to(fabric.device)
    trained = train(
        learner,
        batches,
        teaching,
        recipe,
        measure=began.measure,
        folder=folder / STATE,
        every=how.every,
        about=str(setting.learned()),
        fabric=fabric,
        tick=clock,
        each=watch,
        stop=clock.stop,
    )
    ended = _ended(trained, clock, recipe)
    facts = {**_facts(setting, trained), **teaching.facts()}
    result = Pretrained(
        folder, setting, trained.history, trained.best, ended, trained.seconds,
        facts=facts, notes=began.data.notes,
    )  # fmt: skip
    if ended == "interrupted" or not trained.history:
        return result
    done: list[Pretrained] = []

    def finish() -> None:
        done.append(_finish(result, began, watch, how))

    agreed(finish)  # the others wait for what the first one writes
    return done[0] if done else result


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again if nothing begins in it."""
    try:
        (folder / STATE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror or error}") from error
    try:
        yield
    except BaseException:
        for place in (folder / STATE, folder):
            with suppress(OSError):  # what is not empty stays
                place.rmdir()
        raise


class _Clock:
    """Hands the progress on, and says when the time is up."""

    def __init__(self, minutes: float | None, tick: Tick | None) -> None:
        self._last = None if minutes is None else time.monotonic() + 60 * minutes
        self._tick = tick if rank() == 0 else None
        self.up = False

    def __call__(self, done: int, total: int, how: str) -> None:
        if self._tick is not None:
            self._tick(done, total, how)

    def stop(self) -> bool:
        self.up = self._last is not None and time.monotonic() > self._last
        return self.up


def _recipe(setting: Setting, updates: int) -> Recipe:
    schedule = drops(setting.drops) if setting.drops else None
    about = f"Adam {setting.rate:g}, a tenth behind {list(setting.drops)}, {updates} an epoch"
    return Recipe(
        setting.epochs, adam(setting.rate), schedule, setting.clip, setting.accumulate,
        setting.patience, setting.seed, about,
    )  # fmt: skip


def _ended(trained: Trained, clock: _Clock, recipe: Recipe) -> str:
    if trained.interrupted:
        # The clock of any process ends them all.
        up = summed(torch.tensor(float(clock.up)))
        return "time" if bool(up) else "interrupted"
    return "done" if len(trained.history) == recipe.epochs else "early"


def _finish(result: Pretrained, began: Beginning, watch: watching.Watch, how: How) -> Pretrained:
    """Absorb the normalization, and write everything; the first process does."""
    learner, setting, folder = began.learner.cpu().eval(), result.setting, result.folder
    files: dict[str, Path] = {}
    facts = dict(result.facts)
    plain = began.augmentation.still()
    batch = some_of(began.data.validation or began.data.pairs, plain, 2)
    before = answers(learner, batch)
    taken = absorb(learner)
    if taken:
        apart = check_alike(before, answers(learner, batch))
        facts["normalization"] = f"of {len(taken)} layers absorbed; outputs differ by {apart:.1g}"
    if isinstance(learner, GroupingLearner) and (held := began.data.validation) is not None:
        whole = Validation(held, plain, setting.batch, setting.loaders)
        facts |= region_facts(learner, whole, held.labels(0) is not None)
    learner.requires_grad_(True)
    take_classes(learner, began.backbone, began.data.classes)
    network = began.backbone.network
    files |= write_network(network, folder, setting.backbone, how.caffe)
    files["head"] = write_head(folder, learner)
    page = watching.Page(
        f"{setting.system} on {setting.backbone}", result.history, watch.panel(),
        {**facts, **versions()},
        result.notes,
    )  # fmt: skip
    files["page"] = page.save(folder / watching.PAGE)
    files["log"] = folder / LOG
    return replace(result, files=files, facts=facts)


def _facts(setting: Setting, trained: Trained) -> dict[str, str]:
    plain = {k: v for k, v in setting.facts().items() if v not in ("", [], None)}
    facts = {name.replace("_", " "): str(value) for name, value in plain.items()}
    facts["processes"] = str(ranks())
    if trained.history:
        best = trained.history[trained.best - 1]
        facts["training loss"] = (
            f"{best.loss:.6f} in epoch {best.number}, of {len(trained.history)}"
        )
        if best.measured is not None:
            facts["validation loss"] = f"{-best.measured:.6f}"
    return facts

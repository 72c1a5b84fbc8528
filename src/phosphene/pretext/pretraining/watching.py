"""What a run leaves on its way: rows of a log, pictures, and in the end a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from phosphene.motion.dataset.sample import Batch
from phosphene.panel import Panel, Plot, Series, Shows
from phosphene.pretext.pictures import pictures_of
from phosphene.pretext.pretraining.beginning import Beginning
from phosphene.pretext.pretraining.validation import some_of
from phosphene.training.log import Log
from phosphene.training.processes import rank
from phosphene.training.run import Epoch

Pictures = Callable[[nn.Module, Batch], Panel]
"""Shows what a learner makes of a batch."""

PAGE, FOLDER = "index.html", "pictures"
_SHOWN = 4


def pictures(learner: nn.Module, batch: Batch) -> Panel:
    """Show embeddings and kernels, predictions, regions, or classes, as belongs to a learner."""
    return pictures_of(learner, batch, _SHOWN).panel()


@dataclass(frozen=True)
class Page(Shows):
    """The page of a run.

    Attributes:
        title: Its heading.
        history: Epochs.
        shown: The last pictures; `None` without any.
        facts: What it was told, and came to.
        notes: What a person should know.
    """

    title: str
    history: Sequence[Epoch]
    shown: Panel | None
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def panel(self) -> Panel:
        """Put curves and pictures together."""
        shown = self.shown or Panel(self.title, ())
        facts = {**shown.facts, **self.facts}
        plots = (*curves(self.history), *shown.plots)
        return replace(
            shown, title=self.title, facts=facts, warnings=(*self.notes, *shown.warnings),
            plots=plots,
        )  # fmt: skip


def curves(history: Sequence[Epoch]) -> tuple[Plot, ...]:
    """Draw losses over epochs."""
    if not history:
        return ()
    epochs = tuple(float(epoch.number) for epoch in history)
    lines = [Series("training", epochs, tuple(epoch.loss for epoch in history))]
    measured = [(float(e.number), -e.measured) for e in history if e.measured is not None]
    if measured:
        x, y = zip(*measured, strict=True)
        lines.append(Series("validation", tuple(x), tuple(y)))
    return (Plot("Loss", tuple(lines), "epoch", "loss"),)


def picture(folder: Path, number: int, panel: Panel) -> Path:
    """Write the pictures of an epoch."""
    page = Page(panel.title, (), panel, {})
    (folder / FOLDER).mkdir(exist_ok=True)
    return page.save(folder / FOLDER / f"epoch-{number:03d}.png")


class Watch:
    """What happens behind every epoch: rows of the log, and pictures."""

    def __init__(
        self,
        folder: Path,
        began: Beginning,
        logs: Sequence[Log],
        *,
        every: int,
        updates: int,
        say: Callable[[str], None],
        draw: Pictures,
    ) -> None:
        """Note what to write: rows to `logs`, pictures every so many epochs of `updates`."""
        self._folder, self._every, self._logs, self._say = folder, every, logs, say
        self._learner = began.learner
        self._updates = updates
        self._draw = draw
        plain = began.augmentation.still()
        # Classes are known of the photographs that are learned from.
        shown = began.data.pairs if began.data.classes else began.data.validation
        pairs = shown or began.data.pairs
        labels = pairs.labels(0) is not None
        self._batch = some_of(pairs, plain, _SHOWN, labels) if rank() == 0 and every else None
        self._began = time.monotonic()

    def __call__(self, epoch: Epoch) -> None:
        """Note an epoch; every process calls it, and the first one writes."""
        seconds = time.monotonic() - self._began
        for log in self._logs:
            log(epoch, epoch.number * self._updates, seconds)
        measured = "" if epoch.measured is None else f", validation {-epoch.measured:.6f}"
        self._say(f"epoch {epoch.number}: loss {epoch.loss:.6f}{measured}")
        if self._every and epoch.number % self._every == 0 and (panel := self.panel()):
            picture(self._folder, epoch.number, panel)

    def panel(self) -> Panel | None:
        """Draw the learner as it is, in the first process."""
        if self._batch is None:
            return None
        device = next(p.device for p in self._learner.parameters())
        training = self._learner.training
        self._learner.eval()
        try:
            # Whether pictures are drawn shall change nothing of what is learned.
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                return self._draw(self._learner, self._batch.to(device))
        finally:
            self._learner.train(training)

"""The one training loop of the house.

It is deterministic: the same seed, data and number of threads make the same weights to the last
bit on a CPU, also where the run was stopped on the way and taken up again from its folder.
PyTorch's global generators are as they were when it returns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import NotFinite, SettingError
from phosphene.interruption import interruptible
from phosphene.training.batches import Batches
from phosphene.training.launching import quiet
from phosphene.training.processes import agreed, fabric_of, rank, ranks, summed
from phosphene.training.recipe import Recipe
from phosphene.training.run import Epoch, Run
from phosphene.training.seeds import mixed
from phosphene.training.state import save_weights

Loss = Callable[[nn.Module, Any], Tensor]
Measure = Callable[[nn.Module], float]
Tick = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Trained:
    """What a training run came to; the module holds the weights.

    Attributes:
        history: Every epoch that was completed, of earlier parts of the run, too.
        best: The epoch whose weights the module has; the last where nothing was measured.
        interrupted: Whether it was stopped by hand, and can go on.
        seconds: How long this part of the run took.
    """

    history: tuple[Epoch, ...]
    best: int
    interrupted: bool
    seconds: float


def train(
    module: nn.Module,
    data: Batches,
    loss: Loss,
    recipe: Recipe,
    *,
    measure: Measure | None = None,
    folder: str | Path | None = None,
    keep: Collection[int] = (),
    every: float = 120.0,
    about: str = "",
    fabric: Any = None,
    tick: Tick | None = None,
    each: Callable[[Epoch], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train a module, in place.

    Args:
        module: What learns; it is in evaluation mode afterwards.
        data: Its batches.
        loss: Makes a scalar of the module and a batch. The only randomness in it may be that of
            PyTorch's own generators, which are seeded.
        recipe: How.
        measure: Says how good the module (in evaluation mode) is, after every epoch; more is
            better. Every process calls it, and the first one's number counts. The module ends with
            the best epoch's weights. `None`: with the last's.
        folder: Where the state is kept, and a run that was stopped is taken up; `None` for
            nowhere.
        keep: Numbers of epochs whose weights stay as `epoch-NNN.safetensors` in the folder; 0 are
            those before any training.
        every: Seconds between two states; one is written behind every epoch besides.
        about: In words what is learned from what; a folder's run goes on only where it is the
            same.
        fabric: Of `processes.fabric_of`, launched; one process where the module is if `None`. Of
            several processes each has its own share of every batch as `data`; the folder is the
            same for all.
        tick: Called with the updates done, their number, and how the run goes.
        each: Called with every epoch.
        stop: Asked behind every update; one process's yes ends all, as Ctrl-C does.

    Raises:
        NotFinite: The loss or a gradient was NaN or infinite; the module keeps the weights from
            before, and the folder its last state.
        SettingError: An epoch has no update; or the folder holds another run.
    """
    place = None if folder is None else Path(folder)
    updates = len(data) // recipe.accumulate
    if updates < 1:
        raise SettingError(
            f"an epoch of {len(data)} batches has no update of {recipe.accumulate} batches: give "
            "more data, smaller batches, or accumulate fewer"
        )
    began = time.monotonic()
    if fabric is None:
        fabric = fabric_of(next((p.device for p in module.parameters()), torch.device("cpu")))
    # Processes draw what is random for each of them (dropout) from seeds of their own.
    with _seeded(module, mixed(recipe.seed, rank())), interruptible() as asked, quiet():
        run = Run(module, recipe, updates, about, fabric)
        resumed = place is not None and run.read(place)
        if place is not None and 0 in keep and not resumed and rank() == 0:
            save_weights(module, place / _name(0))
        stopped = False

        def over() -> bool:
            nonlocal stopped
            stopped = _any(asked() or stop())
            return stopped

        while not (_ended(run) or stopped or _any(asked())):
            complete = _epoch(run, data, loss, over, place, every, tick)
            if complete:
                _close(run, measure, each)
                if place is not None and run.standing.epoch in keep and rank() == 0:
                    save_weights(module, place / _name(run.standing.epoch))
            if place is not None:
                run.write(place)
        interrupted = not _ended(run)
        run.take_best()
    module.eval()
    standing = run.standing
    best = standing.best or standing.epoch
    return Trained(tuple(standing.history), best, interrupted, time.monotonic() - began)


def _epoch(
    run: Run,
    data: Batches,
    loss: Loss,
    over: Callable[[], bool],
    place: Path | None,
    every: float,
    tick: Tick | None,
) -> bool:
    """Go through the data once, from where the run stands; return whether its end was reached."""
    at, last = run.standing, time.monotonic()
    run.module.train()
    batches = data.epoch(at.epoch, at.update * run.recipe.accumulate)
    while at.update < run.updates:
        value = _update(run, list(islice(batches, run.recipe.accumulate)), loss)
        at.update += 1
        at.total += value
        if tick is not None:
            said = f"epoch {at.epoch + 1}, loss {at.total / at.update:.6f}"
            tick(at.epoch * run.updates + at.update, run.recipe.epochs * run.updates, said)
        if over():
            return at.update == run.updates
        # The first one's clock decides for all: what is written is gathered from them.
        if place is not None and _any(rank() == 0 and time.monotonic() - last > every):
            run.write(place)
            last = time.monotonic()
    return True


def _update(run: Run, batches: list[Any], loss: Loss) -> float:
    """Learn from some batches together; return their mean loss."""
    run.stepper.zero_grad()
    total = 0.0
    for index, batch in enumerate(batches):
        with _gathering(run, index == len(batches) - 1):
            value = loss(run.learner, batch) / len(batches)
            total += float(summed(value) / ranks())
            if not math.isfinite(total):
                raise _not_finite(run, "the loss", batch)
            run.fabric.backward(value)
    most = math.inf if run.recipe.clip is None else run.recipe.clip
    length = run.fabric.clip_gradients(
        run.learner, run.stepper, max_norm=most, error_if_nonfinite=False
    )
    # Where losses are scaled, steps that overflow are left out, and the scale falls.
    scaled = getattr(run.fabric.strategy.precision, "scaler", None) is not None
    if not scaled and not bool(length.isfinite()):
        raise _not_finite(run, "a gradient", batches[-1])
    run.stepper.step()
    if run.schedule is not None:
        run.schedule.step()
    return total


def _close(run: Run, measure: Measure | None, each: Callable[[Epoch], None] | None) -> None:
    """End an epoch: measure, and note what it came to."""
    at = run.standing
    measured = None
    at.epoch += 1
    if measure is not None:
        run.module.eval()
        # All measure, as what is measured may be spread over them; the first one's number counts.
        found = measure(run.module)
        measured = agreed(lambda: found)
        assert measured is not None
        known = [e.measured for e in at.history if e.measured is not None]
        if not known or measured > max(known):
            run.keep_best()
    rate = float(run.optimizer.param_groups[0]["lr"])
    at.history.append(Epoch(at.epoch, at.total / run.updates, measured, rate))
    at.update, at.total = 0, 0.0
    if each is not None:
        each(at.history[-1])


def _ended(run: Run) -> bool:
    at, patience = run.standing, run.recipe.patience
    tired = patience is not None and at.best > 0 and at.epoch - at.best >= patience
    return at.epoch >= run.recipe.epochs or tired


def _not_finite(run: Run, what: str, batch: Any) -> NotFinite:
    at = run.standing
    names = list(getattr(batch, "names", ()))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    shown = f" ({', '.join(map(str, names[:3]))}{more})" if names else ""
    return NotFinite(
        f"{what} is not finite in epoch {at.epoch + 1}, update {at.update + 1} of {run.updates}"
        f"{shown}: the weights from before stay; lower the rate, or clip gradients"
    )


def _any(answer: bool) -> bool:
    """Tell whether the answer of any process is yes."""
    return bool(summed(torch.tensor(float(answer)))) if ranks() > 1 else answer


def _gathering(run: Run, last: bool) -> AbstractContextManager[Any]:
    """Share gradients behind the last batch of an update only."""
    if ranks() == 1 or last:
        return nullcontext()
    held: AbstractContextManager[Any] = run.fabric.no_backward_sync(run.learner)
    return held


def _name(epoch: int) -> str:
    return f"epoch-{epoch:03d}.safetensors"


@contextmanager
def _seeded(module: nn.Module, seed: int) -> Iterator[None]:
    """Seed PyTorch's generators for a `with` block, and put them back."""
    cuda = any(p.is_cuda for p in module.parameters())
    devices = list(range(torch.cuda.device_count())) if cuda else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        yield

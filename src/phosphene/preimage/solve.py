"""What the verbs share: running a descent to its end, and saying how."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.representation import Representation
from phosphene.interruption import interruptible
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.descent import Descent
from phosphene.preimage.energy import Energy
from phosphene.preimage.facts import facts_of
from phosphene.preimage.fourier import Fourier, Parameters, Pixels
from phosphene.preimage.phi import codes_of, cut_at
from phosphene.preimage.problem import Problem
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.result import Trace
from phosphene.preimage.watch import Snapshots, States, Watch

_SLOWER = 10.0
"""How much slower than the first stage the second one goes."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a descent ended in.

    Attributes:
        rgb: (b, c, h, w) images, RGB in [0, 1] where they are possible images.
        trace: The energy at every iteration.
        frames: (b, c, h, w) 8-bit snapshots on the way.
        notes: What ended it before its time.
        interrupted: Whether it was asked to stop.
    """

    rgb: Tensor
    trace: Trace
    frames: tuple[Tensor, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class Start:
    """Where a descent begins.

    Attributes:
        canvas: How large the image is, and what is seen of it.
        seeds: Start of each image's noise.
        rgb: (b, c, h, w) images to start from, in place of noise.
    """

    canvas: Canvas
    seeds: Sequence[int]
    rgb: Tensor | None = None

    def theta(self, parameters: Parameters, space: PixelSpace, like: Tensor) -> Tensor:
        """Return the parameters to begin with."""
        if self.rgb is not None:
            return parameters.start(self.canvas.place(space.from_rgb(self.rgb.to(like)))).clone()
        return parameters.noise(self.seeds).to(like)


def solve(
    phi: Representation, energy: Energy, recipe: Recipe, start: Start, seed: int, watch: Watch
) -> Found:
    """Descend an energy to the end.

    Args:
        phi: What unnamed objectives judge.
        energy: What to descend.
        recipe: How.
        start: Where from.
        seed: Start of the random numbers of jitter and transforms.
        watch: Progress, snapshots and states.
    """
    net = phi.network
    like = torch.zeros(1, device=net.device, dtype=torch.promote_types(net.dtype, torch.float32))
    space = PixelSpace.of(net.preprocessing, like)
    cuts = {name: cut_at(net, name) if name else phi for name in energy.layers or ("",)}
    canvas = start.canvas
    about = _about(phi, energy, recipe, start, seed) if watch.states else {}
    states = States(watch.states, about, watch.every)
    total = recipe.steps + recipe.second
    frames = Snapshots(watch.frames, total)
    done: list[_Stage] = []
    with codes_of(net, cuts) as look, interruptible() as asked:
        for number, steps in enumerate((recipe.steps, recipe.second)):
            if not steps or (done and asked()):
                continue
            if done:
                start = Start(Canvas(canvas.size), start.seeds, done[-1].rgb())
            parameters = _parameters(recipe, start.canvas, space)
            problem = Problem(energy, look, space, start.canvas, parameters, net.dtype)
            descent = Descent(
                problem,
                start.theta(parameters, space, like),
                recipe.solver,
                torch.Generator().manual_seed(seed),
                slower=_SLOWER if done else 1.0,
                operators=recipe.operators,
                radius=recipe.radius,
                convergence=recipe.convergence,
            )
            stage = _Stage(descent, space, states.load(number))
            done.append(stage)
            before = recipe.steps if number else 0
            while descent.number < steps and not descent.over and not asked():
                stage.advance()
                frames.take(before + descent.number, stage.rgb)
                states.save(number, stage.state, now=False)
                if watch.tick:
                    watch.tick(before + descent.number, total)
            states.save(number, stage.state, now=True)
        interrupted = asked()
    rgb = done[-1].rgb()
    if watch.tick and not interrupted:
        watch.tick(total, total)
    trace = Trace.of([step for stage in done for step in stage.trace], len(rgb))
    notes = tuple(stage.descent.trouble for stage in done if stage.descent.trouble)
    return Found(rgb, trace, frames.all(rgb), notes, interrupted)


class _Stage:
    """A descent with what is kept of it."""

    def __init__(
        self, descent: Descent, space: PixelSpace, state: Mapping[str, Tensor] | None
    ) -> None:
        self.descent, self.space = descent, space
        self.trace: list[tuple[Tensor, Tensor]] = []
        if state is not None:
            descent.restore(state)
            pairs = zip(state["trace.objective"], state["trace.prior"], strict=True)
            self.trace = list(pairs)

    def advance(self) -> None:
        step = self.descent.advance()
        self.trace.append((step.objective, step.prior))

    def rgb(self) -> Tensor:
        canvas, parameters = self.descent.problem.canvas, self.descent.problem.parameters
        x = parameters.image(self.descent.theta)
        return self.space.to_rgb(canvas.crop(x, canvas.middle)).detach()

    def state(self) -> dict[str, Tensor]:
        trace = Trace.of(self.trace, len(self.descent.theta))
        kept = {"trace.objective": trace.objective, "trace.prior": trace.prior}
        return self.descent.state() | kept


def _parameters(recipe: Recipe, canvas: Canvas, space: PixelSpace) -> Parameters:
    if recipe.parameters == "pixels":
        return Pixels(canvas.full, space.channels)
    return Fourier(canvas.full, space.mean)


def _about(
    phi: Representation, energy: Energy, recipe: Recipe, start: Start, seed: int
) -> dict[str, str]:
    """Tell a descent from all others, by everything that it depends on."""
    return {
        **facts_of(phi, energy, start.canvas, recipe, seed),
        "start": _digest(start.rgb) if start.rgb is not None else str(list(start.seeds)),
        "weights": _digest(*phi.network.module.state_dict().values()),
        "targets": _digest(*(target for _, term in energy.objectives for target in term.targets)),
    }


def _digest(*tensors: Tensor) -> str:
    hashed = hashlib.sha256()
    for tensor in tensors:
        if isinstance(tensor, Tensor):  # modules may keep other things in their state
            hashed.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]

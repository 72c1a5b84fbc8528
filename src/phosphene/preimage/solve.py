"""What the verbs share: running a descent to its end, and saying how."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.representation import Representation
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.descent import Descent
from phosphene.preimage.energy import Energy
from phosphene.preimage.facts import facts_of
from phosphene.preimage.fourier import Fourier, Parameters, Pixels
from phosphene.preimage.phi import codes_of, cut_at
from phosphene.preimage.problem import Problem
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.result import Trace
from phosphene.preimage.watch import Snapshots, States, Watch, interruptible


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
    about = {
        **facts_of(phi, energy, canvas, recipe, seed),
        "start": _digest(start.rgb) if start.rgb is not None else str(list(start.seeds)),
        "targets": _digest(*(target for _, term in energy.objectives for target in term.targets)),
    }
    states = States(watch.states, about, watch.every)
    total = recipe.steps + recipe.second
    frames = Snapshots(watch.frames, total)
    traces: list[tuple[Tensor, Tensor]] = []
    notes: list[str] = []
    rgb = None
    with codes_of(net, cuts) as look, interruptible() as asked:
        for stage, steps in enumerate([recipe.steps, recipe.second]):
            if not steps or asked():
                continue
            if stage:
                start = Start(Canvas(canvas.size), start.seeds, rgb)
            parameters = _parameters(recipe, start.canvas, space)
            problem = Problem(energy, look, space, start.canvas, parameters, net.dtype)
            theta = start.theta(parameters, space, like)
            descent = Descent(
                problem,
                theta,
                recipe.solver,
                torch.Generator().manual_seed(seed),
                slower=10.0 if stage else 1.0,
                operators=recipe.operators,
                radius=recipe.radius,
                convergence=recipe.convergence,
            )
            trace = _taken_up(descent, states.load(stage))

            def whole(descent: Descent = descent, trace: list = trace) -> dict[str, Tensor]:  # type: ignore[type-arg]
                return descent.state() | _as_tensors(trace)

            def image(descent: Descent = descent) -> Tensor:
                x = descent.problem.parameters.image(descent.theta)
                return space.to_rgb(_middle(descent.problem.canvas, x)).detach()

            behind = recipe.steps if stage else 0
            while descent.number < steps and not descent.over and not asked():
                step = descent.advance()
                trace.append((step.objective, step.prior))
                frames.take(behind + descent.number, image)
                states.save(stage, whole, now=False)
                if watch.tick:
                    watch.tick(behind + descent.number, total)
            states.save(stage, whole, now=asked() or descent.number >= steps or descent.over)
            notes += [descent.trouble] if descent.trouble else []
            traces += trace
            rgb = image()
        interrupted = asked()
    assert rgb is not None
    if watch.tick:
        watch.tick(total, total)
    return Found(rgb, Trace.of(traces, len(rgb)), frames.all(rgb), tuple(notes), interrupted)


def _middle(canvas: Canvas, x: Tensor) -> Tensor:
    return canvas.crop(x, canvas.middle)


def _parameters(recipe: Recipe, canvas: Canvas, space: PixelSpace) -> Parameters:
    if recipe.parameters == "pixels":
        return Pixels(canvas.full, space.channels)
    return Fourier(canvas.full, space.mean)


def _taken_up(descent: Descent, state: dict[str, Tensor] | None) -> list[tuple[Tensor, Tensor]]:
    if state is None:
        return []
    descent.restore(state)
    return list(zip(state["trace.objective"], state["trace.prior"], strict=True))


def _as_tensors(trace: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    if not trace:
        return {"trace.objective": torch.zeros(0, 1), "trace.prior": torch.zeros(0, 1)}
    objective, prior = zip(*trace, strict=True)
    return {"trace.objective": torch.stack(objective), "trace.prior": torch.stack(prior)}


def _digest(*tensors: Tensor) -> str:
    hashed = hashlib.sha256()
    for tensor in tensors:
        hashed.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]

"""What the verbs share: running a descent to its end, and saying how."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.preimage.canvas import Canvas, PixelSpace, jitter_of
from phosphene.preimage.descent import Phi, Settings, descend
from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.result import Trace
from phosphene.provenance import versions


def solve(
    energy: Energy,
    phi: Phi,
    x: Tensor,
    canvas: Canvas,
    space: PixelSpace,
    settings: Settings,
    generator: torch.Generator,
) -> Trace:
    """Descend to the end, changing x in place, and keep the trace; see `descend`."""
    steps = [
        (step.objective, step.prior)
        for step in descend(energy, phi, x, canvas, space, settings, generator)
    ]
    if not steps:
        return Trace(x.new_zeros(0, len(x)), x.new_zeros(0, len(x)))
    objective, prior = zip(*steps, strict=True)
    return Trace(torch.stack(objective).cpu(), torch.stack(prior).cpu())


def sum_of(objective: Energy, priors: Sequence[Prior] | Energy) -> Energy:
    """Add priors, one by one or summed already, to an objective."""
    if isinstance(priors, Energy):
        return objective + priors
    for prior in priors:
        objective = objective + prior
    return objective


def canvas_for(size: tuple[int, int], field: ReceptiveField | None, jitter: int | None) -> Canvas:
    """Return the canvas of a layer: with the jitter asked for, or a quarter of its stride."""
    if jitter is None:
        # A layer that mixes the whole image has no stride of its own: nothing to average over.
        jitter = jitter_of(min(field.stride)) if field else 1
    return Canvas(size, jitter)


def facts_of(
    net: Network,
    layer: str,
    energy: Energy,
    canvas: Canvas,
    settings: Settings,
    seed: int,
    second: int = 0,
    **more: str,
) -> dict[str, str]:
    """Say how pre-images were found, in `second` more steps perhaps: enough to do it again."""
    steps = f"{settings.steps} + {second}" if second else f"{settings.steps}"
    return {
        "network": net.name,
        "layer": layer,
        "energy": str(energy),
        "jitter": str(canvas.jitter),
        "settings": f"{steps} steps, rate {settings.rate:g}",
        "seed": str(seed),
        **more,
        **versions(),
    }

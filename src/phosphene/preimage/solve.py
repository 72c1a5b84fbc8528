"""Running a descent to its end, for all the verbs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.preimage.canvas import Canvas, PixelSpace, jitter_of
from phosphene.preimage.descent import Phi, Settings, descend
from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.result import Trace


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


def jitter_at(net: Network, layer: str) -> int:
    """Return T for a layer: a quarter of its stride."""
    field = net.receptive_field(layer)
    # A layer that mixes the whole image has no stride of its own: nothing to average over.
    return jitter_of(min(field.stride)) if field else 1

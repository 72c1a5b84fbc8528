"""Looking at a network while it learns, so that it learns on as if nobody had looked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import SettingError
from phosphene.image import to_image
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.flow import Flow
from phosphene.panel import Tile
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.zoo.fcn import moved


@contextmanager
def at_rest(learner: nn.Module) -> Iterator[None]:
    """Let a learner evaluate, without gradients; each of its modules then goes on as it was."""
    modes = [(module, module.training) for module in learner.modules()]
    learner.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def first_of(batch: Batch, count: int, learner: nn.Module) -> Batch:
    """Take the first pairs of a batch to where a learner is.

    Raises:
        SettingError: The count is not positive.
    """
    if count < 1:
        raise SettingError(f"{count} frames cannot be shown: give 1 or more")
    held = {each.name: getattr(batch, each.name) for each in fields(batch)}
    some: dict[str, Any] = {k: v[:count] for k, v in held.items() if isinstance(v, Tensor)}
    device = next((p.device for p in learner.parameters()), torch.device("cpu"))
    return replace(batch, names=batch.names[:count], **some).to(device)


def dense(network: PixelNetwork, x: Tensor, every: int, unit: bool = False) -> Tensor:
    """Read a pixel network at every so many pixels, and between them bilinearly.

    Args:
        network: What is read.
        x: (b, c, h, w), the network's input.
        every: Pixels from one reading to the next.
        unit: Whether outputs are brought to length 1 where they are read.

    Returns:
        (b, outputs, h, w).
    """
    made = network.dense(x, every, unit)
    if every == 1:
        return made
    at = ReceptiveField((1.0, 1.0), (float(every), float(every)), (0.0, 0.0))
    pixels = ReceptiveField((1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
    return moved(made, at, pixels, (int(x.shape[2]), int(x.shape[3])))


def frame_tile(batch: Batch, place: int) -> Tile:
    """Show a frame of a batch, by its name."""
    return Tile(to_image(batch.image[place]), batch.names[place] or f"frame {place}")


def flow_in(batch: Batch, place: int) -> Flow:
    """Take a flow out of a batch."""
    return as_flow(batch.flow[place], batch.valid[place])


def as_flow(vectors: Tensor, valid: Tensor | None = None) -> Flow:
    """Make (2, h, w) in pixels a flow."""
    known = None if valid is None else valid.cpu().numpy()
    return Flow.of(vectors.detach().float().movedim(0, 2).cpu().numpy(), known)

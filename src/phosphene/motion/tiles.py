"""Pictures of flow for pages: colours, arrows, what warping leaves, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from phosphene.display import heat
from phosphene.motion.arrows import arrow_scale, arrows
from phosphene.motion.flow import Flow, Mask
from phosphene.motion.pair import Pixels
from phosphene.motion.wheel import colored
from phosphene.panel import Tile

_DARK = 0.25


def longest(*flows: Flow) -> float:
    """Find one length for the pure colours of several flows: that 99.5 % of vectors stay below."""
    lengths = np.concatenate([flow.magnitude[flow.valid] for flow in flows])
    return max(1.0, float(np.quantile(lengths, 0.995))) if lengths.size else 1.0


def frame_tile(frame: Pixels, caption: str) -> Tile:
    """Show a frame."""
    return Tile(Image.fromarray(frame), caption)


def flow_tile(flow: Flow, largest: float, caption: str) -> Tile:
    """Show flow by the colour wheel."""
    note = f"hue for the direction, pure at {largest:.3g} pixels"
    return Tile(Image.fromarray(colored(flow, largest)), caption, note)


def arrow_tile(frame: Pixels, flow: Flow) -> Tile:
    """Show flow as arrows over its frame."""
    every = max(8, min(flow.size) // 16)
    scale = arrow_scale(flow, every)
    times = "as long as they are" if scale == 1 else f"{scale:g} times as long"
    return Tile(arrows(frame, flow, every, scale), f"arrows, {times}")


def heat_tile(values: NDArray[Any], top: float, caption: str) -> Tile:
    """Show numbers as heat, black for 0 and pale yellow from `top` on, gray where NaN."""
    known = torch.from_numpy(np.nan_to_num(values, nan=0.0).astype(np.float32))[None]
    pixels = (heat(known / (top or 1)) * 255).round().byte().permute(1, 2, 0).numpy().copy()
    pixels[np.isnan(values)] = 110
    return Tile(Image.fromarray(pixels), caption)


def mask_tile(frame: Pixels, mask: Mask, caption: str) -> Tile:
    """Show a frame, dark where a mask is not."""
    return Tile(
        Image.fromarray(np.where(mask[:, :, None], frame, frame * _DARK).astype(np.uint8)), caption
    )


def errors(found: Flow, truth: Flow) -> NDArray[np.float64]:
    """Measure endpoint errors: (h, w) in pixels, NaN where one of the flows is not valid."""
    difference = found.vectors.astype(np.float64) - truth.vectors
    return np.where(found.valid & truth.valid, np.hypot(*difference.transpose(2, 0, 1)), np.nan)

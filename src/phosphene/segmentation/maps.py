"""Maps over a photograph: smoothed, and laid over the whole of it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample

from phosphene.core.preprocessing import Frame

Map = NDArray[np.float32]


def pixels_of(image: Image.Image) -> Map:
    """Return the pixels (h, w, 3) of an RGB image, in [0, 1]."""
    return np.asarray(image, np.float32) / np.float32(255)


def smoothed(values: Map, sigma: float) -> Map:
    """Smooth a map (h, w) with a Gaussian of `sigma` pixels; what is unknown stays so."""
    if sigma <= 0:
        return values
    reach = max(1, round(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    known = torch.from_numpy(np.isfinite(values))
    both = torch.stack([torch.from_numpy(values).where(known, 0), known.float()])[:, None]
    both = conv2d(both, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    both = conv2d(both, kernel.view(1, 1, 1, -1), padding=(0, reach))
    # Divided by how much of the kernel lies on known pixels, so that edges do not darken.
    found: Map = (both[0, 0] / both[1, 0]).where(known, torch.nan).numpy()
    return found


def laid_over(values: Tensor, frame: Frame, size: tuple[int, int]) -> Map:
    """Bring a map to the resized photograph, NaN where it does not reach.

    Args:
        values: (h, w) map over the box of the frame.
        frame: Where on the photograph that is.
        size: (h, w) of the resized photograph.
    """
    values = values.detach().float().cpu()
    if frame.box == (0, 0, *size) and frame.resized == size:
        found: Map = values.numpy()
        return found
    top, left, height, width = frame.on_photograph()
    # Middles of the pixels as shares of the box, from -1 to 1.
    y = ((torch.arange(size[0]) + 0.5) * frame.photograph[0] / size[0] - top) / height * 2 - 1
    x = ((torch.arange(size[1]) + 0.5) * frame.photograph[1] / size[1] - left) / width * 2 - 1
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
    known = values.isfinite()
    both = torch.stack([values.where(known, 0), known.float()])[None]
    filled, weight = grid_sample(both, places, padding_mode="border", align_corners=False)[0]
    inside = (places.abs() <= 1).all(-1)[0] & (weight > 0.5)
    found = (filled / weight).where(inside, torch.nan).numpy()
    return found

"""Receptive fields by experiment: which input rows and columns a unit answers to.

The weights of a network are made positive and its biases zero, so that nothing can cancel and a
black image gives zero everywhere. One row of the image at a time is then lit, and every output row
that answers sees it; columns likewise. Layers must keep positive what is positive (convolutions,
pools, ReLU, interpolation with positive weights, batch normalization without a mean).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Seen = npt.NDArray[np.bool_]


def make_positive(module: nn.Module) -> None:
    """Fill weights with ones, biases and running means with zeros; scaled so as not to overflow."""
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point():
                zero = name.endswith(("bias", "running_mean"))
                tensor.fill_(0 if zero else 1 / max(1, tensor[0].numel()))


def seen_by(module: nn.Module, size: tuple[int, int], channels: int = 1) -> tuple[Seen, Seen]:
    """Find what each unit of a layer sees.

    Args:
        module: The network up to the layer, (1, c, h, w) to (1, c', h', w').
        size: (h, w) of the image.
        channels: Of the image.

    Returns:
        (h', h): whether output row i sees input row y; and (w', w) for columns.
    """
    make_positive(module)
    found = []
    for axis, length in ((2, size[0]), (3, size[1])):
        answers = []
        for place in range(length):
            image = torch.zeros(1, channels, *size, dtype=torch.float64)
            image.select(axis, place).fill_(1)
            with torch.no_grad():
                output: Tensor = module(image)
            # Channels and the other axis do not matter.
            answers.append((output > 1e-12).any(dim=5 - axis)[0].any(dim=0).numpy())
        found.append(np.stack(answers, 1))
    return found[0], found[1]

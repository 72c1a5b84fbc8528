"""HOG's blocks: cells divided by the contrast around them.

Each cell belongs to four blocks of 2x2 cells. A block's energy is the sum of the squares of its
undirected histograms u, also where directed ones are divided. With F_q = 1 / sqrt(energy of block
q), q from the upper left to the lower right,

    uoctti          1/2 sum_q min(0.2, F_q h_k) for directed, then for undirected bins, then
                    1/sqrt(18) sum_k min(0.2, F_q u_k) for each q: the four textures
    dalal-triggs    min(0.2, F_q u_k), block after block
    network         uoctti's without textures

*Border.* VLFeat repeats the outer cells and adds 1e-4 to the energy. The authors' network has
blocks only where there are four cells, and sets 1e-12 as the energy's floor.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

Variant = Literal["uoctti", "dalal-triggs", "network"]

_MOST = 0.2
_EPSILON, _FLOOR = 1e-4, 1e-12


def normalized(directed: Tensor, variant: Variant) -> Tensor:
    """Divide cells by their blocks' contrasts.

    Args:
        directed: (b, 2 n, h, w) histograms.
        variant: Which of the three.

    Returns:
        (b, 3 n + 4, h, w), (b, 4 n, h, w) or (b, 3 n, h, w).
    """
    half = directed.shape[1] // 2
    undirected = directed[:, :half] + directed[:, half:]
    factors = _factors(undirected.square().sum(1, keepdim=True), variant)
    if variant == "dalal-triggs":
        return torch.cat([(undirected * f).clamp(max=_MOST) for f in factors], 1)
    cells = torch.cat([directed, undirected], 1)
    shares = [(cells * f).clamp(max=_MOST) for f in factors]
    histograms = (shares[0] + shares[1] + shares[2] + shares[3]) * 0.5
    if variant == "network":
        return histograms
    # The root of 18 is VLFeat's for any number of orientations.
    textures = [s[:, 2 * half :].sum(1, keepdim=True) / math.sqrt(18) for s in shares]
    return torch.cat([histograms, *textures], 1)


def _factors(energy: Tensor, variant: Variant) -> list[Tensor]:
    """Return what the four blocks of each cell are multiplied by: upper left first."""
    if variant == "network":
        factor = pad(_blocks(energy).clamp(min=_FLOOR).rsqrt(), (1, 1, 1, 1))
    else:
        around = pad(energy, (1, 1, 1, 1), mode="replicate")
        factor = (_blocks(around) + _EPSILON).rsqrt()
    return [
        factor[..., y : y + energy.shape[2], x : x + energy.shape[3]]
        for y in (0, 1)
        for x in (0, 1)
    ]


def _blocks(energy: Tensor) -> Tensor:
    """Sum every 2x2 cells: (b, 1, h, w) to (b, 1, h - 1, w - 1)."""
    rows = energy[:, :, 1:] + energy[:, :, :-1]
    return rows[..., 1:] + rows[..., :-1]

"""One linear classifier for each layer, all learned side by side."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.errors import NotFinite
from phosphene.training.free_norm import FreeNorm
from phosphene.training.processes import ranks
from phosphene.transfer.probing.grids import Grid


class Probes(nn.Module):
    """Linear classifiers of the features of layers, behind batch normalization without parameters.

    Each learns as it would alone: they share nothing but the images.

    Attributes:
        layers: Names of the layers.

    Args:
        layers: Names of the layers.
        grids: Of their features.
        classes: How many classes there are.
        deviation: Of the first weights, which are normal; biases begin at 0.
        seed: Of these. What is drawn hangs on the layer's name, and not on which others there are.
    """

    def __init__(
        self,
        layers: Sequence[str],
        grids: Sequence[Grid],
        classes: int,
        *,
        deviation: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.norms = nn.ModuleList(FreeNorm(grid.channels, inplace=True) for grid in grids)
        # The usual random start, which draws from torch's own generator, is left out.
        with torch.device("meta"):
            made = [nn.Linear(grid.numbers, classes) for grid in grids]
        for linear in made:
            linear.to_empty(device="cpu")
        self.linears = nn.ModuleList(made)
        for layer, linear in zip(self.layers, made, strict=True):
            # Mixed first, as torch's generator takes 32 bits of a seed.
            mixed = np.random.SeedSequence([seed, zlib.crc32(layer.encode())]).generate_state(1)
            generator = torch.Generator().manual_seed(int(mixed[0]))
            nn.init.normal_(linear.weight, 0.0, deviation, generator)
            nn.init.zeros_(linear.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return scores of classes, (b, classes), for each of (b, rows, columns, channels).

        Features may be written over: nobody needs them afterwards, and room for others takes time.
        """
        scores = []
        for x, norm, linear in zip(features, self.norms, self.linears, strict=True):
            flat = norm(x.reshape(-1, x.shape[-1]))
            scores.append(linear(flat.view(len(x), -1)))
        return scores


def joint_loss(probes: nn.Module, features: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return the sum of the cross entropies of all probes.

    Args:
        probes: `Probes`, or what Fabric has wrapped them in.
        features: Of each layer; they may be written over.
        labels: (b,) classes.

    Raises:
        NotFinite: That of a layer is not.
    """
    losses = torch.stack([F.cross_entropy(scores, labels) for scores in probes(features)])
    # Of several processes none may stop alone; the loop stops them together.
    if ranks() == 1 and not bool(losses.isfinite().all()):
        layers: Any = getattr(probes, "module", probes)
        layer = layers.layers[int((~losses.isfinite()).nonzero()[0])]
        raise NotFinite(
            f"the loss of the probe of {layer!r} is not finite: lower the rate, or leave it out"
        )
    return losses.sum()

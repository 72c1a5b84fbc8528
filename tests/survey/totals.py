"""A collector whose numbers tell every bit of every code, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.survey.collector import Batch, State


class Totals:
    """Sums of the bits of all codes, wrapped around; the images seen, and how they were batched.

    Attributes:
        layers: The layers.
        salt: A setting, so that there is one.
    """

    def __init__(self, layers: Sequence[str], salt: int = 0) -> None:
        self.layers = tuple(layers)
        self.salt = salt
        self._sums: dict[str, Tensor] = {}
        self._keys = torch.zeros(0, dtype=torch.int64)
        self._batches = torch.zeros(0, dtype=torch.int64)

    def see(self, batch: Batch) -> None:
        for layer in self.layers:
            code = batch.codes[layer]
            assert code.dim() == 4
            assert not code.requires_grad
            bits = code.float().contiguous().view(torch.int32).long()
            # The key goes in, so that codes of two images cannot be exchanged.
            weighed = bits.cpu() * (2 * batch.keys + 1).view(-1, 1, 1, 1)
            self._add(layer, weighed.sum((0, 2, 3)))
        assert len(batch.names) == len(batch.frames) == len(batch.image) == len(batch.keys)
        self._keys = torch.cat([self._keys, batch.keys])
        self._batches = torch.cat([self._batches, batch.keys[:1] * 1000 + len(batch.keys)])

    def state(self) -> State:
        sums = {f"sum/{layer}": value.clone() for layer, value in self._sums.items()}
        return {
            **sums,
            "keys": self._keys.sort().values,
            "batches": self._batches.sort().values,
        }

    def merge(self, state: State) -> None:
        for layer in self.layers:
            if f"sum/{layer}" in state:
                self._add(layer, state[f"sum/{layer}"])
        self._keys = torch.cat([self._keys, state["keys"]])
        self._batches = torch.cat([self._batches, state["batches"]])

    def _add(self, layer: str, sums: Tensor) -> None:
        self._sums[layer] = self._sums.get(layer, torch.zeros_like(sums)) + sums


def alike(one: Totals, other: Totals) -> bool:
    a, b = one.state(), other.state()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)

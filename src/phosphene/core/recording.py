"""Recording the same layers of many passes, without copying what nobody overwrites.

A layer's output has to be copied only where a later layer works in place on it. Which layers that
is so of is found before the first pass, on its first image, which is run both ways: with every
value copied, and with every value as it is. From then on only those that differ are copied. PyTorch
counts the writes to every tensor; should a count tell in a later pass that another value was
overwritten (a network may take another way for another image), that pass is run again with copies
of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from phosphene.core.layers import Address
from phosphene.core.record import Capture, output_tensor, record

if TYPE_CHECKING:
    from phosphene.core.network import Network


class Recorder:
    """Notes what some layers put out, pass after pass; nothing behind the last of them is run.

    The values of one pass may lie in the memory of the network's own tensors: they are read, and
    never written to.

    Attributes:
        layers: Their names; `""` is the network's output.

    >>> from phosphene.core.network import Network
    >>> net = Network(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU()))
    >>> Recorder(net, ["0"])(torch.rand(1, 3, 10, 10))["0"].shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, net: Network, layers: Iterable[str]) -> None:
        self.layers = tuple(dict.fromkeys(layers))
        self._net = net
        self._addresses = {name: net.address(name) for name in self.layers if name}
        self._copied: frozenset[Address] | None = None

    @property
    def copied(self) -> tuple[str, ...]:
        """The layers that are copied, as something behind them works in place; after a pass."""
        return tuple(n for n, a in self._addresses.items() if a in (self._copied or ()))

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Run the network on (b, 3, h, w) RGB images in [0, 1].

        Returns:
            What the layers put out, by name, without gradients.
        """
        with self._net.running(gradients=False):
            x = self._net.input_of(image)
            if self._copied is None:
                self._copied = self._overwritten(x[:1])
            captures, output = self._pass(x, self._copied)
            if not all(capture.intact for capture in captures.values()):
                captures, output = self._pass(x, None)
            return self._named(captures, output)

    def _overwritten(self, x: Tensor) -> frozenset[Address]:
        """Find out what is overwritten, by the values themselves as well as by the counts."""
        shared, _ = self._pass(x, ())
        safe, _ = self._pass(x, None)
        return frozenset(
            address
            for address, capture in shared.items()
            if not capture.intact or not _equal(capture.value, safe[address].value)
        )

    def _pass(
        self, x: Tensor, copied: Iterable[Address] | None
    ) -> tuple[dict[Address, Capture], Tensor | None]:
        net, through = self._net, "" in self.layers
        if not self._addresses:
            return {}, output_tensor(net.run(net.module, x)).detach()
        output, captures = record(
            net.module,
            x,
            self._addresses.values(),
            stop=not through,
            copied=None if copied is None else frozenset(copied),
            run=net.run,
        )
        return captures, output_tensor(output).detach() if through else None

    def _named(self, captures: dict[Address, Capture], output: Tensor | None) -> dict[str, Tensor]:
        found = {}
        for name in self.layers:
            value = captures[self._addresses[name]].value if name else output
            assert value is not None
            found[name] = value.detach()
        return found


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    assert one is not None
    assert other is not None
    # NaN must count as equal to itself; rounding may differ where a device adds in any order.
    return one.shape == other.shape and torch.allclose(
        one.float(), other.float(), rtol=1e-3, atol=1e-6, equal_nan=True
    )

"""What is taken out of a network: a layer, or some of its units.

The user's network is not touched: a copy of it is cut. In the copy the layer's place is taken by
another module.

*A layer is removed* by letting pass what it was given. Where its output has another shape, what it
was given is brought to that shape, without any weights: maps of another size by the mean over the
places that fall together (adaptive average pooling), another number of channels by the mean over
all channels, given to every channel.

*Units are removed* by writing a constant into their maps: 0, or their mean over an image set, which
leaves the layers behind with the inputs they are used to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.record import first_tensor
from phosphene.errors import NetworkError, UnitError


@dataclass(frozen=True)
class Cut:
    """Something to take out.

    Attributes:
        layer: Name of the layer.
        units: Which of its units; the whole layer if empty.
        fill: What the units say from then on: nothing, or their mean over the image set.
    """

    layer: str
    units: tuple[int, ...] = ()
    fill: Literal["zero", "mean"] = "zero"

    def __str__(self) -> str:
        """Say it in a few words."""
        if not self.units:
            return f"without {self.layer}"
        shown = ", ".join(map(str, self.units[:6])) + (", ..." if len(self.units) > 6 else "")
        many = f"unit{'s' if len(self.units) > 1 else ''} {shown}"
        return f"{self.layer}: {many} {'at their mean' if self.fill == 'mean' else 'zero'}"


class Passing(nn.Module):
    """Stands in for a layer, and lets its input pass in the shape of the layer's output."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Any, *rest: Any, **named: Any) -> Tensor:
        """Bring (b, c, h, w) or (b, c) to (b, *shape); maps grow and shrink with the image."""
        given = first_tensor(x)
        if given is None:
            raise NetworkError("a layer that is given no tensor cannot be removed: choose another")
        channels = self.shape[0]
        if given.dim() != len(self.shape) + 1:
            flat = given.flatten(2).mean(2) if given.dim() > 2 else given
            given = flat.view(*flat.shape, *(1 for _ in self.shape[1:]))
        if given.shape[1] != channels:
            given = given.mean(1, keepdim=True).expand(-1, channels, *given.shape[2:])
        if given.dim() == 4 and tuple(given.shape[2:]) != self.shape[1:]:
            given = F.adaptive_avg_pool2d(given, (self.shape[1], self.shape[2]))
        return given


class Silenced(nn.Module):
    """A layer some of whose channels say a constant."""

    def __init__(self, layer: nn.Module, units: Sequence[int], values: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.units = list(units)
        self.register_buffer("values", values, persistent=False)

    def forward(self, *given: Any, **named: Any) -> Any:
        """Run the layer, and overwrite channels in a copy of its output."""
        output = self.layer(*given, **named)
        if not isinstance(output, Tensor):
            raise NetworkError("a layer that returns no tensor cannot lose units: choose another")
        output = output.clone()
        values = self.get_buffer("values").to(output.dtype)
        output[:, self.units] = values.view(1, -1, *(1 for _ in output.shape[2:]))
        return output


def cut(net: Network, what: Cut, means: Tensor | None = None) -> Network:
    """Return a copy of a network without a layer, or without some units.

    Args:
        net: The network; it stays as it is.
        what: What is taken out. A module that is called several times is replaced in all calls.
        means: (c,) mean of each channel of the layer, for units at their mean.

    Raises:
        UnknownLayer, LayerNeverRan: There is no such layer, or a pass does not call it.
        UnitError: It has no such unit.
        NetworkError: The network is scripted, or its layer cannot be replaced.
    """
    address = net.address(what.layer)
    if any(isinstance(m, torch.jit.ScriptModule) for m in net.module.modules()):
        raise NetworkError(
            f"{net.name} is scripted, and nothing can be taken out of it: open the eager model"
        )
    shape = next(
        (row.shape for row in net.layers() if str(net.address(row.name)) == str(address)), None
    )
    if not shape:
        raise NetworkError(f"{what.layer!r} puts out no tensor in a pass: choose another layer")
    module = copied(net).module
    old = module.get_submodule(address.path)
    if what.units:
        wrong = [unit for unit in what.units if not 0 <= unit < shape[0]]
        if wrong:
            raise UnitError(
                f"layer {what.layer!r} has units 0 to {shape[0] - 1}, and so no unit {wrong[0]}"
            )
        if what.fill == "mean" and means is None:
            raise UnitError("units at their mean need the means of the layer: measure them first")
        chosen = list(what.units)
        values = (
            means[chosen] if what.fill == "mean" and means is not None else torch.zeros(len(chosen))
        )
        new: nn.Module = Silenced(old, chosen, values.float().to(net.device))
    else:
        new = Passing(tuple(shape))
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if child is old and parent is not new:
                setattr(parent, name, new)
    return Network(module, net.preprocessing, net.labels, f"{net.name}, {what}", net.aliases)

"""Where a network is parted: maps that regions are pooled from, and layers that judge regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from phosphene.core.layers import Address
from phosphene.core.network import Network
from phosphene.core.record import record
from phosphene.errors import SettingError
from phosphene.zoo.alexnet import AlexNet, CaffeNet
from phosphene.zoo.demo import DemoNet
from phosphene.zoo.motion_alexnet import MotionAlexNet
from phosphene.zoo.motion_small import MotionSmall
from phosphene.zoo.vgg import VggM, VggVd16


@dataclass(frozen=True)
class Layout:
    """How a network becomes a detector.

    Attributes:
        layer: The layer whose maps regions are pooled from, in place of the pool behind it.
        pooled: Side of a pooled region, cells.
        head: First and last of the network's own layers that go on behind; with what lies between
            them. `None` for new layers.
    """

    layer: str
    pooled: int = 6
    head: tuple[str, str] | None = None


_OWN = ("fc6", "drop7")
_KNOWN: dict[type[nn.Module], Layout] = {
    MotionAlexNet: Layout("relu5", 6, _OWN),
    AlexNet: Layout("relu5", 6, _OWN),
    CaffeNet: Layout("relu5", 6, _OWN),
    VggM: Layout("relu5", 6, _OWN),
    VggVd16: Layout("relu5_3", 7, _OWN),
    DemoNet: Layout("relu5", 5, _OWN),
    MotionSmall: Layout("relu5_2", 6),
}


def layout_of(
    net: Network, layer: str = "", pooled: int | None = None, head: tuple[str, str] | None = None
) -> Layout:
    """Say how a network is parted: as its family is, but for what is given.

    Args:
        net: The network.
        layer: See `Layout`; a network's own if empty.
        pooled: See `Layout`; the family's if `None`, and 6 where that is not known.
        head: See `Layout`; the family's if `None`; `("", "")` for new layers.

    Raises:
        SettingError: No layer was given, and the family is not known.
        UnknownLayer: The network has none of that name.
    """
    known = _KNOWN.get(type(net.module))
    if known is None:
        if not layer:
            raise SettingError(
                f"it is not known where to pool regions in {net.name}: name the last layer of maps "
                "(layer=...), such as 'relu5'"
            )
        known = Layout(layer)
    elif layer and layer != known.layer:
        known = Layout(layer, known.pooled)  # other maps do not fit the family's own layers
    chosen = replace(known, pooled=known.pooled if pooled is None else pooled)
    if head is not None:
        chosen = replace(chosen, head=head if any(head) else None)
    for name in (chosen.layer, *(chosen.head or ())):
        net.address(name)
    return chosen


def layers_behind(
    module: nn.Module, x: Tensor, first: Address, last: Address, after: Address
) -> list[nn.Module]:
    """List layers in the order in which they run: from one to another, all that hold no others.

    Args:
        module: The network.
        x: An input of it.
        first: Where it begins.
        last: Where it ends.
        after: A layer that runs before.

    Raises:
        SettingError: They do not run in this order, or one runs more than once.
    """
    _, captures = record(module, x, None, values=False)
    order = [
        (address, capture.module)
        for address, capture in captures.items()
        if not any(capture.module.children())
    ]
    places = [address for address, _ in order]
    if not all(a in places for a in (first, last, after)) or not (
        places.index(after) < places.index(first) <= places.index(last)
    ):
        raise SettingError(
            f"layers {first} to {last} do not run behind {after}, one after another: name others"
        )
    found = [child for _, child in order[places.index(first) : places.index(last) + 1]]
    if len({id(child) for child in found}) < len(found):
        raise SettingError(
            f"a layer between {first} and {last} runs twice, and is no chain with the others: take "
            "new layers"
        )
    return found


def not_reached(module: nn.Module, x: Tensor, layer: Address) -> list[nn.Module]:
    """List the layers with weights of their own that do not run up to a layer."""
    _, captures = record(module, x, None, values=False)
    before: set[int] = set()
    for address, capture in captures.items():
        before.add(id(capture.module))
        if address == layer:
            break
    return [child for child in module.modules() if _holds(child) and id(child) not in before]


def _holds(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def check_pooled(layout: Layout, fields: Sequence[float]) -> None:
    """Check the side of regions, and that maps are as fine in both directions.

    Raises:
        SettingError: They are not.
    """
    if layout.pooled < 1:
        raise SettingError(f"regions of {layout.pooled} cells cannot be pooled: give 1 or more")
    if fields[0] != fields[1]:
        raise SettingError(
            f"positions of {layout.layer!r} are {fields[0]:g} px apart down and {fields[1]:g} "
            "across: regions are pooled from maps that are as fine in both directions"
        )

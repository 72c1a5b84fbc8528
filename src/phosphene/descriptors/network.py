"""Descriptors as networks, so that every verb takes them."""

from __future__ import annotations

from phosphene.core.network import Network
from phosphene.core.preprocessing import Order, Preprocessing
from phosphene.descriptors.dsift import DSIFT
from phosphene.descriptors.hog import HOG
from phosphene.errors import SettingError, nearest

_USUAL = (256, 256)

NAMED: dict[str, HOG | DSIFT] = {
    "hog": HOG(8, variant="network"),
    "hogb": HOG(8, variant="network", binning="bilinear"),
    "dsift": DSIFT(8, window="network"),
}
"""The papers' three, by their names there: cells of 8 pixels."""


def named(descriptor: HOG | DSIFT | str) -> HOG | DSIFT:
    """Return a descriptor as it is, or one of the papers' by its name.

    Raises:
        SettingError: There is no descriptor of that name.
    """
    if not isinstance(descriptor, str):
        return descriptor
    if descriptor not in NAMED:
        offer = nearest(descriptor, NAMED) or f": choose {', '.join(NAMED)}"
        raise SettingError(f"{descriptor!r} is no descriptor{offer}")
    return NAMED[descriptor]


def as_network(descriptor: HOG | DSIFT | str, color: bool = False, name: str = "") -> Network:
    """Make a network of a descriptor: its output, layer `""`, is the descriptor.

    It sees photographs at their own size, in gray unless told otherwise, in 0..255.

    Args:
        descriptor: It, or one of the papers' by its name: `"hog"`, `"hogb"`, `"dsift"`.
        color: Show it colours; the largest gradient counts.
        name: What to call it; its settings follow.

    Raises:
        SettingError: There is no descriptor of that name, or it takes no colours.

    >>> import torch
    >>> as_network("hogb")(torch.rand(1, 3, 64, 48)).shape
    torch.Size([1, 27, 8, 6])
    """
    module = named(descriptor)
    called = name or (descriptor if isinstance(descriptor, str) else type(module).__name__)
    if color and (isinstance(module, DSIFT) or module.variant == "network"):
        raise SettingError(f"{module} sees no colours: leave them out")
    order: Order = "RGB" if color else "gray"
    seeing = Preprocessing(_USUAL, scale=255, order=order, resize="native")
    return Network(module, seeing, name=f"{called} ({module.extra_repr()})")

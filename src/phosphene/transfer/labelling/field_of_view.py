"""A larger field of view: more pools and convolutions behind a network's last layer.

Chapter 4 of the thesis adds "two sets of conv-pool modules" behind fc7 of VGG-16, as Larsson et al.
(CVPR 2017) do. In their code each is a 2x2 pool and a 3x3 convolution of 1024 channels with a ReLU,
in this order; the hypercolumn reads both. Weights are drawn after He et al. (ICCV 2015).
"""

from __future__ import annotations

import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.zoo.blocks import Chain

LAYERS = ("relu8", "relu9")
"""What the new layers are called that join the hypercolumn."""


def widened(net: Network, behind: str, width: int = 1024, seed: int = 0) -> Network:
    """Put two blocks behind a layer of a network; what lies behind it there is left out.

    Args:
        net: The network; its layers run one after another, as those of AlexNet and VGG-16 do. They
            become part of the new one.
        behind: The layer, of a map.
        width: Channels of the blocks.
        seed: Of their weights.

    Returns:
        A network whose layers have their old names; the new ones that are read are `LAYERS`.

    Raises:
        UnknownLayer: There is no such layer.
        SettingError: The layers up to this one do not run one after another.
    """
    children = dict(net.module.named_children())
    path = str(net.address(behind))
    last = list(children).index(path) if path in children else -1
    kept = dict(list(children.items())[: last + 1])
    channels = _channels(net, behind, kept)
    # TensorFlow's "same" pools round up.
    new: dict[str, nn.Module] = {
        "pool8": nn.MaxPool2d(2, ceil_mode=True),
        "conv8": nn.Conv2d(channels, width, 3, padding=1),
        "relu8": nn.ReLU(),
        "pool9": nn.MaxPool2d(2, ceil_mode=True),
        "conv9": nn.Conv2d(width, width, 3, padding=1),
        "relu9": nn.ReLU(),
    }
    generator = torch.Generator().manual_seed(seed)
    for layer in new.values():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    taken = sorted(kept.keys() & new.keys())
    if taken:
        raise SettingError(f"{net.name} has a layer {taken[0]!r} already: rename it")
    module = Chain(False, **kept, **new).to(net.device, net.dtype).eval()
    aliases = {name: path for name, path in net.aliases.items() if path in kept}
    return Network(module, net.preprocessing, net.labels, f"{net.name} (+FoV)", aliases)


@torch.no_grad()
def _channels(net: Network, behind: str, kept: dict[str, nn.Module]) -> int:
    """Return how many channels a layer has, if running the layers up to it in order makes it."""
    size = net.preprocessing.input_size
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    code = net[behind](image.to(net.device, net.dtype))
    made = None
    if kept:
        try:
            with net.running(gradients=False):
                made = Chain(False, **kept).eval()(net.input_of(image))
        except (RuntimeError, TypeError):  # they are fed otherwise
            made = None
    if made is None or made.shape != code.shape or not torch.allclose(made, code, rtol=1e-3):
        raise SettingError(
            f"the layers of {net.name} up to {behind} do not run one after another: a larger field "
            "of view is for networks like AlexNet and VGG-16"
        )
    return int(code.shape[1])

"""How a chain of layers begins: random filters, scaled by what the data make of them.

Weights are drawn after He et al. (ICCV 2015). Then, layer by layer, scale and bias are set so that
every unit has mean 0 and variance 1 before its activation on some real images (Kraehenbuehl et al.,
ICLR 2016): with biases of 0 many units of deep layers are dead from the start, as all images look
much the same to an untrained network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def initialize(module: nn.Module, x: Tensor, seed: int, smooth: bool = True) -> None:
    """Fill a chain's convolutions.

    Args:
        module: Its children are run one after another.
        x: (b, c, h, w), images as the network takes them; some hundred.
        seed: Of the random numbers; PyTorch's own generator is left alone.
        smooth: Blur the first layer's filters. What training does not change of a filter stays for
            good, and noise there is noise in every picture that is taken back through it.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = list(module.children())
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=generator)
        if convolution.bias is not None:
            convolution.bias.zero_()
    if smooth and convolutions:
        _blur(convolutions[0].weight)
    training = module.training
    module.eval()
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            drawn = layer(x)
            spread = drawn.std(dim=(0, 2, 3)).clamp_min(1e-6)
            layer.weight /= spread[:, None, None, None]
            if layer.bias is not None:
                layer.bias -= drawn.mean(dim=(0, 2, 3)) / spread
        x = layer(x)
    # A classifier that begins near chance learns soonest.
    if convolutions:
        convolutions[-1].weight *= 0.1
    module.train(training)


def _blur(weight: Tensor) -> None:
    """Blur filters (n, c, k, k) by a Gaussian of 1.2 pixels, and keep their spread."""
    bell = torch.exp(-torch.arange(-3.0, 4.0).square() / 3.0)
    kernel = (bell[:, None] * bell).expand(weight.shape[1], 1, 7, 7)
    smooth = F.conv2d(weight, kernel, padding=3, groups=weight.shape[1])
    weight.copy_(smooth * (weight.std() / smooth.std()))

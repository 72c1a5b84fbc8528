"""The network of Zeiler and Fergus, on which DeConvNets were shown.

AlexNet with a first layer of 7x7 filters at every second pixel in place of 11x11 at every fourth
(which lost the middle frequencies), a second layer with a stride, and without groups.

Reference:
    M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks*, ECCV 2014,
    figure 3 (channels, filters, strides, and the sides of the maps: 110, 55, 26, 13, 6).

What the paper leaves open, and what is assumed: the paddings (1, 0, 1, 1, 1 with pools that round
up are the ones that give its maps); the constants of the contrast normalization between channels
(those of Krizhevsky et al., k = 2, n = 5, alpha = 1e-4, beta = 0.75).

Departures: one mean colour is subtracted, where the paper has a mean image; weights start from
N(0, 0.01^2), where it says "10^-2".
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.zoo.blocks import (
    Chain,
    build,
    classifier,
    gaussian,
    imagenet_preprocessing,
    overlapping_pool,
    response_norm,
)

INPUT_SIDE = 224


class ZFNet(Chain):
    """Zeiler and Fergus' network: convolution, ReLU, pool, normalization; 62 million weights.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(
            conv1=nn.Conv2d(3, 96, 7, stride=2, padding=1),
            relu1=nn.ReLU(),
            pool1=overlapping_pool(),
            norm1=response_norm(),
            conv2=nn.Conv2d(96, 256, 5, stride=2),
            relu2=nn.ReLU(),
            pool2=overlapping_pool(),
            norm2=response_norm(),
            conv3=nn.Conv2d(256, 384, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(384, 384, 3, padding=1),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(384, 256, 3, padding=1),
            relu5=nn.ReLU(),
            pool5=overlapping_pool(),
            **classifier(256, 6, classes),
        )


def zfnet(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open Zeiler and Fergus' network.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn from
            N(0, 0.01^2), biases are 0.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: ZFNet(classes), gaussian, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="zfnet")

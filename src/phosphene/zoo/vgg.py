"""VGG-M and VGG-VD-16.

VGG-M is AlexNet with smaller and denser filters at its beginning and wider layers behind; VGG-VD-16
("very deep", configuration D) has nothing but 3x3 convolutions, thirteen of them, and no
normalization.

References:
    K. Chatfield, K. Simonyan, A. Vedaldi and A. Zisserman, *Return of the Devil in the Details*,
    BMVC 2014. K. Simonyan and A. Zisserman, *Very Deep Convolutional Networks for Large-Scale Image
    Recognition*, ICLR 2015. Structure: tables 2 and 3 of Mahendran & Vedaldi, IJCV 2016, where
    `conv1_1` is printed `conv1'1`.

Departures: VGG-VD-16 starts, where random, from the weights of Glorot & Bengio, which its authors
found to work as well as their own pretraining of shallower networks.
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
    glorot,
    imagenet_preprocessing,
    overlapping_pool,
    response_norm,
)

INPUT_SIDE = 224
# Channels of the blocks of VGG-VD-16, and how many convolutions each has.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VggM(Chain):
    """VGG-M; 103 million weights.

    Pools round up, as in Caffe and in the files its weights came in: at 224 px this shows in the
    second alone, from 26 places to 13; at other sizes in all.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(
            conv1=nn.Conv2d(3, 96, 7, stride=2),
            relu1=nn.ReLU(),
            norm1=response_norm(),
            pool1=overlapping_pool(),
            conv2=nn.Conv2d(96, 256, 5, stride=2, padding=1),
            relu2=nn.ReLU(),
            norm2=response_norm(),
            pool2=overlapping_pool(),
            conv3=nn.Conv2d(256, 512, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(512, 512, 3, padding=1),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(512, 512, 3, padding=1),
            relu5=nn.ReLU(),
            pool5=overlapping_pool(),
            **classifier(512, 6, classes),
        )


class VggVd16(Chain):
    """VGG-VD-16; 138 million weights, and 15 thousand million products a photograph.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        layers: dict[str, nn.Module] = {}
        channels = 3
        for block, (width, count) in enumerate(BLOCKS, 1):
            for i in range(1, count + 1):
                layers[f"conv{block}_{i}"] = nn.Conv2d(channels, width, 3, padding=1)
                layers[f"relu{block}_{i}"] = nn.ReLU()
                channels = width
            layers[f"pool{block}"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        super().__init__(**layers, **classifier(channels, 7, classes))


def vgg_m(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open VGG-M.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn from
            N(0, 0.01^2), biases are 0.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: VggM(classes), gaussian, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="vgg-m")


def vgg_vd_16(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open VGG-VD-16.

    Args:
        weights: A safetensors file or a state dict; torchvision's names are understood too, but
            its own training (`IMAGENET1K_V1`) saw other pixels: say so by `preprocessing`. Without
            a file, weights are drawn by Glorot's rule, biases are 0.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: VggVd16(classes), glorot, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="vgg-vd-16")

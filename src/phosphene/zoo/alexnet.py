"""AlexNet and CaffeNet, as Caffe has them.

Both are the network of Krizhevsky et al. on images of 227 x 227 pixels, with its convolutions in
two groups (one for each of the two GPUs of 2012). AlexNet normalizes before it pools, as the paper
does; CaffeNet pools first, which is cheaper and not the same: the largest of normalized values need
not be where the largest value is.

References:
    A. Krizhevsky, I. Sutskever and G. Hinton, *ImageNet Classification with Deep Convolutional
    Neural Networks*, NIPS 2012. Y. Jia et al., *Caffe*, ACM Multimedia 2014, models `bvlc_alexnet`
    and `bvlc_reference_caffenet`. Structure: table 1 of Mahendran & Vedaldi, *Visualizing Deep
    Convolutional Neural Networks Using Natural Pre-Images*, IJCV 2016.

Departures: those of Caffe from the paper (k = 1 in place of 2 in the normalization, alpha divided
by the size of the window). Natively, pixels are RGB less one mean colour, where Caffe has BGR and
AlexNet there a mean image: give Caffe's own weights either with their own `preprocessing`, or with
`input_channels_flipped`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
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

INPUT_SIDE = 227


class AlexNet(Chain):
    """Caffe's AlexNet: convolution, ReLU, normalization, pool; 61 million weights.

    Pools round up, as Caffe's do; at 227 x 227 that changes nothing.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(**_layers(_norm_then_pool), **classifier(256, 6, classes))


class CaffeNet(Chain):
    """Caffe's reference network: as AlexNet, but pooled before it is normalized.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__(**_layers(_pool_then_norm), **classifier(256, 6, classes))


def _norm_then_pool(number: int) -> dict[str, nn.Module]:
    norm, pool = response_norm(alpha=1e-4, k=1.0), overlapping_pool()
    return {f"norm{number}": norm, f"pool{number}": pool}


def _pool_then_norm(number: int) -> dict[str, nn.Module]:
    return dict(reversed(_norm_then_pool(number).items()))


def _layers(reduced: Callable[[int], dict[str, nn.Module]]) -> dict[str, nn.Module]:
    return dict(
        conv1=nn.Conv2d(3, 96, 11, stride=4),
        relu1=nn.ReLU(),
        **reduced(1),
        conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
        relu2=nn.ReLU(),
        **reduced(2),
        conv3=nn.Conv2d(256, 384, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
        relu5=nn.ReLU(),
        pool5=overlapping_pool(),
    )


def alexnet(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open AlexNet.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn as Caffe does:
            N(0, 0.01^2), N(0, 0.005^2) for fc6 and fc7; biases 0, but 0.1 in conv2, conv4, conv5,
            fc6 and fc7.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """

    def initialize(module: AlexNet, generator: torch.Generator) -> None:
        _caffe(module, generator, bias=0.1)

    module = build(lambda: AlexNet(classes), initialize, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="alexnet")


def caffenet(
    weights: str | Path | None = None,
    *,
    classes: int = 1000,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open CaffeNet.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn as for
            `alexnet`, with biases of 1 where that has 0.1.
        classes: How many classes there are.
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """

    def initialize(module: CaffeNet, generator: torch.Generator) -> None:
        _caffe(module, generator, bias=1.0)

    module = build(lambda: CaffeNet(classes), initialize, seed, weights)
    return Network(module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="caffenet")


def _caffe(module: nn.Module, generator: torch.Generator, bias: float) -> None:
    raised = ("conv2", "conv4", "conv5", "fc6", "fc7")
    stds = {"fc6": 0.005, "fc7": 0.005}
    gaussian(module, generator, stds=stds, biases=dict.fromkeys(raised, bias))

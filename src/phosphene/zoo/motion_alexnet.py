"""The thesis's AlexNet, which learns from nothing but motion.

An AlexNet whose maps halve exactly, 224 -> 56 -> 28 -> 14 -> 7, so that a hypercolumn can be read
off it: TensorFlow's "same" padding, imitated in Caffe by layers that pad. Also, normalization comes
after the pool, convolutions have no groups, and fc6 and fc7 have 256 channels and stay maps. There
are no classes; it ends at fc7.

```text
pad_data    3 above, 4 below, 3 left, 4 right
conv1       96 @ 11x11 / 4      relu1   pad_conv1   pool1   norm1
conv2      256 @ 5x5, pad 2     relu2   pad_conv2   pool2   norm2
conv3      384 @ 3x3, pad 1     relu3
conv4      384 @ 3x3, pad 1     relu4
conv5      256 @ 3x3, pad 1     relu5   pad_conv5   pool5
fc6        256 @ 7x7, pad 3     relu6   drop6
fc7        256 @ 1x1            relu7   drop7
```

The middles of the receptive fields lie at pixel 4i + 2 (conv1), 8i + 6 (pool1, conv2), 16i + 14
(pool2 to conv5) and 32i + 30 (pool5 to fc7).

Reference:
    A. Mahendran, thesis, University of Oxford: chapter 3 and appendix A. The appendix's own names
    `maxpool1` and `lrn1` are aliases of `pool1` and `norm1`, which its hypercolumn speaks of.

In the appendix ReLUs overwrite what they read, so that its *blobs* `conv1`, `conv3` and `fc7` hold
rectified values: those of `relu1`, `relu3` and `relu7` here.

What the thesis leaves open, and what is assumed: how its pixels were scaled (0..255 less ImageNet's
mean, as for the other networks) and how weights started (N(0, 0.01^2), as AlexNet's).
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.zoo.blocks import Chain, build, gaussian, imagenet_preprocessing, response_norm

INPUT_SIDE = 224
# The appendix's names, where they are not those of its text and of the other papers.
ALIASES = {
    "maxpool1": "pool1",
    "maxpool2": "pool2",
    "maxpool5": "pool5",
    "lrn1": "norm1",
    "lrn2": "norm2",
}


def _pad_end() -> nn.ZeroPad2d:
    # A row below and a column to the right; zeros lose against what a ReLU has left.
    return nn.ZeroPad2d((0, 1, 0, 1))


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2)


def _rectified(name: str, weights: nn.Conv2d, batch_norm: bool) -> dict[str, nn.Module]:
    number = name[-1]
    layers: dict[str, nn.Module] = {name: weights}
    if batch_norm:
        layers[f"bn{number}"] = nn.BatchNorm2d(weights.out_channels, eps=1e-5, affine=False)
    return {**layers, f"relu{number}": nn.ReLU()}


class MotionAlexNet(Chain):
    """The thesis's AlexNet; 7 million weights.

    Args:
        batch_norm: Whether convolutions are followed by batch normalization without parameters, as
            while the thesis trains; before it evaluates, that is absorbed into the weights.

    Attributes:
        aliases: The appendix's names of some layers.
    """

    def __init__(self, batch_norm: bool = False) -> None:
        super().__init__(
            False,  # maps to the end, of whatever size
            pad_data=nn.ZeroPad2d((3, 4, 3, 4)),
            **_rectified("conv1", nn.Conv2d(3, 96, 11, stride=4), batch_norm),
            pad_conv1=_pad_end(),
            pool1=_pool(),
            norm1=response_norm(k=1.0),
            **_rectified("conv2", nn.Conv2d(96, 256, 5, padding=2), batch_norm),
            pad_conv2=_pad_end(),
            pool2=_pool(),
            norm2=response_norm(k=1.0),
            **_rectified("conv3", nn.Conv2d(256, 384, 3, padding=1), batch_norm),
            **_rectified("conv4", nn.Conv2d(384, 384, 3, padding=1), batch_norm),
            **_rectified("conv5", nn.Conv2d(384, 256, 3, padding=1), batch_norm),
            pad_conv5=_pad_end(),
            pool5=_pool(),
            **_rectified("fc6", nn.Conv2d(256, 256, 7, padding=3), batch_norm),
            drop6=nn.Dropout(0.5),
            **_rectified("fc7", nn.Conv2d(256, 256, 1), batch_norm),
            drop7=nn.Dropout(0.5),
        )
        self.aliases = dict(ALIASES)


def motion_alexnet(
    weights: str | Path | None = None,
    *,
    batch_norm: bool = False,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open the thesis's AlexNet.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn from
            N(0, 0.01^2), biases are 0.
        batch_norm: Whether it has batch normalization still (see `MotionAlexNet`).
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in 0..255 less ImageNet's mean.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: MotionAlexNet(batch_norm), gaussian, seed, weights)
    return Network(
        module, preprocessing or imagenet_preprocessing(INPUT_SIDE), name="motion-alexnet"
    )

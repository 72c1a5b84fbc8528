"""A small network of the VGG kind, that learns from motion on a laptop; 0.4 million weights.

The thesis's networks need graphics cards and weeks. This one has their form, with blocks of 3x3
convolutions between pools, and is small enough to learn from a world of cubes in minutes:

```text
conv1_1, conv1_2     24 @ 3x3      relu1_1, relu1_2     pool1   2x2 / 2
conv2_1, conv2_2     48 @ 3x3      relu2_1, relu2_2     pool2
conv3_1, conv3_2     64 @ 3x3      relu3_1, relu3_2     pool3
conv4_1, conv4_2     96 @ 3x3      relu4_1, relu4_2     pool4
conv5_1, conv5_2     96 @ 3x3      relu5_1, relu5_2
```

There are no classes; it ends at relu5_2, at one sixteenth of the input's size, whatever that is.

Four sets of weights come with phosphene, to be compared (`motion-small:cross-pixel` and so on): one
random start, and what it became by cross-pixel flow similarity of drawn things that move, by
telling which way up drawn scenes are, and by telling their ten classes. `tools/train_small.py` made
them; their record is `data/small.json`. They are stored in half precision.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import UnknownModel, nearest
from phosphene.zoo.blocks import Chain, build
from phosphene.zoo.shipped import load_shipped

WIDTHS = (24, 48, 64, 96, 96)
INPUT_SIDE = 96
LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
"""Those that a hypercolumn reads, and that scores of regions are made from."""

LEARNED = ("random", "cross-pixel", "rotation", "supervised")
"""What the weights that come with phosphene have learned; `random` is where the others began."""


class MotionSmall(Chain):
    """The network.

    Args:
        batch_norm: Whether convolutions are followed by batch normalization without parameters, as
            while it learns; it is absorbed afterwards.
    """

    def __init__(self, batch_norm: bool = False) -> None:
        layers: dict[str, nn.Module] = {}
        before = 3
        for block, width in enumerate(WIDTHS, 1):
            for name in (f"{block}_1", f"{block}_2"):
                layers[f"conv{name}"] = nn.Conv2d(before, width, 3, padding=1)
                if batch_norm:
                    layers[f"bn{name}"] = nn.BatchNorm2d(width, affine=False)
                layers[f"relu{name}"] = nn.ReLU()
                before = width
            if block < len(WIDTHS):
                layers[f"pool{block}"] = nn.MaxPool2d(2)
        super().__init__(False, **layers)


def motion_small(
    weights: str | Path | None = None,
    *,
    batch_norm: bool = False,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Open the small network.

    Args:
        weights: A safetensors file or a state dict. Without one, weights are drawn after He et al.
            (ICCV 2015), biases are 0.
        batch_norm: Whether it has batch normalization still (see `MotionSmall`).
        seed: Of the random weights.
        preprocessing: What the weights were trained on, if not RGB in [0, 1] less 0.5, over 0.25.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    module = build(lambda: MotionSmall(batch_norm), _he, seed, weights)
    return Network(module, preprocessing or _OWN, name="motion-small")


def learned(what: str) -> Network:
    """Open the small network with weights that come with phosphene.

    Args:
        what: One of `LEARNED`.

    Raises:
        UnknownModel: It is none of these.
        NetworkError: The file is missing or damaged.
    """
    if what not in LEARNED:
        raise UnknownModel(
            f"motion-small has learned no {what!r}{nearest(what, LEARNED)}: take one of "
            f"{', '.join(LEARNED)}"
        )
    with torch.device("meta"):
        module = MotionSmall()
    load_shipped(module, f"small_{what.replace('-', '_')}.safetensors")
    return Network(module.eval(), _OWN, name=f"motion-small:{what}")


_OWN = Preprocessing((INPUT_SIDE, INPUT_SIDE), mean=(0.5,) * 3, std=(0.25,) * 3)


@torch.no_grad()
def _he(module: nn.Module, generator: torch.Generator) -> None:
    for layer in module.children():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            layer.bias.zero_()

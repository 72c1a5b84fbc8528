"""A network that is always there: small, trained on drawn scenes, shipped with its weights.

DemoNet is AlexNet in small. The order of its layers, their names, the overlapping pools, the
response normalization between channels and the grouped convolutions are AlexNet's; widths and
kernels are cut to images of 96 x 96 pixels. The fully connected layers are written as convolutions,
so that the network can be laid over larger photographs as it is.

It tells ten classes of objects by their form (see `phosphene.worlds.shapes`). Beside the finished
weights there are half-precision checkpoints of its training, to watch features come into being.

Reference:
    A. Krizhevsky, I. Sutskever and G. Hinton, *ImageNet Classification with Deep Convolutional
    Neural Networks*, NIPS 2012.

Departures from the paper: the response normalization has alpha 0.5 and k 1 in place of 1e-4 and 2,
as its input has the scale of 1 and not of 100; without that it would change nothing. Dropout is
0.1 in place of 0.5: training scenes never come twice, so that there is little to overfit.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import nn

from phosphene.errors import NetworkError
from phosphene.worlds.shapes import CLASSES, Scene, scene
from phosphene.zoo.blocks import Chain, response_norm
from phosphene.zoo.shipped import damaged, load_shipped, shipped

if TYPE_CHECKING:
    from phosphene.core.network import Network

__all__ = [
    "CLASSES",
    "EPOCHS",
    "INPUT_SIZE",
    "MEAN",
    "STD",
    "DemoNet",
    "demo",
    "demo_module",
    "demo_scenes",
]

INPUT_SIZE = (96, 96)
# Of the pixels of drawn scenes, RGB in [0, 1].
MEAN = (0.59, 0.48, 0.44)
STD = (0.27, 0.22, 0.25)
# Passes through the training scenes after which a checkpoint was kept; 0 is untrained.
EPOCHS = (0, 1, 2, 3, 5, 8, 12, 28)


class DemoNet(Chain):
    """AlexNet in small; a quarter of a million weights.

    The input is (b, 3, h, w), RGB in [0, 1] less `MEAN`, over `STD`; h and w are 96, or more. The
    output are scores before the softmax: (b, 10), or (b, 10, h', w') for larger inputs, one score
    for each place of a window that moves by 16 pixels.
    """

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__(
            # With 96 pixels the last row of the padding behind is never read.
            conv1=nn.Conv2d(3, 32, 7, stride=2, padding=2),
            relu1=nn.ReLU(),
            norm1=response_norm(alpha=0.5, k=1.0),
            pool1=nn.MaxPool2d(3, stride=2),
            conv2=nn.Conv2d(32, 64, 5, padding=2, groups=2),
            relu2=nn.ReLU(),
            norm2=response_norm(alpha=0.5, k=1.0),
            pool2=nn.MaxPool2d(3, stride=2),
            conv3=nn.Conv2d(64, 80, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(80, 80, 3, padding=1, groups=2),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(80, 48, 3, padding=1, groups=2),
            relu5=nn.ReLU(),
            pool5=nn.MaxPool2d(3, stride=2),
            fc6=nn.Conv2d(48, 96, 5),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(0.1),
            fc7=nn.Conv2d(96, 96, 1),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(0.1),
            fc8=nn.Conv2d(96, classes, 1),
        )


def demo_module(epoch: int | None = None) -> DemoNet:
    """Build the demo network with its trained weights.

    Args:
        epoch: One of `EPOCHS`, for a checkpoint on the way; the finished network where not given.

    Returns:
        A new module in evaluation mode, in single precision, on the CPU.
    """
    if epoch is not None and epoch not in EPOCHS:
        kept = ", ".join(map(str, EPOCHS))
        raise NetworkError(f"the demo network has no checkpoint of epoch {epoch}; it has {kept}")
    name = "demo.safetensors" if epoch is None else f"demo_epoch_{epoch:02d}.safetensors"
    # Skipping the random start leaves torch's generator as it was.
    with torch.device("meta"):
        module = DemoNet()
    load_shipped(module, name)
    return module.requires_grad_(True).eval()


def demo() -> Network:
    """Open the demo network, with its preprocessing and class labels."""
    from phosphene.core.network import Network
    from phosphene.core.preprocessing import Preprocessing

    preprocessing = Preprocessing(
        input_size=INPUT_SIZE,
        mean=MEAN,
        std=STD,
        scale=1.0,
        order="RGB",
        resize="shorter",
        resize_to=INPUT_SIZE[0],
    )
    return Network(demo_module(), preprocessing, labels=CLASSES, name="demo")


def demo_scenes() -> list[Scene]:
    """Open the dozen packaged scenes, which the demo network has not been trained on.

    Returns:
        Scenes of 96 x 96 pixels, every class among them, with exact masks; the images come from
        the package's files, the masks are drawn again from the seeds.
    """
    listing = "scenes.json"
    try:
        entries = json.loads(shipped(listing))["scenes"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(listing, error) from error
    opened = []
    for entry in entries:
        try:
            with Image.open(io.BytesIO(shipped(entry["file"]))) as photograph:
                image = np.array(photograph.convert("RGB"))
        except OSError as error:
            raise damaged(entry["file"], error) from error
        drawn = scene(entry["seed"], size=INPUT_SIZE, label=CLASSES.index(entry["class"]))
        opened.append(replace(drawn, image=image))
    return opened

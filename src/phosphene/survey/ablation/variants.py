"""The demo network with layers removed, resized, or with another first layer.

The variants of Zeiler & Fergus (ECCV 2014, table 3) in small: convolutional layers 3 and 4
removed, fully connected layers removed, both; fully connected and middle layers of other widths.
And the step that the paper is known for: a first layer of large filters with a large stride
(AlexNet's 11x11/4) beside one of 7x7/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import nn

from phosphene.errors import SettingError, nearest
from phosphene.worlds.shapes import CLASSES
from phosphene.zoo.blocks import Chain, response_norm


@dataclass(frozen=True)
class Variant:
    """What the network is made of.

    Attributes:
        name: What to call it.
        kernel, stride, padding: Of the first layer.
        pool_stride: Of the first pool; 1 where the first layer's stride has done its work already,
            so that all layers behind are what they were.
        middle: Channels of conv3, conv4 (none: removed) and conv5.
        full: Channels of fc6 and fc7; those left out are removed.
        why: What it is for.
    """

    name: str
    kernel: int = 7
    stride: int = 2
    padding: int = 2
    pool_stride: int = 2
    middle: Mapping[str, int] = field(default_factory=lambda: {"conv3": 80, "conv4": 80})
    last: int = 48
    full: Mapping[str, int] = field(default_factory=lambda: {"fc6": 96, "fc7": 96})
    why: str = ""

    def build(self) -> Chain:
        """Make the network, on whatever device is the default.

        Returns:
            A module for (b, 3, 96, 96); scores (b, 10).
        """
        layers: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 32, self.kernel, stride=self.stride, padding=self.padding),
            "relu1": nn.ReLU(),
            "norm1": response_norm(alpha=0.5, k=1.0),
            "pool1": nn.MaxPool2d(3, stride=self.pool_stride, padding=int(self.pool_stride == 1)),
            "conv2": nn.Conv2d(32, 64, 5, padding=2, groups=2),
            "relu2": nn.ReLU(),
            "norm2": response_norm(alpha=0.5, k=1.0),
            "pool2": nn.MaxPool2d(3, stride=2),
        }
        before = 64
        for name, channels in (*self.middle.items(), ("conv5", self.last)):
            # conv3 sees both halves, as in AlexNet.
            groups = 1 if name == "conv3" else 2
            layers[name] = nn.Conv2d(before, channels, 3, padding=1, groups=groups)
            layers[f"relu{name[-1]}"] = nn.ReLU()
            before = channels
        layers["pool5"] = nn.MaxPool2d(3, stride=2)
        side = 5
        for name, channels in (*self.full.items(), ("fc8", len(CLASSES))):
            layers[name] = nn.Conv2d(before, channels, side)
            if name != "fc8":
                layers[f"relu{name[-1]}"] = nn.ReLU()
                layers[f"drop{name[-1]}"] = nn.Dropout(0.1)
            before, side = channels, 1
        return Chain(**layers)


WHOLE = Variant("whole", why="the demo network's own layers")
COARSE = Variant(
    "coarse first layer", kernel=11, stride=4, padding=4, pool_stride=1,
    why="AlexNet's first layer, 11x11 at stride 4; all other layers as they were",
)  # fmt: skip
VARIANTS = (
    WHOLE,
    COARSE,
    Variant("no conv3, conv4", middle={}, why="the middle of the network removed"),
    Variant("no fc7", full={"fc6": 96}, why="one fully connected layer removed"),
    Variant("no fc6, fc7", full={}, why="both fully connected layers removed"),
    Variant("no conv3, conv4, fc6, fc7", middle={}, full={}, why="only four layers are left"),
    Variant("fc6, fc7 of 48", full={"fc6": 48, "fc7": 48}, why="half as wide"),
    Variant("fc6, fc7 of 384", full={"fc6": 384, "fc7": 384}, why="four times as wide"),
    Variant(
        "conv3-5 twice as wide", middle={"conv3": 160, "conv4": 160}, last=96, why="the middle",
    ),
)  # fmt: skip
FIRST_LAYERS = (COARSE, replace(WHOLE, name="repaired first layer", why="7x7 at stride 2"))


def variant(name: str) -> Variant:
    """Find a variant by its name.

    Raises:
        SettingError: There is none of that name.
    """
    known = {each.name: each for each in (*VARIANTS, *FIRST_LAYERS)}
    if name not in known:
        offer = nearest(name, known) or f"; there are {', '.join(map(repr, known))}"
        raise SettingError(f"there is no variant {name!r}{offer}")
    return known[name]

"""What a labelling is told: the protocol's constants, and what the facts leave to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from phosphene.core.layers import paths
from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.pretext.hypercolumn import Offset
from phosphene.training.settings import check_least, plain

Head = Literal["hypercolumn", "fcn-32s"]

# conv1 to conv5, fc6 and fc7, rectified, of the thesis's networks; all blocks of the small one.
_COLUMNS = (
    ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3", "relu6", "relu7"),
    ("relu1", "relu2", "relu3", "relu4", "relu5", "relu6", "relu7"),
    ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2"),
)


@dataclass(frozen=True, kw_only=True)
class LabellingSetting:
    """How a network is taught the classes of pixels, and tested.

    The numbers are those of Larsson et al. (CVPR 2017), by their paper and code, which the thesis
    follows (section 3.3.5): VOC 2012.

    Attributes:
        head: `"hypercolumn"` with a perceptron, at some pixels of every crop, or `"fcn-32s"`, one
            layer's scores enlarged to all pixels (31.3 % mean IoU for the thesis's own network,
            where the hypercolumn has 41.4).
        layers: That are read; of AlexNets conv1 to conv5, fc6 and fc7 behind their ReLUs if empty
            (of VGG-16 the last convolution of every block, fc6 and fc7). FCN-32s takes the last.
        frozen: Whether the network stays as it is, and the head alone learns.
        offset: Where hypercolumns are read: `"zero"` is Larsson's (see `pretext.hypercolumn`).
        fov: Whether two more blocks, each a pool and a new 3x3 convolution, follow the last layer
            and join the hypercolumn, for a larger field of view: chapter 4's VGG-16 (+FoV).
        fov_width: Channels of these.
        padding: Pixels by which the first convolution pads, if not its own: 100 for networks of
            chapter 4, which have learned so (see `zoo.fcn.pad_first`); files that `phosphene
            pretrain` writes say it themselves.
        hidden: Width of the perceptron.
        deviation: Of its first layer's initial weights. The last layer's are He et al.'s.
        dropout: Behind the hidden layer.
        standardize: Whether the hypercolumn's numbers are first brought to mean 0 and variance 1
            (those of units that are nearly silent to less), as they are on training crops before
            any training. Not in the protocol; what networks
            without normalization put out may be large enough to make a rate of 1e-3 diverge.
        crop: Side of the square crops, pixels; smaller photographs are padded to it.
        batch: Crops of a batch, of all processes together.
        accumulate: Batches of an update. What does not fit into memory with 10 crops a batch does
            the same with 2 and five batches of an update, but that their losses weigh alike,
            however many pixels are known in each.
        points: Pixels that are looked at in each.
        buffer: Pixels from the crop's border within which none is. Where photographs are larger
            than crops, their rims are never learned, and labelled badly: take less for those.
        mirror: Whether half of the crops are mirrored. Sizes stay as they are.
        rate: Step length.
        momentum: See `training.recipe.sgd`.
        decay: Of weights, not of biases.
        held_out: Share of the training photographs by which stage 1 decides when the rate falls.
        check: Updates between two measurements of it: one crop of each, at `points` pixels. Larsson
            measures one batch every ten updates; averaged over a window there are as many pixels.
        window: Updates whose measurements are averaged.
        first: Updates before which the rate does not fall.
        levels: How many rates there are.
        most: Updates that stage 1 has at most.
        falls: Updates behind which the rate falls, and the last behind which training ends: then
            stage 1 is left out. Larsson's ResNet-152 has 22500, 30000, 40000.
        stride: Pixels between those that are looked at in testing; scores between them are
            interpolated.
        seed: Of all that is random.
    """

    head: Head = "hypercolumn"
    layers: tuple[str, ...] = ()
    frozen: bool = False
    offset: Offset = "centre"
    fov: bool = False
    fov_width: int = 1024
    padding: int | None = None
    hidden: int = 1024
    deviation: float = 1e-4
    dropout: float = 0.5
    standardize: bool = False
    crop: int = 448
    batch: int = 10
    accumulate: int = 1
    points: int = 128
    buffer: int = 32
    mirror: bool = True
    rate: float = 1e-3
    momentum: float = 0.9
    decay: float = 5e-4
    held_out: float = 0.1
    check: int = 1000
    window: int = 5000
    first: int = 35_000
    levels: int = 3
    most: int = 200_000
    falls: tuple[int, ...] = ()
    stride: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        least = {
            "fov_width": 1, "hidden": 1, "padding": 0, "crop": 8, "batch": 1, "accumulate": 1,
            "points": 1, "buffer": 0,
            "check": 1, "window": 1, "first": 0, "levels": 1, "most": 1, "stride": 1, "seed": 0,
        }  # fmt: skip
        check_least(self, least)
        if self.head not in get_args(Head):
            raise SettingError(f"head {self.head!r} is none of {', '.join(get_args(Head))}")
        if self.fov and self.head != "hypercolumn":
            raise SettingError("a larger field of view joins a hypercolumn, which fcn-32s has not")
        if not (self.rate > 0 and self.deviation > 0):
            raise SettingError(
                f"a rate of {self.rate:g} and weights of deviation {self.deviation:g} learn "
                "nothing: give numbers above 0"
            )
        if not (0 <= self.dropout < 1 and 0 < self.held_out < 1):
            raise SettingError(
                f"shares of {self.dropout:g} (dropout) and {self.held_out:g} (held out) must be "
                "below 1, and something must be held out"
            )
        inside = self.crop - 2 * self.buffer
        if inside < 1 or inside**2 < self.points:
            raise SettingError(
                f"{self.points} pixels cannot be drawn from crops of {self.crop} px less "
                f"{self.buffer} px on each side: give larger crops, or a smaller buffer"
            )
        if list(self.falls) != sorted(set(self.falls)) or min(self.falls, default=1) < 1:
            raise SettingError(
                f"the rate cannot fall behind updates {list(self.falls)}: give them in their "
                "order, the last being the end"
            )

    def facts(self) -> dict[str, Any]:
        """Return all attributes, as JSON has them."""
        return plain(self)


def layers_of(setting: LabellingSetting, net: Network) -> tuple[str, ...]:
    """Return the layers that are read of a network.

    Raises:
        SettingError: None are given, and the network is none whose layers are known.
        UnknownLayer: The network has no such layer.
    """
    if setting.layers:
        for layer in setting.layers:
            net.address(layer)
        return setting.layers
    known = {*paths(net.module), *net.aliases}
    for layers in _COLUMNS:
        if known.issuperset(layers):
            return layers
    raise SettingError(
        f"which layers of {net.name} make a hypercolumn is not known: name them, shallow ones "
        "first (`phosphene layers` lists all)"
    )

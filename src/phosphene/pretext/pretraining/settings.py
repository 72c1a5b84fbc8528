"""What a run is told: one value for each system, with the thesis's constants.

What the thesis leaves open is ours, and says so: how long (it stops early, after how long without
getting better is not said), batches of chapter 4, and all that concerns other backbones than its
own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from phosphene.errors import SettingError, nearest
from phosphene.pretext.cross_pixel import SIGMA2, Kind
from phosphene.pretext.flow_targets import BINS, LEARNING_RATE
from phosphene.pretext.grouping import BETA
from phosphene.pretext.grouping import entropy as entropies
from phosphene.pretext.grouping.affine import Reading
from phosphene.pretext.grouping.rigid import Through
from phosphene.pretext.hypercolumn import Offset
from phosphene.pretext.sampling import PIXELS
from phosphene.training.settings import check_least, plain

Start = Literal["random", "rescaled"]
Model = Literal["affine", "rigid", "entropy", "constant"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all systems are told.

    Attributes:
        system: What the command line calls it.
        data: What is learned from: pairs as `motion.dataset.open_pairs` opens them, or a folder of
            photographs (for rotation `images:FOLDER`).
        backbone: What learns: `motion-alexnet`, `vgg-vd-16`, `motion-small`, `demo`, or any model
            that `zoo.catalogue.open_network` opens, with `layers`.
        layers: Layers that are read; the backbone's own if empty.
        weights: A file to begin with, in place of random weights.
        head: A file of what lies behind the backbone (`head.safetensors` of an earlier run), to
            begin with; of it is taken what fits.
        start: How weights begin: `"random"` as each network's authors had it, or `"rescaled"`:
            drawn and scaled so that on the data every unit has mean 0 and variance 1.
        normalize: Whether layers are followed by batch normalization without parameters, which is
            absorbed in the end.
        leave: Layers behind which there is none all the same.
        reset: Layers that begin anew though there are `weights`.
        size: Side of the crops in pixels; the backbone's own input if `None`.
        augmentation: By its name; see `motion.dataset.Augmentation.preset`.
        validation: What to validate on; a share of the data if empty.
        held_out: That share, of whole sequences or shards; 0 for no validation.
        validate_on: How many pairs of it at most; 5000 in the thesis.
        batch: Pairs of a batch, of all processes together.
        accumulate: Batches of an update.
        rate: Adam's step length.
        drops: Updates after which it falls to a tenth.
        epochs: Passes through the data, each ended by a validation.
        updates: Updates of the whole run, which the epochs share, rounded up to a multiple of
            their number; all that the data make if `None`.
        patience: Epochs without a better validation after which it ends; `None` for never.
        clip: Longest gradient; `None` for any.
        loaders: Processes that read data; they change nothing of the result.
        seed: Of all that is random.
    """

    system: ClassVar[str] = ""
    flow: ClassVar[bool] = True
    """Whether it learns from flow."""

    data: str
    backbone: str = "motion-alexnet"
    layers: tuple[str, ...] = ()
    weights: str = ""
    head: str = ""
    start: Start = "random"
    normalize: bool = True
    leave: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    size: int | None = None
    augmentation: str = "cross-pixel"
    validation: str = ""
    held_out: float = 0.1
    validate_on: int = 5000
    batch: int = 96
    accumulate: int = 1
    rate: float = 1e-4
    drops: tuple[int, ...] = ()
    epochs: int = 10
    updates: int | None = None
    patience: int | None = 3
    clip: float | None = None
    loaders: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        if not self.system:
            raise SettingError("a setting is of a system: take CrossPixel, Grouping, ...")
        least: dict[str, float] = {
            "batch": 1, "accumulate": 1, "epochs": 1, "updates": 1, "size": 8, "validate_on": 1,
            "patience": 1, "pixels": 2, "dimensions": 1, "hidden": 1, "regions": 2, "bins": 2,
            "loaders": 0, "seed": 0,
        }  # fmt: skip
        check_least(self, least)
        if not 0 <= self.held_out < 1:
            raise SettingError(
                f"a share of {self.held_out:g} cannot be held out: give 0 to less than 1"
            )
        if not self.rate > 0:
            raise SettingError(f"a rate of {self.rate:g} learns nothing: give one above 0")
        if self.start not in get_args(Start):
            raise SettingError(f"start {self.start!r} is none of {', '.join(get_args(Start))}")

    def facts(self) -> dict[str, Any]:
        """Return the system and all attributes, as JSON has them."""
        return {"system": self.system, **plain(self)}

    def learned(self) -> dict[str, Any]:
        """Return what the result hangs on: `facts` less how long, and how data are read."""
        apart = ("loaders", "epochs", "patience")
        return {name: value for name, value in self.facts().items() if name not in apart}


@dataclass(frozen=True, kw_only=True)
class PixelSetting(Setting):
    """What systems are told that look at single pixels.

    Attributes:
        pixels: How many of each image.
        hidden: Width of the perceptron's hidden layer; 1024 in the thesis, less for `demo`, if
            `None`.
        offset: Where hypercolumns are read; see `pretext.hypercolumn`.
    """

    pixels: int = PIXELS
    hidden: int | None = None
    offset: Offset = "centre"


@dataclass(frozen=True, kw_only=True)
class CrossPixel(PixelSetting):
    """Cross-pixel flow similarity (chapter 3).

    Attributes:
        loss: `"cross-entropy"`, `"reversed"` or `"alignment"`.
        sigma2: Of the flow kernel.
        learn_sigma: Whether it is learned along.
        dimensions: Of embeddings.
    """

    system: ClassVar[str] = "cross-pixel"
    loss: Kind = "cross-entropy"
    sigma2: float = SIGMA2
    learn_sigma: bool = False
    dimensions: int = 16


@dataclass(frozen=True, kw_only=True)
class FlowClasses(PixelSetting):
    """Classes of flow, predicted pixel by pixel (section 3.3.5).

    Attributes:
        bins: Of each component.
    """

    system: ClassVar[str] = "flow-classes"
    bins: int = BINS
    rate: float = LEARNING_RATE


@dataclass(frozen=True, kw_only=True)
class FlowRegression(PixelSetting):
    """Flow itself, predicted pixel by pixel (section 3.3.5)."""

    system: ClassVar[str] = "flow-regression"
    rate: float = LEARNING_RATE


@dataclass(frozen=True, kw_only=True)
class Foreground(PixelSetting):
    """What moves unlike most of the frame: a simple stand-in for Pathak et al.'s uNLC."""

    system: ClassVar[str] = "foreground"


@dataclass(frozen=True, kw_only=True)
class Grouping(Setting):
    """Grouping by flow (chapter 4).

    Attributes:
        model: What explains the flow of a region.
        regions: How many there are; 5 for Sintel, 10 for YFCC.
        beta: How sharp they are; 10 or 30 in the thesis.
        deviation: Of the first weights of scores, which the thesis does not give. Where it is
            small, regions begin as one and part by places; where it is larger, by what is seen.
        reading: Of the affine loss: `"mixed"` as printed, or `"weighted"`.
        through: Where derivatives of the rigid loss go; see `pretext.grouping.rigid`.
        hartley: Whether coordinates are normalized for the rigid loss, which the thesis does not.
        knee: Of the rigid loss's smooth L1 function; 0.01, with `hartley`, tells cubes apart.
        bins: Of the histograms of the entropy loss.
        largest: Flow in pixels that falls into the last of them.
        magnitude: Whether the constant loss looks at the length of the flow alone.
    """

    system: ClassVar[str] = "grouping"
    backbone: str = "vgg-vd-16"
    augmentation: str = "sintel"
    batch: int = 16
    model: Model = "affine"
    regions: int = 5
    beta: float = BETA
    deviation: float = 0.01
    reading: Reading = "mixed"
    through: Through = "eigenvector"
    hartley: bool = False
    knee: float = 1.0
    bins: int = entropies.BINS
    largest: float = entropies.LARGEST
    magnitude: bool = False


@dataclass(frozen=True, kw_only=True)
class Rotation(Setting):
    """Which way up frames are (Gidaris et al., ICLR 2018); of the layers, the last is used."""

    system: ClassVar[str] = "rotation"
    flow: ClassVar[bool] = False
    batch: int = 24


@dataclass(frozen=True, kw_only=True)
class Supervised(Setting):
    """Classes of photographs, a folder for each; of the layers, the last is used."""

    system: ClassVar[str] = "supervised"
    flow: ClassVar[bool] = False
    batch: int = 32


SYSTEMS: dict[str, type[Setting]] = {
    kind.system: kind
    for kind in (
        CrossPixel, Grouping, FlowClasses, FlowRegression, Foreground, Rotation, Supervised,
    )
}  # fmt: skip


def setting_of(facts: dict[str, Any]) -> Setting:
    """Make a setting of what `Setting.facts` returned.

    Raises:
        SettingError: It names no system, or things that the system does not know.
    """
    held = dict(facts)
    system = held.pop("system", "")
    if system not in SYSTEMS:
        raise SettingError(f"there is no system {system!r}{nearest(str(system), SYSTEMS)}")
    kind = SYSTEMS[system]
    unknown = sorted(set(held) - {field.name for field in fields(kind)})
    if unknown or "data" not in held:
        what = f"{unknown[0]!r} is nothing" if unknown else "data are missing, which"
        raise SettingError(f"{what} {system} is told: take what `Setting.facts` returns")
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in held.items()}
    return kind(**plain)

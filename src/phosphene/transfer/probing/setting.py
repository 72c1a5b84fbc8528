"""The constants of linear probing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from phosphene.errors import SettingError
from phosphene.training.settings import check_least, plain
from phosphene.transfer.probing.grids import Resize

Fit = Literal["stretch", "shorter"]


@dataclass(frozen=True, kw_only=True)
class ProbingSetting:
    """How layers are probed.

    Mahendran's thesis (2018, section 3.3.5) follows Zhang et al.'s split-brain autoencoders (CVPR
    2017) and their code, which is that of their colorization (ECCV 2016). There are two public
    protocols of that name:

    *Zhang's* (`zhang`), in `feature_learning_tests/linear/` of the colorization, a `train_val` and
    a `solver.prototxt` (of its early commits: 407a471): 140,000 updates of four batches of
    64, rate 0.01, a tenth of it after each 40,000, momentum 0.9 without Nesterov's gradient, decay
    5e-4; weights from 0, biases at twice the rate and without decay.

    *FAIR's* (Goyal et al., ICCV 2019), `alexnet_*_finetune_linear.yaml` of their benchmark: the
    same updates, rates, momentum and decay, in batches of 256 on eight devices, with Nesterov's
    gradient; weights from N(0, 0.01).

    The default is FAIR's optimizer with Zhang's features (bilinear, squares of 256 px). The thesis
    names neither. FAIR's is the one that is documented as a whole and that numbers were compared
    by since; the two agree in all that decides how far a convex problem is solved: updates, images
    of an update, rates and decay. `zhang` and `fair` follow either to the letter, but for this: a
    batch is normalized as one here, where Zhang's four parts and FAIR's eight were each by itself.

    Attributes:
        layers: Names of the layers; those of AlexNet's blocks where a network has them, if empty.
        resize: How maps are brought to about 9000 numbers: `"bilinear"`, `"average"`, or `"fair"`
            for the windows of FAIR's AlexNet; see `grids`.
        side: Shorter side in pixels that photographs are resized to; if `None`, 256 for networks
            of 193 to 256 px, and 8/7 of the input for others.
        fit: `"stretch"` for squares, as Caffe's databases have them; `"shorter"` keeps the aspect.
        mirror: Whether training images are mirrored, every second at random.
        updates: Of the whole run.
        drops: Updates after which the rate falls.
        factor: To what share of itself.
        batch: Images of an update, of all processes together.
        rate: Step length.
        momentum: Share of a step that goes on.
        nesterov: Whether the gradient is taken ahead.
        decay: Of weights.
        biases: By what rate and decay are multiplied for biases.
        deviation: Of the first weights; biases begin at 0.
        cached: Whether features are made once, of centre crops, and kept. There are no random crops
            then: another protocol, which results name.
        seed: Of all that is random.
        at_once: Images that go through the network together; if `None`, 8 on a processor, where
            their maps stay in its cache, and 128 elsewhere. It changes the time, and roundings.
    """

    layers: tuple[str, ...] = ()
    resize: Resize = "bilinear"
    side: int | None = None
    fit: Fit = "stretch"
    mirror: bool = True
    updates: int = 140_000
    drops: tuple[int, ...] = (40_000, 80_000, 120_000)
    factor: float = 0.1
    batch: int = 256
    rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    decay: float = 5e-4
    biases: tuple[float, float] = (1.0, 0.0)
    deviation: float = 0.01
    cached: bool = False
    seed: int = 0
    at_once: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        least: dict[str, float] = {
            "updates": 1, "batch": 2, "at_once": 1, "side": 8, "seed": 0, "decay": 0,
            "deviation": 0, "momentum": 0,
        }  # fmt: skip
        check_least(self, least)
        if not self.rate > 0:
            raise SettingError(f"a rate of {self.rate:g} learns nothing: give one above 0")
        if self.nesterov and not self.momentum:
            raise SettingError("Nesterov's gradient needs momentum: give some, or nesterov=False")
        for name, kinds in (("resize", get_args(Resize)), ("fit", get_args(Fit))):
            if getattr(self, name) not in kinds:
                known = ", ".join(kinds)
                raise SettingError(f"{name} {getattr(self, name)!r} is none of {known}")
        twice = [name for name in self.layers if self.layers.count(name) > 1]
        if twice:
            raise SettingError(f"layer {twice[0]!r} is to be probed twice: name it once")

    @classmethod
    def fair(cls, **changes: Any) -> ProbingSetting:
        """Return FAIR's legacy setting for AlexNet: windows of its own, the aspect kept."""
        return replace(cls(resize="fair", fit="shorter"), **changes)

    @classmethod
    def zhang(cls, **changes: Any) -> ProbingSetting:
        """Return what Zhang's files say: no Nesterov, biases at twice the rate, weights from 0."""
        own = cls(nesterov=False, biases=(2.0, 0.0), deviation=0.0)
        return replace(own, **changes)

    def shortened(self, updates: int) -> ProbingSetting:
        """Return the same with fewer updates, the rate falling after the same shares of them."""
        drops = tuple(round(at * updates / self.updates) for at in self.drops)
        return replace(self, updates=updates, drops=tuple(at for at in drops if at > 0))

    @property
    def protocol(self) -> str:
        """What results are called by."""
        if self.cached:
            return "linear probes, cached (centre crops, no random crops)"
        return f"linear probes, random crops{' and mirror images' if self.mirror else ''}"

    def facts(self) -> dict[str, Any]:
        """Return all attributes, as JSON has them."""
        return plain(self)

    def learned(self) -> dict[str, Any]:
        """Return what the result hangs on."""
        return {name: value for name, value in self.facts().items() if name != "at_once"}

    def shown_side(self, size: tuple[int, int]) -> int:
        """Return the shorter side of resized photographs for a network of an input (h, w).

        Raises:
            SettingError: The input does not fit into them.
        """
        least = min(size)
        side = self.side or (256 if 192 < least <= 256 else round(least * 8 / 7))
        if side < least:
            raise SettingError(
                f"crops of {size[0]}x{size[1]} px do not fit into photographs of {side} px: give "
                f"a side of {least} or more"
            )
        return side

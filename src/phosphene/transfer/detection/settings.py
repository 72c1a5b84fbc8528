"""What a run of Fast R-CNN is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from phosphene.errors import SettingError
from phosphene.training.settings import check_least, plain

BoxTargets = Literal["data", "fixed"]


@dataclass(frozen=True, kw_only=True)
class DetectionSetting:
    """Fast R-CNN, as Mahendran's thesis evaluates features by it (section 3.3.5, VOC 2007).

    The thesis gives updates, rate, its steps and decay, the sets, and that training has many scales
    and testing one, as Krähenbühl et al. (ICLR 2016) have it; everything else is Girshick's (ICCV
    2015) and py-faster-rcnn's. The published setup of CaffeNet keeps the first convolution as it
    is; the thesis says "end-to-end", so that here nothing is kept.

    Attributes:
        layer: Whose maps regions are pooled from; the network's own (`layout.layout_of`) if empty.
        pooled: Side of a pooled region; 6, and 7 for VGG-16, if `None`.
        head: First and last of the network's own fully connected layers; its family's if `None`;
            `("", "")` for new ones.
        hidden: Widths of new ones.
        rf_offset: Whether cells lie in the middles of their receptive fields.
        freeze_conv1: Whether the first convolution keeps its weights.
        proposals: Where boxes come from: a file (`proposals.reading`), or `"fast"` or `"quality"`
            for selective search by OpenCV.
        test_proposals: The same for the photographs tested on; if empty, as `proposals`, which a
            file for both has to hold all of.
        cache: A folder that keeps computed boxes, for all networks that are compared on the same
            two sets; the run's own folder if empty.
        smallest: Least width and height of a proposed box, pixels.
        updates: Of the whole run.
        epochs: Parts of the run, each of which is a row of the log.
        rate: Step length.
        drops: Updates after which it falls to a tenth.
        momentum: Share of a step that goes on.
        decay: Of weights.
        bias_rate: By what the rate of biases is multiplied; they do not decay.
        clip: Longest gradient; `None` for any.
        photographs: Of a batch.
        padded: Whether photographs of a batch that differ in size are brought to one, as by
            py-faster-rcnn; see `fast_rcnn`.
        regions: Of each photograph of a batch.
        foreground: Share of them that is objects, at most.
        object_overlap: IoU with an object from which on a region is one.
        ground_overlap: IoU from which on, and below which, a region is ground.
        box_targets: Mean and deviation of offsets: of the training set by class (`"data"`), or 0
            and (0.1, 0.1, 0.2, 0.2) (`"fixed"`).
        flips: Whether photographs are mirrored, half of the times.
        scales: Lengths of the shorter side in training, pixels, one drawn for every photograph.
        longest: Largest length of the longer side then.
        test_scale: Length of the shorter side in testing.
        test_longest: Largest length of the longer side then.
        threshold: Least score of a detection.
        overlap: IoU of two detections of a class above which the worse one is gone.
        most: Detections of a photograph at most, of all classes together.
        seed: Of all that is random.
    """

    layer: str = ""
    pooled: int | None = None
    head: tuple[str, str] | None = None
    hidden: tuple[int, ...] = (1024, 1024)
    rf_offset: bool = False
    freeze_conv1: bool = False
    proposals: str = "fast"
    test_proposals: str = ""
    cache: str = ""
    smallest: float = 2.0
    updates: int = 150_000
    epochs: int = 30
    rate: float = 2e-3
    drops: tuple[int, ...] = (50_000, 100_000)
    momentum: float = 0.9
    decay: float = 5e-4
    bias_rate: float = 2.0
    clip: float | None = None
    photographs: int = 2
    padded: bool = False
    regions: int = 64
    foreground: float = 0.25
    object_overlap: float = 0.5
    ground_overlap: tuple[float, float] = (0.1, 0.5)
    box_targets: BoxTargets = "data"
    flips: bool = True
    scales: tuple[int, ...] = (480, 576, 688, 864, 1200)
    longest: int = 2000
    test_scale: int = 600
    test_longest: int = 1000
    threshold: float = 0.05
    overlap: float = 0.3
    most: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        least: dict[str, int] = {
            "updates": 1, "epochs": 1, "photographs": 1, "regions": 1, "test_scale": 16,
            "longest": 16, "test_longest": 16, "most": 1, "seed": 0,
        }  # fmt: skip
        check_least(self, least)
        for name in ("foreground", "object_overlap", "threshold", "overlap", "ground_overlap"):
            for value in _numbers(getattr(self, name)):
                if not 0 <= value <= 1:
                    raise SettingError(f"{name} is {value:g}: give a number from 0 to 1")
        if not self.rate > 0:
            raise SettingError(f"a rate of {self.rate:g} learns nothing: give one above 0")
        if not self.scales or min(self.scales) < 16:
            raise SettingError(f"scales {list(self.scales)}: give lengths of 16 px or more")
        if self.updates % self.epochs:
            raise SettingError(
                f"{self.updates} updates cannot be parted into {self.epochs} equal epochs: give a "
                "multiple"
            )
        if self.box_targets not in get_args(BoxTargets):
            known = ", ".join(get_args(BoxTargets))
            raise SettingError(f"box_targets {self.box_targets!r} is none of {known}")

    def shorter(self, updates: int, epochs: int = 1) -> DetectionSetting:
        """Return the same protocol with fewer updates, and the rate's steps in proportion."""
        drops = tuple(round(at * updates / self.updates) for at in self.drops)
        return replace(self, updates=updates, epochs=epochs, drops=drops)

    def facts(self) -> dict[str, Any]:
        """Return all attributes, as JSON has them."""
        return plain(self)

    def learned(self) -> dict[str, Any]:
        """Return what the weights hang on: `facts` less testing, and where boxes are kept."""
        apart = ("cache", "test_proposals", "test_scale", "test_longest", "threshold", "overlap")
        return {k: v for k, v in self.facts().items() if k not in (*apart, "most")}


def _numbers(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)

"""How well boxes fit: box IoU, correct localization, and ILSVRC's localization error.

A box ends with the first pixels outside, so that it is x1 - x0 wide. The development kits of
PASCAL VOC and ILSVRC have the last pixels inside and measure x1 - x0 + 1; their readers here add
that 1, so that the overlaps are theirs. Numbers straight from their files need `inclusive=True`.

*References*: Everingham et al. 2010, section 4.2 (overlap); Deselaers et al. 2010, "Localizing
objects while learning their appearance" (CorLoc); Russakovsky et al. 2015, section 4.2 (error of
five guesses); Simonyan et al. 2014, section 3.2, which reports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phosphene.errors import SettingError
from phosphene.segmentation.averages import ClassMeans, Mean
from phosphene.segmentation.scores import must_agree
from phosphene.segmentation.truths.record import Box

AnyBox = Box | Sequence[float]
"""A `Box`, or its x0, y0, x1, y1."""


def box_iou(one: AnyBox, other: AnyBox, inclusive: bool = False) -> float:
    """Return the intersection over union of two boxes, in [0, 1].

    Args:
        one: A box, or its corners x0, y0, x1, y1 in pixels.
        other: The other.
        inclusive: Whether x1 and y1 are the last pixels inside, as in the files of VOC and ILSVRC,
            or the first ones outside, as everywhere here.

    Returns:
        The IoU; 0 if both boxes are empty.

    Raises:
        SettingError: A box has not four finite corners, or ends before it begins.
    """
    edge = 1 if inclusive else 0
    a, b = _corners(one, edge), _corners(other, edge)
    width = min(a[2], b[2]) - max(a[0], b[0]) + edge
    height = min(a[3], b[3]) - max(a[1], b[1]) + edge
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(a, edge) + _area(b, edge) - shared)


def best_box_iou(found: AnyBox, boxes: Iterable[AnyBox], inclusive: bool = False) -> float:
    """Return the largest IoU of a box with any of several; NaN if there are none."""
    return max((box_iou(found, box, inclusive) for box in boxes), default=math.nan)


@dataclass(frozen=True)
class CorLocResult:
    """How often a box was right.

    Attributes:
        share: Mean over classes of each class's share of images, in [0, 1].
        share_per_image: Share of all images.
        iou: Mean over images of the best IoU.
        images: How many images were added.
        left_out: How many of them have no box to be found.
        classes: Share of each class, by its name.
    """

    share: float
    share_per_image: float
    iou: float
    images: int
    left_out: int
    classes: dict[str, float]


@dataclass
class CorLoc:
    """Correct localization: the share of images whose box has IoU >= `threshold` with any true one.

    Boxes marked difficult count as any other; leave them out before, where they should not.

    Attributes:
        threshold: The least IoU of a correct box.
        inclusive: As for `box_iou`.
        right: Shares so far.
        iou: Best IoUs so far.
    """

    threshold: float = 0.5
    inclusive: bool = False
    right: ClassMeans = field(default_factory=ClassMeans)
    iou: Mean = field(default_factory=Mean)

    def add(self, found: AnyBox | None, boxes: Iterable[AnyBox], class_: str = "") -> float:
        """Count the box found in one image.

        Args:
            found: The box; None if none was found, which is wrong.
            boxes: The true ones; if there are none, the image is left out.
            class_: The image's class, over which results are averaged.

        Returns:
            The best IoU; NaN if the image is left out.
        """
        boxes = list(boxes)
        if found is None:
            iou = 0.0 if boxes else math.nan
        else:
            iou = best_box_iou(found, boxes, self.inclusive)
        self.iou.add(iou)
        self.right.add(iou if math.isnan(iou) else float(iou >= self.threshold), class_)
        return iou

    def __add__(self, other: CorLoc) -> CorLoc:
        """Return the shares of both together; neither changes."""
        must_agree(self.threshold, other.threshold, "thresholds")
        must_agree(self.inclusive, other.inclusive, "conventions of boxes")
        return CorLoc(
            self.threshold, self.inclusive, self.right + other.right, self.iou + other.iou
        )

    def result(self) -> CorLocResult:
        """Average what was added."""
        return CorLocResult(
            self.right.per_class,
            self.right.per_image,
            self.iou.value,
            self.iou.count + self.iou.left_out,
            self.right.left_out,
            {name: mean.value for name, mean in self.right.classes.items()},
        )


@dataclass(frozen=True)
class LocalizationResult:
    """How often guesses were wrong.

    Attributes:
        error: Share of images of which no guess has the right class and box, in [0, 1].
        class_error: Share of images of which no guess has the right class.
        images: How many images were added.
        left_out: How many of them have no box to be found.
    """

    error: float
    class_error: float
    images: int
    left_out: int


@dataclass
class Localization:
    """ILSVRC's localization error: an image is right if any of its guesses is.

    A guess is right if its class is in the image and its box has IoU >= `threshold` with any box
    of that class.

    Attributes:
        most: How many guesses an image may have: 5 in ILSVRC.
        threshold: The least IoU of a right box.
        inclusive: As for `box_iou`.
        wrong: Errors so far.
        wrong_class: Errors of the class alone so far.
    """

    most: int = 5
    threshold: float = 0.5
    inclusive: bool = False
    wrong: Mean = field(default_factory=Mean)
    wrong_class: Mean = field(default_factory=Mean)

    def add(self, guesses: Iterable[tuple[str, AnyBox | None]], boxes: Iterable[Box]) -> bool:
        """Count the guesses of one image.

        Args:
            guesses: Class and box of each, at most `most`; without a box, only the class counts.
            boxes: The true ones, with their class as label; an image without boxes is left out.

        Returns:
            Whether any guess is right.

        Raises:
            SettingError: There are too many guesses, or a box is no box.
        """
        guesses, boxes = list(guesses), list(boxes)
        if len(guesses) > self.most:
            raise SettingError(
                f"{len(guesses)} guesses for one image, where {self.most} are allowed: give the "
                "best ones"
            )
        named = any(label == box.label for label, _ in guesses for box in boxes)
        right = any(
            label == box.label and box_iou(guess, box, self.inclusive) >= self.threshold
            for label, guess in guesses
            if guess is not None
            for box in boxes
        )
        self.wrong.add(float(not right) if boxes else math.nan)
        self.wrong_class.add(float(not named) if boxes else math.nan)
        return right

    def __add__(self, other: Localization) -> Localization:
        """Return the errors of both together; neither changes."""
        must_agree(self.most, other.most, "numbers of guesses")
        must_agree(self.threshold, other.threshold, "thresholds")
        must_agree(self.inclusive, other.inclusive, "conventions of boxes")
        return Localization(
            self.most,
            self.threshold,
            self.inclusive,
            self.wrong + other.wrong,
            self.wrong_class + other.wrong_class,
        )

    def result(self) -> LocalizationResult:
        """Average what was added."""
        return LocalizationResult(
            self.wrong.value,
            self.wrong_class.value,
            self.wrong.count + self.wrong.left_out,
            self.wrong.left_out,
        )


def _corners(box: AnyBox, edge: int) -> tuple[float, float, float, float]:
    given = box.corners if isinstance(box, Box) else tuple(float(corner) for corner in box)
    if len(given) != 4 or not all(map(math.isfinite, given)):
        raise SettingError(f"{given} is no box: give x0, y0, x1, y1 in pixels")
    x0, y0, x1, y1 = given
    if x1 - x0 + edge < 0 or y1 - y0 + edge < 0:
        raise SettingError(f"the box {given} ends before it begins: give x0, y0, x1, y1")
    return x0, y0, x1, y1


def _area(corners: tuple[float, float, float, float], edge: int) -> float:
    x0, y0, x1, y1 = corners
    return (x1 - x0 + edge) * (y1 - y0 + edge)

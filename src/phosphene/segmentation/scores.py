"""How well a mask fits its ground truths: pixel accuracy and intersection over union (IoU).

    accuracy = pixels on which both agree / pixels that count
    IoU      = |mask and truth| / |mask or truth|, of the foreground only

What counts, and what does not:

- *Several ground truths* (annotators) of one image: the best accuracy and the best IoU, found
  independently of each other, as in Guillaumin's set.
- *Ignored pixels* of a truth (255 in PASCAL VOC's masks: borders, and objects too hard to say)
  count nowhere, neither as hits nor as misses.
- *Another size.* A mask that has not its truth's size is resized to it by nearest neighbour: a
  pixel takes the value of the mask's pixel in whose area its center lies.
- *No foreground.* Where a truth has no foreground pixel, the IoU is undefined, whatever the mask
  (an empty one would be right, and 0/0): it is NaN, left out of every mean and counted in
  `left_out`. The accuracy is defined and counts. A truth of which every pixel is ignored defines
  neither.

*References*: Guillaumin et al. 2014, "ImageNet auto-annotation with segmentation propagation" (two
scores, averaged by class); Everingham et al. 2010, "The PASCAL visual object classes challenge"
(IoU, ignored borders).

*Departure*: VOC sums intersections and unions over all images of a class before it divides; here
every image counts the same, as in Guillaumin's set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import ImageError, SettingError
from phosphene.segmentation.averages import ClassMeans

IGNORED = 255
"""The value of a truth's pixels that count nowhere."""


@dataclass(frozen=True)
class MaskScore:
    """How well one mask fits.

    Attributes:
        accuracy: In [0, 1], the best over the truths; NaN if all their pixels are ignored.
        iou: In [0, 1], the best over the truths; NaN if none has a foreground pixel.
    """

    accuracy: float
    iou: float


@dataclass(frozen=True)
class MaskResult:
    """How well the masks of many images fit.

    Attributes:
        accuracy: Mean over classes of each class's mean over its images, in [0, 1].
        iou: The same, of the IoU.
        accuracy_per_image: Mean over images, whatever their class.
        iou_per_image: The same, of the IoU.
        images: How many images were added.
        left_out: How many of them have no foreground in any truth, and so no IoU.
        classes: Accuracy, IoU and number of images of each class, by its name.
    """

    accuracy: float
    iou: float
    accuracy_per_image: float
    iou_per_image: float
    images: int
    left_out: int
    classes: dict[str, tuple[float, float, int]]


@dataclass
class MaskScores:
    """Scores of masks, gathered image by image.

    Scores of parts of a set add up to those of the whole, exactly: `(a + b).result()`.

    Attributes:
        ignore: The truths' value that counts nowhere; None if all count.
        accuracy: Accuracies so far.
        iou: IoUs so far.
    """

    ignore: int | None = IGNORED
    accuracy: ClassMeans = field(default_factory=ClassMeans)
    iou: ClassMeans = field(default_factory=ClassMeans)

    def add(self, mask: Any, truths: Any, class_: str = "") -> MaskScore:
        """Score the mask of one image, and count it.

        Args:
            mask: (h, w), as for `score_mask`.
            truths: One truth or several, as for `score_mask`.
            class_: The image's class, over which results are averaged.

        Raises:
            ImageError: As for `score_mask`; nothing is counted then.
        """
        score = score_mask(mask, truths, self.ignore)
        self.accuracy.add(score.accuracy, class_)
        self.iou.add(score.iou, class_)
        return score

    def __add__(self, other: MaskScores) -> MaskScores:
        """Return the scores of both together; neither changes."""
        must_agree(self.ignore, other.ignore, "ignored values")
        return MaskScores(self.ignore, self.accuracy + other.accuracy, self.iou + other.iou)

    def result(self) -> MaskResult:
        """Average what was added."""
        classes = {
            name: (mean.value, self.iou.classes[name].value, mean.count + mean.left_out)
            for name, mean in self.accuracy.classes.items()
        }
        return MaskResult(
            self.accuracy.per_class,
            self.iou.per_class,
            self.accuracy.per_image,
            self.iou.per_image,
            sum(images for _, _, images in classes.values()),
            self.iou.left_out,
            classes,
        )


def score_mask(mask: Any, truths: Any, ignore: int | None = IGNORED) -> MaskScore:
    """Score a mask by the truths of its image.

    Args:
        mask: (h, w) of booleans or numbers; what is not 0 is foreground.
        truths: One (h', w') array or a sequence of them, each of its own size if need be; 0 is
            background, `ignore` counts nowhere, anything else is foreground.
        ignore: The truths' value that counts nowhere; None if all count.

    Returns:
        The best accuracy and the best IoU, each over all truths.

    Raises:
        ImageError: There is no truth, or an array is no mask.
    """
    several = _several(truths)
    pairs = [_counted(mask, truth, ignore) for truth in several]
    return MaskScore(
        _best(_accuracy(*pair) for pair in pairs), _best(_iou(*pair) for pair in pairs)
    )


def pixel_accuracy(mask: Any, truth: Any, ignore: int | None = IGNORED) -> float:
    """Return the share of pixels on which a mask and one truth agree, in [0, 1].

    Args:
        mask: (h, w), as for `score_mask`.
        truth: (h', w'), as for `score_mask`.
        ignore: The truth's value that counts nowhere; None if all count.

    Returns:
        The share; NaN if every pixel of the truth is ignored.
    """
    return _accuracy(*_counted(mask, truth, ignore))


def mask_iou(mask: Any, truth: Any, ignore: int | None = IGNORED) -> float:
    """Return the foreground's intersection over union, in [0, 1].

    Args:
        mask: (h, w), as for `score_mask`.
        truth: (h', w'), as for `score_mask`.
        ignore: The truth's value that counts nowhere; None if all count.

    Returns:
        The IoU; NaN if the truth has no foreground pixel.
    """
    return _iou(*_counted(mask, truth, ignore))


def to_size(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize (h, w) values by nearest neighbour, in whole numbers.

    Row i of H' shows row floor((i + 1/2) H / H') of H, and so with columns: the pixel in whose area
    the new pixel's center lies; on a border the later one.

    Args:
        values: (H, W) of any kind.
        size: (H', W').
    """
    if values.shape == size:
        return values
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, values.shape, strict=True)
    )
    resized: NDArray[Any] = values[rows[:, None], columns[None, :]]
    return resized


def as_truth(truth: Any, ignore: int | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split a truth into its foreground and the pixels that count, both (h, w)."""
    array = _plane(truth, "a ground truth")
    counts = np.ones(array.shape, dtype=bool) if ignore is None else array != ignore
    return (array != 0) & counts, counts


def must_agree(one: object, other: object, what: str) -> None:
    """Refuse to merge scores that were made under different settings."""
    if one != other:
        raise SettingError(
            f"scores with different {what} ({one} and {other}) cannot be added: score all images "
            "in the same way"
        )


def _counted(
    mask: Any, truth: Any, ignore: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the mask's and the truth's foreground on the pixels that count, each (n,)."""
    foreground, counts = as_truth(truth, ignore)
    size = (foreground.shape[0], foreground.shape[1])
    found = to_size(_plane(mask, "a mask") != 0, size)
    return found[counts], foreground[counts]


def _accuracy(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return int((found == truth).sum()) / truth.size if truth.size else math.nan


def _iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    if not truth.any():
        return math.nan
    return int((found & truth).sum()) / int((found | truth).sum())


def _best(scores: Iterable[float]) -> float:
    """Return the largest score that is defined, NaN if none is."""
    return max((score for score in scores if not math.isnan(score)), default=math.nan)


def _several(truths: Any) -> Sequence[Any]:
    if getattr(truths, "ndim", None) == 2:
        return [truths]
    several = list(truths) if isinstance(truths, list | tuple | np.ndarray) else []
    if not several:
        raise ImageError("a mask is scored by at least one ground truth: give (h, w) arrays")
    return several


def _plane(values: Any, what: str) -> NDArray[Any]:
    """Check that something is a plane of numbers."""
    array = np.asarray(values)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "buif":
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype} is not {what}: give (height, "
            "width) numbers or booleans"
        )
    # Saliencies would pass as foreground nearly everywhere.
    if array.dtype.kind == "f" and not bool((array == np.floor(array)).all()):
        raise ImageError(f"{what} holds fractions or NaN: choose a threshold first")
    return array

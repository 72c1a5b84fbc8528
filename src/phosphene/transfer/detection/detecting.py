"""Detection: every proposed box of a photograph judged and moved, and the best of them kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from phosphene.training.loop import Tick
from phosphene.training.made import in_turn
from phosphene.training.processes import gathered, rank, ranks
from phosphene.transfer.benchmarks.records import Boxed
from phosphene.transfer.detection.boxes import clipped, kept, moved, suppressed
from phosphene.transfer.detection.fast_rcnn import FastRcnn
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.roi_pool import cells_of
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.detection.sizes import pixels_of, resized, scaled_size
from phosphene.transfer.scores.detections import Detections

_AT_ONCE = 500

Floats = NDArray[np.float64]


def detected(
    detector: FastRcnn,
    image: Image.Image,
    proposed: Floats,
    setting: DetectionSetting,
    number: int = 0,
) -> Detections:
    """Detect objects in a photograph.

    Of every class, boxes that score `threshold` or more are moved, and of those that say the same
    the best is kept; then the best `most` of all classes.

    Args:
        detector: In evaluation mode.
        image: The photograph, RGB.
        proposed: (n, 4), boxes; see `proposals`.
        setting: How.
        number: Of the photograph.

    Returns:
        Best first.
    """
    proposed = clipped(proposed, *image.size)
    proposed = proposed[kept(proposed, setting.smallest)]
    if not len(proposed):
        return Detections.together([])
    scores, boxes = judged(detector, image, proposed, setting)
    parts = []
    for class_ in range(detector.classes):
        own = np.flatnonzero(scores[:, class_ + 1] >= setting.threshold)
        own = own[suppressed(boxes[own, class_ + 1], scores[own, class_ + 1], setting.overlap)]
        parts.append(
            Detections(
                np.full(len(own), number, np.int64),
                np.full(len(own), class_, np.int64),
                boxes[own, class_ + 1],
                scores[own, class_ + 1],
            )
        )
    found = Detections.together(parts)
    return found[np.argsort(-found.scores, kind="stable")[: setting.most]]


@torch.no_grad()
def judged(
    detector: FastRcnn, image: Image.Image, proposed: Floats, setting: DetectionSetting
) -> tuple[Floats, Floats]:
    """Judge boxes of a photograph.

    Boxes whose cells are the same are judged once; each is moved from where it was.

    Args:
        detector: In evaluation mode.
        image: The photograph.
        proposed: (n, 4).
        setting: How it is resized.

    Returns:
        (n, classes + 1) probabilities, the ground's first, and (n, classes + 1, 4) boxes, clipped
        to the photograph.
    """
    like = next(detector.parameters())
    factor, _ = scaled_size(image.size, setting.test_scale, setting.test_longest)
    shown = resized(image, setting.test_scale, setting.test_longest).to(like)
    rois = torch.from_numpy(pixels_of(proposed, factor)).float()
    cells = cells_of(
        torch.cat((torch.zeros(len(rois), 1), rois), 1), detector.scale, detector.offset
    )
    unique, back = torch.unique(cells, dim=0, return_inverse=True)
    (maps,) = detector.maps([shown])
    several = [
        detector.judged(detector.pooled(maps, part.to(like.device)))
        for part in unique.split(_AT_ONCE)
    ]
    scores = torch.cat([part.float().softmax(1) for part, _ in several]).cpu()[back]
    moves = torch.cat([part.float() for _, part in several])
    moves = (moves * detector.deviations + detector.means).cpu()[back]
    boxes = moved(proposed, moves.double().numpy())
    return scores.double().numpy(), clipped(boxes, *image.size)


def all_detected(
    detector: FastRcnn,
    test: Boxed,
    boxes: Proposals,
    setting: DetectionSetting,
    loaders: int,
    tick: Tick | None,
) -> Detections:
    """Detect objects in all photographs; every process has a share of them.

    Args:
        detector: The detector; it is in evaluation mode afterwards.
        test: Photographs.
        boxes: Those proposed.
        setting: How.
        loaders: Processes that read photographs.
        tick: Called with how it goes.

    Raises:
        ImageError: A photograph cannot be read.
    """
    detector.eval()
    own = range(rank(), len(test), ranks())
    parts = []
    for done, (index, image) in enumerate(in_turn(len(own), _Reader(test, own), loaders), 1):
        proposed = boxes.of(test.name(index))
        parts.append(detected(detector, image, proposed, setting, index))
        if tick is not None and rank() == 0:
            tick(done, len(own), "detection")
    together = Detections.together([part for held in gathered(parts) for part in held])
    return together[np.argsort(together.photographs, kind="stable")]


class _Reader:
    """Reads a photograph, here or in another process."""

    def __init__(self, photographs: Boxed, numbers: range) -> None:
        self._photographs, self._numbers = photographs, numbers

    def __call__(self, turn: int) -> tuple[int, Any]:
        index = self._numbers[turn]
        return index, self._photographs.image(index)

"""What a labeller is shown: crops of photographs, pixels in them, and their classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError
from phosphene.transfer.benchmarks.records import UNKNOWN, Labelled


class Example(NamedTuple):
    """A crop, or a batch of them.

    Attributes:
        image: (3, s, s) RGB in [0, 1].
        points: (n, 2) pixels of it as (x, y), whole numbers; (0, 2) for all of them.
        labels: (n,) int64 their classes, `UNKNOWN` where they do not count; (s, s) for all.
    """

    image: Tensor
    points: Tensor
    labels: Tensor


def fill_of(preprocessing: Preprocessing) -> tuple[float, float, float]:
    """Return the color, RGB in [0, 1], that a network sees as zeros: its mean.

    Raises:
        ImageError: The network does not take photographs.
    """
    if preprocessing.channels is None:
        raise ImageError(
            "a network that takes no photographs (its input is no RGB or gray image) cannot be "
            "taught the classes of pixels: give one that does"
        )
    zeros = torch.zeros(1, preprocessing.channels, 1, 1)
    r, g, b = preprocessing.denormalize(zeros).expand(1, 3, 1, 1).flatten().tolist()
    return r, g, b


def labels_of(data: Labelled, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a photograph's labels, (h, w), and check them.

    Raises:
        ImageError: They are of another size, or of classes that are not there.
    """
    labels = data.labels(index)
    if labels.shape != size:
        raise ImageError(
            f"{data.name(index)} is {size[0]}x{size[1]} px and its labels are "
            f"{'x'.join(map(str, labels.shape))}: give labels of the photograph's own size"
        )
    wrong = labels[(labels > len(data.classes)) & (labels != UNKNOWN)]
    if wrong.size:
        raise ImageError(
            f"labels of {data.name(index)} have the value {wrong[0]}: 0 is the ground, 1 to "
            f"{len(data.classes)} are classes, {UNKNOWN} is unknown"
        )
    return labels


def canvas_of(
    pixels: NDArray[np.uint8], least: int, fill: tuple[float, float, float]
) -> tuple[Tensor, tuple[int, int]]:
    """Put a photograph, (h, w, 3), in the middle of a canvas that is `least` high and wide.

    Returns:
        (3, h', w') RGB in [0, 1], and where the photograph begins on it, (y, x).
    """
    h, w = pixels.shape[:2]
    tall, wide = max(h, least), max(w, least)
    top, left = (tall - h) // 2, (wide - w) // 2
    canvas = torch.tensor(fill)[:, None, None].repeat(1, tall, wide)
    canvas[:, top : top + h, left : left + w] = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    return canvas, (top, left)


@dataclass(frozen=True, eq=False)
class Cropped:
    """Makes examples of photographs, for `training.made.Made`; it may be sent to other processes.

    A photograph that is smaller than a crop is put in the middle of a larger canvas first, as in
    Larsson's code. There the canvas is black, and of class 0, the ground; here it has the network's
    mean color, and is unknown. Crops lie anywhere in the canvas; sizes are not changed.

    Attributes:
        data: The photographs.
        indices: Which of them.
        side: Of crops.
        points: How many pixels of each; `None` for all.
        buffer: Pixels from a crop's border within which none is looked at.
        mirror: Whether half of the crops are mirrored.
        fill: Color of the canvas, RGB in [0, 1].
    """

    data: Labelled
    indices: tuple[int, ...]
    side: int
    points: int | None
    buffer: int
    mirror: bool
    fill: tuple[float, float, float]

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.indices)

    def __call__(self, number: int, rng: np.random.Generator) -> Example:
        """Make one of the `number`-th photograph."""
        index = self.indices[number]
        pixels = np.array(self.data.image(index))
        labels = labels_of(self.data, index, pixels.shape[:2])
        image, (top, left) = canvas_of(pixels, self.side, self.fill)
        known = torch.full(image.shape[1:], UNKNOWN, dtype=torch.int64)
        h, w = labels.shape
        known[top : top + h, left : left + w] = torch.from_numpy(labels.astype(np.int64))
        y = int(rng.integers(image.shape[1] - self.side + 1))
        x = int(rng.integers(image.shape[2] - self.side + 1))
        image = image[:, y : y + self.side, x : x + self.side]
        known = known[y : y + self.side, x : x + self.side]
        if self.mirror and rng.random() < 0.5:
            image, known = image.flip(2), known.flip(1)
        if self.points is None:
            return Example(image.contiguous(), torch.zeros(0, 2), known.contiguous())
        at = self._drawn(known.numpy(), rng)
        across, down = at.unbind(1)
        return Example(image.contiguous(), at.float(), known[down, across])

    def still(self, number: int) -> Example:
        """Make the one of a photograph that is measured, always the same."""
        return self(number, np.random.default_rng([self.indices[number]]))

    def _drawn(self, known: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Draw pixels, those whose class is known first: (n, 2) int64."""
        assert self.points is not None
        inside = self.side - 2 * self.buffer
        part = known[self.buffer : self.buffer + inside, self.buffer : self.buffer + inside]
        # The smallest of random numbers; those that are unknown have 1 more.
        drawn = rng.random(inside**2) + (part.ravel() == UNKNOWN)
        chosen = np.sort(np.argpartition(drawn, self.points - 1)[: self.points])
        y, x = np.divmod(chosen, inside)
        return torch.from_numpy(np.stack((x, y), 1) + self.buffer)

"""Augmentation of a frame and its flow together.

Everything that is drawn is drawn first (`View`), then applied, so that a drawn change can be looked
at, repeated, and applied to the later frame or to a mask as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from phosphene.errors import FlowError, SettingError, nearest
from phosphene.motion.dataset.color import recolored
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.dataset.resampling import Window
from phosphene.motion.dataset.sample import Sample
from phosphene.motion.pair import Pair


@dataclass(frozen=True)
class View:
    """How one pair is changed.

    Attributes:
        window: What of the frame is shown, and how large.
        brightness: What is added to colours in [0, 1].
        contrast: By what they are multiplied about the mean of each channel.
        hue: By how much of a turn the hue is shifted.
    """

    window: Window
    brightness: float = 0
    contrast: float = 1
    hue: float = 0


@dataclass(frozen=True)
class Augmentation:
    """What may be changed of a pair, at random; the thesis's choice (sections 3.3.2, 4.4.1).

    A frame is resized so that its shorter side is `scale` times the crop's, its proportions kept;
    a frame smaller than the crop is thus enlarged. Then a square is cropped, flipped or not, and
    its colours are changed. Section 3.3.2 does not give a range for the scale; it is that of
    section 4.4.1. All numbers are uniform in their ranges.

    Interpolated flow belongs, at the edges of things, to neither side. Where that matters (exact
    flow of small frames) `scale=None` cuts crops out of the frames as they are, along pixels.

    Attributes:
        size: Side of the crop, pixels.
        scale: Lowest and highest ratio of the resized frame's shorter side to the crop's; `None`
            for no resizing.
        flip: Whether left and right change places in half of all cases.
        hue: Largest shift, of a turn.
        contrast: Lowest and highest factor.
        brightness: Largest change, of colours in [0, 1].
        centred: Whether the crop is the middle of the frame rather than anywhere.

    Raises:
        SettingError: A number cannot be.
    """

    size: int = 224
    scale: tuple[float, float] | None = (1.01, 1.5)
    flip: bool = True
    hue: float = 0.1
    contrast: tuple[float, float] = (0.2, 1.8)
    brightness: float = 0.12
    centred: bool = False

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SettingError(f"a crop of {self.size} pixels holds nothing: give 1 or more")
        if self.scale and not 1 <= self.scale[0] <= self.scale[1] < np.inf:
            raise SettingError(
                f"scales from {self.scale[0]} to {self.scale[1]} cannot be: the frame must hold "
                "the crop, so that both are 1 or more, the lower first"
            )
        if not 0 <= self.contrast[0] <= self.contrast[1] < np.inf:
            raise SettingError(
                f"contrasts from {self.contrast[0]} to {self.contrast[1]} cannot be: give two "
                "factors from 0 on, the lower first"
            )
        for name in ("hue", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is {getattr(self, name)}: give 0 to 1")

    @classmethod
    def preset(cls, name: str, size: int = 224) -> Augmentation:
        """Return what goes by a name.

        Args:
            name: "cross-pixel" (chapter 3), "yfcc" (chapter 4; the same), "sintel" (chapter 4: no
                change of colour), "cut" (flips, and crops that are not resized), or "validation"
                (the middle of the frame; nothing at random).
            size: Side of the crop.

        Raises:
            SettingError: There is none of that name.

        >>> Augmentation.preset("sintel", 128).hue
        0
        """
        if name not in PRESETS:
            hint = nearest(name, PRESETS) or f": take one of {', '.join(PRESETS)}"
            raise SettingError(f"there is no augmentation {name!r}{hint}")
        return replace(PRESETS[name], size=size)

    def still(self) -> Augmentation:
        """Return what is validated with: the middle of the frame, and nothing at random."""
        scale = None if self.scale is None else PRESETS["validation"].scale
        return replace(PRESETS["validation"], size=self.size, scale=scale)

    def draw(self, frame: tuple[int, int], rng: np.random.Generator) -> View:
        """Draw how a frame is changed.

        Args:
            frame: (h, w) of the frame, pixels.
            rng: Of which seven numbers are taken, whatever is switched off.

        Raises:
            FlowError: The frame does not hold the crop, and is not to be resized.
        """
        scale, across, down, flip, brightness, contrast, hue = rng.random(7)
        if self.centred:
            across = down = 0.5
        window = self._window(frame, float(scale), float(across), float(down))
        window = replace(window, flipped=self.flip and bool(flip < 0.5))
        return View(
            window,
            _between((-self.brightness, self.brightness), brightness),
            _between(self.contrast, contrast),
            _between((-self.hue, self.hue), hue),
        )

    def _window(self, frame: tuple[int, int], scale: float, across: float, down: float) -> Window:
        height, width = frame
        if self.scale is not None:
            side = min(height, width) / _between(self.scale, scale)
            return Window(across * (width - side), down * (height - side), side, self.size)
        if min(frame) < self.size:
            raise FlowError(
                f"a frame of {width}x{height} pixels does not hold a crop of {self.size}: give a "
                'smaller size, or an augmentation that resizes ("sintel")'
            )
        # Every offset from 0 to what is over is as likely as any other.
        left, top = (
            min(int(where * (over + 1)), over)
            for where, over in ((across, width - self.size), (down, height - self.size))
        )
        return Window(left, top, self.size, self.size)


PRESETS = {
    "cross-pixel": Augmentation(),
    "yfcc": Augmentation(),
    "sintel": Augmentation(hue=0, contrast=(1, 1), brightness=0),
    "cut": Augmentation(scale=None, hue=0, contrast=(1, 1), brightness=0),
    "validation": Augmentation(
        scale=(1, 1), flip=False, hue=0, contrast=(1, 1), brightness=0, centred=True
    ),
}


def augment(
    pair: Pair,
    rng: np.random.Generator,
    augmentation: Augmentation = PRESETS["cross-pixel"],
    labels: Labels | None = None,
    index: int = 0,
) -> Sample:
    """Change a frame and its flow at random, together.

    Args:
        pair: Frame and flow, of any size.
        rng: Where random numbers come from.
        augmentation: What may be changed.
        labels: (h, w), whose every pixel is.
        index: Number of the pair, for the sample.

    >>> from phosphene.motion.flow import Flow
    >>> pair = Pair(np.zeros((60, 90, 3), np.uint8), Flow.of(np.ones((60, 90, 2))))
    >>> sample = augment(pair, np.random.default_rng(0), Augmentation(size=32))
    >>> sample.image.shape, sample.flow.shape
    (torch.Size([3, 32, 32]), torch.Size([2, 32, 32]))
    """
    return seen(pair, augmentation.draw(pair.flow.size, rng), labels, index)


def seen(pair: Pair, view: View, labels: Labels | None = None, index: int = 0) -> Sample:
    """Change a frame and its flow as was drawn."""
    window = view.window
    flow = window.flow(pair.flow)
    colors = recolored(window.image(pair.first), view.brightness, view.contrast, view.hue)
    return Sample.of(
        colors, flow, pair.name, index, None if labels is None else window.labels(labels)
    )


def _between(ends: tuple[float, float], where: float) -> float:
    return float(ends[0] + (ends[1] - ends[0]) * where)

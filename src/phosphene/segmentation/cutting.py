"""Cutting an object out of a photograph, given a map of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image
from torch import Tensor

from phosphene.core.preprocessing import Frame
from phosphene.errors import ImageError, SettingError
from phosphene.image import as_photograph, name_of
from phosphene.provenance import versions
from phosphene.segmentation.grab_cut import grab_cut
from phosphene.segmentation.graph_cut import graph_cut
from phosphene.segmentation.maps import Map, pixels_of, smoothed
from phosphene.segmentation.region import (
    Mask,
    largest_component,
    on_photograph,
    tight_box,
    without_holes,
)
from phosphene.segmentation.result import Segmentation
from phosphene.segmentation.trimap import ZERO, Trimap, trimap

Engine = Literal["graph-cut", "grab-cut", "threshold"]


@dataclass(frozen=True)
class Cutting:
    """How a map becomes a mask.

    Attributes:
        engine: `"graph-cut"`, the papers' single cut; `"grab-cut"`, OpenCV's, which learns the
            colours again after each cut; `"threshold"`, the pixels of the map from the quantile
            `threshold` on, without any colours.
        high: From which quantile of the map on a pixel is object.
        low: Up to which quantile it is background.
        smoothing: Standard deviation of a Gaussian that the map is smoothed with first, as a share
            of its shorter side; 0 for none.
        threshold: The quantile for `"threshold"`.
        fill: Whether what the object encloses belongs to it: low parts of the map that higher ones
            enclose are then unknown instead of background, and holes of the mask are filled. Maps
            are high on edges and low on what is plain, inside of objects, too.
        fixed: Whether the extreme half percents of the map are beyond the cut's reach.
    """

    engine: Engine = "graph-cut"
    high: float = 0.95
    low: float = 0.30
    smoothing: float = 0.0
    threshold: float = 0.80
    fill: bool = False
    fixed: bool = True

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            known = ", ".join(get_args(Engine))
            raise SettingError(f"{self.engine!r} cuts nothing; choose one of {known}")
        if not 0 <= self.low < self.high < 1 or not 0 < self.threshold < 1:
            raise SettingError(
                f"the quantiles low {self.low:g}, high {self.high:g} and threshold "
                f"{self.threshold:g} divide no map: give 0 <= low < high < 1, and a threshold "
                "between 0 and 1"
            )
        if not 0 <= self.smoothing < 1:
            raise SettingError(
                f"smoothing of {self.smoothing:g} was asked for; it is a share of the map's "
                "shorter side, from 0 to below 1"
            )

    def cut(self, image: Map, values: Map) -> tuple[Mask, Trimap]:
        """Cut the largest object out of an image.

        Args:
            image: (h, w, 3) RGB in [0, 1].
            values: (h, w) map; NaN where nothing is known.

        Returns:
            (h, w), True for object, and the trimap it was cut by.
        """
        known = trimap(values, self.high, self.low, fixed=self.fixed, enclosed=not self.fill)
        match self.engine:
            case "graph-cut":
                mask = graph_cut(image, known)
            case "grab-cut":
                mask = grab_cut(image, known)
            case "threshold":
                mask = trimap(values, self.threshold, 0).foreground
        mask = largest_component(mask)
        return (without_holes(mask) if self.fill else mask), known


def cut_out(
    photograph: Image.Image,
    values: Map,
    cutting: Cutting,
    *,
    facts: Mapping[str, str],
    warnings: tuple[str, ...] = (),
    advice: str = "",
    image: Map | None = None,
    **about: Any,
) -> Segmentation:
    """Cut the object of a map out of a photograph.

    Args:
        photograph: RGB, (H, W) pixels.
        values: (h, w) map over the whole of it, in any size.
        cutting: How.
        facts: What was done before.
        warnings: What there is to say about that.
        advice: What to try where the map is zero everywhere.
        image: (h, w, 3) the photograph in the map's size, where it is at hand.
        about: Attributes of the `Segmentation`.
    """
    height, width = values.shape
    if image is None:
        image = pixels_of(photograph.resize((width, height), Image.Resampling.BICUBIC))
    values = smoothed(
        np.ascontiguousarray(values, np.float32), cutting.smoothing * min(height, width)
    )
    mask, known = cutting.cut(image, values)
    frame = Frame((photograph.height, photograph.width), (height, width), (0, 0, height, width))
    mask = on_photograph(mask, frame)
    box = tight_box(mask)
    if box is None:
        why = known.empty or "what was cut out is smaller than a pixel of the photograph"
        if advice and known.empty == ZERO:
            why = f"{why}: {advice}"
        what = str(about.get("label") or "").split(",")[0]
        of = f" for {what!r}" if what else ""
        warnings = (*warnings, f"{about.get('name', 'image')}: there is no object{of}; {why}")
    quantiles = f"object from {cutting.high:.4g} on, background up to {cutting.low:.4g}"
    if cutting.engine == "threshold":
        quantiles = f"from {cutting.threshold:.4g} on"
    facts = {
        **facts,
        "engine": cutting.engine,
        "quantiles": quantiles,
        "smoothing": f"{cutting.smoothing:g} of the shorter side" if cutting.smoothing else "none",
        "size of the cut": f"{width}x{height}",
        **versions(),
    }
    return Segmentation(
        photograph,
        mask,
        box,
        values,
        known,
        cutting.engine,
        facts=facts,
        warnings=warnings,
        **about,
    )


def segment_map(photo: Any, values: Any, cutting: Cutting | None = None) -> Segmentation:
    """Cut an object out of a photograph by any map of it, such as `baseline.gaussian_blob`.

    Args:
        photo: A file, PIL image or array.
        values: (h, w) array or tensor, non-negative, over the whole photograph in any size; NaN
            where nothing is known. The cut is made in this size.
        cutting: How; the papers' graph cut if `None`.

    Raises:
        ImageError: It is no photograph, or no map.
        SettingError: The engine needs a package that is not installed.
    """
    photograph = as_photograph(photo)
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, np.float32)
    if array.ndim != 2 or not array.size:
        raise ImageError(f"a map of shape {array.shape} was given: (height, width) is needed")
    return cut_out(photograph, array, cutting or Cutting(), facts={}, name=name_of(photo))

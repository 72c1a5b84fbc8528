"""The maps that objects are cut out by: those of three reversed networks, and two blobs.

| method | map | paper's name |
|---|---|---|
| `saliency` | derivative of the class score | SaliNet |
| `guided` | guided backpropagation | DeSaliNet |
| `deconvnet` | deconvolution | DeConvNet |
| `corners` | a Gaussian in the middle, less quarters of it in the corners | baseline (the code's) |
| `blob` | a Gaussian in the middle | baseline (the paper's) |

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, get_args

from PIL import Image, ImageDraw
from torch import Tensor

from phosphene.core.network import Network
from phosphene.image import as_photograph, to_image
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.segmentation.cutting import Cutting, Engine, cut_out
from phosphene.segmentation.maps import pixels_of
from phosphene.segmentation.result import Segmentation
from phosphene.segmentation.views import Start, View, high_of, resized_to, rule_of, views

RULES = {"saliency": "SaliNet", "guided": "DeSaliNet", "deconvnet": "DeConvNet"}
BLOBS = {"corners": "Gaussian, corners", "blob": "Gaussian"}
METHODS = {**RULES, **BLOBS}
"""Titles of the methods."""
_BLOB_HIGH = 0.90


@dataclass(frozen=True)
class Constants:
    """What is chosen between a photograph and a mask; the papers' by default.

    Attributes:
        high: From which quantile on a pixel is object; 0.95 for the derivative and 0.90 for the
            others if `None`.
        low: Up to which quantile it is background.
        threshold: From which quantile on it is object where there is no cut.
        shorter_side: Of the photograph that is shown, pixels; the network's usual one if `None`.
        seed: Where the signal starts.
        smoothing: Of the map, as a share of its shorter side.
    """

    high: float | None = None
    low: float = 0.30
    threshold: float = 0.80
    shorter_side: int | None = None
    seed: Start = "positive"
    smoothing: float = 0.0

    def cutting(self, method: str, engine: Engine) -> Cutting:
        """Say how the map of a method becomes a mask."""
        if method in RULES:
            high = high_of(rule_of(method), self.high)
        else:
            high = _BLOB_HIGH if self.high is None else self.high
        if method in RULES:
            return Cutting(engine, high, self.low, self.smoothing, self.threshold)
        # A blob is smooth; and less than a fifth of it may be above the plain it stands on, so that
        # its 80 % quantile is that plain, and all of it object.
        return Cutting(engine, high, self.low, 0.0, max(self.threshold, _BLOB_HIGH))

    def facts(self) -> dict[str, str]:
        """Say them."""
        usual = {"high": "0.95 of SaliNet, 0.90 of all others", "shorter_side": "the network's"}
        return {
            name.replace("_", " "): usual[name] if value is None else str(value)
            for name, value in asdict(self).items()
        }


def engines() -> tuple[Engine, ...]:
    """List the engines there are: OpenCV's may not be installed."""
    known: tuple[Engine, ...] = get_args(Engine)
    return tuple(e for e in known if e != "grab-cut" or find_spec("cv2") is not None)


def seen_by(
    net: Network,
    photo: Any,
    method: str,
    constants: Constants,
    classes: Sequence[int] | None = None,
    top: int = 1,
) -> list[View]:
    """Find where a method sees classes on a photograph.

    Args:
        net: The network.
        photo: As in a `Plan`.
        method: One of `METHODS`.
        constants: Its size and seed.
        classes: Which; the likeliest if `None`. A blob sees the same whatever the class.
        top: How many of these.

    Returns:
        A view for each class; of a blob one, of class -1.
    """
    if method in RULES:
        side, seed = constants.shorter_side, constants.seed
        rule = rule_of(method)
        return views(net, photo, rule, classes, top=top, shorter_side=side, seed=seed)
    sized, _ = resized_to(net, constants.shorter_side)
    image, _ = sized.prepare(photo, whole=True)
    shown = to_image(image[0])
    photograph = shown if isinstance(photo, Tensor) else as_photograph(photo)
    values = gaussian_blob((shown.height, shown.width), corners=method == "corners")
    nan = float("nan")
    facts = {"rule": METHODS[method]}
    return [View(photograph, pixels_of(shown), values, -1, nan, nan, "", facts)]


def cut(net: Network, view: View, cutting: Cutting) -> Segmentation:
    """Cut the object of a view out, which may be a blob's."""
    if view.channel >= 0:
        return view.cut(net, cutting)
    return cut_out(view.photograph, view.map, cutting, facts=view.facts, image=view.image)


def outlined(
    photograph: Image.Image, boxes: Sequence[tuple[float, float, float, float]]
) -> Image.Image:
    """Draw the true boxes, x0, y0, x1, y1 with the first pixels outside last, in green."""
    drawn = photograph.copy()
    pen = ImageDraw.Draw(drawn)
    for x0, y0, x1, y1 in boxes:
        edge = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        pen.rectangle(edge, outline=(0, 255, 0), width=max(1, photograph.width // 150))
    return drawn

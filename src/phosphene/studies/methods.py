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
from functools import cached_property
from importlib.util import find_spec
from typing import Any, get_args

from PIL import Image, ImageDraw
from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import SettingError, nearest
from phosphene.image import as_photograph, to_image
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.segmentation.cutting import Cutting, Engine, cut_out
from phosphene.segmentation.maps import pixels_of
from phosphene.segmentation.result import Segmentation
from phosphene.segmentation.start import check_start
from phosphene.segmentation.views import Look, Start, View, high_of, look, resized_to, rule_of

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
        fill: Whether holes of the object are filled; see `Cutting`.
    """

    high: float | None = None
    low: float = 0.30
    threshold: float = 0.80
    shorter_side: int | None = None
    seed: Start = "positive"
    smoothing: float = 0.0
    fill: bool = False

    def cutting(self, method: str, engine: Engine) -> Cutting:
        """Say how the map of a method becomes a mask."""
        if method in RULES:
            high = high_of(rule_of(method), self.high)
        else:
            high = _BLOB_HIGH if self.high is None else self.high
        if method in RULES:
            return Cutting(engine, high, self.low, self.smoothing, self.threshold, self.fill)
        # A blob is smooth; and less than a fifth of it may be above the plain it stands on, so that
        # its 80 % quantile is that plain, and all of it object.
        threshold = max(self.threshold, _BLOB_HIGH)
        return Cutting(engine, high, self.low, 0.0, threshold, self.fill)

    def facts(self) -> dict[str, str]:
        """Say them."""
        usual = {"high": "0.95 of SaliNet, 0.90 of all others", "shorter_side": "the network's"}
        return {
            name.replace("_", " "): usual[name] if value is None else str(value)
            for name, value in asdict(self).items()
        }


def check(methods: Sequence[str], cutters: Sequence[Engine], constants: Constants) -> None:
    """Make sure that all is there and makes sense together, before anything is computed.

    Raises:
        SettingError: There is no such method or engine, none is asked for, or a constant cannot be.
    """
    for method in methods:
        if method not in METHODS:
            offer = nearest(method, METHODS) or f"; choose of {', '.join(METHODS)}"
            raise SettingError(f"there is no method {method!r}{offer}")
    if not methods or not cutters:
        raise SettingError("no method or no engine is left: ask for one of each at least")
    check_start(constants.seed)
    for method in methods:
        for engine in cutters:
            constants.cutting(method, engine)


def engines() -> tuple[Engine, ...]:
    """List the engines there are: OpenCV's may not be installed."""
    known: tuple[Engine, ...] = get_args(Engine)
    return tuple(e for e in known if e != "grab-cut" or find_spec("cv2") is not None)


class Shown:
    """A photograph as it is shown to the network, which runs once for all methods, or never."""

    def __init__(self, net: Network, photo: Any, constants: Constants) -> None:
        """Run nothing yet.

        Args:
            net: The network.
            photo: As in a `Plan`.
            constants: Its size and seed.
        """
        self._net = net
        self._photo = photo
        self._constants = constants

    @cached_property
    def _look(self) -> Look:
        return look(self._net, self._photo, self._constants.shorter_side)

    def likeliest(self, top: int) -> list[int]:
        """Return the likeliest classes."""
        return self._look.likeliest(top)

    def seen_by(self, method: str, classes: Sequence[int] | None = None) -> list[View]:
        """Find where a method sees classes.

        Args:
            method: One of `METHODS`.
            classes: Which; the likeliest if `None`. A blob sees the same whatever the class.

        Returns:
            A view for each class; of a blob one, of class -1.
        """
        if method in RULES:
            return self._look.views(rule_of(method), classes, seed=self._constants.seed)
        sized, _ = resized_to(self._net, self._constants.shorter_side)
        image, _ = sized.prepare(self._photo, whole=True)
        shown = to_image(image[0])
        photograph = shown if isinstance(self._photo, Tensor) else as_photograph(self._photo)
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

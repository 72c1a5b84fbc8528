"""Cutting out what a classifier sees.

A classifier was told what is in a photograph, never where. But what it looks at is where: the
signal of its class, sent back to the pixels, is high on the object (`views`), and a cut by colour
makes a mask of it (`cutting`).

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5, with the constants of the authors' code;
Simonyan et al. 2014, section 3.2.
"""

from __future__ import annotations

from typing import Any

from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.segmentation.cutting import Cutting, Engine
from phosphene.segmentation.result import Segmentation
from phosphene.segmentation.views import Start, high_of, rule_of, views


def segment(
    net: Network,
    photo: Any,
    class_: str | int | None = None,
    rule: str | Reversal = "saliency",
    *,
    engine: Engine = "graph-cut",
    high: float | None = None,
    low: float = 0.30,
    shorter_side: int | None = None,
    seed: Start = "positive",
    smoothing: float = 0.0,
    threshold: float = 0.80,
    fill: bool = False,
) -> Segmentation:
    """Cut the object of a class out of a photograph.

    What is not said is the paper's. On drawn scenes, whose masks are known exactly, guided
    backpropagation with `low=0.5, smoothing=0.04, fill=True` does best (`bench/segmentation.py`).

    Args:
        net: The network.
        photo: A file, PIL image or array of any size; or a tensor (3, h, w) in [0, 1], which is
            taken as it is.
        class_: Name or index; the likeliest class, as said above, if `None`.
        rule: Which reversed network, as for `explain`. By their names the three are taken with the
            LRN of the authors' code: its derivative, but for DeConvNet.
        engine: What does the cut; see `Cutting`.
        high: From which quantile of the map on a pixel is object; if `None` the paper's, 0.95 for
            the derivative and 0.90 for all others.
        low: Up to which quantile it is background.
        shorter_side: Of the photograph that the network is shown and that is cut, pixels; `None`
            is `usual_side(net)`.
        seed: Where the signal starts: all positive positions of the class, its strongest one, or
            `"everywhere"`.
        smoothing: See `Cutting`.
        threshold: See `Cutting`.
        fill: See `Cutting`.

    Returns:
        Mask and box on the photograph. Where the map says nothing there is no object, and a
        warning says why.

    Raises:
        ImageError, UnknownClass, UnknownRule, NothingToReverse, NotFinite: As for `explain`.
        SettingError: A constant that cannot be, or a package that is not installed.
    """
    chosen = rule_of(rule)
    cutting = Cutting(engine, high_of(chosen, high), low, smoothing, threshold, fill)
    indices = [net.class_index(class_)] if class_ is not None else None
    (view,) = views(net, photo, chosen, indices, shorter_side=shorter_side, seed=seed)
    return view.cut(net, cutting)

"""Boxes for the classes a photograph most likely shows.

For each of the five most likely classes an object is cut out, and its box is the guess. That is how
ILSVRC asks for it, and counts a photograph as right if one of five guesses has the right class and
a box that overlaps with a true one by half.

| protocol | classes | maps |
|---|---|---|
| `"fully-convolutional"` | as for `segment` | one pass over the whole photograph |
| `"simonyan"` | most probable over ten crops | mean over the ten crops |

*Reference.* Simonyan et al. 2014, section 3.2: 46.4 % error on ILSVRC-2013 with their own network.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.preprocessing import Frame
from phosphene.core.rules import Reversal
from phosphene.errors import ImageError, SettingError
from phosphene.image import as_photograph, name_of
from phosphene.saliency.ten_crop import ten_crop
from phosphene.segmentation.cutting import Cutting, Engine
from phosphene.segmentation.maps import laid_over, pixels_of
from phosphene.segmentation.result import Localization
from phosphene.segmentation.start import Start, advice_for
from phosphene.segmentation.views import ORDERS, View, high_of, resized_to, rule_of, views

Protocol = Literal["fully-convolutional", "simonyan"]


def localize(
    net: Network,
    photo: Any,
    top: int = 5,
    protocol: Protocol = "fully-convolutional",
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
) -> Localization:
    """Guess where the likeliest classes are on a photograph.

    Args:
        net: The network.
        photo: As for `segment`; for `"simonyan"` a file, PIL image or array.
        top: How many classes.
        protocol: `"fully-convolutional"`, or `"simonyan"` for the pipeline of 2014: ten crops.
        rule: As for `segment`.
        engine: As for `segment`.
        high: As for `segment`.
        low: As for `segment`.
        shorter_side: As for `segment`.
        seed: As for `segment`; ten crops start from all positive positions.
        smoothing: As for `segment`.
        threshold: As for `segment`.
        fill: As for `segment`.

    Returns:
        A mask and a box for each class, the likeliest first: by probability, or by the largest
        score anywhere where the network's answer is a map (`Segmentation.order` says which).

    Raises:
        SettingError: There is no such protocol, or no class is asked for.
        ImageError, UnknownRule, NothingToReverse, NotFinite: As for `segment`.
    """
    if protocol not in get_args(Protocol):
        known = ", ".join(get_args(Protocol))
        raise SettingError(f"{protocol!r} is no protocol; choose one of {known}")
    if top < 1:
        raise SettingError(f"{top} classes were asked for: give 1 at least")
    chosen = rule_of(rule)
    cutting = Cutting(engine, high_of(chosen, high), low, smoothing, threshold, fill)
    if protocol == "simonyan":
        found = _ten_crops(net, photo, chosen, top, shorter_side)
    else:
        found = views(net, photo, chosen, top=top, shorter_side=shorter_side, seed=seed)
    guesses = tuple(view.cut(net, cutting) for view in found)
    facts = {**guesses[0].facts, "protocol": protocol, "classes": str(len(guesses))}
    facts.pop("class", None)
    return Localization(found[0].photograph, guesses, found[0].name, facts)


def _ten_crops(
    net: Network, photo: Any, rule: Reversal, top: int, shorter_side: int | None
) -> list[View]:
    """Find where the classes most probable over ten crops are seen, by the mean of their maps."""
    if isinstance(photo, Tensor):
        raise ImageError("ten crops are taken of photographs: give a file, PIL image or array")
    photograph = as_photograph(photo)
    sized, side = resized_to(net, shorter_side)
    # Without names the classes are called by their numbers, which no two of them share.
    sized.labels = ()
    first = ten_crop(sized, photograph, None, rule, top)
    likely = [(int(number), probability) for number, probability in first.top[0]]
    image, frame = sized.preprocessing.fit(photograph, whole=True)
    canvas = pixels_of(image)
    size = (image.height, image.width)
    whole = Frame(frame.photograph, frame.photograph, (0, 0, *frame.photograph))
    name = name_of(photo)
    found = []
    for index, probability in likely:
        seen = (
            first
            if index == int(first[0].channel[0])
            else ten_crop(sized, photograph, index, rule, 1)
        )
        found.append(
            View(
                photograph,
                canvas,
                laid_over(seen[0].map[0, 0], whole, size),
                index,
                float(seen[0].score[0]),
                probability,
                name,
                {
                    "network": net.name,
                    "preprocessing": str(net.preprocessing),
                    "crops": seen.facts["crops"],
                    "shown": f"ten crops of {side} px on the shorter side",
                    "rule": str(rule),
                    "layers reversed": f"{rule.relu}/{rule.pool}/{rule.lrn}",
                    "classes in order of": ORDERS["probability"],
                    "class": f"{index} ({net.label(index)})",
                },
                advice=advice_for(rule, None),
            )
        )
    return found

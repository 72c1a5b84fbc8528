"""Class saliency over ten crops, put back on the photograph.

The ten sub-images are the four corners and the centre of the photograph's central square, and
their mirror images (Krizhevsky et al. 2012). The class is the one most probable on average; each
crop's map is turned back if it was mirrored, and every pixel of the photograph takes the mean of
the maps that cover it.

*Reference.* Simonyan et al. 2014, section 3.1: "we computed 10 saliency maps on the 10 sub-images,
and then averaged them". Where they are put is not said; the authors' later code keeps the maps on
the central square of the photograph resized to 256 on its shorter side, as here. Outside it the
map is unknown (NaN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from phosphene.core.attention import attention_map, parse_rule
from phosphene.core.finite import check_finite
from phosphene.core.labels import most_probable
from phosphene.core.network import Network
from phosphene.core.preprocessing import Frame
from phosphene.core.reversal import backward
from phosphene.core.rules import SALIENCY, Reversal
from phosphene.core.seed import as_maps
from phosphene.core.unit import Unit
from phosphene.errors import ImageError
from phosphene.image import as_photograph, name_of, to_tensor
from phosphene.provenance import versions
from phosphene.saliency.attention import end_of, field_at, on_image
from phosphene.saliency.explain import AnyRule, listed, of_image
from phosphene.saliency.result import Explanation, Saliency


def ten_crop(
    net: Network,
    photo: Any,
    class_: str | int | None = None,
    rules: AnyRule | Sequence[AnyRule] | None = None,
    top: int = 5,
) -> Explanation:
    """Show which pixels of a photograph speak for a class, averaged over ten crops.

    Args:
        net: The network.
        photo: A file, PIL image or array of any size.
        class_: Name or index; the most probable class of the ten crops together if `None`.
        rules: Which reversed networks, or rules of attention, as for `explain`; `None` is saliency,
            as in the paper.
        top: How many classes to name in the result.

    Returns:
        One `Saliency` per rule in the frame of the whole photograph: `image` is the photograph,
        (1, 3, h, w); `signal` and `map` are NaN outside the central square. Crops share no places
        of an inner layer: attention that is read at one is brought to the pixels of each crop, and
        `signal` is the mean of these maps, as `map` is.

    Raises:
        UnknownClass, UnknownRule, UnknownLayer, ImageError, NothingToReverse: As for `explain`.
    """
    if isinstance(photo, Tensor):
        raise ImageError("ten crops are taken of photographs: give a file, PIL image or array")
    # The way back too: checkpointed layers run again on it, and need their evaluation mode.
    with net.running(gradients=False):
        return _averaged(net, photo, class_, listed(rules or SALIENCY), top)


def _averaged(
    net: Network, photo: Any, class_: str | int | None, rules: list[AnyRule], top: int
) -> Explanation:
    photograph = as_photograph(photo)
    resized, frame = net.prepare(photograph, whole=True)
    boxes = _boxes(frame.resized, net.preprocessing.input_size)
    crops = torch.cat([resized[..., t : t + h, s : s + w] for t, s, h, w in boxes])
    crops = torch.cat([crops, crops.flip(-1)])

    chosen = [parse_rule(rule) for rule in rules]
    size = net.preprocessing.input_size
    ends = [end_of(net, rule, net.scores, size) for rule in chosen]
    inner = [end for end in dict.fromkeys(ends) if end]
    scores, output = net.tapes(crops, [net.scores, net.output], inner)
    fields = {end: field_at(scores, end) for end in inner}  # before the tape is freed
    probabilities = net.head.probabilities(output.activation).mean(0, keepdim=True)
    index = net.class_index(class_) if class_ is not None else int(probabilities.argmax())
    # Where the scores are a map, all positive positions together are the class score: the mean of
    # the rectified map has the derivative that this seed has, up to its scale.
    unit = Unit(index, at="positive")
    seed = unit.plant(scores.activation)
    height, width = as_maps(scores.activation)[0].shape[2:]
    sites = (int(height), int(width))
    cover = _put_back(torch.ones_like(crops[:, :1]), boxes, frame.resized)

    whole = to_tensor(photograph)[None]
    saliencies = []
    for j, (rule, end) in enumerate(zip(chosen, ends, strict=True)):
        signal = backward(scores, seed.p, rule, end, keep=j + 1 < len(chosen))
        check_finite(signal, net.module, scores.x.detach(), net.run)
        if end is not None:
            signal = maps = on_image(attention_map(signal), fields[end], size)
        else:
            signal = of_image(net, signal, rule)
            reverses = isinstance(rule, Reversal)
            maps = signal.abs().amax(1, keepdim=True) if reverses else attention_map(signal)
        maps = _put_back(maps, boxes, frame.resized)
        mean = _put_back(signal, boxes, frame.resized) / cover
        saliencies.append(
            Saliency(
                _to_size(mean, whole.shape[-2:]),
                unit,
                torch.tensor([index]),
                torch.tensor([[-1, -1]]),
                seed.score.mean()[None].detach(),
                rule,
                scores.census,
                end or "",
                sites,
                map=_to_size(maps / cover, whole.shape[-2:]),
            )
        )
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "crops": f"10 of {net.preprocessing.input_size}, on the central square",
        "class": f"{index} ({net.label(index)})",
        "rules": ", ".join(str(rule) for rule in chosen),
        **versions(),
    }
    size = (int(whole.shape[2]), int(whole.shape[3]))
    return Explanation(
        whole,
        tuple(saliencies),
        (name_of(photo),),
        (Frame(size, size, (0, 0, *size)),),
        net.name,
        scores.layer,
        net.labels,
        most_probable(probabilities, net.labels, top),
        facts,
    )


def _boxes(resized: tuple[int, int], crop: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Place four corners and the centre on the central square of a resized photograph."""
    (height, width), (h, w) = resized, crop
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    down, right = side - h, side - w
    if down < 0 or right < 0:
        raise ImageError(
            f"crops of {h}x{w} do not fit a photograph resized to {height}x{width}: raise resize_to"
        )
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [(top + y, left + x, h, w) for y, x in corners]


def _put_back(
    values: Tensor, boxes: list[tuple[int, int, int, int]], resized: tuple[int, int]
) -> Tensor:
    """Sum (10, c, h, w) values of crops and mirrored crops at their places: (1, c, H, W)."""
    frame = values.new_zeros(1, values.shape[1], *resized)
    half = len(boxes)
    upright = values[:half] + values[half:].flip(-1)
    for value, (top, left, height, width) in zip(upright, boxes, strict=True):
        frame[0, :, top : top + height, left : left + width] += value
    return frame


def _to_size(values: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize (1, c, h, w) values bilinearly, keeping what is unknown unknown."""
    known = ~values.isnan()
    shape = (int(size[0]), int(size[1]))
    if values.shape[-2:] == size:
        return values
    filled = interpolate(values.nan_to_num(), shape, mode="bilinear", align_corners=False)
    weight = interpolate(known.to(values), shape, mode="bilinear", align_corners=False)
    return torch.where(weight > 0, filled / weight, torch.nan)

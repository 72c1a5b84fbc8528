"""Where a network sees a class on a photograph: the map that a cut starts from.

The photograph is brought to 256 pixels on its shorter side and shown as a whole, so that the class
scores are a map. The class is the channel with the largest score anywhere, unless the network
itself makes one answer of the map (by a mean, say), which then holds; the signal starts with 1 at
all positions where that channel is positive, or at its strongest where none is. The map is the
largest magnitude over the colours of each pixel.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5, with the constants of the authors' code.

*Departures from the paper.* 256 pixels are what networks of 224 and 227 are shown; those of other
inputs get as much more than theirs. Networks that take one size alone are shown their own crop. Of
networks that average their scores (SqueezeNet) the largest score anywhere is mostly wrong: it is
what the padding does at the edge.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from PIL import Image
from torch import Tensor

from phosphene.core.finite import check_finite
from phosphene.core.network import Network
from phosphene.core.reversal import backward
from phosphene.core.rules import GUIDED, Reversal
from phosphene.core.seed import Seed, as_maps
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.errors import NetworkError, SettingError
from phosphene.image import as_photograph, name_of, to_image
from phosphene.segmentation.cutting import Cutting, cut_out
from phosphene.segmentation.maps import Map, laid_over
from phosphene.segmentation.result import Segmentation

Start = Literal["positive", "strongest", "everywhere"]


@dataclass(frozen=True, eq=False)
class View:
    """What a network sees of one class on a photograph.

    Attributes:
        photograph: The photograph.
        image: (h, w, 3) RGB in [0, 1], the photograph resized.
        map: (h, w) non-negative; NaN where the network saw nothing.
        channel: The class.
        score: Its largest score.
        probability: Its probability.
        name: What to call the photograph.
        facts: What was done.
        warnings: What there is to say about it.
        advice: What to try where the map is empty.
    """

    photograph: Image.Image
    image: Map
    map: Map
    channel: int
    score: float
    probability: float
    name: str
    facts: dict[str, str]
    warnings: tuple[str, ...] = ()
    advice: str = ""

    def cut(self, net: Network, cutting: Cutting) -> Segmentation:
        """Cut the object out."""
        return cut_out(
            self.photograph,
            self.map,
            cutting,
            facts=self.facts,
            warnings=self.warnings,
            advice=self.advice,
            image=self.image,
            label=net.label(self.channel),
            channel=self.channel,
            score=self.score,
            probability=self.probability,
            name=self.name,
        )


def views(
    net: Network,
    photo: Any,
    rule: Reversal,
    classes: Sequence[int] | None = None,
    *,
    top: int = 1,
    shorter_side: int | None = None,
    seed: Start = "positive",
) -> list[View]:
    """Find where classes are seen on a photograph, in one forward and one backward pass.

    Args:
        net: The network.
        photo: As for `segment`.
        rule: Which reversed network.
        classes: Which classes; if `None` the likeliest.
        top: How many of these.
        shorter_side: As for `segment`.
        seed: As for `segment`.
    """
    if seed not in get_args(Start):
        known = ", ".join(get_args(Start))
        raise SettingError(f"no signal starts at {seed!r}; choose one of {known}")
    sized, _ = resized_to(net, shorter_side)
    image, frame = sized.prepare(photo, whole=True)
    if isinstance(photo, Tensor):
        photograph = to_image(image[0])
    else:
        photograph = as_photograph(photo)
    canvas = image[0].detach().float().cpu().expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    size = canvas.shape[:2]
    name = name_of(photo)
    warnings: tuple[str, ...] = ()
    # The way back too: checkpointed layers run again on it, and need their evaluation mode.
    with net.running(gradients=False):
        cuts = [net.scores, net.output]
        try:
            scores, output = net.tapes(image, cuts)
        except NetworkError as error:
            if type(error) is not NetworkError or isinstance(photo, Tensor):
                raise
            image, frame = net.prepare(photo)
            scores, output = net.tapes(image, cuts)
            shown = "x".join(map(str, net.preprocessing.input_size))
            warnings = (
                f"{name}: {net.name} takes no photograph of {size[0]}x{size[1]} as a whole "
                f"and was shown its own {shown}, outside of which nothing is known",
            )
        maps = as_maps(scores.activation)[0]
        best = maps.flatten(2).amax(2)[0]
        said = as_maps(output.activation)[0].flatten(2)[0]
        # One answer for the whole photograph is the network's own choice; of a map of answers the
        # largest score anywhere is the paper's.
        decisive = said[:, 0] if said.shape[1] == 1 else best
        probabilities = net.head.probabilities(output.activation)[0]
        if classes is None:
            classes = decisive.topk(min(top, len(decisive))).indices.tolist()
        seeds = [_planted(index, scores, seed) for index in classes]
        p = seeds[0].p if len(seeds) == 1 else torch.stack([s.p for s in seeds])
        signal = backward(scores, p, rule, keep=False)
        check_finite(signal, net.module, scores.x.detach(), net.run)
        signal = net.preprocessing.pull_back(signal).flatten(0, -4)
        sites = "x".join(str(int(n)) for n in maps.shape[2:])
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "shown": f"{image.shape[3]}x{image.shape[2]}, class scores at {sites} positions",
        "rule": str(rule),
        "layers reversed": f"{rule.relu}/{rule.pool}/{rule.lrn}",
        "seed": seed,
        "census": str(scores.census),
    }
    return [
        View(
            photograph,
            canvas,
            laid_over(values, frame, (size[0], size[1])),
            index,
            float(best[index]),
            float(probabilities[index]),
            name,
            {**facts, "class": f"{index} ({net.label(index)})"},
            warnings,
            advice_for(rule, seed),
        )
        for index, values in zip(classes, signal.abs().amax(1), strict=True)
    ]


def usual_side(net: Network) -> int:
    """Return the shorter side a photograph is shown at: 256 px for networks of 224 or 227 px.

    For others as much more than their input, to 32 px.
    """
    return max(32, round(min(net.preprocessing.input_size) * 256 / 224 / 32) * 32)


def resized_to(net: Network, shorter_side: int | None) -> tuple[Network, int]:
    """Return the network with another size of photographs, and that size."""
    side = usual_side(net) if shorter_side is None else shorter_side
    if side < 1:
        raise SettingError(f"a photograph cannot be shown at {side} px: give 1 at least")
    net.head  # noqa: B018 - found once, for the network and its copy
    sized = copy.copy(net)
    sized.preprocessing = replace(net.preprocessing, resize="shorter", resize_to=side)
    return sized, side


def rule_of(rule: str | Reversal) -> Reversal:
    """Read a rule; guided backpropagation by name comes with the derivative of LRN."""
    chosen = Reversal.parse(rule)
    if isinstance(rule, str) and replace(chosen, include=()) == GUIDED and "/" not in rule:
        return replace(chosen, lrn="backprop", name=chosen.name)
    return chosen


def high_of(rule: Reversal, high: float | None) -> float:
    """Return the quantile that object begins at: the paper's, unless another is given."""
    if high is not None:
        return high
    return 0.95 if rule.is_derivative else 0.90


def advice_for(rule: Reversal, seed: Start) -> str:
    """Say what to try where nothing came back to the image."""
    if rule.relu in ("rectify", "mask+rectify"):
        # All positions together send back more that is negative than one of them does.
        start = "seed='strongest' or " if seed != "strongest" else ""
        return f"rectifying left nothing of the signal; try {start}rule='saliency'"
    return "no pixel changes the score of this class; ask for another"


def _planted(index: int, tape: Tape, start: Start) -> Seed:
    if start == "everywhere":
        maps, back = as_maps(tape.activation)
        p = torch.zeros_like(maps)
        p[:, index] = 1
        return Unit.given(back(p)).plant(tape.activation)
    return Unit(index, at=start).plant(tape.activation)

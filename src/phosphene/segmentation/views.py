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

One forward pass (`look`) serves every rule and class asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from phosphene.core.finite import check_finite
from phosphene.core.network import Network
from phosphene.core.preprocessing import Frame
from phosphene.core.reversal import backward
from phosphene.core.rules import GUIDED, Reversal
from phosphene.core.seed import as_maps
from phosphene.core.tape import Tape
from phosphene.errors import NetworkError
from phosphene.image import as_photograph, name_of, to_image
from phosphene.segmentation.cutting import Cutting, cut_out
from phosphene.segmentation.maps import Map, laid_over
from phosphene.segmentation.result import Segmentation
from phosphene.segmentation.sizes import resized_to as resized_to
from phosphene.segmentation.sizes import usual_side as usual_side
from phosphene.segmentation.start import Start as Start
from phosphene.segmentation.start import advice_for, check_start, planted

Order = Literal["probability", "score"]
ORDERS: dict[Order, str] = {
    "probability": "probability",
    "score": "their largest score anywhere, the network's answer being a map",
}
"""What ranks classes, in words."""


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
        order: What classes are ranked by.
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
    order: Order = "probability"

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
            order=self.order,
        )


@dataclass(frozen=True, eq=False)
class Look:
    """A network's answer to a photograph, on a tape that serves any number of rules and classes.

    Attributes:
        net: The network.
        photograph: The photograph.
        image: (h, w, 3) RGB in [0, 1], the photograph resized.
        frame: Which part of it the network was shown.
        scores: The tape that ends at the class scores.
        decisive: (classes,) what ranks the classes, the largest first.
        probabilities: (classes,) of the whole answer.
        order: What `decisive` is: `"probability"` where it ranks as probabilities do, or `"score"`
            where the answer is a map.
        name: What to call the photograph.
        facts: What was done.
        warnings: What there is to say about it.
    """

    net: Network
    photograph: Image.Image
    image: Map
    frame: Frame
    scores: Tape
    decisive: Tensor
    probabilities: Tensor
    order: Order
    name: str
    facts: dict[str, str]
    warnings: tuple[str, ...] = ()

    def likeliest(self, top: int) -> list[int]:
        """Return the classes that rank highest, as many as are asked for if there are so many."""
        found: list[int] = self.decisive.topk(min(top, len(self.decisive))).indices.tolist()
        return found

    def views(
        self,
        rule: Reversal,
        classes: Sequence[int] | None = None,
        *,
        top: int = 1,
        seed: Start = "positive",
        keep: bool = True,
    ) -> list[View]:
        """Find where classes are seen, in one backward pass.

        Args:
            rule: Which reversed network.
            classes: Which classes; if `None` the likeliest.
            top: How many of these.
            seed: As for `segment`.
            keep: Keep the tape for further passes.
        """
        check_start(seed)
        net, scores = self.net, self.scores
        classes = self.likeliest(top) if classes is None else classes
        # Checkpointed layers run again on the way back, and need their evaluation mode.
        with net.running(gradients=False):
            seeds = [planted(index, scores, seed) for index in classes]
            p = seeds[0].p if len(seeds) == 1 else torch.stack([s.p for s in seeds])
            signal = backward(scores, p, rule, keep=keep)
            check_finite(signal, net.module, scores.x.detach(), net.run)
            signal = net.preprocessing.pull_back(signal).flatten(0, -4)
            best = as_maps(scores.activation)[0].flatten(2).amax(2)[0]
        facts = {
            **self.facts,
            "rule": str(rule),
            "layers reversed": f"{rule.relu}/{rule.pool}/{rule.lrn}",
            "seed": seed,
            "census": str(scores.census),
        }
        size = (self.image.shape[0], self.image.shape[1])
        return [
            View(
                self.photograph,
                self.image,
                laid_over(values, self.frame, size),
                index,
                float(best[index]),
                float(self.probabilities[index]),
                self.name,
                {**facts, "class": f"{index} ({net.label(index)})"},
                self.warnings,
                advice_for(rule, seed),
                self.order,
            )
            for index, values in zip(classes, signal.abs().amax(1), strict=True)
        ]


def look(net: Network, photo: Any, shorter_side: int | None = None) -> Look:
    """Show a network a photograph as a whole, in one forward pass.

    Args:
        net: The network.
        photo: As for `segment`.
        shorter_side: As for `segment`.
    """
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
        said = as_maps(output.activation)[0].flatten(2)[0]
        # One answer for the whole photograph is the network's own choice; of a map of answers the
        # largest score anywhere is the paper's.
        one = said.shape[1] == 1
        decisive = said[:, 0] if one else maps.flatten(2).amax(2)[0]
        probabilities = net.head.probabilities(output.activation)[0]
        sites = "x".join(str(int(n)) for n in maps.shape[2:])
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "shown": f"{image.shape[3]}x{image.shape[2]}, class scores at {sites} positions",
        "classes in order of": ORDERS["probability" if one else "score"],
    }
    order: Order = "probability" if one else "score"
    return Look(
        net,
        photograph,
        canvas,
        frame,
        scores,
        decisive.detach(),
        probabilities.detach(),
        order,
        name,
        facts,
        warnings,
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
    check_start(seed)
    return look(net, photo, shorter_side).views(rule, classes, top=top, seed=seed, keep=False)


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

r"""Attention: rules that say how much each place counts for a unit, and not which way to change it.

They run on the tape that the reversed networks of `core.rules` run on, from the same seeds.

**Excitation backprop** (Zhang et al., ECCV 2016) sends a probability down. A unit that wins passes
its probability p on to those of its inputs that excite it, in proportion to how much:

    p_j = a_j sum_i w+_ij p_i / (sum_k w+_ik a_k),     w+ = max(w, 0)

(eq. 2 and 3; zero where the sum below is), the marginal winning probability. Biases have no part.
Over a layer where no sum is zero, p is passed on whole. What each node of a tape does is told in
`core.sharing`.

**Contrastive** excitation backprop (section 3.3) subtracts what a dual unit would send, whose
weights are those of the unit negated. Since a given pass is linear in p this is p of the unit less
p of its dual, at any layer below. It is signed; the sum over the channels is cut at zero.

**Grad-CAM** (Selvaraju et al., ICCV 2017) weighs the channels A^k of a layer by the mean over
its n places of the derivative, and cuts the sum at zero:

    max(0, sum_k alpha_k A^k),     alpha_k = (1/n) sum_ij d score / d A^k_ij

All are read at an inner layer, as in the papers; its name stands in the rule (`GradCam("conv5")`,
`"grad-cam@conv5"`), or `explain` chooses one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.rules import Reversal
from phosphene.core.seed import as_maps
from phosphene.errors import UnknownRule, nearest

IMAGE = "image"
"""In place of a layer: the network's input."""


@dataclass(frozen=True)
class Excitation:
    """Excitation backprop.

    Attributes:
        contrastive: Whether what the dual unit sends is subtracted.
        at: Layer to read it at; `"image"` for the pixels; empty for a layer of `explain`'s choice.

    >>> print(Excitation(contrastive=True, at="conv3"))
    contrastive@conv3
    """

    contrastive: bool = False
    at: str = ""

    @property
    def name(self) -> str:
        """What to call it: `excitation` or `contrastive`, and the layer behind an `@`."""
        return _named("contrastive" if self.contrastive else "excitation", self.at)

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(frozen=True)
class GradCam:
    """Grad-CAM.

    Attributes:
        at: Layer whose channels are weighed; empty for a layer of `explain`'s choice.

    >>> print(GradCam())
    grad-cam
    """

    at: str = ""

    def __post_init__(self) -> None:
        if self.at == IMAGE:
            raise UnknownRule(
                "Grad-CAM weighs the channels of a layer, and the image is none: name a layer of "
                "maps, as in 'grad-cam@conv5'"
            )

    @property
    def name(self) -> str:
        """What to call it: `grad-cam`, and the layer behind an `@`."""
        return _named("grad-cam", self.at)

    def __str__(self) -> str:
        """Return the name."""
        return self.name


Attention = Excitation | GradCam
Rule = Reversal | Attention
"""What `backward` and `explain` take."""

EXCITATION = Excitation()
CONTRASTIVE = Excitation(contrastive=True)
GRAD_CAM = GradCam()
_SPELLED = {
    "excitation": "excitation",
    "contrastive": "contrastive",
    "grad-cam": "grad-cam",
    "gradcam": "grad-cam",
}


def parse_rule(text: str | Rule) -> Rule:
    """Read a rule, of attention or of the reversed networks; a rule is returned as it is.

    Args:
        text: `"excitation"`, `"contrastive"` or `"grad-cam"`, alone or with the layer to read them
            at (`"grad-cam@conv5"`, `"excitation@image"`); or as for `Reversal.parse`.

    Raises:
        UnknownRule: The text names no rule.

    >>> parse_rule("excitation@pool2").at
    'pool2'
    >>> parse_rule("guided").relu
    'mask+rectify'
    """
    if not isinstance(text, str):
        return text
    name, _, at = text.strip().partition("@")
    match _SPELLED.get(name.strip().lower()):
        case "grad-cam":
            return GradCam(at)
        case "excitation" | "contrastive" as kind:
            return Excitation(kind == "contrastive", at)
        case _:
            # Layers are named by no reversed network, but by one that is nearly an attention rule.
            if "@" in text or nearest(name.lower(), _SPELLED, 1):
                offer = nearest(name.lower(), _SPELLED) or f" (rules: {', '.join(_SPELLED)})"
                raise UnknownRule(f"there is no rule {text!r} that is read at a layer{offer}")
            return Reversal.parse(text)


def attention_map(signal: Tensor) -> Tensor:
    """Add an attention signal up over its channels, and cut it at zero.

    Args:
        signal: (b, c, h, w), (b, c) or (b, n, d), what `backward` returns.

    Returns:
        (b, 1, h, w), at least zero; zero, too, where the channels cancel up to rounding, as those
        of a unit and its dual do at a place that is alone in exciting both.
    """
    maps = as_maps(signal)[0]
    total, magnitude = maps.sum(1, keepdim=True), maps.abs().sum(1, keepdim=True)
    rounding = min(0.1, 1000 * torch.finfo(maps.dtype).eps)
    return torch.where(total > rounding * magnitude, total, 0)


def channels_weighed(derivative: Tensor, activation: Tensor) -> Tensor:
    """Return alpha_k A^k of Grad-CAM.

    Args:
        derivative: (..., b, c, h, w), of the score by the activation.
        activation: (b, c, h, w).
    """
    if activation.dim() != 4:
        return derivative * activation  # a vector: one place
    return derivative.mean((-2, -1), keepdim=True) * activation.to(derivative.dtype)


def _named(kind: str, at: str) -> str:
    return f"{kind}@{at}" if at else kind

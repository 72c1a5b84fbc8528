r"""Reversed networks: one lattice of ways to send a signal back through a network.

Every layer `phi_i: x -> y` gets a reverse that takes a signal `y^` on its output to a signal `x^`
on its input, given some *bottleneck information* from the forward pass (Mahendran & Vedaldi,
"Salient Deconvolutional Networks", ECCV 2016). Linear layers are transposed, without biases.
What can be chosen is

| layer | choice | reverse | bottleneck |
|---|---|---|---|
| ReLU | `identity` | y^ | none |
| | `rectify` | max(y^, 0) | none |
| | `mask` | y^ [x > 0] | the mask |
| | `mask+rectify` | max(y^, 0) [x > 0] | the mask |
| max-pool | `switches` | y^ goes to the arg-max of its window | the switches |
| | `centre` | y^ goes to the middle of its window | none |
| LRN | `backprop` | derivative | x |
| | `identity` | y^ | none |

Three of the sixteen have names: `SALIENCY`, the derivative itself (Simonyan et al. 2014);
`DECONVNET` (Zeiler & Fergus 2014); `GUIDED`, guided backpropagation (Springenberg et al. 2015)
and DeSaliNet (ECCV 2016), which are one.

*Departures from the papers.* "Switches" routes every output to its window's arg-max, and where
overlapping windows share one the signals add (the derivative). An unpooling that lets the last
window overwrite, as `max_unpool2d` does, is not offered: on 3x3/2 pools it differs by half. The
middle of a window is the 0-based (k - 1) // 2, so that of a 2x2 window is its top left (as in the
authors' code); it is taken on the padded input, and what falls on the padding is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, get_args

from phosphene.core.nodes import RECTIFIERS
from phosphene.errors import UnknownRule, nearest

Relu = Literal["identity", "rectify", "mask", "mask+rectify"]
Pool = Literal["switches", "centre"]
Lrn = Literal["backprop", "identity"]


@dataclass(frozen=True)
class Reversal:
    """How to reverse each kind of bottleneck: one point of the lattice.

    Attributes:
        relu: Reverse of `max(x, 0)`.
        pool: Reverse of max-pooling.
        lrn: Reverse of local response normalisation.
        include: Other rectifiers to treat by the `relu` rule (`"relu6"`, `"leaky_relu"`, ...);
            for them `mask` is their own derivative.
        name: What to call it; no part of its identity.

    >>> GUIDED == Reversal("mask+rectify", "switches", "identity")
    True
    """

    relu: Relu = "mask"
    pool: Pool = "switches"
    lrn: Lrn = "backprop"
    include: tuple[str, ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for given, known in ((self.relu, Relu), (self.pool, Pool), (self.lrn, Lrn)):
            if given not in get_args(known):
                offers = ", ".join(get_args(known))
                raise UnknownRule(f"{given!r} reverses nothing; choose one of {offers}")
        unknown = set(self.include) - set(RECTIFIERS)
        if unknown:
            name = min(unknown)
            raise UnknownRule(
                f"{name!r} is no rectifier that a rule can include"
                f"{nearest(name, RECTIFIERS) or '; choose from ' + ', '.join(RECTIFIERS)}"
            )
        if not self.name:
            plain = [n for n, rule in _NAMED.items() if rule == replace(self, name="-", include=())]
            name = plain[0] if plain else f"{self.relu}/{self.pool}/{self.lrn}"
            object.__setattr__(self, "name", "+".join([name, *self.include]))

    def including(self, *rectifiers: str) -> Reversal:
        """Return this rule with other rectifiers treated like ReLU.

        >>> GUIDED.including("relu6").name
        'guided+relu6'
        """
        return replace(self, include=tuple(dict.fromkeys([*self.include, *rectifiers])), name="")

    @classmethod
    def parse(cls, text: str | Reversal) -> Reversal:
        """Read a rule from a name or from its parts; a rule is returned as it is.

        Args:
            text: `"guided"`, `"deconvnet"`, `"saliency"`, `"desalinet"`, or `relu/pool/lrn` such
                as `"rectify/centre/identity"` (missing parts: switches, identity); rectifiers to
                include follow as `"+relu6"`.

        Raises:
            UnknownRule: The text names no rule.

        >>> Reversal.parse("deconvnet").relu
        'rectify'
        >>> Reversal.parse("mask+rectify/center").pool
        'centre'
        """
        if isinstance(text, Reversal):
            return text
        if not isinstance(text, str) or text.partition("@")[0].strip().lower() in _ATTENTION:
            raise UnknownRule(
                f"the rule {str(text)!r} is no reversed network, which is needed here: choose one "
                f"of {', '.join(_NAMED)} ('explain' takes it)"
            )
        name = text.strip().lower().replace("center", "centre")
        include: list[str] = []
        while (part := name.rpartition("+"))[2] in RECTIFIERS:
            include.insert(0, part[2])
            name = part[0]
        if name in _NAMED or name in _ALIASES:
            rule = _NAMED[_ALIASES.get(name, name)]
        else:
            parts = name.split("/")
            relu, pool, lrn = (*parts, *("", "switches", "identity")[len(parts) :])[:3]
            if len(parts) > 3 or relu not in get_args(Relu):
                offer = nearest(name, [*_NAMED, *_ALIASES, *get_args(Relu)])
                raise UnknownRule(
                    f"there is no rule {text!r}{offer or ''} (rules: {', '.join(_NAMED)}, or "
                    f"{'|'.join(get_args(Relu))} / {'|'.join(get_args(Pool))} / "
                    f"{'|'.join(get_args(Lrn))})"
                )
            rule = cls(relu, pool, lrn)  # type: ignore[arg-type]
        return rule.including(*include) if include else rule

    @property
    def is_derivative(self) -> bool:
        """Whether the rule is the derivative itself, so that the tape needs no hooks at all."""
        return (self.relu, self.pool, self.lrn) == ("mask", "switches", "backprop")

    def __str__(self) -> str:
        """Return the rule's name."""
        return self.name


_NAMED: dict[str, Reversal] = {}
# Names of `core.attention`'s rules.
_ATTENTION = ("excitation", "contrastive", "grad-cam", "gradcam")
_ALIASES = {"desalinet": "guided", "guided backprop": "guided", "salinet": "saliency"}

SALIENCY = Reversal("mask", "switches", "backprop", name="saliency")
DECONVNET = Reversal("rectify", "switches", "identity", name="deconvnet")
GUIDED = Reversal("mask+rectify", "switches", "identity", name="guided")
_NAMED.update({rule.name: rule for rule in (SALIENCY, DECONVNET, GUIDED)})

LATTICE: tuple[Reversal, ...] = tuple(
    Reversal(relu, pool, lrn)
    for lrn, pool, relu in product(get_args(Lrn), get_args(Pool), get_args(Relu))
)
"""All sixteen rules."""

_COLUMNS: tuple[Relu, ...] = ("rectify", "mask+rectify", "mask", "identity")

ARCHITECTURES: tuple[Reversal, ...] = tuple(
    Reversal(relu, pool, "identity") for pool, relu in product(get_args(Pool), _COLUMNS)
)
"""The eight architectures of the ECCV paper's figure 3, row by row: switches above, centre below;
DeConvNet and DeSaliNet, then the two without rectification. LRN is reversed as the identity."""

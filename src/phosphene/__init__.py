"""phosphene: see what a vision network sees.

The names below are the whole of the everyday interface; each is loaded when first used, so that
`import phosphene` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.core.network import Network as Network
    from phosphene.core.nodes import register_rule as register_rule
    from phosphene.core.preprocessing import Preprocessing as Preprocessing
    from phosphene.core.receptive_field import ReceptiveField as ReceptiveField
    from phosphene.core.representation import Representation as Representation
    from phosphene.core.reversal import backward as backward
    from phosphene.core.rules import ARCHITECTURES as ARCHITECTURES
    from phosphene.core.rules import DECONVNET as DECONVNET
    from phosphene.core.rules import GUIDED as GUIDED
    from phosphene.core.rules import LATTICE as LATTICE
    from phosphene.core.rules import SALIENCY as SALIENCY
    from phosphene.core.rules import Reversal as Reversal
    from phosphene.core.tape import Tape as Tape
    from phosphene.core.unit import Unit as Unit
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.saliency.explain import explain as explain
    from phosphene.saliency.explain import explain_many as explain_many
    from phosphene.saliency.result import Explanation as Explanation
    from phosphene.saliency.result import Saliency as Saliency
    from phosphene.saliency.ten_crop import ten_crop as ten_crop
    from phosphene.zoo.catalogue import open_network as open_network

_HOMES = {
    "ARCHITECTURES": "core.rules",
    "DECONVNET": "core.rules",
    "Explanation": "saliency.result",
    "GUIDED": "core.rules",
    "LATTICE": "core.rules",
    "Network": "core.network",
    "PhospheneError": "errors",
    "Preprocessing": "core.preprocessing",
    "ReceptiveField": "core.receptive_field",
    "Representation": "core.representation",
    "Reversal": "core.rules",
    "SALIENCY": "core.rules",
    "Saliency": "saliency.result",
    "Tape": "core.tape",
    "Unit": "core.unit",
    "backward": "core.reversal",
    "explain": "saliency.explain",
    "explain_many": "saliency.explain",
    "open_network": "zoo.catalogue",
    "register_rule": "core.nodes",
    "ten_crop": "saliency.ten_crop",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"phosphene.{_HOMES[name]}"), name)
    raise AttributeError(f"phosphene has no name {name!r}")


def __dir__() -> list[str]:
    return __all__

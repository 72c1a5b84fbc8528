"""phosphene: see what a vision network sees.

The names below are the whole of the everyday interface; each is loaded when first used, so that
`import phosphene` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.core.attention import CONTRASTIVE as CONTRASTIVE
    from phosphene.core.attention import EXCITATION as EXCITATION
    from phosphene.core.attention import GRAD_CAM as GRAD_CAM
    from phosphene.core.attention import Excitation as Excitation
    from phosphene.core.attention import GradCam as GradCam
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
    from phosphene.descriptors.dsift import DSIFT as DSIFT
    from phosphene.descriptors.hog import HOG as HOG
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.preimage.activate import Direction as Direction
    from phosphene.preimage.activate import activate as activate
    from phosphene.preimage.caricature import caricature as caricature
    from phosphene.preimage.class_model import class_model as class_model
    from phosphene.preimage.codes import Codes as Codes
    from phosphene.preimage.invert import invert as invert
    from phosphene.preimage.maxima import Maxima as Maxima
    from phosphene.preimage.maxima import measure_maxima as measure_maxima
    from phosphene.preimage.recipe import Recipe as Recipe
    from phosphene.preimage.result import PreImage as PreImage
    from phosphene.preimage.texture import style as style
    from phosphene.preimage.texture import texture as texture
    from phosphene.preimage.watch import Watch as Watch
    from phosphene.saliency.explain import explain as explain
    from phosphene.saliency.explain import explain_many as explain_many
    from phosphene.saliency.occlude import occlude as occlude
    from phosphene.saliency.occlusion import Occlusion as Occlusion
    from phosphene.saliency.result import Explanation as Explanation
    from phosphene.saliency.result import Saliency as Saliency
    from phosphene.saliency.ten_crop import ten_crop as ten_crop
    from phosphene.segmentation.localize import localize as localize
    from phosphene.segmentation.result import Localization as Localization
    from phosphene.segmentation.result import Segmentation as Segmentation
    from phosphene.segmentation.segment import segment as segment
    from phosphene.zoo.catalogue import open_network as open_network

_HOMES = {
    "ARCHITECTURES": "core.rules",
    "CONTRASTIVE": "core.attention",
    "Codes": "preimage.codes",
    "DECONVNET": "core.rules",
    "DSIFT": "descriptors.dsift",
    "Direction": "preimage.activate",
    "EXCITATION": "core.attention",
    "Excitation": "core.attention",
    "Explanation": "saliency.result",
    "GRAD_CAM": "core.attention",
    "GUIDED": "core.rules",
    "GradCam": "core.attention",
    "HOG": "descriptors.hog",
    "LATTICE": "core.rules",
    "Localization": "segmentation.result",
    "Maxima": "preimage.maxima",
    "Network": "core.network",
    "Occlusion": "saliency.occlusion",
    "PhospheneError": "errors",
    "PreImage": "preimage.result",
    "Preprocessing": "core.preprocessing",
    "ReceptiveField": "core.receptive_field",
    "Recipe": "preimage.recipe",
    "Representation": "core.representation",
    "Reversal": "core.rules",
    "SALIENCY": "core.rules",
    "Saliency": "saliency.result",
    "Segmentation": "segmentation.result",
    "Tape": "core.tape",
    "Unit": "core.unit",
    "Watch": "preimage.watch",
    "activate": "preimage.activate",
    "backward": "core.reversal",
    "caricature": "preimage.caricature",
    "class_model": "preimage.class_model",
    "explain": "saliency.explain",
    "explain_many": "saliency.explain",
    "invert": "preimage.invert",
    "localize": "segmentation.localize",
    "measure_maxima": "preimage.maxima",
    "occlude": "saliency.occlude",
    "open_network": "zoo.catalogue",
    "register_rule": "core.nodes",
    "segment": "segmentation.segment",
    "style": "preimage.texture",
    "ten_crop": "saliency.ten_crop",
    "texture": "preimage.texture",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"phosphene.{_HOMES[name]}"), name)
    raise AttributeError(f"phosphene has no name {name!r}")


def __dir__() -> list[str]:
    return __all__

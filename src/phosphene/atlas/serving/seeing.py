"""What the live page asks of a network: classes, explanations, units, one at a time.

Everything returned is plain data for JSON; pictures stand inside it as PNG. No text is escaped: the
page shows texts as texts.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from phosphene.atlas.serving.answers import Refused
from phosphene.atlas.serving.photographs import Photograph
from phosphene.atlas.serving.site_units import SiteUnits
from phosphene.atlas.serving.sketches import Json, bounds_in, sketch
from phosphene.core.layers import Layer
from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.core.unit import Unit
from phosphene.display import show_signal
from phosphene.errors import NetworkError, UnitError, UnknownLayer
from phosphene.image import to_image
from phosphene.saliency.explain import explain
from phosphene.saliency.result import Explanation, Saliency
from phosphene.survey.choice import default_layers
from phosphene.survey.patches import cropped, field_box
from phosphene.view.typeset import legible

CLASSES = 5
UNITS = 8
_TOGETHER = 16
"""So many layers may be asked for at a time."""


class Seeing:
    """A network that is shown photographs.

    Args:
        net: The network.
        site: The site of its atlas, if there is one.
    """

    def __init__(self, net: Network, site: SiteUnits | None = None) -> None:
        self.net = net
        self.site = site

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers that have units, by name, in the order they run."""
        return {layer.name: layer for layer in self.net.layers() if 1 <= len(layer.shape) <= 3}

    @cached_property
    def chosen(self) -> tuple[str, ...]:
        """The layers to show unasked: the site's, or a survey's choice."""
        if self.site is not None:
            own = tuple(name for name in self.layers if name in self.site.layers)
            if own:
                return own[:_TOGETHER]
        try:
            return default_layers(self.net)
        except NetworkError:
            return ()

    @cached_property
    def classes(self) -> int:
        """How many classes the network tells apart; 0 where it has no class scores."""
        try:
            return self.net.classes
        except NetworkError:
            return 0

    def look(self, image: Any) -> Photograph:
        """Prepare a photograph as the network wants it.

        Args:
            image: A PIL image or an array.

        Raises:
            ImageError: The network takes none.
        """
        return Photograph(*self.net.prepare(image))

    def likely(self, photograph: Photograph) -> list[Json]:
        """Return the most probable classes, best first; none of a network without classes."""
        if not self.classes:
            return []
        probabilities = self.net.probabilities(photograph.image)[0].cpu()
        values, indices = probabilities.topk(min(CLASSES, len(probabilities)))
        pairs = zip(indices.tolist(), values.tolist(), strict=True)
        return [self._class(index, value) for index, value in pairs]

    def shown(self, photograph: Photograph) -> Json:
        """Return what the network is shown of a photograph."""
        return sketch(to_image(_drawable(photograph.image[0])))

    def explain(self, photograph: Photograph, wanted: int | str) -> Json:
        """Explain a class by three reversed networks, as far as it has ReLUs to tell them apart.

        Args:
            photograph: The photograph.
            wanted: Its index or name.

        Returns:
            `class`; in `pictures` the signals and the maps over the photograph; `census`.

        Raises:
            UnknownClass: There is no such class.
            PhospheneError: The network cannot be reversed.
        """
        if not self.classes:
            raise NetworkError(f"{self.net.name} has no class scores: look at its units")
        index = self.net.class_index(wanted)
        probability = float(self.net.probabilities(photograph.image)[0, index])
        found = explain(self.net, photograph.image, Unit.of_class(index), top=0)
        image = _drawable(photograph.image)
        pictures = []
        for saliency in found:
            over = saliency.overlay(image.expand(-1, 3, -1, -1))[0]
            pictures.append(
                {
                    "rule": saliency.rule.name,
                    "signal": sketch(to_image(saliency.shown()[0])),
                    "map": sketch(to_image(over)),
                    "empty": bool(saliency.empty[0]),
                }
            )
        return {
            "class": self._class(index, probability),
            "pictures": pictures,
            "census": str(found[0].census),
        }

    def units(self, photograph: Photograph, layers: list[str]) -> list[Json]:
        """Find the strongest units of some layers.

        Args:
            photograph: The photograph.
            layers: Names, of `layers`.

        Returns:
            Of each layer its name, kind, size and receptive field in words, and in `units` the
            strongest, best first: `unit`, `label` where it is a class, `value`, where (`at`), what
            it sees there (`patch`), where on the photograph that is (`box`, shares of it: left,
            top, width, height), its `page` on the site.

        Raises:
            UnknownLayer: There is no such layer, or it has no units.
        """
        if not 1 <= len(layers) <= _TOGETHER:
            raise Refused(400, f"1 to {_TOGETHER} layers can be asked for at a time")
        for name in layers:
            self._layer(name)
        _, codes = self.net.record(photograph.image, layers)
        return [self._strongest(photograph, name, codes[name]) for name in layers]

    def unit(self, photograph: Photograph, layer: str, unit: int) -> Json:
        """Project a unit back to the photograph, from where it is strongest.

        Args:
            photograph: The photograph.
            layer: The layer's name.
            unit: The channel.

        Returns:
            `value`, `at`, `patch`, `box` and `page` as of `units`; in `pictures` what each rule
            makes of it, cropped alike; in `strips` the rows of pictures of its page.

        Raises:
            UnknownLayer, UnitError: There is no such layer or unit.
            PhospheneError: The network cannot be reversed.
        """
        channels = self._layer(layer).shape[0]
        if not 0 <= unit < channels:
            raise UnitError(f"layer {layer!r} has units 0 to {channels - 1}, and so no unit {unit}")
        found = explain(self.net, photograph.image, Unit(unit), layer=layer, top=0)
        first = found[0]
        row, column = (int(n) for n in first.at[0].tolist())
        entry = self._entry(photograph, layer, unit, float(first.score[0]), (row, column))
        return {
            **entry,
            "layer": legible(layer),
            "pictures": [self._projection(photograph, layer, found, s) for s in found],
            "strips": self._strips(layer, unit),
        }

    def _projection(
        self, photograph: Photograph, layer: str, found: Explanation, saliency: Saliency
    ) -> Json:
        row, column = (int(n) for n in saliency.at[0].tolist())
        signal = cropped(saliency.signal[0], self._box(photograph, layer, (row, column)))
        return {
            "rule": saliency.rule.name,
            "signal": sketch(to_image(show_signal(_drawable(signal)))),
            "empty": bool(saliency.empty[0]),
        }

    def _strongest(self, photograph: Photograph, name: str, code: Tensor) -> Json:
        maps = as_maps(code.detach())[0][0].float().cpu()
        width = maps.shape[2]
        largest, places = maps.flatten(1).nan_to_num(-torch.inf).max(1)
        values, units = largest.topk(min(UNITS, len(largest)))
        entries = []
        for unit, value in zip(units.tolist(), values.tolist(), strict=True):
            place = int(places[unit])
            at = place // width, place % width
            entries.append(self._entry(photograph, name, unit, value, at))
        layer = self.layers[name]
        return {
            "layer": legible(name),
            "kind": legible(layer.kind),
            "shape": list(layer.shape),
            "field": str(layer.field or ""),
            "units": entries,
        }

    def _entry(
        self, photograph: Photograph, layer: str, unit: int, value: float, at: tuple[int, int]
    ) -> Json:
        box = self._box(photograph, layer, at)
        image = _drawable(photograph.image[0])
        ground = image.new_full((len(image),), 0.5)
        return {
            "unit": unit,
            "label": self._label(layer, unit),
            "value": value,
            "at": list(at),
            "patch": sketch(to_image(cropped(image, box, ground))),
            "box": bounds_in(box, (image.shape[1], image.shape[2])),
            "page": self.site.address(layer, unit) if self.site else "",
        }

    def _box(
        self, photograph: Photograph, layer: str, at: tuple[int, int]
    ) -> tuple[int, int, int, int]:
        """Return what a unit sees; the whole image where that is not known."""
        size = int(photograph.image.shape[2]), int(photograph.image.shape[3])
        known = self.layers[layer]
        # The positions of tokens are not those of the image.
        field = known.field if len(known.shape) == 3 else None
        return field_box(field, at, size) or (0, 0, *size)

    def _strips(self, layer: str, unit: int) -> list[Json]:
        strips = self.site.strips(layer, unit) if self.site else ()
        return [
            {
                "title": legible(strip.title),
                "pictures": [
                    {
                        "src": picture.address,
                        "width": picture.width,
                        "height": picture.height,
                        "caption": legible(picture.caption),
                        "source": legible(picture.source),
                    }
                    for picture in strip.pictures
                ],
            }
            for strip in strips
        ]

    def _layer(self, name: str) -> Layer:
        if name not in self.layers:
            self.net.address(name)  # says which names come near
            raise UnknownLayer(f"layer {name!r} has no units to look at: choose another")
        return self.layers[name]

    def _label(self, layer: str, unit: int) -> str:
        return legible(self.net.label(unit)) if layer in self._of_classes else ""

    @cached_property
    def _of_classes(self) -> frozenset[str]:
        """The layers whose units stand for classes: the scores, and what follows them."""
        names = list(self.layers)
        scores = self.net.scores.layer if self.classes and self.net.labels else ""
        behind = names[names.index(scores) :] if scores in names else []
        return frozenset(n for n in behind if self.layers[n].shape[0] == self.classes)

    def _class(self, index: int, probability: float) -> Json:
        name = legible(self.net.label(index))
        return {"index": index, "name": name, "probability": probability}


def _drawable(image: Tensor) -> Tensor:
    """Return something of one or three channels of (..., c, h, w)."""
    image = image.detach().float().cpu()
    return image if image.shape[-3] in (1, 3) else image.mean(-3, keepdim=True)

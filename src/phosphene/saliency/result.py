"""What a reversed network says, and how it shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from PIL.Image import Image
from torch import Tensor

from phosphene import display
from phosphene.core.attention import Excitation, GradCam, Rule, attention_map, parse_rule
from phosphene.core.labels import Likely
from phosphene.core.preprocessing import Frame
from phosphene.core.rules import Reversal
from phosphene.core.seed import as_maps
from phosphene.core.tape import Census
from phosphene.core.unit import Unit
from phosphene.errors import UnknownRule, nearest
from phosphene.image import to_image
from phosphene.panel import Panel, Shows, Tile


@dataclass(frozen=True, eq=False)
class Saliency:
    """What one rule sends back to the image from one unit, for each image of a batch.

    Attributes:
        signal: (b, c, h, w), signed, per unit of RGB in [0, 1]; at an inner layer, that layer's
            shape. For the derivative rule it is d score / d image; for excitation backprop p, the
            share of the unit's excitation; for Grad-CAM the weighed channels of its layer.
        unit: The unit asked for.
        channel: (b,) the channel it turned out to be; -1 where it is no single one.
        at: (b, 2) its row and column on the layer's map; -1 where it is no single one.
        score: (b,) how strong it is: inner product of seed and activation.
        rule: The reversed network, or rule of attention.
        census: The bottlenecks between image and unit.
        to: Name of the inner layer the signal was stopped at; empty for the image.
        sites: (rows, columns) of the unit's layer.
        map: (b, 1, h, w) magnitude: the largest over the channels of each pixel (Simonyan et al.
            2014, section 3.1). For attention the sum over the channels, cut at zero, brought from
            its layer to the image. NaN where nothing is known.
    """

    signal: Tensor
    unit: Unit
    channel: Tensor
    at: Tensor
    score: Tensor
    rule: Rule
    census: Census
    to: str = ""
    sites: tuple[int, int] = (0, 0)
    map: Tensor = field(default_factory=lambda: torch.empty(0))

    def __post_init__(self) -> None:
        if not self.map.numel():
            if isinstance(self.rule, Reversal):
                found = as_maps(self.signal)[0].abs().amax(1, keepdim=True)
            else:
                found = attention_map(self.signal)
            object.__setattr__(self, "map", found)

    @property
    def empty(self) -> Tensor:
        """(b,) whether the signal is zero everywhere."""
        return self.map.nan_to_num().flatten(1).amax(1) == 0

    def shown(self) -> Tensor:
        """(b, 3, h, w) RGB in [0, 1]: the signal around mid-gray, or heat if it is no image."""
        reverses = isinstance(self.rule, Reversal)
        if reverses and self.signal.shape[1] in (1, 3) and not self.to:
            return display.show_signal(self.signal).expand(-1, 3, -1, -1)
        return display.heat(display.normalize_map(self.map))

    def overlay(self, image: Tensor) -> Tensor:
        """(b, 3, h, w) RGB in [0, 1]: the map as heat over (b, 3 or 1, h, w) images."""
        return display.overlay(display.normalize_map(self.map), image.float())

    def unit_name(self, index: int, labels: tuple[str, ...] = ()) -> str:
        """Say which unit of image `index` the signal started from."""
        channel, (row, column) = int(self.channel[index]), self.at[index].tolist()
        if channel < 0:
            return str(self.unit)
        known = channel < len(labels)
        name = f"{labels[channel]} (class {channel})" if known else f"unit {channel}"
        if self.sites == (1, 1):
            return name
        return f"{name} at ({row}, {column})" if row >= 0 else f"{name}, all positive positions"


@dataclass(frozen=True, eq=False)
class Explanation(Shows):
    """What several rules say about the same images, from one forward pass.

    A sequence of `Saliency`, unit by unit and within a unit rule by rule; also addressed by rule:
    `explanation["guided"]`.

    Attributes:
        image: (b, c, h, w) RGB in [0, 1], what the network was shown.
        saliencies: The signals.
        names: (b) what to call the images.
        frames: (b) which part of its photograph each image is.
        network: Name of the network.
        layer: Name of the layer the units are in.
        labels: Class names, where the layer holds the class scores.
        top: (b) the most probable classes, as (name, probability), best first; may be empty.
        facts: Versions, arguments and seed: enough to do it again.
    """

    image: Tensor
    saliencies: tuple[Saliency, ...]
    names: tuple[str, ...]
    frames: tuple[Frame, ...]
    network: str
    layer: str
    labels: tuple[str, ...] = ()
    top: tuple[Likely, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.saliencies)

    def __iter__(self) -> Iterator[Saliency]:
        return iter(self.saliencies)

    def __getitem__(self, rule: int | str | Rule) -> Saliency:
        """Return a saliency by its number, or the first of a rule."""
        if isinstance(rule, int):
            return self.saliencies[rule]
        wanted = parse_rule(rule)
        for saliency in self.saliencies:
            if saliency.rule == wanted:
                return saliency
        known = [saliency.rule.name for saliency in self.saliencies]
        raise UnknownRule(
            f"the explanation was made without the rule {wanted.name!r}"
            f"{nearest(wanted.name, known) or '; it has ' + ', '.join(known)}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know: which signals are zero everywhere."""
        found = []
        for saliency in self.saliencies:
            for index in saliency.empty.nonzero().flatten().tolist():
                found.append(
                    f"{self.names[index]}: the signal of {saliency.rule} from "
                    f"{saliency.unit_name(index, self.labels)} is zero everywhere"
                    f"; {_why_empty(saliency, index)}"
                )
        return tuple(found)

    def one_by_one(self) -> Iterator[Explanation]:
        """Split the batch: yield the explanation of each image by itself."""
        for i in range(len(self.names)):
            part = slice(i, i + 1)
            saliencies = tuple(
                replace(
                    s,
                    signal=s.signal[part],
                    channel=s.channel[part],
                    at=s.at[part],
                    score=s.score[part],
                    map=s.map[part],
                )
                for s in self.saliencies
            )
            yield replace(
                self,
                image=self.image[part],
                saliencies=saliencies,
                names=self.names[part],
                frames=self.frames[part],
                top=self.top[part],
            )

    def panel(self) -> Panel:
        """Lay out a row for each image and unit: photograph, signals, map."""
        rows = [
            (single._heading(chosen[0]), single._tiles(chosen))
            for single in self.one_by_one()
            for chosen in single._by_unit()
        ]
        return Panel(self._title(), tuple(rows), self.facts, self.warnings)

    def _by_unit(self) -> list[list[Saliency]]:
        groups: list[list[Saliency]] = []
        for saliency in self.saliencies:
            first = groups[-1][0] if groups else None
            # Each unit's saliencies come together, and start again with the first rule.
            if first is None or saliency.unit is not first.unit or saliency.rule == first.rule:
                groups.append([])
            groups[-1].append(saliency)
        return groups

    def _title(self) -> str:
        return f"{self.network}, {self.layer or 'output'}"

    def _heading(self, saliency: Saliency) -> str:
        """Say what a row of a single image shows."""
        score = float(saliency.score[0])
        return f"{self.names[0]}: {saliency.unit_name(0, self.labels)}, score {score:.3g}"

    def _tiles(self, saliencies: list[Saliency]) -> tuple[Tile, ...]:
        """Draw a row of a single image."""
        image = self.image.float().cpu()
        photograph = image if image.shape[1] in (1, 3) else image.mean(1, keepdim=True)
        top = self.top[0][:2] if self.top else ()
        likely = [entry for i, entry in enumerate(top) if not i or entry[1] >= 0.005]
        seen = ", ".join(f"{name.split(',')[0]} {p:.0%}" for name, p in likely)
        tiles = [Tile(to_image(photograph[0]), seen or "image")]
        for saliency in saliencies:
            attends = isinstance(saliency.rule, Excitation | GradCam)
            name = saliency.rule.name.partition("@")[0] if attends else saliency.rule.name
            caption = name + (f" at {saliency.to}" if saliency.to else "")
            if bool(saliency.empty[0]):
                caption += ": zero everywhere"
            on_photograph = attends and saliency.map.shape[-2:] == photograph.shape[-2:]
            shown = _over(saliency, photograph) if on_photograph else to_image(saliency.shown()[0])
            tiles.append(Tile(shown, caption, str(saliency.census)))
        first = saliencies[0]
        if not first.to and isinstance(first.rule, Reversal):
            tiles.append(Tile(_over(first, photograph), f"map of {first.rule}"))
        return tuple(tiles)


def _over(saliency: Saliency, photograph: Tensor) -> Image:
    """Draw the map of a single image over its photograph."""
    return to_image(saliency.overlay(photograph.expand(-1, 3, -1, -1).to(saliency.map.device))[0])


def _why_empty(saliency: Saliency, index: int) -> str:
    """Say what may be behind a signal that is zero everywhere, and what to do."""
    if float(saliency.score[index]) == 0:
        return "the unit is not active in this image: choose another, or 'strongest'"
    if isinstance(saliency.rule, Excitation):
        return "nothing that is active in front of the unit excites it" + (
            " more than its dual" if saliency.rule.contrastive else ""
        )
    if isinstance(saliency.rule, GradCam):
        return "no channel of its layer that is active raises the unit"
    if saliency.rule.relu in ("rectify", "mask+rectify"):
        return "rectifying leaves nothing below so deep a unit: start from an earlier layer"
    return "no pixel changes this unit"

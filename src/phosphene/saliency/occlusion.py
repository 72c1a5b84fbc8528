"""What occlusion has found, and how it shows itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from phosphene import display
from phosphene.core.labels import label_of
from phosphene.core.preprocessing import Frame, distortion
from phosphene.core.unit import Unit
from phosphene.image import to_image
from phosphene.panel import Panel, Shows, Table, Tile
from phosphene.saliency.drawn import Color, ends, enlarged, heat, legend, spread
from phosphene.saliency.occluder import Occluder
from phosphene.saliency.result import Explanation

# Told apart by lightness, too; what is rarer than these is gray.
_COLORS: tuple[Color, ...] = (
    (0.20, 0.35, 0.62), (0.95, 0.66, 0.22), (0.33, 0.62, 0.42), (0.80, 0.28, 0.32),
    (0.62, 0.78, 0.91), (0.55, 0.36, 0.60), (0.96, 0.89, 0.55), (0.45, 0.30, 0.20),
)  # fmt: skip
_REST, _UNKNOWN = (0.62, 0.62, 0.62), (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Energy:
    """One feature map, followed while parts of the image are hidden.

    Attributes:
        layer: Name of its layer.
        channel: Which of its feature maps: the one with the strongest unit in the clean image.
        map: (rows, columns) sum of the feature map, by centre of the patch.
        clean: The same for the clean image.
        projection: The map's strongest unit of the clean image, by a DeConvNet; `None` where the
            layers before hold no ReLU.
    """

    layer: str
    channel: int
    map: Tensor
    clean: float
    projection: Explanation | None


@dataclass(frozen=True, eq=False)
class Occlusion(Shows):
    """What a network says while a patch hides one part of an image after another.

    Attributes:
        image: (1, c, h, w) RGB in [0, 1], what the network was shown, clean.
        photo: What to call it.
        frame: Which part of its photograph it is.
        network: Name of the network.
        occluder: The patch and its places: `occluder.y`, `occluder.x` are the centres.
        unit: The class, or the channel of a layer.
        layer: Name of its layer; empty for a class.
        value: (rows, columns) probability of the class, 0 to 1, or value of the unit, by centre of
            the patch; NaN where it was not computed.
        clean: The same for the clean image.
        best: (rows, columns) index of the most probable class; -1 where it was not computed;
            `None` where no classes were asked for.
        energy: The strongest feature map of a layer, where one was followed.
        labels: Names of the classes; may be empty.
        top: The most probable classes of the clean image, as (name, probability).
        facts: What was done.
        notes: What a person should know about how it was done, without the photograph's name.
        interrupted: Whether Ctrl-C ended it. Where that came behind the last place, nothing is
            missing from the maps.
    """

    image: Tensor
    photo: str
    frame: Frame
    network: str
    occluder: Occluder
    unit: Unit
    layer: str
    value: Tensor
    clean: float
    best: Tensor | None
    energy: Energy | None
    labels: tuple[str, ...] = ()
    top: tuple[tuple[str, float], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def drop(self) -> Tensor:
        """(rows, columns) how much the value falls: positive where the unit needs what is hidden.

        This is the attribution of Captum's `Occlusion`, for one place of the patch.
        """
        return self.clean - self.value

    @property
    def y(self) -> Tensor:
        """(rows,) centres of the patch, pixels."""
        return self.occluder.y

    @property
    def x(self) -> Tensor:
        """(columns,) centres of the patch, pixels."""
        return self.occluder.x

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know; every sentence names the photograph."""
        found = [f"{self.photo}: {note}" for note in self.notes]
        stretched = distortion(self.photo, self.frame)
        found += [stretched] if stretched else []
        done, all_ = int((~self.value.isnan()).sum()), self.value.numel()
        if self.interrupted:
            rest = ": the rest is NaN" if done < all_ else ""
            found.append(f"{self.photo}: interrupted after {done} of {all_} windows{rest}")
        if self.top and self._name() != self.top[0][0]:
            name, probability = self.top[0]
            found.append(
                f"{self.photo}: the network sees {name} ({probability:.0%}) in the clean image, "
                f"and {self._name()} with {self.clean:.2%}"
            )
        if not (self.drop > 0).any():
            found.append(f"{self.photo}: no place of the patch lowers the {self._what()}")
        return tuple(found)

    def classes(self) -> list[tuple[int, int]]:
        """Return the most probable classes and for how many places each is, most first."""
        if self.best is None:
            return []
        return Counter(self.best[self.best >= 0].tolist()).most_common()

    def panel(self) -> Panel:
        """Lay out photograph, maps, energy and projection."""
        tables: tuple[Table, ...] = ()
        if self.best is not None:
            counts = tuple((label_of(k, self.labels), k, n) for k, n in self.classes())
            note = "How many places of the patch make it so."
            tables = (Table("Most probable class", ("class", "index", "places"), counts, note),)
        heading = f"{self.photo}: {self._name()}, {self._what()} {self.clean:.3g}"
        rows = [(heading, self._tiles())]
        if self.best is not None:
            # A row of its own, so that no page breaks between the map and its legend.
            rows.append(("Most probable class, by centre of the patch", self._labels(self.best)))
        if self.energy is not None:
            at = f"{self.energy.layer}, feature map {self.energy.channel}"
            rows.append((f"{at}: the strongest in the clean image", self._feature()))
        drawn = [
            (said, tuple(replace(tile, image=enlarged(tile.image)) for tile in tiles))
            for said, tiles in rows
        ]
        return Panel(
            f"{self.network}, occlusion", tuple(drawn), self.facts, self.warnings, tables=tables
        )

    def _name(self) -> str:
        if self.layer:
            return f"{self.layer}, {self.unit}"
        return label_of(self.unit.channel, self.labels)

    def _what(self) -> str:
        return "value" if self.layer else "probability"

    def _tiles(self) -> list[Tile]:
        photograph = self._photograph()
        occluded = photograph.clone()
        row, column = self._weakest()
        rows, columns = self.occluder.box(row, column)
        color = self.occluder.color or (0.5,)
        color = color if len(color) in (1, 3) else (sum(color) / len(color),)
        occluded[0, :, rows, columns] = torch.tensor(color).view(-1, 1, 1).expand(3, 1, 1)
        seen = ", ".join(f"{name.split(',')[0]} {p:.0%}" for name, p in self.top[:1])
        number = ".1%" if not self.layer else ".3g"
        least = format(float(self.value[row, column]), number)
        low, high = (format(float(v), number) for v in ends(self.value))
        short = str(self.unit) if self.layer else self._name().split(",")[0]
        tiles = [
            Tile(to_image(photograph[0]), seen or "image"),
            Tile(to_image(occluded[0]), f"{self._what()} here {least}", "The lowest of all places"),
            Tile(heat(self._spread(self.value)), f"{self._what()} of {short}: {low} to {high}"),
        ]
        drop = self._spread(self.drop).clamp(min=0)
        over = display.overlay(display.normalize_map(drop[None, None], 1.0), photograph)
        largest = format(float(self.drop.nan_to_num(-torch.inf).max()), number)
        tiles.append(Tile(to_image(over[0]), f"where it falls, by up to {largest}"))
        return tiles

    def _labels(self, best: Tensor) -> list[Tile]:
        """Draw the most probable classes, and what their colours mean."""
        shown = self.classes()
        named = dict(zip((k for k, _ in shown), _COLORS, strict=False))
        classes = self._spread(best.float(), nearest=True).nan_to_num(-1).long()
        picture = torch.empty(3, *classes.shape)
        for index in sorted(set(classes.flatten().tolist())):
            color = _UNKNOWN if index < 0 else named.get(index, _REST)
            picture[:, classes == index] = torch.tensor(color)[:, None]
        lines = [(named[k], f"{label_of(k, self.labels).split(',')[0]}  {n}") for k, n in shown[:8]]
        rest = shown[len(_COLORS) :]
        if rest:
            lines.append((_REST, f"others  {sum(n for _, n in rest)}"))
        drawn = enlarged(to_image(picture))
        return [
            Tile(drawn, "which class is the most probable"),
            Tile(legend(lines, drawn.size), "its colors, and for how many places"),
        ]

    def _feature(self) -> list[Tile]:
        assert self.energy is not None
        energy, photograph = self.energy, self._photograph()
        low, high = ends(energy.map)
        sums = self._spread(energy.map)
        number = ",.0f" if high >= 100 else ".3g"
        least, most, clean = (format(v, number) for v in (low, high, energy.clean))
        caption = f"sum of the map: {least} to {most}, clean {clean}"
        fall = display.normalize_map((energy.clean - sums).clamp(min=0)[None, None], 1.0)
        tiles = [
            Tile(heat(sums), caption),
            Tile(to_image(display.overlay(fall, photograph)[0]), "where it falls"),
        ]
        if energy.projection is not None:
            saliency = energy.projection[0]
            tiles.append(Tile(to_image(saliency.shown()[0]), "DeConvNet of its strongest unit"))
        return tiles

    def _photograph(self) -> Tensor:
        image = self.image.detach().float().cpu()
        image = image if image.shape[1] in (1, 3) else image.mean(1, keepdim=True)
        return image.expand(-1, 3, -1, -1)

    def _weakest(self) -> tuple[int, int]:
        index = int(self.value.nan_to_num(torch.inf).argmin())
        return index // self.value.shape[1], index % self.value.shape[1]

    def _spread(self, maps: Tensor, nearest: bool = False) -> Tensor:
        height, width = self.image.shape[2:]
        return spread(maps, self.occluder, (int(height), int(width)), nearest)

"""What occlusion has found, and how it shows itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from phosphene import display
from phosphene.core.labels import label_of
from phosphene.core.unit import Unit
from phosphene.image import to_image
from phosphene.panel import Panel, Shows, Table, Tile
from phosphene.saliency.occluder import Occluder
from phosphene.saliency.result import Explanation

# Told apart by lightness, too; what is rarer than these is gray.
_COLORS = (
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
        notes: What a person should know about how it was done.
    """

    image: Tensor
    photo: str
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
        """What a person should know."""
        found = list(self.notes)
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
            rows = tuple((label_of(k, self.labels), k, n) for k, n in self.classes())
            note = "How many places of the patch make it so."
            tables = (Table("Most probable class", ("class", "index", "places"), rows, note),)
        heading = f"{self.photo}: {self._name()}, {self._what()} {self.clean:.3g}"
        drawn: list[tuple[str, tuple[Tile, ...]]] = [(heading, tuple(self._tiles()))]
        if self.energy is not None:
            at = f"{self.energy.layer}, feature map {self.energy.channel}"
            drawn.append((f"{at}: the strongest in the clean image", tuple(self._feature())))
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
        low, high = (format(float(v), number) for v in _ends(self.value))
        short = str(self.unit) if self.layer else self._name().split(",")[0]
        tiles = [
            Tile(to_image(photograph[0]), seen or "image"),
            Tile(to_image(occluded[0]), f"{self._what()} here {least}", "The lowest of all places"),
            Tile(_heat(self._spread(self.value)), f"{self._what()} of {short}: {low} to {high}"),
        ]
        drop = self._spread(self.drop).clamp(min=0)
        over = display.overlay(display.normalize_map(drop[None, None], 1.0), photograph)
        largest = format(float(self.drop.nan_to_num(-torch.inf).max()), number)
        tiles.append(Tile(to_image(over[0]), f"where it falls, by up to {largest}"))
        if self.best is not None:
            tiles += self._labels(self.best)
        return tiles

    def _labels(self, best: Tensor) -> list[Tile]:
        """Draw the most probable classes, and what their colours mean."""
        shown = self.classes()
        named = dict(zip((k for k, _ in shown), _COLORS, strict=False))
        spread = self._spread(best.float(), nearest=True).nan_to_num(-1).long()
        picture = torch.empty(3, *spread.shape)
        for index in sorted(set(spread.flatten().tolist())):
            color = _UNKNOWN if index < 0 else named.get(index, _REST)
            picture[:, spread == index] = torch.tensor(color)[:, None]
        height, width = spread.shape
        lines = [(named[k], f"{label_of(k, self.labels).split(',')[0]}  {n}") for k, n in shown[:8]]
        rest = shown[len(_COLORS) :]
        if rest:
            lines.append((_REST, f"others  {sum(n for _, n in rest)}"))
        return [
            Tile(to_image(picture), "most probable class"),
            Tile(_legend(lines, width, height), "its colors, and for how many places"),
        ]

    def _feature(self) -> list[Tile]:
        assert self.energy is not None
        energy, photograph = self.energy, self._photograph()
        low, high = _ends(energy.map)
        spread = self._spread(energy.map)
        number = ",.0f" if high >= 100 else ".3g"
        least, most, clean = (format(v, number) for v in (low, high, energy.clean))
        caption = f"sum of the map: {least} to {most}, clean {clean}"
        fall = display.normalize_map((energy.clean - spread).clamp(min=0)[None, None], 1.0)
        tiles = [
            Tile(_heat(spread), caption),
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
        """Bring a map of centres to the pixels of the image: (h, w), NaN where nothing is known."""
        (height, width), (down, right) = self.image.shape[2:], self.occluder.stride
        rows = (torch.arange(height) - self.y[0]) / down
        columns = (torch.arange(width) - self.x[0]) / right
        known = ((rows - (len(self.y) - 1) / 2).abs() <= len(self.y) / 2)[:, None]
        known = known & ((columns - (len(self.x) - 1) / 2).abs() <= len(self.x) / 2)
        if nearest:
            i = rows.round().long().clamp(0, len(self.y) - 1)
            j = columns.round().long().clamp(0, len(self.x) - 1)
            return torch.where(known, maps[i][:, j], torch.nan)
        return torch.where(known, _between(_between(maps, rows).T, columns).T, torch.nan)


def _between(values: Tensor, at: Tensor) -> Tensor:
    """Interpolate (n, m) linearly between its rows: (len(at), m)."""
    at = at.clamp(0, len(values) - 1)
    below = at.floor().long()
    above = (below + 1).clamp(max=len(values) - 1)
    share = (at - below)[:, None]
    # Times zero, what is unknown would be unknown still.
    mixed = values[below] * (1 - share) + values[above] * share
    return torch.where(share == 0, values[below], mixed)


def _ends(values: Tensor) -> tuple[float, float]:
    known = values[~values.isnan()]
    return float(known.min()), float(known.max())


def _heat(values: Tensor) -> Image.Image:
    """Color (h, w) values from zero, or from the least where it is negative, to the largest."""
    low, high = _ends(values)
    low = min(0.0, low)
    scaled = (values - low) / (high - low or 1.0)
    colored = display.heat(scaled.nan_to_num()[None])
    gray = torch.tensor(0.5)
    return to_image(torch.where(values.isnan(), gray, colored))


def _legend(
    lines: list[tuple[tuple[float, float, float], str]], width: int, height: int
) -> Image.Image:
    """Draw colours and what they mean, on a tile of the size of the maps."""
    scale = max(1, -(-220 // max(1, min(width, height))))
    width, height = width * scale, height * scale
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    step = min(24, height // max(1, len(lines)))
    font = ImageFont.load_default(max(6, min(13, step - 6)))
    for i, (color, text) in enumerate(lines):
        top = i * step + 3
        box = (4, top, 4 + step - 8, top + step - 8)
        draw.rectangle(box, fill=tuple(round(255 * c) for c in color), outline="black")
        draw.text((step + 4, top - 1), text, fill="black", font=font)
    return picture

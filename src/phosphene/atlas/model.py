"""What an atlas shows, apart from how it looks: a network, its layers, their units.

`collect` fills this from surveys, dissections and maximisations; `site` writes it as pages. Every
text may come from files of others and is not yet escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from phosphene.panel import Plot, Table


@dataclass(frozen=True)
class Picture:
    """A picture file of the site.

    Attributes:
        file: Its path from the site's root, with forward slashes.
        width: Pixels.
        height: Pixels.
        caption: One line about it; may be empty.
        source: The photograph it is part of; empty for pictures that were computed.
    """

    file: str
    width: int
    height: int
    caption: str = ""
    source: str = ""


@dataclass(frozen=True)
class Concept:
    """What a unit detects, found by dissection.

    Attributes:
        name: Of the concept.
        category: Such as `color` or `object`.
        iou: Intersection over union, in [0, 1].
        detector: Whether that is enough to call the unit its detector.
    """

    name: str
    category: str
    iou: float
    detector: bool = False


@dataclass(frozen=True)
class Strip:
    """Pictures of one kind on a unit's page, such as its nine strongest patches.

    Attributes:
        title: What they are.
        pictures: In order.
        note: A sentence about them.
    """

    title: str
    pictures: tuple[Picture, ...]
    note: str = ""


@dataclass(frozen=True)
class UnitEntry:
    """A unit.

    Attributes:
        index: Its channel.
        thumbnails: The pictures that stand for it in the layer's overview, by kind
            (`maximised`, `patches`), smallest useful size.
        strips: The pictures of its page.
        concepts: Best first.
        statistics: Numbers by name, such as `maximum`, `quantile 0.995`, `share positive`.
        neighbours: Channels of its layer that answer to the same images, and the correlation.
        label: The class it stands for, of a layer of class scores; else empty.
        flags: Short words that one may filter by, such as `dead`.
    """

    index: int
    thumbnails: Mapping[str, Picture] = field(default_factory=dict)
    strips: tuple[Strip, ...] = ()
    concepts: tuple[Concept, ...] = ()
    statistics: Mapping[str, float] = field(default_factory=dict)
    neighbours: tuple[tuple[int, float], ...] = ()
    label: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerEntry:
    """A layer with the units that the atlas shows.

    Attributes:
        name: Of the layer.
        kind: Such as `Conv2d`.
        shape: Channels, rows, columns of its output.
        field: Its receptive field in words; empty where there is none.
        units: By channel.
        plots: Diagrams of the layer, such as its units' maxima.
        tables: Numbers of the layer.
        note: What there is to say about it.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    field: str
    units: tuple[UnitEntry, ...]
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Node:
    """An operation of the network, for its drawing.

    Attributes:
        name: Of the layer, unique; what stands in its box.
        kind: Such as `Conv2d`.
        inputs: Names of the nodes that it takes its input from.
        shape: Channels, rows, columns it puts out.
        layer: The name of the `LayerEntry` that shows it; empty where the atlas has none.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...] = ()
    layer: str = ""


@dataclass(frozen=True)
class Atlas:
    """A whole network, as its site shows it.

    Attributes:
        title: Heading.
        nodes: The network's operations in the order they run.
        layers: In the order they run.
        facts: What was done with what, by name.
        warnings: Sentences a person should not miss.
        tables: Numbers of the whole network.
    """

    title: str
    nodes: tuple[Node, ...]
    layers: tuple[LayerEntry, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()

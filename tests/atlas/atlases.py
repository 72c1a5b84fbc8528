"""Atlases drawn for tests, with their pictures."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from phosphene.atlas.model import (
    Atlas,
    Concept,
    LayerEntry,
    Node,
    Picture,
    Strip,
    UnitEntry,
)
from phosphene.panel import Plot, Series, Table

NASTY = (
    "</script><img src=x onerror=alert(1)>\"'`${1}{{ 7*7 }}<!-- &amp; \u2028\u202eabc\n\\u003cb> "
)
CONCEPTS = (("red", "color"), ("stripes", "texture"), ("dog's ear", "part"))


def fire(number: int, before: str, shown: bool = True) -> list[Node]:
    """Draw the nodes of a fire module."""
    name = f"fire{number}"
    return [
        Node(f"{name}/squeeze", "Conv2d", (before,), (16, 8, 8)),
        Node(f"{name}/relu", "ReLU", (f"{name}/squeeze",), (16, 8, 8)),
        Node(f"{name}/one", "Conv2d", (f"{name}/relu",), (32, 8, 8)),
        Node(f"{name}/three", "Conv2d", (f"{name}/relu",), (32, 8, 8)),
        Node(
            f"{name}/concat",
            "Concat",
            (f"{name}/one", f"{name}/three"),
            (64, 8, 8),
            f"{name}/concat" if shown else "",
        ),
    ]


def picture(folder: Path, name: str, color: tuple[int, int, int], side: int = 24) -> Picture:
    """Write a picture of one colour."""
    path = folder / "pictures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        Image.new("RGB", (side, side), color).save(path)
    return Picture(f"pictures/{name}", side, side, f"caption of {name}", "photo.jpg")


def unit(
    folder: Path, layer: int, index: int, count: int, nasty: bool = False, different: int = 50
) -> UnitEntry:
    """Make a unit whose every number follows from its index."""
    shade = (index * 37 % 256, index * 11 % 256, layer * 90 % 256)
    maximised = picture(folder, f"m{index % different}.png", shade)
    patches = picture(folder, f"p{index % different}.png", shade[::-1], 64)
    iou = round(index / count, 4)
    concept = CONCEPTS[index % 3]
    concepts = (Concept(*concept, iou, iou >= 0.5), Concept("sky", "scene", iou / 4))
    if nasty:
        concepts = (*concepts, Concept(NASTY, NASTY, 0.001), Concept("__proto__", "", 0.0))
    return UnitEntry(
        index,
        {"maximised": maximised, "patches": patches},
        (
            Strip("Maximised", (maximised,) * 4, "From four seeds."),
            Strip(NASTY if nasty else "Strongest patches", (patches,) * 9, NASTY if nasty else ""),
        ),
        concepts,
        {
            "maximum": float(count - index),
            "share positive": index / count,
            **({NASTY: 1.0, "empty": float("nan"), "huge": float("inf")} if nasty else {}),
        },
        (((index + 1) % count, 0.75), (index + count, -0.5)),
        NASTY if nasty else ("tabby cat" if index == 3 else ""),
        ("dead", NASTY) if nasty else (("dead",) if index % 10 == 9 else ()),
    )


def atlas(
    folder: Path, layers: int = 3, units: int = 12, nasty: bool = False, different: int = 50
) -> Atlas:
    """Make an atlas of some layers and write its pictures, so many different ones of a kind."""
    nodes = [Node("conv1", "Conv2d", (), (12, 16, 16), "conv1")]
    for number in range(2, layers + 1):
        nodes += fire(number, nodes[-1].name)
    names = ["conv1", *(f"fire{n}/concat" for n in range(2, layers + 1))]
    if nasty:
        names[-1] = NASTY
        nodes[-1] = Node(NASTY, NASTY, nodes[-1].inputs, (64, 8, 8), NASTY)
    entries = []
    for number, name in enumerate(names):
        bad = nasty and name == NASTY
        entries.append(
            LayerEntry(
                name,
                NASTY if bad else "Conv2d",
                (units, 8, 8),
                NASTY if bad else "size 7, stride 2, centre 3",
                tuple(unit(folder, number, k, units, bad, different) for k in range(units)),
                (Plot("Maxima", (Series("", (0.0, 1.0), (1.0, 2.0)),)),),
                (Table("Categories", ("category", "units"), (("color", 3.0),)),),
                NASTY if bad else "",
            )
        )
    return Atlas(
        NASTY if nasty else "A test network",
        tuple(nodes),
        tuple(entries),
        {NASTY: NASTY} if nasty else {"images": "12 drawn ones"},
        (NASTY,) if nasty else ("Two images could not be read.",),
        (Table("Whole", ("layer", "units"), (("conv1", 12.0),)),),
    )

"""What is kept of cut-out objects beside their pictures: plain values, and lines for a person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phosphene.cli.columns import in_columns
from phosphene.cli.records import Record

if TYPE_CHECKING:
    from phosphene.segmentation.annotation import Masks
    from phosphene.segmentation.result import Segmentation

_RANKS = {"probability": "probability", "score": "largest score"}

# What photographs of one run differ in.
_OF_ONE = ("class", "census", "shown", "size of the cut")


def named(found: Segmentation, name: str) -> Segmentation:
    """Call what was cut out of a photograph by another name, in its warnings too."""
    start = f"{found.name}: "
    warnings = [
        f"{name}: {w.removeprefix(start)}" if w.startswith(start) else w for w in found.warnings
    ]
    return replace(found, name=name, warnings=tuple(warnings))


def object_of(guess: Segmentation) -> dict[str, Any]:
    """Put what a script may want to know of one object into plain values."""
    return {
        "class": guess.label,
        "channel": guess.channel,
        "probability": None if math.isnan(guess.probability) else guess.probability,
        "order": guess.order,
        "score": None if math.isnan(guess.score) else guess.score,
        "box": None if guess.box is None else list(guess.box),
        "area": int(guess.mask.sum()),
    }


def facts_of(records: Sequence[Record]) -> dict[str, str]:
    """Return what was done, as far as it is the same for all photographs."""
    facts: dict[str, str] = records[0]["facts"] if records else {}
    if len(records) == 1:
        return facts
    return {
        name: value
        for name, value in facts.items()
        if name not in _OF_ONE and all(r["facts"].get(name) == value for r in records)
    }


def lines_of(records: Iterable[Record], names: Mapping[str, str]) -> list[str]:
    """Say for each photograph, in columns, which classes are where, by what they are ranked.

    Args:
        records: What was kept.
        names: What to call each photograph.
    """
    rows: list[tuple[str, ...]] = []
    ranks: dict[str, None] = {}
    for record in records:
        name = names[record["photograph"]]
        for one in record["objects"]:
            box = one["box"]
            ranks[_RANKS[one.get("order", "probability")]] = None
            where = "no object" if box is None else f"box {', '.join(map(str, box))}"
            rows.append((name, _first(one), _number(one), where, one.get("mask", "")))
            name = ""
    # A network may make a map of a large photograph, and one answer of a small one.
    heads = (
        "photograph",
        "class",
        " or ".join(ranks),
        "where",
        "mask" if rows and rows[0][-1] else "",
    )
    return in_columns([heads, *rows], right=(2,)) if rows else []


def headings(records: Iterable[Record], names: Mapping[str, str]) -> dict[str, str]:
    """Return what the page of a folder says over each photograph: its name and its first class."""
    return {
        r["photograph"]: ": ".join((names[r["photograph"]], *map(_said, r["objects"][:1])))
        for r in records
    }


def as_shown(records: Sequence[Record]) -> list[Record]:
    """Return records as the page of a folder takes them, under `headings`."""
    common: Record = {"layer": "", "facts": facts_of(records), "classes": []}
    return [
        {**record, **common, "signals": [{"unit": _said(one)} for one in record["objects"]]}
        for record in records
    ]


def as_coco(
    records: Iterable[Record], names: Mapping[str, str], masks: Masks = "rle"
) -> dict[str, Any]:
    """Join the COCO data sets of photographs; images and annotations are numbered anew.

    Args:
        records: What was kept, each with a data set of its own under `coco`, its masks run lengths.
        names: What to call each photograph.
        masks: How to say them.
    """
    from phosphene.segmentation.annotation import as_polygons

    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[int, dict[str, Any]] = {}
    for record in records:
        one = record["coco"]
        number, name = len(images) + 1, names[record["photograph"]]
        images += [{**image, "id": number, "file_name": name} for image in one["images"]]
        for annotation in one["annotations"]:
            changed: Record = {"id": len(annotations) + 1, "image_id": number}
            if masks == "polygon":
                changed["segmentation"] = as_polygons(annotation["segmentation"])
            annotations.append({**annotation, **changed})
        categories |= {category["id"]: category for category in one["categories"]}
    named = [category for _, category in sorted(categories.items())]
    return {"images": images, "annotations": annotations, "categories": named}


def _first(one: Mapping[str, Any]) -> str:
    first: str = one["class"].split(",")[0]
    return first


def _number(one: Mapping[str, Any]) -> str:
    if one.get("order") == "score":
        return f"{one['score']:.2f}"
    return "" if one["probability"] is None else f"{one['probability']:.1%}"


def _said(one: Mapping[str, Any]) -> str:
    between = ", score " if one.get("order") == "score" else " "
    return f"{_first(one)}{between}{_number(one)}".rstrip()

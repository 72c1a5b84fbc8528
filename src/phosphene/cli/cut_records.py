"""What is kept of cut-out objects beside their pictures: plain values, and lines for a person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phosphene.cli.columns import in_columns
from phosphene.cli.records import Record

if TYPE_CHECKING:
    from phosphene.segmentation.result import Segmentation


# What photographs of one run differ in.
_OF_ONE = ("class", "census", "shown", "size of the cut")


def object_of(guess: Segmentation) -> dict[str, Any]:
    """Put what a script may want to know of one object into plain values."""
    return {
        "class": guess.label,
        "channel": guess.channel,
        "probability": None if math.isnan(guess.probability) else guess.probability,
        "score": None if math.isnan(guess.score) else guess.score,
        "box": None if guess.box is None else list(guess.box),
        "area": int(guess.mask.sum()),
    }


def facts_of(records: Sequence[Record]) -> dict[str, str]:
    """Return what was done, as far as it is the same for all photographs."""
    facts: dict[str, str] = records[0]["facts"] if records else {}
    return {k: v for k, v in facts.items() if len(records) == 1 or k not in _OF_ONE}


def lines_of(records: Iterable[Record], names: Mapping[str, str]) -> list[str]:
    """Say for each photograph, in columns, which classes are where.

    Args:
        records: What was kept.
        names: What to call each photograph.
    """
    rows = []
    for record in records:
        name = names[record["photograph"]]
        for one in record["objects"]:
            box = one["box"]
            where = "no object" if box is None else f"box {', '.join(map(str, box))}"
            rows.append((name, _said(one), where, one.get("mask", "")))
            name = ""
    return in_columns(rows)


def as_shown(records: Sequence[Record]) -> list[Record]:
    """Return records as the page of a folder takes them."""
    common = {"layer": "", "facts": facts_of(records)}
    shown = []
    for record in records:
        objects = record["objects"]
        classes = [{"name": o["class"], "probability": o["probability"] or 0} for o in objects]
        signals = [{"unit": _said(one)} for one in objects]
        shown.append({**record, **common, "classes": classes, "signals": signals})
    return shown


def as_coco(records: Iterable[Record], names: Mapping[str, str]) -> dict[str, Any]:
    """Join the COCO data sets of photographs; images and annotations are numbered anew.

    Args:
        records: What was kept, each with a data set of its own under `coco`.
        names: What to call each photograph.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[int, dict[str, Any]] = {}
    for record in records:
        one = record["coco"]
        number, name = len(images) + 1, names[record["photograph"]]
        images += [{**image, "id": number, "file_name": name} for image in one["images"]]
        for annotation in one["annotations"]:
            ids = {"id": len(annotations) + 1, "image_id": number}
            annotations.append({**annotation, **ids})
        categories |= {category["id"]: category for category in one["categories"]}
    named = [category for _, category in sorted(categories.items())]
    return {"images": images, "annotations": annotations, "categories": named}


def _said(one: Mapping[str, Any]) -> str:
    known = "" if one["probability"] is None else f" {one['probability']:.1%}"
    return f"{one['class'].split(',')[0]}{known}"

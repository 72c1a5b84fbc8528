"""From a concept to the units that answer to it: the other half of `search`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phosphene.comparison.hits import Hit, Hits, Searched
from phosphene.comparison.search import Search, best_of, strongest_of, unread
from phosphene.comparison.seen import Seen, has_map
from phosphene.comparison.selectivity import auc, average_precision, by_chance
from phosphene.errors import ImageError, SettingError, nearest
from phosphene.survey.dissection.alignment import MINIMUM
from phosphene.survey.dissection.concepts import ConceptSet, Vocabulary
from phosphene.survey.dissection.dissect import dissect
from phosphene.survey.dissection.images import index_of

By = Literal["iou", "auc", "ap"]
BY: tuple[By, ...] = ("iou", "auc", "ap")
FEWEST = 5
"""Images with a concept, and without, that it takes to tell them apart."""
TRACE = 0.01
"""Share of an image's pixels from which on it shows a concept."""


def find_by_concept(search: Search, concept: str, by: By | None = None) -> Hits:
    """Find units that answer to a concept.

    Args:
        search: Where; its reference set has to know the concept.
        concept: Its name, or `category:name`.
        by: What units are ranked by: `"iou"` with the concept's pixels, `"auc"` or `"ap"` (average
            precision) of images with it against those without. By default IoU where every layer
            that is searched has a map, and AUC otherwise. A unit answers from an IoU of 0.04 on, or
            with an AUC that the best of as many units would hardly reach by chance.

    Raises:
        SettingError: The set knows no such concept.
        ImageError: Too few of its images have the concept, or too few are without.
    """
    number, name = concept_number(search.concepts.vocabulary, concept)
    known = search.passes()
    has = _having(search.concepts, known[0].peaks.keys.tolist(), number)
    with_it, without = sum(has.values()), len(has) - sum(has.values())
    if min(with_it, without) < FEWEST:
        raise ImageError(
            f"{with_it} of the {len(has)} images of {search.concepts.name} show {name}: {FEWEST} "
            f"with it and {FEWEST} without are needed, so give more images"
        )
    chance = by_chance(with_it, without)
    mapped = all(has_map(fact) for one in known for fact in one.facts.values())
    rank: By = by or ("iou" if mapped else "auc")
    if rank == "iou" and not any(has_map(fact) for one in known for fact in one.facts.values()):
        raise SettingError(
            "units are ranked by IoU where they have maps, and none of these layers has: name "
            "others, or give --by auc"
        )
    found: list[tuple[Hit, Seen]] = []
    searched = []
    for number_of, one in enumerate(known):
        ious = _ious(search, one, number, number_of)
        keys = one.peaks.keys.tolist()
        kept = np.array([key in has for key in keys])
        truth = np.array([has[key] for key in keys if key in has])
        for layer in one.facts:
            values = one.peaks.of(layer)[kept]
            areas, precisions = auc(values, truth), average_precision(values, truth)
            alive = one.alive(layer)
            limit = 0.5 + chance * math.sqrt(2 * math.log(max(2, len(alive))))
            answering = 0
            for unit in alive:
                scores = {"auc": float(areas[unit]), "ap": float(precisions[unit])}
                if layer in ious:
                    scores["iou"] = float(ious[layer][unit])
                elif rank == "iou":
                    continue
                answers = _answers(scores, rank, limit)
                answering += answers
                ordered = {rank: scores[rank], **scores}
                found.append((Hit(one.net.name, layer, unit, ordered, answers), one))
            searched.append(Searched(one.net.name, layer, len(alive), answering))
    best = [
        replace(hit, patches=strongest_of(one, hit)) for hit, one in best_of(found, search.count)
    ]
    told = {
        "concept": name,
        "ranked by": {"iou": "IoU", "auc": "AUC", "ap": "average precision"}[rank],
        "images": f"{with_it} with it, {without} without",
        "AUC by chance": f"0.5 with a deviation of {chance:.3f}",
        "average precision by chance": f"{with_it / len(has):.3f}",
        "answers": f"IoU of {MINIMUM:g} or more"
        if rank == "iou"
        else "AUC beyond the best of as many units by chance, 0.5 + deviation x sqrt(2 log units)",
    }
    title, notes = f"Units that answer to {name}", (*search.notes, *unread(known))
    if not any(hit.answers for hit in best):
        notes = (*notes, "none of the units answers: the best are shown all the same")
    return Hits(title, tuple(best), tuple(searched), search.facts(**told), notes)


def concept_number(words: Vocabulary, text: str) -> tuple[int, str]:
    """Find a concept by its name, or by `category:name`.

    Raises:
        SettingError: There is none, or there are several.
    """
    full = [f"{words.categories[words.primary[n]]}:{words.names[n]}" for n in range(len(words))]
    found = [n for n in range(1, len(words)) if text in (words.names[n], full[n])]
    if len(found) == 1:
        return found[0], full[found[0]].replace(":", " ", 1)
    if found:
        raise SettingError(f"{text!r} is several concepts: {', '.join(full[n] for n in found)}")
    offer = nearest(text, [name for name in words.names[1:] if name])
    known = ", ".join(f"{c}" for c in words.categories)
    raise SettingError(f"the images know no concept {text!r}{offer} (their categories: {known})")


def _having(concepts: ConceptSet, keys: Sequence[int], number: int) -> dict[int, bool]:
    """Tell which images show a concept on a share of their pixels, and which nowhere.

    Those without labels, and those with but a trace of it, are neither.
    """
    found: dict[int, bool] = {}
    for key in keys:
        try:
            labels = concepts.labels(index_of(key))
        except ImageError:
            continue
        whole = any(number == n for _, n in labels.whole)
        share = float((labels.maps == number).any(0).mean()) if len(labels.maps) else 0.0
        if whole or share >= TRACE or share == 0:
            found[key] = whole or share > 0
    return found


def _ious(search: Search, one: Seen, number: int, place: int) -> dict[str, NDArray[np.float64]]:
    """Find the IoU of every unit of the layers that have maps with a concept."""
    layers = [name for name, fact in one.facts.items() if has_map(fact)]
    if not layers:
        return {}
    tick, many = search.tick, len(search.networks)
    told = None
    if tick is not None:
        told = lambda done, total, _: tick(  # noqa: E731
            place * total + done, many * total, f"{one.net.name}: dissecting"
        )
    found = dissect(one.net, layers, search.concepts, shown=0, pictures=0, batch=search.batch,
                    tick=told)  # fmt: skip
    return {name: found[name].iou[:, number] for name in layers}


def _answers(scores: dict[str, float], rank: By, limit: float) -> bool:
    return scores["iou"] >= MINIMUM if rank == "iou" else scores["auc"] > limit

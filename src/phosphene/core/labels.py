"""Classes and what a person calls them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from phosphene.errors import UnknownClass, nearest

Likely = tuple[tuple[str, float], ...]
"""The most probable classes of an image, as (name, probability), best first."""


def label_of(index: int, labels: Sequence[str]) -> str:
    """Return the name of a class, or its index where there are no labels."""
    return labels[index] if index < len(labels) else str(index)


def most_probable(probabilities: Tensor, labels: Sequence[str], count: int) -> tuple[Likely, ...]:
    """Name the most probable classes of each image.

    Args:
        probabilities: (b, k).
        labels: Names of the classes; may be empty.
        count: How many classes to name.
    """
    values, indices = probabilities.topk(min(count, probabilities.shape[1]))
    return tuple(
        tuple((label_of(i, labels), v) for i, v in zip(row, value, strict=True))
        for row, value in zip(indices.tolist(), values.tolist(), strict=True)
    )


def class_index(name: str | int, labels: Sequence[str], classes: int) -> int:
    """Find a class by its name, one of the synonyms in it, or its index.

    Args:
        name: `"goldfish"`, `"1"` or 1. Names are compared without regard to case; a label such as
            `"great white shark, white shark"` answers to either part and to the whole.
        labels: Names of the classes; may be empty.
        classes: How many classes there are.

    Raises:
        UnknownClass: No class, or more than one, goes by that name.

    >>> class_index("White Shark", ["tench", "great white shark, white shark"], 2)
    1
    """
    if isinstance(name, int) or (name.strip().isdecimal() and name not in labels):
        index = int(name)
        if not 0 <= index < classes:
            raise UnknownClass(f"the network has classes 0 to {classes - 1}, and no class {index}")
        return index
    wanted = name.strip().casefold()
    whole = [i for i, label in enumerate(labels) if label.casefold() == wanted]
    part = [i for i, label in enumerate(labels) if wanted in _synonyms(label)]
    found = whole or part
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(f"{i} ({labels[i]})" for i in found)
        raise UnknownClass(f"{name!r} is the name of several classes: give an index of {which}")
    if not labels:
        raise UnknownClass(
            f"the network has no class names, so {name!r} is unknown: give an index from 0 to "
            f"{classes - 1}, or labels"
        )
    synonyms = [part.strip() for label in labels for part in label.split(",")]
    raise UnknownClass(f"the network has no class {name!r}{nearest(name, synonyms)}")


def _synonyms(label: str) -> list[str]:
    return [part.strip().casefold() for part in label.split(",")]

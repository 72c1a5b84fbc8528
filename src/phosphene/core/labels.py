"""Finding a class by what a person calls it."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.errors import UnknownClass, nearest


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

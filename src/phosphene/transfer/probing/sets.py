"""Whether two sets can be learned from and tested on."""

from __future__ import annotations

import numpy as np

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Sorted
from phosphene.transfer.fingerprints import pixels_of

_LOOKED_AT = 3


def check_sets(train: Sorted, test: Sorted) -> tuple[str, ...]:
    """Check that two sets are of the same classes.

    Returns:
        What a person should know of them: classes without photographs, photographs in both.

    Raises:
        SettingError: They are empty, of different or too few classes, or a photograph is of no
            class.
    """
    for name, photographs in (("training", train), ("test", test)):
        classes = np.asarray(photographs.class_of)
        if not len(photographs):
            raise SettingError(f"the {name} set has no photographs: give some")
        if len(classes) != len(photographs):
            raise SettingError(
                f"the {name} set has {len(photographs)} photographs and the classes of "
                f"{len(classes)}: probes need the class of each"
            )
        if classes.min() < 0 or classes.max() >= len(photographs.classes):
            raise SettingError(
                f"a photograph of the {name} set is of class {classes.max()}, and there are "
                f"{len(photographs.classes)}: give classes from 0 on"
            )
    if train.classes != test.classes:
        apart = sorted(set(train.classes) ^ set(test.classes))
        named = f" ({apart[0]!r} is in one alone)" if apart else ""
        raise SettingError(
            f"the sets are of {len(train.classes)} and {len(test.classes)} classes{named}: give "
            "sets of the same classes in the same order"
        )
    if len(train.classes) < 2:
        raise SettingError("a single class cannot be told from others: give two or more")
    notes = [*train.notes, *test.notes]
    for name, photographs in (("learn from", train), ("test", test)):
        counts = np.bincount(photographs.class_of, minlength=len(photographs.classes))
        empty = [photographs.classes[i] for i in np.flatnonzero(counts == 0)]
        if empty:
            more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
            notes.append(f"no photographs to {name} of {', '.join(empty[:3])}{more}")
    shared = _in_both(train, test)
    if shared:
        notes.append(shared)
    return tuple(dict.fromkeys(notes))


def _in_both(train: Sorted, test: Sorted) -> str:
    """Say whether photographs of the same names are the same; sets may count both from 0."""
    known = {train.name(index): index for index in range(len(train))}
    both = [(known[test.name(i)], i) for i in range(len(test)) if test.name(i) in known]
    same = [
        (one, other)
        for one, other in both[:_LOOKED_AT]
        if pixels_of(train, one) == pixels_of(test, other)
    ]
    if not same:
        return ""
    return (
        f"{len(both)} names are in both sets, and {train.name(same[0][0])} is the same photograph: "
        "what is learned from should not be tested on"
    )

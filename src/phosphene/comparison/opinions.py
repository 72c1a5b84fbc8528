"""Whether a unit's maximised image shows what dissection calls it (thesis 2018, section 6.4).

There the unit whose maximised image is a face is called a detector of legs, with an IoU of 0.01:
dissection asks of a unit that it covers most of a concept's pixels and names the one concept that
it covers best, maximisation asks neither. Which units are of that kind can be computed:

- dissection's label, of whatever IoU, is from segmented images;
- the maximised image has no segmentation, so the *other* units of the layer say what it shows: the
  concept of the label's category whose mean code is nearest (`concept_means`) to the layer's code
  at the unit's strongest place, its own channel left out;
- a unit *disagrees* if the two differ.

How far to trust the test is told by what it says of the unit's strongest real images, in which it
ought to find the label: of how many it does stands beside every unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch

from phosphene.comparison.concept_means import Nearest
from phosphene.comparison.entry import Label, Opinion


def opinions(
    nearest: Nearest,
    labels: Mapping[int, Label],
    maximised: Mapping[int, Sequence[float]],
    strongest: Mapping[int, Sequence[Sequence[float]]],
) -> tuple[Opinion, ...]:
    """Compare what is said of units.

    Args:
        nearest: Tells concepts apart by the layer's codes.
        labels: Dissection's, by unit.
        maximised: By unit the layer's code, (c,), where the unit is strongest in its image.
        strongest: By unit the codes, (n, c), at its peaks in real images.

    Returns:
        An opinion for each unit that has a maximised image, and a label that can win: one that
        has a mean code, as another of its category has.
    """
    found = []
    for unit, code in maximised.items():
        label = labels.get(unit)
        if label is None or not _can_be_told(nearest, label):
            continue
        imagined = nearest.winner(torch.tensor(code), label.category, unit)
        names = [
            nearest.winner(torch.tensor(one), label.category, unit)
            for one in strongest.get(unit, ())
        ]
        most = Counter(name for name in names if name).most_common(1)
        seen, votes = (most[0][0] if most else ""), names.count(label.name)
        found.append(Opinion(unit, label, imagined, seen, votes, len(names)))
    return tuple(found)


def _can_be_told(nearest: Nearest, label: Label) -> bool:
    names = {nearest.vocabulary.names[number] for number in nearest.candidates(label.category)}
    return label.name in names and len(names) > 1

"""Every photograph of which the truth is known, by every method of `methods`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from phosphene.segmentation.cutting import Engine
from phosphene.segmentation.truths import Truth
from phosphene.studies.ledger import Cell
from phosphene.studies.methods import METHODS, Constants, Shown, check
from phosphene.studies.plan import Plan
from phosphene.studies.truth_sets import demand, truths_for

ROWS = 6
"""Photographs of which pictures are kept and shown."""

Cells = Mapping[str, Sequence[Cell]]
"""By method, a cell for every photograph."""

Noted = TypeVar("Noted")


@dataclass(frozen=True)
class Asked:
    """What is done with a photograph.

    Attributes:
        method: One of `METHODS`.
        constants: What is chosen between a photograph and a mask.
        cutters: By which engines masks are cut.
        shown: Whether pictures are kept.
        photo: The photograph before the network, which runs once for all methods.
    """

    method: str
    constants: Constants
    cutters: Sequence[Engine]
    shown: bool
    photo: Shown

    def key(self, plan: Plan, number: int) -> dict[str, Any]:
        """Tell a cell of a photograph from others, but for the photograph's truth."""
        return {
            "photo": plan.photo_ids[number],
            "method": self.method,
            "constants": asdict(self.constants),
            "engines": list(self.cutters),
            "shown": self.shown,
        }


@dataclass(frozen=True, eq=False)
class Measured(Generic[Noted]):
    """What was found.

    Attributes:
        cells: By method, a cell for every photograph of which the truth is known.
        names: What these photographs are called.
        notes: What was noted of their truths.
        warnings: What there is to say about the others.
    """

    cells: Cells
    names: tuple[str, ...]
    notes: tuple[Noted, ...]
    warnings: tuple[str, ...]


def measure(
    plan: Plan,
    truths: Sequence[Truth] | None,
    methods: Sequence[str],
    constants: Constants,
    cutters: Sequence[Engine],
    *,
    what: str,
    note: Callable[[Truth], Noted | None],
    cell: Callable[[int, Truth, Asked], Cell],
) -> Measured[Noted]:
    """Go through the photographs.

    Args:
        plan: The study's.
        truths: What is known about each photograph; if `None` it is looked for beside them.
        methods: Which of `METHODS`.
        constants: What is chosen between a photograph and a mask.
        cutters: By which engines masks are cut.
        what: What has to be known of a photograph: "mask".
        note: What to keep of a truth, which may be large; `None` where it does not tell.
        cell: Computes the cell of a photograph, by its place.

    Raises:
        ImageError: Nothing is known of any photograph.
        SettingError: As `methods.check` says.
    """
    check(methods, cutters, constants)
    known = truths_for(plan.photos, truths)
    total = len(known.numbers) * len(methods)
    cells: dict[str, list[Cell]] = {method: [] for method in methods}
    names: list[str] = []
    unknown: list[str] = []
    notes: list[Noted] = []
    for done, (number, truth) in enumerate(known.each()):
        noted = None if truth is None else note(truth)
        if truth is None or noted is None:
            unknown.append(plan.names[number])
            continue
        shown = len(names) < ROWS
        name = truth.name if truths is not None else plan.names[number]
        photo = Shown(plan.net, plan.photos[number], constants)
        for place, method in enumerate(methods):
            plan.tick(done * len(methods) + place, total, f"{name}, {METHODS[method]}")
            asked = Asked(method, constants, cutters, shown, photo)
            cells[method].append(cell(number, truth, asked))
        names.append(name)
        notes.append(noted)
    plan.tick(total, total, "done")
    warnings = demand(len(names), unknown, what)
    return Measured(cells, tuple(names), tuple(notes), warnings)

"""How much does an inversion's error depend on the noise it starts from?

Inversions from several starts differ, and should differ in what the layer does not tell, not in
how well they match it. For each photograph

```text
sigma_i = standard deviation over starts of || phi - phi0 || / || phi0 ||
```

(that of a sample, n - 1), and what is reported is the mean of sigma_i over photographs with its
95 % interval.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2 and figure 5.5, top right: 24 photographs, 24
starts each; about 0.02 or less for every C but 1.

*Departures.* The thesis points to the squared error (eq. 5.2), and the authors' code re-reads the
pictures from files and sets the random numbers back for each of its six runs of four, so that its
24 starts are four; here the error is that of the other tables, unsquared, and all starts differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from phosphene.errors import SettingError
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import cells_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import demand_photos, plural

LITTLE = 0.02
"""What the thesis calls very similar errors."""


def initialisations(plan: Plan) -> Findings:
    """Invert photographs from several starts; see `Plan`.

    Raises:
        SettingError: One start has no spread.
    """
    demand_photos(plan, "initialisations")
    if plan.repeats < 2:
        raise SettingError("one start has no spread: give 2 repeats or more")
    layers = plan.spread(8)
    cells = cells_of(plan, layers, plan.strengths, plan.repeats)
    spread, error = {}, {}
    for key, own in cells.items():
        starts = by_photograph(own, plan.repeats)
        spread[key] = tabulated.averaged(map(_spread, starts))
        error[key] = tabulated.averaged(mean(_errors(cells)) for cells in starts if _errors(cells))
    verdict = _verdict(plan, layers, spread)
    what = layers, plan.strengths
    rows = [
        (f"{layer}, C = {called(c)}", _extremes(own[: plan.repeats]))
        for (layer, c), own in cells.items()
    ]
    numbers = tabulated.listed(*what, spread)
    for entry, key in zip(numbers, cells, strict=True):
        entry["error"] = error[key]["mean"]
    return Findings(
        "initialisations",
        f"{plan.net.name}: {plan.repeats} starts of {plural(len(plan.photos), 'photograph')}",
        (
            tabulated.table(
                "standard deviation of the error over starts, %", *what, spread, verdict,
                digits=2, times=100,
            ),
            tabulated.table("relative error, %", *what, error, times=100),
        ),
        (tabulated.plot("spread of the error over starts", *what, spread, "%", times=100),),
        tuple(rows[:12]),
        tabulated.facts(plan, starts=plan.repeats),
        (),
        {"layers": numbers, "starts": plan.repeats, "verdict": verdict},
    )  # fmt: skip


def by_photograph(cells: Sequence[Cell], repeats: int) -> list[list[Cell]]:
    """Part what `cells_of` returns by photographs: all starts of one are there, or none."""
    return [list(cells[i : i + repeats]) for i in range(0, len(cells), repeats)]


def _errors(cells: Sequence[Cell]) -> list[float]:
    return [cell.values["error"] for cell in cells if cell.values["error"] is not None]


def _spread(cells: Sequence[Cell]) -> float | None:
    known = _errors(cells)
    return stdev(known) if len(known) > 1 else None


def _verdict(
    plan: Plan, layers: Sequence[str], spread: dict[tuple[str, float], dict[str, Any]]
) -> str:
    known = {key: found["mean"] for key, found in spread.items() if found["count"]}
    if not known:
        return "Nothing could be inverted."
    little = sum(value <= LITTLE for value in known.values())
    most = max(known, key=lambda key: float(known[key]))
    return (
        f"Over {plan.repeats} starts the error's standard deviation is at most {LITTLE:.0%} in "
        f"{little} of {len(known)} cases; it is largest, {known[most]:.1%}, at "
        f"{most[0]} with C = {called(most[1])}."
    )


def _extremes(starts: Sequence[Cell]) -> tuple[Tile, ...]:
    """Show a photograph with its best and its worst start."""
    known = [cell for cell in starts if cell.values["error"] is not None]
    if not known:
        return ()
    best, *_, worst = sorted([known[0], *known], key=lambda cell: float(cell.values["error"]))
    return (
        Tile(best.images["original"], "image"),
        Tile(best.images["found"], f"best start: error {best.values['error']:.1%}"),
        Tile(worst.images["found"], f"worst start: error {worst.values['error']:.1%}"),
    )

"""Which solver finds lower energies, for inversion and for texture?

Four ways down have the same number of passes through the network: L-BFGS, Algorithm 1 of the
papers, Adam on pixels, and Adam on the spectrum with decorrelated colours. The tasks are

- *inversion*: C times the match plus the papers' priors, from one layer;
- *texture*: the statistics of several layers alone (eq. 5.8), as Gatys et al. have it.

There is no jitter, which would give each solver another energy at every step. What counts is the
lowest energy seen after so many passes; solvers are compared photograph by photograph, by the
ratio of their energies to those of Algorithm 1, averaged in the logarithm.

*Reference.* Mahendran, thesis 2018, section 5.2.3: L-BFGS-B is better for texture, and has no
significant benefit for inversion; Mahendran & Vedaldi, IJCV 2016, section 3.4. No numbers there.

*Departures.* L-BFGS, where the thesis has L-BFGS-B with its box; here pixels are projected onto
the papers' ball. The thesis says "preliminary", and not how many iterations. The spectrum starts
from gray, the others from the papers' noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.preimage.lbfgs import LBFGS
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.solvers import AlgorithmOne, Solver, Torch
from phosphene.preimage.texture import default_layers, texture
from phosphene.studies import tabulated
from phosphene.studies.counted import Counted
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inverted, middle_of, strength_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, finished, plural

SOLVERS: dict[str, tuple[Solver, str]] = {
    "L-BFGS": (LBFGS(), "pixels"),
    "Algorithm 1": (AlgorithmOne(), "pixels"),
    "Adam, pixels": (Torch("Adam", {"lr": 10.0}), "pixels"),
    "Adam, spectrum": (Torch("Adam", {"lr": 0.1}), "spectrum"),
}
"""By name: the solver, and what it moves. Adam's rate on pixels is the best of 2, 5, 10 and 20 on
the demo network, for both tasks; the others are what the verbs use."""
REFERENCE = "Algorithm 1"
PASSES = {"fast": 100, "best": 750}
TEXTURE_WEIGHT = 100.0
"""C of the texture, that of `preimage.texture`: the rate of Algorithm 1 supposes a scale."""
_POINTS = 60
Key = tuple[str, str]


def solvers(plan: Plan) -> Findings:
    """Descend the same energies with several solvers; see `Plan`."""
    demand_photos(plan, "solvers")
    passes = plan.steps or PASSES.get(plan.quality or "", 300)
    tasks = {f"inversion of {layer}": layer for layer in middle_of(plan)} | {"texture": ""}
    keys = [(task, name) for task in tasks for name in SOLVERS]
    cells: dict[Key, list[Cell]] = {key: [] for key in keys}
    total = len(keys) * len(plan.photos)
    done = 0
    for number, photo in enumerate(plan.names):
        for task, name in keys:
            plan.tick(done, total, f"{task}, {name}, {photo}")
            cell = _cell(plan, number, tasks[task], name, passes)
            if "skipped" not in cell.values:
                cells[task, name].append(cell)
            done += 1
    plan.tick(total, total, "done")
    ratios = {key: _ratio(cells, *key) for key in keys}
    verdict = _verdict(list(tasks), ratios)
    return Findings(
        "solvers",
        f"{plan.net.name}: solvers after {passes} passes, {plural(len(plan.photos), 'photograph')}",
        (_table(cells, ratios, verdict),),
        tuple(_plot(task, cells) for task in tasks),
        tuple((task, _tiles(task, cells)) for task in tasks),
        tabulated.facts(
            plan,
            passes=passes,
            **{"layers of texture": ", ".join(default_layers(plan.net))},
            quality="the same passes for all",
            solvers="; ".join(str(solver) for solver, _ in SOLVERS.values()),
        ),
        tabulated.doubts(plan),
        {
            "energies": [
                {
                    "task": task,
                    "solver": name,
                    "final": [cell.values["lowest"][-1] for cell in own],
                    "logarithm of ratio": ratios[task, name],
                }
                for (task, name), own in cells.items()
            ],
            "passes": passes,
            "verdict": verdict,
        },
    )


def _cell(plan: Plan, number: int, layer: str, name: str, passes: int) -> Cell:
    """Descend one energy with one solver; texture where there is no layer."""
    solver, parameters = SOLVERS[name]
    strength = strength_of(plan, layer) if layer else TEXTURE_WEIGHT

    def compute() -> Cell:
        counted = Counted(solver, passes)
        recipe = Recipe(name, counted, passes, parameters=parameters, jitter=1, convergence=None)  # type: ignore[arg-type]
        photo = plan.photos[number]
        try:
            if layer:
                result = inverted(plan, photo, layer, strength, quality=recipe)
            else:
                settings: dict[str, Any] = {"strength": strength, "priors": (), "seed": plan.seed}
                result = finished(texture(plan.net, photo, quality=recipe, **settings))
        except UnitError as error:
            return Cell({"skipped": str(error)})
        assert result.reference is not None
        unit = 1.0 if layer else TEXTURE_WEIGHT
        values = {
            "lowest": [energy / unit for energy in counted.lowest()],
            "warnings": list(result.warnings),
        }
        images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
        return Cell(values, images)

    key = {"photo": plan.photo_ids[number], "layer": layer, "strength": strength}
    return plan.cell(
        "descent", {**key, "solver": str(solver), "passes": passes, "of": parameters}, compute
    )


def _ratio(cells: Mapping[Key, Sequence[Cell]], task: str, name: str) -> dict[str, Any]:
    """Return the mean logarithm of how much higher a solver ends than the reference."""
    pairs = zip(cells[task, name], cells[task, REFERENCE], strict=True)
    ends = [(a.values["lowest"][-1], b.values["lowest"][-1]) for a, b in pairs]
    return tabulated.averaged(math.log(a / b) for a, b in ends if a > 0 and b > 0)


def _verdict(tasks: Sequence[str], ratios: Mapping[Key, Mapping[str, Any]]) -> str:
    parts = []
    for task in tasks:
        own = {name: ratios[task, name] for name in SOLVERS if ratios[task, name]["count"]}
        if not own:
            continue
        words = {1: "ends surely above", -1: "ends surely below", 0: "does not surely differ from"}
        found = own["L-BFGS"]
        how = f"{words[tabulated.sure(found)]} {REFERENCE}"
        best = min(own, key=lambda name: float(own[name]["mean"]))
        parts.append(
            f"for {task} L-BFGS {how} ({math.exp(found['mean']):.2f} times its energy), and lowest "
            f"ends {best} ({math.exp(own[best]['mean']):.2f})"
        )
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else "Nothing could be descended."


def _table(
    cells: Mapping[Key, Sequence[Cell]], ratios: Mapping[Key, Mapping[str, Any]], verdict: str
) -> Table:
    rows = []
    for (task, name), own in cells.items():
        final = tabulated.averaged(cell.values["lowest"][-1] for cell in own)
        ratio, times = ratios[task, name], None
        if ratio["count"]:
            ends = [math.exp(ratio["mean"] + sign * ratio["interval"]) for sign in (-1, 1)]
            times = f"{math.exp(ratio['mean']):.2f}"
            times += f" ({ends[0]:.2f} to {ends[1]:.2f})" if ratio["count"] > 1 else ""
        rows.append((task, name, tabulated.said(final, 4), times))
    columns = ("task", "solver", "lowest energy", f"times that of {REFERENCE}")
    return Table("energies after the same number of passes", columns, tuple(rows), verdict)


def _plot(task: str, cells: Mapping[Key, Sequence[Cell]]) -> Plot:
    """Draw the mean over photographs of the lowest energy so far."""
    series = []
    for name in SOLVERS:
        curves = [cell.values["lowest"] for cell in cells[task, name]]
        if not curves:
            continue
        count = len(curves[0])
        places = sorted({round(i * (count - 1) / _POINTS) for i in range(_POINTS + 1)})
        heights = tuple(sum(curve[i] for curve in curves) / len(curves) for i in places)
        series.append(Series(name, tuple(float(i + 1) for i in places), heights))
    return Plot(f"lowest energy: {task}", tuple(series), "passes", "energy", log=True)


def _tiles(task: str, cells: Mapping[Key, Sequence[Cell]]) -> tuple[Tile, ...]:
    tiles: list[Tile] = []
    for name in SOLVERS:
        for cell in cells[task, name][:1]:
            if not tiles:
                tiles.append(Tile(cell.images["original"], "image"))
            tiles.append(Tile(cell.images["found"], f"{name}: {cell.values['lowest'][-1]:.4g}"))
    return tuple(tiles)

"""What a survey found, as lines, as JSON and as a table of all units."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.collected import write
from phosphene.cli.columns import in_columns

if TYPE_CHECKING:
    from phosphene.survey.store import Survey

COLUMNS = (
    "layer", "unit", "maximum", "minimum", "mean", "deviation", "positive", "active", "quantile",
    "dead", "most like", "correlation", "top images", "top values", "top rows", "top columns",
)  # fmt: skip
"""Of `units.csv`: texts of several values are joined by semicolons."""


def rows(survey: Survey) -> Iterator[list[Any]]:
    """Yield a row for every unit of every layer."""
    statistics, top = survey.collector("statistics"), survey.collector("top patches")
    correlation = survey.collector("correlation")
    images = survey.images()
    for layer in survey.layers:
        found, quantiles = statistics.of(layer), survey.quantiles(layer).tolist()
        deviation, alike = found.variance**0.5, correlation.matrix(layer)
        varies = alike.diagonal() > 0
        nearest = alike.clone().fill_diagonal_(-math.inf).max(1)
        for unit, quantile in enumerate(quantiles):
            peaks = top.of(layer, unit)
            near = f"{nearest.values[unit]:.4f}" if varies[unit] and len(alike) > 1 else ""
            like = int(nearest.indices[unit]) if near else ""
            numbers = (
                found.maximum, found.minimum, found.mean, deviation, found.positive, found.active
            )  # fmt: skip
            yield [
                layer,
                unit,
                *(f"{float(column[unit]):.6g}" for column in numbers),
                f"{quantile:.6g}",
                int(found.dead[unit]),
                like,
                near,
                ";".join(images.name_of(peak.key) for peak in peaks),
                ";".join(f"{peak.value:.6g}" for peak in peaks),
                ";".join(str(peak.at[0]) for peak in peaks),
                ";".join(str(peak.at[1]) for peak in peaks),
            ]


def some_units(survey: Survey, many: int) -> dict[str, list[int]]:
    """Choose units of every layer, evenly over those that were ever above zero, by layer."""
    statistics = survey.collector("statistics")
    found = {}
    for layer in survey.layers:
        of_layer = statistics.of(layer)
        alive = (~of_layer.dead & (of_layer.maximum > 0)).nonzero()[0]
        step = max(1.0, len(alive) / many)
        found[layer] = [int(alive[int(i * step)]) for i in range(min(many, len(alive)))]
    return {layer: units for layer, units in found.items() if units}


def write_units(survey: Survey, path: Path) -> None:
    """Write a table of all units as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows(survey))
    write(path, text.getvalue().encode(errors="replace").decode())


def as_json(survey: Survey) -> dict[str, Any]:
    """Return what was found, layer by layer, for scripts."""
    statistics = survey.collector("statistics")
    layers = []
    for name, facts in survey.layers.items():
        found = statistics.of(name)
        layers.append(
            {
                **facts.as_json(),
                "maximum": found.maximum.tolist(),
                "positive": found.positive.tolist(),
                "dead": [int(unit) for unit in found.dead.nonzero()[0]],
                "quantile": survey.quantiles(name).tolist(),
            }
        )
    return {
        "network": survey.network,
        "folder": str(survey.folder),
        "images": survey.count,
        "failed": survey.failed,
        "seconds": survey.seconds,
        "images_per_second": survey.rate,
        "layers": layers,
        "units": str(survey.folder / "units.csv"),
    }


def summary(survey: Survey) -> list[str]:
    """Return a line for every layer."""
    statistics = survey.collector("statistics")
    table = [("layer", "units", "map", "dead", "sparsity", "strongest unit")]
    for name, facts in survey.layers.items():
        found = statistics.of(name)
        strongest = int(found.maximum.argmax())
        table.append(
            (
                name,
                str(facts.channels),
                f"{facts.height}x{facts.width}",
                str(int(found.dead.sum())),
                f"{1 - float(found.positive.mean()):.0%}",
                f"{strongest} ({found.maximum[strongest]:.4g})",
            )
        )
    return in_columns(table, right=range(1, 5))

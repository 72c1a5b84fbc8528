"""What is said of pre-images: lines for a person, values for scripts, the energies as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.columns import in_columns

if TYPE_CHECKING:
    from phosphene.panel import Panel
    from phosphene.preimage.result import PreImage

_MOST_LINES = 20


def values_of(found: PreImage) -> list[dict[str, Any]]:
    """Say of every image its name, relative error, steps, and energy at the last of them."""
    values = []
    for index, name in enumerate(found.names):
        objective = found.trace.objective[:, index]
        prior = found.trace.prior[:, index]
        seen = ~objective.isnan()
        last = (float(objective[seen][-1]), float(prior[seen][-1])) if seen.any() else (None, None)
        error = None if found.error is None else _finite(float(found.error[index]))
        values.append(
            {
                "name": name,
                "error": error,
                "steps": int(seen.sum()),
                "objective": _finite(last[0]),
                "prior": _finite(last[1]),
            }
        )
    return values


def as_json(
    found: PreImage | None, output: Path | None, interrupted: bool, failed: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything there is to say, for scripts.

    Args:
        found: The images, if there are any.
        output: Where they went.
        interrupted: Whether there would have been more.
        failed: What could not be done and why, by name.
    """
    return {
        "output": None if output is None else str(output),
        "facts": {} if found is None else dict(found.facts),
        "warnings": [] if found is None else list(found.warnings),
        "interrupted": interrupted,
        "results": [] if found is None else values_of(found),
        "failed": dict(failed),
    }


def lines_of(
    found: PreImage | None, files: Sequence[Path | None], failed: Mapping[str, str]
) -> list[str]:
    """Say how near each image came and in how many steps, and where to look.

    Args:
        found: The images, if there are any.
        files: The page or picture, and what was written beside it; the first `None`, nothing was.
        failed: What could not be done and why, by name.
    """
    lines = [] if found is None else _rows(found) + [f"! {text}" for text in found.warnings]
    if failed:
        lines.append(f"{len(failed)} could not be done (named above)")
    if found is not None and files[0] is not None:
        count = f"{len(found)} images" if len(found) > 1 else "1 image"
        lines.append(f"{count}: open {', '.join(str(file) for file in files if file)}")
    return lines


def _rows(found: PreImage) -> list[str]:
    values = values_of(found)
    rows = [
        (
            value["name"],
            "" if value["error"] is None else f"error {value['error']:.1%}",
            f"{value['steps']} steps",
        )
        for value in values[:_MOST_LINES]
    ]
    more = len(values) - _MOST_LINES
    return in_columns(rows, right=(2,)) + ([f"and {more} more"] if more > 0 else [])


def write_trace(found: PreImage, path: Path) -> None:
    """Write the energies as CSV: iteration, image, objective, prior; whole or not at all."""
    from phosphene.image import replacing

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("iteration", "image", "objective", "prior"))
    names = numbered(found.names)
    rows = zip(found.trace.objective.tolist(), found.trace.prior.tolist(), strict=True)
    for iteration, (objectives, priors) in enumerate(rows):
        for name, objective, prior in zip(names, objectives, priors, strict=True):
            if not math.isnan(objective):
                table.writerow((iteration, name, f"{objective:.6g}", f"{prior:.6g}"))
    with replacing(path) as file:
        file.write(text.getvalue().encode(errors="replace"))


def numbered(names: tuple[str, ...]) -> list[str]:
    """Tell apart what has one name.

    >>> numbered(("cat", "cat", "dog"))
    ['cat 1', 'cat 2', 'dog']
    """
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(f"{name} {seen[name]}" if names.count(name) > 1 else name)
    return told


def panel_of(found: PreImage) -> Panel:
    """Lay out the images; those that stand alone in their rows fill a square instead."""
    panel = found.panel()
    if found.reference is not None or any(len(tiles) > 1 for _, tiles in panel.rows):
        return panel
    tiles = [
        replace(tile, caption=", ".join(text for text in (heading, tile.caption) if text))
        for heading, (tile,) in panel.rows
    ]
    side = side_of(len(tiles))
    rows = tuple(("", tuple(tiles[i : i + side])) for i in range(0, len(tiles), side))
    return replace(panel, rows=rows)


def side_of(count: int) -> int:
    """Return the side of the square that holds so many tiles."""
    return max(1, math.ceil(math.sqrt(count)))


def save_folder(found: PreImage, folder: Path) -> None:
    """Write a folder of everything."""
    from phosphene.view import save

    save(panel_of(found), folder)
    write_trace(found, folder / "trace.csv")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""What `phosphene flow` found: written to files, and told to a person or a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phosphene.cli import options
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.motion.flow import Flow
    from phosphene.motion.ranking import Ranking
    from phosphene.panel import Shows


def finish(
    result: Shows,
    numbers: dict[str, Any],
    lines: Sequence[str],
    flow: Flow | None,
    save: Path | None,
    out: Path | None,
    json: bool,
) -> None:
    """Write what is wanted, and say what was found.

    Args:
        result: What there is to show.
        numbers: The same, for `--json`.
        lines: The same, for a person.
        flow: What `--save` writes.
        save: Where to, if it shall be.
        out: Where the page or picture goes, if there shall be one.
        json: Whether to print `numbers` in place of `lines`.
    """
    from phosphene.motion.flow_files import write_flow

    if save is not None and flow is not None:
        write_flow(flow, save)
    written = result.save(out) if out is not None else None
    if json:
        kept = {"output": written and str(written), "saved": save and str(save)}
        options.print_json({**numbers, **kept})
        return
    for line in lines:
        typer.echo(line)
    for place in (save, written):
        if place is not None:
            say(f"written to {place}")


def line_of(numbers: dict[str, Any]) -> str:
    """Say in a line what an estimator found."""
    parts = [f"{numbers['estimator']}:"]
    if numbers["median_px"] is not None:
        parts.append(f"{numbers['median_px']:.2f} px median, {numbers['longest_px']:.1f} longest,")
    if numbers["residual"] is not None:
        parts.append(f"residual {numbers['residual']:.2f} of 255,")
    parts.append(f"{numbers['consistent']:.0%} consistent, {numbers['seconds']:.3f} s")
    if numbers.get("error_px") is not None:
        parts.append(f"; error {numbers['error_px']:.3f} px, Fl {numbers['outliers']:.2%}")
    return " ".join(parts).replace(" ;", ";")


def lines_of(numbers: dict[str, Any]) -> list[str]:
    """Say what there is to say of flow that was shown."""
    height, width = numbers["size"]
    told = f"{width}x{height}, {numbers['valid']:.0%} valid"
    if numbers["median_px"] is not None:
        told += f", {numbers['median_px']:.2f} px median, {numbers['longest_px']:.1f} longest"
    lines = [told]
    error = numbers.get("error")
    if error:
        mean, outliers = error["mean"], error["outliers"]
        if mean is None:
            lines.append("no pixel is known both here and in the truth")
        else:
            lines.append(f"error {mean:.3f} px over {error['pixels']} pixels, Fl {outliers:.2%}")
    return lines


def table_of(ranking: Ranking) -> list[str]:
    """Lay a ranking out for the terminal."""
    from phosphene.cli.columns import in_columns

    lines: list[str] = []
    for table in ranking.tables():
        rows = [tuple("" if cell is None else str(cell) for cell in row) for row in table.rows]
        right = tuple(range(1, len(table.columns)))
        lines += [table.title, *in_columns([table.columns, *rows], right=right), ""]
    return lines[:-1]

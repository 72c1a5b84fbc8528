"""How a diagnosis is shown: its sentences, the first layer's filters worst first, and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor

from phosphene.panel import Panel, Plot, Series, Table, Tile

if TYPE_CHECKING:
    from phosphene.survey.diagnosis.diagnose import Diagnosis, First

_ROW, _SIDE, _MOST = 12, 56, 256


def panel_of(found: Diagnosis) -> Panel:
    """Show what was found."""
    faults = len(found.faults)
    notes = len(found.findings) - faults
    said = f"{faults or 'no'} fault{'' if faults == 1 else 's'}"
    said += f", {notes} note{'' if notes == 1 else 's'}" if notes else ""
    first = found.first
    return Panel(
        f"{found.network}: {said}",
        _filters(first, found) if first is not None else (),
        found.facts,
        tuple(f"{f.severity}: {f.sentence}" for f in found.findings),
        (*([_spectrum(first)] if first is not None and first.judged else []), *_curves(found)),
        tuple(table for table in (_findings(found), _layers(found)) if table.rows),
    )


def drawn(filter_: Tensor, side: int = _SIDE) -> Image.Image:
    """Draw a filter (c, h, w): zero as mid-gray, each filter to its own largest weight."""
    colour = filter_ if filter_.shape[0] == 3 else filter_.mean(0, keepdim=True).expand(3, -1, -1)
    shown = 0.5 + colour / (2 * colour.abs().max().clamp_min(1e-12))
    pixels = (shown.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    times = max(1, side // max(pixels.shape[:2]))
    return Image.fromarray(np.kron(pixels, np.ones((times, times, 1), np.uint8)))


def worst_first(first: First, found: Diagnosis) -> list[int]:
    """Order filters: those that findings name, then by how much of them is aliased or fine."""
    named = {u for f in found.findings if f.layer == first.name for u in f.units}
    bad = first.spectra.high + first.spectra.alias
    return sorted(range(len(first.weight)), key=lambda i: (i not in named, -float(bad[i])))


def _filters(first: First, found: Diagnosis) -> tuple[tuple[str, tuple[Tile, ...]], ...]:
    kinds: dict[int, list[str]] = {}
    for finding in found.findings:
        if finding.layer == first.name:
            for unit in finding.units:
                kinds.setdefault(unit, []).append(finding.kind)
    s = first.spectra
    tiles = [
        Tile(
            drawn(first.weight[i]),
            f"{i}{' ' + '+'.join(kinds[i]) if i in kinds else ''}",
            f"low {float(s.low[i]):.2f}, mid {float(s.mid[i]):.2f}, high {float(s.high[i]):.2f}, "
            f"alias {float(s.alias[i]):.2f}, RMS {float(first.rms[i]):.3g}",
        )
        for i in worst_first(first, found)[:_MOST]
    ]
    rows = [tuple(tiles[i : i + _ROW]) for i in range(0, len(tiles), _ROW)]
    return tuple(("worst first" if i == 0 else "", row) for i, row in enumerate(rows))


def _spectrum(first: First) -> Plot:
    """Draw the mean radial spectrum of the filters, with the extremes that hold most of them."""
    energy, x = first.spectra.energy, tuple(round(float(f), 4) for f in first.spectra.frequency)
    alive = energy[energy.sum(1) > 0]
    lines = [Series("mean of all filters", x, tuple(alive.mean(0).tolist()))]
    if len(alive):
        finest = alive[int((alive * first.spectra.frequency).sum(1).argmax())]
        coarsest = alive[int((alive * first.spectra.frequency).sum(1).argmin())]
        lines += [
            Series("finest filter", x, tuple(finest.tolist())),
            Series("coarsest filter", x, tuple(coarsest.tolist())),
        ]
    nyquist = 0.5 / max(first.stride)
    name = f"cycles per pixel (stride {max(first.stride)}: Nyquist at {nyquist:g})"
    return Plot(f"Spectrum of {first.name}", tuple(lines), name, "share of the energy")


def _curves(found: Diagnosis) -> list[Plot]:
    size = {n: a.size for n, a in found.activity.items() if a.dead is None and a.saturated is None}
    dead = {n: a.dead for n, a in found.activity.items() if a.dead is not None}
    plots = []
    if len(size) > 1:
        series = Series("", tuple(size), tuple(size.values()))
        plots.append(Plot("Size of the answers", (series,), "layer", "root mean square", log=True))
    if dead:
        series = Series("", tuple(dead), tuple(100 * d for d in dead.values()))
        plots.append(Plot("Dead units", (series,), "layer", "% of the layer", "bars"))
    return plots


def _findings(found: Diagnosis) -> Table:
    rows = tuple(
        (f.kind, f.severity, f.layer, len(f.units), f.value, f.bound) for f in found.findings
    )
    columns = ("finding", "severity", "layer", "units", "value", "bound")
    return Table("What was found", columns, rows, "No units: the layer as a whole.")


def _layers(found: Diagnosis) -> Table:
    rows = tuple(
        (name, a.units, a.dead, a.on, a.saturated, a.size) for name, a in found.activity.items()
    )
    columns = ("layer", "units", "dead", "always on", "at a bound", "root mean square")
    note = "Shares of the units; of positions for what is at a bound."
    return Table("Layers", columns, rows, note)


def share_table(named: dict[str, Diagnosis]) -> Table:
    """Put the first layers of several networks side by side."""
    rows = []
    for name, found in named.items():
        part = found.numbers()
        rows.append(
            (name, *(part.get(k) for k in ("low", "mid", "high", "alias")), len(found.faults))
        )
    columns = ("network", "below 1/8", "1/8 to 1/4", "above 1/4", "aliased", "faults")
    note = "Mean shares of the filters' energy by frequency, cycles per pixel."
    return Table("First layers", columns, tuple(rows), note)

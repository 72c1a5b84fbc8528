"""How an evolution is shown: figure 4 of Zeiler & Fergus, with jumps marked, and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from phosphene.image import to_image
from phosphene.panel import Panel, Plot, Series, Table, Tile
from phosphene.survey.contrast import enhanced

if TYPE_CHECKING:
    from phosphene.survey.evolution.evolve import Evolution, Moment

_SIDE, _GAP = 84, 2
_MARK = (214, 60, 40)


def panel_of(found: Evolution) -> Panel:
    """Show what was found."""
    rows = tuple(
        (
            f"{layer} unit {unit}",
            tuple(
                Tile(
                    _drawn(moment),
                    name,
                    f"{moment.image or 'silent'}, {moment.value:.3g}"
                    + (", another image than before" if moment.jump else ""),
                )
                for name, moment in zip(found.checkpoints, moments, strict=True)
            ),
        )
        for (layer, unit), moments in found.units.items()
    )
    return Panel(
        f"How {found.network} learned",
        rows,
        {**found.facts, "marked red": "another image has become the strongest"},
        plots=_curves(found),
        tables=(_table(found),),
    )


def _drawn(moment: Moment) -> Image.Image:
    """Draw the patch above its projection; a red edge where another image took over."""
    size = (_SIDE, 2 * _SIDE + _GAP)
    picture = Image.new("RGB", size, (128, 128, 128))
    if moment.patch is None:
        ImageDraw.Draw(picture).text((_SIDE // 2 - 14, _SIDE // 2 - 5), "silent", (235, 235, 235))
        return picture
    (signal,) = enhanced(tuple(moment.patch.signals.values()), "quantile")
    picture.paste(_square(moment.patch.image), (0, 0))
    picture.paste(_square(signal), (0, _SIDE + _GAP))
    if moment.jump:
        ImageDraw.Draw(picture).rectangle((0, 0, 3, size[1]), fill=_MARK)
    return picture


def _square(image: Tensor) -> Image.Image:
    shown = to_image(image.clamp(0, 1))
    # Few pixels stay pixels; many are averaged.
    small = max(shown.size) < _SIDE // 2
    return shown.resize(
        (_SIDE, _SIDE), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    )


_CURVES = (
    ("rank", "Answers", "rank correlation with the last checkpoint"),
    ("cosine", "Filters", "cosine with the last checkpoint"),
    ("moved", "Movement", "relative change since the checkpoint before"),
    ("changed", "Jumps", "share of units with another strongest image"),
)


def _curves(found: Evolution) -> tuple[Plot, ...]:
    plots = []
    for attribute, title, what in _CURVES:
        lines = []
        for layer, drift in found.drift.items():
            values = getattr(drift, attribute)
            known = [i for i, value in enumerate(values) if np.isfinite(value)]
            if known:
                x = tuple(found.checkpoints[i] for i in known)
                lines.append(Series(layer, x, tuple(float(values[i]) for i in known)))
        if lines:
            plots.append(Plot(title, tuple(lines), "checkpoint", what))
    return tuple(plots)


def _table(found: Evolution) -> Table:
    rows = []
    for layer, drift in found.drift.items():
        settled = "never told" if drift.converged is None else found.checkpoints[drift.converged]
        changed = [v for v in drift.changed if np.isfinite(v)]
        first = (v if np.isfinite(v) else None for v in (drift.rank[0], drift.cosine[0]))
        rows.append((layer, settled, changed[-1] if changed else None, *first))
    columns = ("layer", "converged at", "last jumps", "rank at first", "cosine at first")
    note = (
        "Converged: the rank correlation of the answers with the last checkpoint stays above 0.9."
    )
    return Table("When layers converge", columns, tuple(rows), note)

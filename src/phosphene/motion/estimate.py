"""The flow between two frames by one or more estimators, and how far it can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.errors import SettingError
from phosphene.motion.endpoint_error import EndpointError, endpoint_error
from phosphene.motion.estimators import Estimator, open_estimator
from phosphene.motion.estimators.estimator import checked
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pixels
from phosphene.motion.tiles import (
    arrow_tile,
    errors,
    flow_tile,
    frame_tile,
    heat_tile,
    longest,
    mask_tile,
)
from phosphene.motion.warping import consistent, residual
from phosphene.motion.wheel import key
from phosphene.panel import Panel, Shows, Table, Tile

_LEVELS = 64.0
"""Difference of gray levels that residuals show in their lightest colour."""
_TOP = 3.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """What one estimator found between two frames.

    Attributes:
        name: Of the estimator.
        flow: From the first frame to the second.
        back: From the second to the first.
        seconds: What the flow there took.
        residual: (h, w), what differs between the first frame and the second, brought back: mean
            over channels, of 255 levels; NaN where the flow ends outside.
        consistent: (h, w), where the flow there and back again ends where it began.
        error: Against the truth, where that is known.
    """

    name: str
    flow: Flow
    back: Flow
    seconds: float
    residual: Any
    consistent: Any
    error: EndpointError | None = None

    def as_json(self) -> dict[str, Any]:
        """Give its numbers."""
        length = self.flow.magnitude[self.flow.valid]
        inside = self.residual[~np.isnan(self.residual)]
        numbers: dict[str, Any] = {
            "estimator": self.name,
            "median_px": float(np.median(length)) if length.size else None,
            "longest_px": float(length.max()) if length.size else None,
            "residual": float(inside.mean()) if inside.size else None,
            "consistent": float(self.consistent.mean()),
            "seconds": self.seconds,
        }
        if self.error is not None:
            numbers |= {"error_px": self.error.mean, "outliers": self.error.outliers}
        return numbers


@dataclass(frozen=True, eq=False)
class Estimates(Shows):
    """The flow between two frames, by each of several estimators.

    Attributes:
        first: (h, w, 3), the first frame.
        second: (h, w, 3), the second.
        found: What each estimator found.
        still: Mean absolute difference of the frames as they are, of 255 levels.
        truth: The true flow, if it is known.
        facts: What it was made with.
    """

    first: Pixels
    second: Pixels
    found: tuple[Estimate, ...]
    still: float
    truth: Flow | None = None
    facts: dict[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show the frames, and of every estimator the flow and what speaks for and against it."""
        flows = [each.flow for each in self.found]
        largest = longest(*flows, *([self.truth] if self.truth else []))
        frames = [frame_tile(self.first, "first frame"), frame_tile(self.second, "second frame")]
        if self.truth is not None:
            frames.append(flow_tile(self.truth, largest, "truth"))
        frames.append(Tile(key(), f"every direction, to {largest:.1f} px"))
        rows = [("", tuple(frames))]
        rows += [(each.name, self._tiles(each, largest)) for each in self.found]
        return Panel("Flow between two frames", tuple(rows), self.facts, tables=(self._table(),))

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts."""
        found = [each.as_json() for each in self.found]
        return {"estimates": found, "still_residual": self.still, "facts": self.facts}

    def _tiles(self, each: Estimate, largest: float) -> tuple[Tile, ...]:
        numbers = each.as_json()
        left = "" if numbers["residual"] is None else f", {numbers['residual']:.1f} of 255 levels"
        tiles = [
            flow_tile(each.flow, largest, f"flow, pure colours at {largest:.1f} px"),
            arrow_tile(self.first, each.flow),
            heat_tile(each.residual, _LEVELS, f"warp residual{left}"),
            mask_tile(self.first, each.consistent, f"{numbers['consistent']:.0%} consistent"),
        ]
        if self.truth is not None and each.error is not None:
            caption = f"error to {_TOP:g} px, mean {each.error.mean:.2f}"
            tiles.append(heat_tile(errors(each.flow, self.truth), _TOP, caption))
        return tuple(tiles)

    def _table(self) -> Table:
        columns = {
            "estimator": "estimator", "median_px": "median px", "longest_px": "longest px",
            "residual": "residual", "consistent": "consistent", "error_px": "error px",
            "outliers": "Fl", "seconds": "seconds",
        }  # fmt: skip
        rows = [each.as_json() for each in self.found]
        kept = [key for key in columns if any(key in row for row in rows)]
        return Table(
            "Numbers",
            tuple(columns[key] for key in kept),
            tuple(tuple(_short(row.get(key)) for key in kept) for row in rows),
            "Residual: mean absolute difference between the first frame and the second, brought "
            f"back by the flow, of 255 levels; {self.still:.2f} if nothing is moved. Consistent: "
            "share of pixels that the flow there and back again returns to themselves.",
        )


def estimate(
    first: Pixels,
    second: Pixels,
    estimators: Sequence[str | Estimator] = ("dis",),
    *,
    truth: Flow | None = None,
    facts: dict[str, str] | None = None,
) -> Estimates:
    """Estimate the flow between two frames, there and back.

    Args:
        first: (h, w, 3), 8-bit RGB.
        second: Likewise, of the same size.
        estimators: Names, as `open_estimator` takes them, or estimators.
        truth: The true flow, to measure errors by.
        facts: To keep with the result.

    Raises:
        SettingError: There are no estimators, or one is unknown.
        FlowError: The frames do not fit, or an estimator fails.
    """
    if not estimators:
        raise SettingError("no estimator was named: give one at least")
    opened = [open_estimator(e) if isinstance(e, str) else e for e in estimators]
    first, second = checked(first, second)
    still = float(np.abs(first.astype(np.float32) - second).mean())
    found = []
    for estimator in opened:
        begin = time.perf_counter()
        flow = estimator(first, second)
        seconds = time.perf_counter() - begin
        back = estimator(second, first)
        error = endpoint_error(flow, truth) if truth is not None else None
        left = residual(first, second, flow)
        found.append(
            Estimate(estimator.name, flow, back, seconds, left, consistent(flow, back), error)
        )
    height, width = first.shape[:2]
    told = {"size": f"{width}x{height}", **(facts or {})}
    return Estimates(first, second, tuple(found), still, truth, told)


def _short(value: Any) -> str | float | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value

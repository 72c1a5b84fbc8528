"""Flow that is there already, shown: in colours, as arrows over its frame, beside the truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from phosphene.errors import FlowError
from phosphene.motion.endpoint_error import EndpointError, endpoint_error
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pixels
from phosphene.motion.tiles import arrow_tile, errors, flow_tile, frame_tile, heat_tile, longest
from phosphene.motion.wheel import colored, key
from phosphene.panel import Panel, Shows, Tile

_TOP = 3.0
_STILL = 0.5


@dataclass(frozen=True, eq=False)
class ShownFlow(Shows):
    """Flow, and what there is to see of it.

    Attributes:
        flow: The flow.
        frame: (h, w, 3), the frame it starts from, if there is one.
        truth: What it should be, if that is known.
        facts: Where it comes from.

    Raises:
        FlowError: The frame or the truth is of another size.
    """

    flow: Flow
    frame: Pixels | None = None
    truth: Flow | None = None
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frame is not None and self.frame.shape != (*self.flow.size, 3):
            given, needed = (f"{s[1]}x{s[0]}" for s in (self.frame.shape, self.flow.size))
            raise FlowError(f"a frame of {given} does not fit a flow of {needed}: give one of that")
        if self.truth is not None:
            endpoint_error(self.flow, self.truth)

    @property
    def error(self) -> EndpointError | None:
        """The error against the truth."""
        return None if self.truth is None else endpoint_error(self.flow, self.truth)

    def numbers(self) -> dict[str, float | None]:
        """Measure lengths of vectors in pixels, and shares of pixels (valid, and still of these).

        Still is what moves by less than half a pixel.
        """
        length = self.flow.magnitude[self.flow.valid]
        if not length.size:
            return {"valid": 0.0, "still": None, "median_px": None, "longest_px": None}
        return {
            "valid": float(self.flow.valid.mean()),
            "still": float((length < _STILL).mean()),
            "median_px": float(np.median(length)),
            "longest_px": float(length.max()),
        }

    def panel(self) -> Panel:
        """Show the flow, its frame and its error."""
        largest = longest(self.flow, *([self.truth] if self.truth is not None else []))
        tiles: list[Tile] = []
        if self.frame is not None:
            tiles.append(frame_tile(self.frame, "frame"))
        tiles.append(flow_tile(self.flow, largest, f"flow, pure colours at {largest:.1f} px"))
        ground = colored(self.flow, largest) if self.frame is None else self.frame
        tiles += [
            arrow_tile(ground, self.flow),
            Tile(key(), f"every direction, to {largest:.1f} px"),
        ]
        rows = [("", tuple(tiles))]
        if self.truth is not None and (error := self.error) is not None:
            amiss = errors(self.flow, self.truth)
            against = (
                flow_tile(self.truth, largest, "truth"),
                heat_tile(amiss, _TOP, f"error to {_TOP:g} px, mean {error.mean:.2f}"),
            )
            rows.append(("", against))
        numbers = {
            k.replace("_px", ", px"): f"{v:.4g}" for k, v in self.numbers().items() if v is not None
        }
        return Panel("Flow", tuple(rows), {**self.facts, **numbers})

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts; what cannot be measured is `None`."""
        error = self.error
        told: dict[str, Any] = {"size": list(self.flow.size), **self.numbers(), "facts": self.facts}
        if error is not None:
            told["error"] = {k: None if v != v else v for k, v in asdict(error).items()}
        return told

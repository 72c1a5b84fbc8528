"""What a diagnosis finds: one sentence each, with the number, its bound, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Bounds:
    """Where something begins to be worth saying.

    The bounds of the first layer were set so that trained networks pass (the demo network at all
    its checkpoints; SqueezeNet: alias 0.17, mid 0.36) and these fail: white noise of 11x11 at
    stride 4 (alias 0.40, mid 0.14) and the demo network with AlexNet's first layer.

    Attributes:
        many: Share of a layer's units from which on what is wrong with single units is wrong with
            the layer. Below it is a note: SqueezeNet has single dead units and twins, the demo
            network up to 10 % dead units in a layer, and both work; a start with biases of 0 kills
            a quarter of the demo network's fc6.
        images: Fewest images on which silence is held against a layer. A unit that answers on a
            share p of all images is missed by n of them with probability (1 - p)^n: with 95 %
            confidence p < 3/n (Hanley & Lippman-Hand, JAMA 1983), 1 % for 300.
        on: Share of always-on units from which on a layer of ReLUs is as good as linear.
        saturated: Share of positions near a bound from which on a unit counts as saturated.
        growth: How many times larger or smaller a layer's answers (median root mean square of its
            units) may be than those of all layers with weights before: He et al. (ICCV 2015) set
            weights such that it is 1; SqueezeNet's differ by 37.
        twin: Absolute cosine of two filters from which on they count as one.
        twin_size: Numbers a filter must have for that; few numbers are alike by chance.
        high: Share of a filter's energy above 1/4 cycle per pixel from which on it sees noise;
            white noise has 0.80.
        constant: Share of energy in the means of a filter's channels from which on it averages.
        mid: Least mean share of energy between 1/8 and 1/4 cycle per pixel; of three bands each
            would have a third.
        alias: Largest mean share of the answer to images above the Nyquist frequency.
        rms: Root mean square of a filter that Zeiler & Fergus scaled back, and
        over: how many times the layer's median it must be besides: the first bound alone is one of
            inputs in 0..255.
        smallest: Kernel side from which on the frequencies of a filter are judged; of three pixels
            every filter is coarse.
    """

    many: float = 0.2
    images: int = 300
    on: float = 0.5
    saturated: float = 0.9
    growth: float = 100.0
    twin: float = 0.95
    twin_size: int = 9
    high: float = 0.9
    constant: float = 0.95
    mid: float = 0.25
    alias: float = 0.25
    rms: float = 0.1
    over: float = 3.0
    smallest: int = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: Such as `dead`, `twins`, `high`; see `diagnose`.
        severity: `fault`: the layer does not work as it should; `note`: worth knowing.
        layer: Name of the layer.
        units: The units it is about; empty for the whole layer.
        value: The number that was measured.
        bound: What it was held against.
        sentence: All of that in words, and what to do.
    """

    kind: str
    severity: Literal["fault", "note"]
    layer: str
    units: tuple[int, ...]
    value: float
    bound: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**vars(self), "units": list(self.units)}


def severity(share: float, bound: float) -> Literal["fault", "note"]:
    """Tell what is wrong with a layer from what is wrong with some of its units."""
    return "fault" if share > bound else "note"


def numbered(units: tuple[int, ...], most: int = 8) -> str:
    """List units for a sentence: `unit 3`, `units 3, 5`, `units 3, 5, ... (40 in all)`."""
    shown = ", ".join(map(str, units[:most]))
    more = f", ... ({len(units)} in all)" if len(units) > most else ""
    return f"unit{'s' if len(units) > 1 else ''} {shown}{more}"

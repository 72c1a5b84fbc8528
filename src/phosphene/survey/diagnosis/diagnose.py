"""What is wrong with a network: units, filters and layers that do not work as they should.

Zeiler & Fergus (ECCV 2014, section 4.1) looked at the first layers of AlexNet, saw filters of only
very high and very low frequencies and aliasing from a stride of 4, made the filters smaller and
the stride 2, and got a better network. This does the looking with numbers: each finding names what
was measured, the bound, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import NetworkError, NotFinite
from phosphene.panel import Panel, Shows
from phosphene.provenance import versions
from phosphene.survey.diagnosis.activity import activity_findings, size_of
from phosphene.survey.diagnosis.filters import Spectra, rms, spectra
from phosphene.survey.diagnosis.finding import Bounds, Finding
from phosphene.survey.diagnosis.watched import Watched, watched
from phosphene.survey.diagnosis.weights import (
    first_layer,
    overlapping,
    shares,
    weight_findings,
    weight_of,
    weighted,
)
from phosphene.survey.images import ImageSet
from phosphene.survey.statistics import Statistics, bounds_of
from phosphene.survey.sweep import sweep

Tick = Callable[[int, int | None], None]


@dataclass(frozen=True, eq=False)
class First:
    """The first layer.

    Attributes:
        name: Of the layer.
        weight: (n, c, h, w) its filters; channels in the order red, green, blue.
        spectra: Of the filters.
        stride: (down, right).
        rms: (n,) root mean square of each filter.
        judged: Whether its frequencies mean something: the filters are large enough, and overlap.
    """

    name: str
    weight: Tensor
    spectra: Spectra
    stride: tuple[int, int]
    rms: Tensor
    judged: bool = True


@dataclass(frozen=True)
class Activity:
    """What a layer did over the images.

    Attributes:
        units: How many it has.
        dead: Share that never answered; `None` for layers that are no rectifiers.
        on: Share that always answered; likewise.
        saturated: Mean share of positions at a bound; `None` for layers without bounds.
        size: Of its answers: the median over units of their root mean square.
    """

    units: int
    dead: float | None
    on: float | None
    saturated: float | None
    size: float


@dataclass(frozen=True, eq=False)
class Diagnosis(Shows):
    """What was found of a network.

    Attributes:
        network: Its name.
        findings: Faults first.
        first: Its first layer, where that is a convolution.
        activity: By layer, in order; empty without images.
        images: How many images it was shown.
        facts: What it was made of.
    """

    network: str
    findings: tuple[Finding, ...]
    first: First | None
    activity: Mapping[str, Activity]
    images: int
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What does not work as it should."""
        return tuple(f for f in self.findings if f.severity == "fault")

    @property
    def healthy(self) -> bool:
        """Whether no fault was found; there may be notes."""
        return not self.faults

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of a kind."""
        return tuple(f for f in self.findings if f.kind == kind)

    def numbers(self) -> dict[str, float]:
        """Return the mean shares of the first layer's energy: low, mid, high, alias.

        Empty where they mean nothing: filters of less than five pixels, or that do not overlap.
        """
        return shares(self.first.spectra) if self.first and self.first.judged else {}

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON knows them."""
        return {
            "network": self.network,
            "healthy": self.healthy,
            "images": self.images,
            "findings": [f.as_json() for f in self.findings],
            "first_layer": self.numbers(),
            "layers": {name: vars(found) for name, found in self.activity.items()},
            "facts": dict(self.facts),
        }

    def panel(self) -> Panel:
        """Show the findings, the first layer's filters (worst first), and the layers' activity."""
        from phosphene.survey.diagnosis.page import panel_of

        return panel_of(self)


def diagnose(
    net: Network,
    images: ImageSet | None = None,
    *,
    bounds: Bounds | None = None,
    batch: int = 16,
    tick: Tick | None = None,
) -> Diagnosis:
    """Look for what is wrong with a network.

    Kinds of findings. From weights: `not finite`, `empty` (filters of zeros), `twins`,
    `dominating`; of the first layer, if its filters overlap and have five pixels or more, `high`,
    `low` (single filters), `mid`, `alias` (the layer). From images: `dead`, `always on`,
    `saturated`, `exploding`, `vanishing`.

    Args:
        net: The network.
        images: What it is shown; without them only its weights are looked at.
        bounds: Where something begins to be worth saying.
        batch: Images at a time.
        tick: Called after every batch.

    Raises:
        ImageError: None of the images can be read.
        NetworkError: It is scripted, or has no layers as modules.
    """
    bounds = bounds or Bounds()
    findings = list(weight_findings(net, bounds))
    activity: dict[str, Activity] = {}
    count = 0
    layers = watched(net)
    if not layers.all and not weighted(net):
        raise NetworkError(
            f"{net.name} has no layer that can be looked into: open the eager model, if this one "
            "is scripted"
        )
    if images is not None and layers.all and all(f.kind != "not finite" for f in findings):
        statistics = Statistics(layers.all, bounds_of(net, layers.all))
        try:
            swept = sweep(net, images, {"statistics": statistics}, batch=batch, tick=tick)
            if swept.interrupted:
                raise KeyboardInterrupt
        except NotFinite as error:
            findings.append(
                Finding(
                    "not finite", "fault", "", (), 1, 0, f"its answers leave the numbers: {error}"
                )
            )
        else:
            count = swept.count
            if count:
                findings += activity_findings(layers, statistics, bounds)
                activity = _activity(layers, statistics)
    findings.sort(key=lambda f: f.severity != "fault")
    shown = f"{images.name} ({count} images)" if images is not None else "none: weights alone"
    facts = {"network": net.name, "images": shown, **versions()}
    return Diagnosis(net.name, tuple(findings), _first(net, bounds), activity, count, facts)


def _first(net: Network, bounds: Bounds) -> First | None:
    found = first_layer(net)
    if found is None or not bool(found[1].weight.isfinite().all()):
        return None
    name, module = found
    weight = weight_of(module).float().cpu()
    stride = (int(module.stride[0]), int(module.stride[1]))
    if net.preprocessing.order == "BGR" and weight.shape[1] == 3:
        weight = weight.flip(1)
    judged = overlapping(module, bounds.smallest)
    return First(name, weight, spectra(weight, stride), stride, rms(module.weight), judged)


def _activity(layers: Watched, statistics: Statistics) -> dict[str, Activity]:
    found = {}
    for name in layers.all:
        s = statistics.of(name)
        rectified = name in layers.rectified
        found[name] = Activity(
            len(s.maximum),
            float(s.silent.mean()) if rectified else None,
            float((s.positive >= 1).mean()) if rectified else None,
            float(s.saturated.mean()) if s.saturated is not None else None,
            size_of(s),
        )
    return found

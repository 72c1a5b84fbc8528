"""What edge correlations say of phase and amplitude: table, plot, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phosphene.panel import Plot, Table
from phosphene.studies.factorial import difference, judged
from phosphene.studies.tabulated import averaged, line, said, sure

IMAGE = "image"
"""The Fourier transform of the photograph; everything else is a rule."""
WAYS = ("as it is", "amplitudes random", "amplitudes other", "phase random", "phase other")
"""Whose phase and amplitudes: the photograph's own where nothing is said."""
CODE = "amplitudes random, unsymmetric"
"""As the authors' code draws them; of images only."""

Photo = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Source:
    """What was measured of images, or of the signals of a rule.

    Attributes:
        title: What it is.
        photos: By photograph and way, the edge correlation with the `own` photograph and the
            `other`.
    """

    title: str
    photos: Sequence[Photo]

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways in which phase and amplitudes were replaced."""
        return tuple(way for way in (*WAYS, CODE) if way in self.photos[0])

    def values(self, way: str, of: str) -> list[float | None]:
        """Return edge correlations by photograph; `of` is `own` or `other`."""
        return [photo[way][of] for photo in self.photos]

    @property
    def keeps(self) -> dict[str, Any]:
        """How much more of the edges the phase keeps than the amplitudes."""
        return difference(self.values(WAYS[1], "own"), self.values(WAYS[3], "own"))

    @property
    def follows(self) -> dict[str, Any]:
        """How much more the edges are those of whom the phase is than of whom amplitudes are."""
        return difference(self.values(WAYS[2], "own"), self.values(WAYS[2], "other"))

    @property
    def share(self) -> float | None:
        """Which share of its edge correlation is left with random amplitudes."""
        whole = averaged(self.values(WAYS[0], "own"))
        if sure(whole) <= 0:
            return None
        return float(averaged(self.values(WAYS[1], "own"))["mean"] / whole["mean"])

    @property
    def judgement(self) -> str:
        """Say whether structure is in the phase: both differences have to be surely positive.

        Where there are no edges to begin with, none can be kept or lost.
        """
        if self.share is None:
            return "cannot tell"
        words = {judged(self.keeps), judged(self.follows)}
        return next(w for w in ("contradicted", "cannot tell", "confirmed") if w in words)

    def as_data(self) -> dict[str, Any]:
        """Return all numbers, averaged."""
        return {
            "source": self.title,
            "ways": {
                way: {of: averaged(self.values(way, of)) for of in ("own", "other")}
                for way in self.ways
            },
            "keeps": self.keeps,
            "follows": self.follows,
            "share": self.share,
            "judgement": self.judgement,
        }


def table(sources: Sequence[Source]) -> Table:
    """Tabulate every way with the edges of both photographs."""
    rows = []
    for source in sources:
        for way in source.ways:
            numbers = (_said(averaged(source.values(way, of))) for of in ("own", "other"))
            rows.append((f"{source.title}: {way}", *numbers))
    return Table(
        "edge correlation with two photographs",
        ("phase and amplitudes", "its own edges", "the other's"),
        tuple(rows),
        "Of a network, the phase is masks and switches, and the amplitudes are the seed. Means "
        "over photographs with 95 % intervals.",
    )


def judgements(sources: Sequence[Source], verdict: str) -> Table:
    """Tabulate what decides the verdict."""
    rows = [
        (
            s.title,
            _said(s.keeps),
            _said(s.follows),
            None if s.share is None else f"{100 * s.share:.0f} %",
            s.judgement,
        )
        for s in sources
    ]
    columns = ("", "phase - amplitudes kept", "of phase - of amplitudes", "share left", "verdict")
    return Table("is structure in the phase?", columns, tuple(rows), verdict)


def verdict(sources: Sequence[Source]) -> str:
    """Say what was found of images and of every reversed network."""
    parts = []
    for s in sources:
        kept, lost = (_said(averaged(s.values(way, "own"))) for way in (WAYS[1], WAYS[3]))
        if s.share is None:
            whole = _said(averaged(s.values(WAYS[0], "own")))
            parts.append(f"{s.title}: {s.judgement}; it shows no edges for sure as it is ({whole})")
            continue
        left = f", {100 * s.share:.0f} % of what it has as it is"
        phases = "its phase" if s.title == IMAGE else "its masks and switches"
        parts.append(
            f"{s.title}: {s.judgement}; with {phases} and random amplitudes the edge correlation "
            f"is {kept}{left}, the other way round {lost}"
        )
    return "Structure is in the phase, not in the amplitudes. " + ". ".join(parts) + "."


def plot(sources: Sequence[Source]) -> Plot:
    """Draw the edge correlation with the photograph itself, way by way."""
    series = []
    for s in sources:
        series.append(line(s.title, WAYS, (averaged(s.values(way, "own")) for way in WAYS)))
    return Plot("edges that are left", tuple(series), "", "edge correlation", "bars")


def _said(found: Mapping[str, Any]) -> str:
    return said(found, 2) or "unknown"

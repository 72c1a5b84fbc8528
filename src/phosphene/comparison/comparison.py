"""What a comparison has found: one page, one set of figures, and all numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.comparison.entry import Entry
from phosphene.comparison.orientation import Orientation
from phosphene.comparison.photographs import STRENGTH
from phosphene.comparison.plan import Plan
from phosphene.comparison.shown import disagreement_panel, photograph_panels, unit_panels
from phosphene.comparison.tables import (
    concept_table,
    doubts,
    plots,
    summary_table,
    verdicts,
)
from phosphene.image import replacing
from phosphene.panel import Panel, Shows, Table
from phosphene.provenance import versions
from phosphene.studies.plain import JSON, encoded, plain
from phosphene.view import clear, png, save
from phosphene.view.tables import to_markdown


@dataclass(frozen=True, eq=False)
class Comparison(Shows):
    """Networks side by side.

    Attributes:
        plan: What was asked.
        entries: By level, what was found of each network; `None` where it has no such layer.
        ground: How the structures of the image set run.
        failed: What could not be read and why, by name.
    """

    plan: Plan
    entries: tuple[tuple[Entry | None, ...], ...]
    ground: Orientation
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def titles(self) -> tuple[str, ...]:
        """Names of the levels."""
        return tuple(level.title for level in self.plan.levels)

    @property
    def shorts(self) -> tuple[str, ...]:
        """Short names of the networks."""
        return tuple(one.short for one in self.plan.networks)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What the numbers come to, in words."""
        return verdicts(self.titles, self.shorts, self.entries)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All numbers that a person reads."""
        about = self.titles, self.shorts, self.entries
        found = summary_table(*about), concept_table(*about)
        return tuple(table for table in found if table.rows)

    @property
    def facts(self) -> dict[str, str]:
        """What was done; enough to do it again."""
        plan, share = self.plan, self.ground.horizontal
        concepts = plan.concepts
        facts = {
            "networks": "; ".join(f"{n.name}: {n.net.preprocessing}" for n in plan.networks),
            "levels": "; ".join(self.titles),
            "image set": f"{len(concepts)} of {concepts.name}, {concepts.image_size[1]}x"
            f"{concepts.image_size[0]} (of photographs the middle), stretched to each input",
            "M": "the largest activation of each unit over the image set, for every network",
            "units": ", ".join(map(str, plan.chosen)) or f"{plan.units} of each layer",
            "maximisation": str(plan.recipes.activate),
            "inversion": str(plan.recipes.invert),
            "caricature": f"{plan.recipes.caricature}, C = {STRENGTH:g}",
            "quality": plan.recipes.name,
            "seed": str(plan.seed),
        }
        if share is not None:
            facts["horizontal energy of the image set"] = f"{100 * share:.1f} %"
        taken = {one.short: ", ".join(one.absorbed) for one in plan.networks if one.absorbed}
        if taken:
            facts["normalization absorbed"] = "; ".join(f"{k}: {v}" for k, v in taken.items())
        return {**facts, **versions()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should not miss."""
        said = [one.note for one in self.plan.networks if one.note]
        said += self._unlike()
        for level, row in zip(self.plan.levels, self.entries, strict=True):
            blank = [s for s, entry in zip(self.shorts, row, strict=True) if entry is None]
            if blank:
                said.append(f"{level.title}: blank for {', '.join(blank)}, named without a layer")
            for short, entry in zip(self.shorts, row, strict=True):
                if entry is not None and entry.dead == entry.channels:
                    said.append(
                        f"no unit of {entry.layer} of {short} is active on the image set: there is "
                        "nothing of it to be seen, so give other --images"
                    )
                elif entry is not None and len(entry.units) < len(self.plan.chosen):
                    left = sorted(set(self.plan.chosen) - set(entry.units))
                    told = ", ".join(map(str, left))
                    said.append(f"{entry.layer} of {short}: never active on the set: unit {told}")
        if self.failed:
            name, why = next(iter(self.failed.items()))
            more = f", and {len(self.failed) - 1} more" if len(self.failed) > 1 else ""
            said.append(f"left out, as it could not be read: {name} ({why}){more}")
        return (*said, *doubts(self.entries))

    def panel(self) -> Panel:
        """Show the numbers; pictures come in the chapters of `panels`."""
        about = self.titles, self.shorts, self.entries
        facts = {f"verdict {n}": text for n, text in enumerate(self.verdicts, 1)}
        return Panel(
            f"Networks compared: {', '.join(self.shorts)}",
            (),
            {**facts, **self.facts},
            self.warnings,
            plots(*about, self.ground),
            self.tables,
        )

    def panels(self) -> list[Panel]:
        """Show everything in chapters: numbers, units by level, photographs, disagreements."""
        about = self.titles, self.shorts, self.entries
        found = [self.panel(), *unit_panels(*about), *photograph_panels(*about, self.plan.names)]
        last = disagreement_panel(self.shorts, self.entries)
        return found if last is None else [*found, last]

    def as_json(self) -> dict[str, JSON]:
        """Say all numbers, for scripts."""
        found: dict[str, Any] = {
            "networks": [one.name for one in self.plan.networks],
            "levels": [
                {"title": level.title, "layers": list(level.layers)} for level in self.plan.levels
            ],
            "verdicts": self.verdicts,
            "facts": self.facts,
            "warnings": self.warnings,
            "image_set": {"count": len(self.plan.concepts), **vars(self.ground)},
            "entries": [[e.as_json() if e else None for e in row] for row in self.entries],
            "failed": dict(self.failed),
        }
        return {name: plain(value) for name, value in found.items()}

    def save(self, path: str | Path) -> Path:
        """Write the chapters as one page or one picture; into a folder also figures and numbers.

        A folder has the page, `figures/` with a PNG for each chapter, `comparison.json`, and
        `comparison.md` with the tables. Figures of an earlier comparison are removed.

        Raises:
            OutputError: It cannot be written there.
        """
        chapters, path = self.panels(), Path(path)
        if path.suffix and not path.is_dir():
            return save(chapters, path)
        figures = []
        for number, chapter in enumerate(chapters, 1):
            name = "".join(c if c.isalnum() else "-" for c in chapter.title.lower())[:60]
            figures.append(f"{number:02d}-{name.strip('-')}.png")
            with replacing(path / "figures" / figures[-1]) as file:
                file.write(png(chapter))
        before = _figures(path)
        with replacing(path / "comparison.json") as file:
            file.write(encoded({**self.as_json(), "figures": plain(figures)}))
        clear(path / "figures", (name for name in before if name not in figures))
        tables = "\n\n".join([*self.verdicts, *map(to_markdown, self.tables)])
        with replacing(path / "comparison.md") as file:
            file.write((tables + "\n").encode())
        return save(chapters, path / "index.html")

    def _unlike(self) -> list[str]:
        """Say in what the networks differ, besides what they have learned."""
        nets, said = [one.net for one in self.plan.networks], []
        sizes = {net.preprocessing.input_size for net in nets}
        if len(sizes) > 1:
            told = ", ".join(
                f"{one.short} {size[1]}x{size[0]}"
                for one in self.plan.networks
                for size in [one.net.preprocessing.input_size]
            )
            said.append(
                f"inputs differ in size ({told}): each network sees the same images stretched to "
                "its own, so pictures and inversion errors are of different sizes"
            )
        if len({net.labels for net in nets if net.labels}) > 1:
            said.append(
                "class labels differ: units of a layer of scores stand for other classes in each "
                "network"
            )
        return said


def _figures(folder: Path) -> list[Any]:
    """Read which figures an earlier comparison left in a folder."""
    try:
        found = json.loads((folder / "comparison.json").read_bytes())["figures"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return found if isinstance(found, list) else []

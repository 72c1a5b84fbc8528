"""The retrained ablation as a result: accuracies in a table, and a diagnosis of every variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from phosphene.errors import SettingError
from phosphene.panel import Panel, Plot, Series, Shows, Table, Tile
from phosphene.provenance import versions
from phosphene.survey.ablation.retrain import Retrained, Setting, retrain
from phosphene.survey.ablation.variants import FIRST_LAYERS, VARIANTS, Variant, variant
from phosphene.survey.diagnosis.diagnose import Diagnosis, diagnose
from phosphene.survey.diagnosis.page import drawn, share_table, worst_first

Tick = Callable[[int, int, str], None]
_SHOWN, _SIDE, _GAP = 16, 44, 4


@dataclass(frozen=True, eq=False)
class Retraining(Shows):
    """Variants of a network, trained alike.

    Attributes:
        variants: In the order given; fewer where it was stopped.
        diagnoses: Of their weights, by the variant's name.
        setting: How they were trained.
        interrupted: Whether it was stopped by hand.
    """

    variants: tuple[Retrained, ...]
    diagnoses: dict[str, Diagnosis]
    setting: Setting
    interrupted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON knows them."""
        return {
            "setting": asdict(self.setting),
            "variants": [
                {
                    "name": r.variant.name,
                    "accuracy": r.accuracy,
                    "loss": r.loss,
                    "weights": r.weights,
                    "training_loss": [e.loss for e in r.trained.history],
                    "seconds": r.trained.seconds,
                    "first_layer": self.diagnoses[r.variant.name].numbers(),
                    "faults": [f.sentence for f in self.diagnoses[r.variant.name].faults],
                }
                for r in self.variants
            ],
            "facts": versions(),
        }

    def panel(self) -> Panel:
        """Show accuracies, first layers worst first, and how training went."""
        best = max((r.accuracy for r in self.variants), default=0.0)
        rows = tuple(
            (r.variant.name, r.weights, r.accuracy, best - r.accuracy, r.loss,
             len(self.diagnoses[r.variant.name].faults))
            for r in self.variants
        )  # fmt: skip
        s = self.setting
        note = (
            f"Accuracy on {s.measured} scenes that none has seen; trained on {s.scenes} scenes, "
            f"{s.epochs} epochs, seed {s.seed}."
        )
        columns = ("variant", "weights", "accuracy", "below the best", "loss", "faults")
        lines = [
            Series(r.variant.name, tuple(float(e.number) for e in r.trained.history),
                   tuple(e.loss for e in r.trained.history))
            for r in self.variants
        ]  # fmt: skip
        return Panel(
            "Layers removed and resized, and trained again",
            tuple((name, _filters(d)) for name, d in self.diagnoses.items()),
            {"trained": s.recipe.about, "note": note, **versions()},
            tuple(f"{name}: {f.sentence}" for name, d in self.diagnoses.items() for f in d.faults),
            (Plot("Training", tuple(lines), "epoch", "mean loss"),) if lines else (),
            (Table("Accuracy", columns, rows, note), share_table(self.diagnoses)),
        )


def chosen(names: Sequence[str]) -> list[Variant]:
    """Find variants: by name, `all`, or `first-layer` for the coarse one and the repaired one.

    Raises:
        SettingError: There is none of that name.
    """
    found: list[Variant] = []
    for name in names:
        group = {"all": VARIANTS, "first-layer": FIRST_LAYERS}.get(name)
        found += group if group is not None else (variant(name),)
    if not found:
        raise SettingError("no variant was named: give all, first-layer, or names")
    return list({each.name: each for each in found}.values())


def study(
    variants: Sequence[Variant],
    setting: Setting | None = None,
    *,
    folder: str | Path | None = None,
    tick: Tick | None = None,
) -> Retraining:
    """Train variants, measure and diagnose each; see `retrain` for the arguments."""
    setting = setting or Setting()
    found = retrain(variants, setting, folder=folder, tick=tick)
    diagnoses = {r.variant.name: diagnose(r.network) for r in found}
    return Retraining(tuple(found), diagnoses, setting, len(found) < len(variants))


def _filters(found: Diagnosis) -> tuple[Tile, ...]:
    """Draw the first filters side by side, as one picture: a strip for each network."""
    if found.first is None:
        return ()
    order = worst_first(found.first, found)[:_SHOWN]
    strip = Image.new("RGB", (len(order) * (_SIDE + _GAP) - _GAP, _SIDE), "white")
    for place, unit in enumerate(order):
        strip.paste(drawn(found.first.weight[unit], _SIDE), (place * (_SIDE + _GAP), 0))
    part = found.numbers()
    said = f"{len(order)} of {len(found.first.weight)} filters of {found.first.name}, worst first"
    caption = f"{said}; {part['mid']:.0%} between the extremes" if part else said
    return (Tile(strip, caption),)

"""A study that costs nothing: the mean of every photograph times every strength."""

from __future__ import annotations

from phosphene.panel import Plot, Series, Table, Tile
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called

STOP_AFTER: list[int] = []
"""Interrupt after so many computed cells, as a person does with Ctrl-C."""
COMPUTED: list[tuple[str, float]] = []


def study(plan: Plan) -> Findings:
    rows, tiles = [], []
    total = len(plan.photos) * len(plan.strengths)
    for name, photo, ident in zip(plan.names, plan.photos, plan.photo_ids, strict=True):
        for strength in plan.strengths:

            def compute(photo=photo, strength=strength, name=name) -> Cell:  # type: ignore[no-untyped-def]
                if STOP_AFTER and len(COMPUTED) >= STOP_AFTER[0]:
                    raise KeyboardInterrupt
                COMPUTED.append((name, strength))
                from phosphene.image import to_image

                image, _ = plan.net.prepare(photo)
                return Cell({"mean": float(image.mean()) * strength}, {"seen": to_image(image[0])})

            plan.tick(len(rows), total, f"{name} [b]C={called(strength)}[/b]")
            key = {"photo": ident, "strength": strength}
            cell = plan.cell("mean", key, compute)
            rows.append((name, strength, cell.values["mean"]))
            tiles.append(Tile(cell.images["seen"], name))
    plan.tick(total, total, "done")
    x = tuple(str(row[0]) for row in rows)
    return Findings(
        "fake",
        "Means <b>",
        (Table("means", ("photo", "C", "mean"), tuple(rows)),),
        (Plot("means", (Series("mean", x, tuple(float(row[2] or 0) for row in rows)),)),),
        (("seen", tuple(tiles)),),
        {"network": plan.net.name},
        ("a warning",),
        {"means": [row[2] for row in rows], "odd": float("nan"), "repeats": plan.repeats},
        {"extra.html": "<!DOCTYPE html>"},
    )

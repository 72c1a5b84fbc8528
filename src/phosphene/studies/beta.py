"""One layer inverted with several exponents of the total variation: does beta = 1 leave spikes?

For every beta, with and without jitter, photographs are inverted from one layer (C = 20), and
their spikes are counted. How far a pixel sticks out of all its eight neighbours N(p),

```text
e_p = max(0, x_p - max over N(p) of x, min over N(p) of x - x_p)
```

is compared with the energy of the total variation (that of beta = 2, whatever the image was
found with):

```text
spikes = 4 * sum of e_p^2 / sum of (dx^2 + dy^2)
```

over pixels and channels. A lone pixel of height h on flat ground has e = h and four differences of
h: so the number is the share of the energy that lone pixels make. It is 1 for nothing but lone
pixels, and 0 for edges, ramps and lines, however sharp. The photographs' own stands beside it.

*Reference.* Mahendran & Vedaldi, IJCV 2016, figure 2 right and section 3.2.2; thesis 2018, figure
5.2 right: relu3 of AlexNet, C = 20. The authors' text has the spikes as something to be seen.

*Departures.* The number is ours. Pixels at the border, which have fewer neighbours, count as none.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.canvas import jitter_of
from phosphene.preimage.priors import BoundedRange, TotalVariation
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inverted, middle_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import STRENGTHS, Plan
from phosphene.studies.setting import demand_photos

BETAS = (1.0, 1.5, 2.0)
STRENGTH = 20.0
SHOWN = 2
"""Photographs of which pictures are shown."""
Key = tuple[str, float, bool]


def beta(plan: Plan) -> Findings:
    """Invert photographs with several exponents of the total variation; see `Plan`."""
    demand_photos(plan, "beta")
    layers = middle_of(plan)
    c = STRENGTH if plan.strengths is STRENGTHS else plan.strengths[0]
    keys = [(layer, b, jitter) for layer in layers for b in BETAS for jitter in (False, True)]
    cells: dict[Key, list[Cell]] = {key: [] for key in keys}
    total = len(keys) * len(plan.photos)
    done = 0
    for key in keys:
        for number, name in enumerate(plan.names):
            plan.tick(done, total, f"{key[0]}, beta {key[1]:g}, {name}")
            cell = _cell(plan, number, key, c)
            if "skipped" not in cell.values:
                cells[key].append(cell)
            done += 1
    plan.tick(total, total, "done")
    found = {
        key: {
            what: tabulated.averaged(cell.values[what] for cell in own)
            for what in ("error", "spikes", "spikes_original")
        }
        for key, own in cells.items()
    }
    verdict = _verdict(layers, cells)
    return Findings(
        "beta",
        f"{plan.net.name}: exponents of the total variation, C = {c:g}",
        (_table(found, verdict),),
        (_plot(found, "error", "relative error"), _plot(found, "spikes", "spikes")),
        tuple(
            (f"{layer}, {plan.names[number]}", _tiles(layer, number, cells))
            for layer in layers
            for number in range(min(SHOWN, len(plan.photos)))
        ),
        tabulated.facts(plan, C=f"{c:g}"),
        (*_warnings(plan, layers), *tabulated.doubts(plan)),
        {
            "settings": [
                {"layer": key[0], "beta": key[1], "jitter": key[2], **entry}
                for key, entry in found.items()
            ],
            "verdict": verdict,
        },
    )


def spikes_of(image: Tensor) -> float:
    """Return which share of the energy of an image's variation is lone pixels'.

    Args:
        image: (c, h, w), h and w at least 3, of any scale.

    Returns:
        0 where nothing sticks out of all its neighbours, 1 for nothing but lone pixels.
    """
    x = image[None].double()
    middle = x[..., 1:-1, 1:-1]
    above = middle - _around(x)
    below = middle.neg() - _around(-x)
    lone = above.clamp(min=0) + below.clamp(min=0)
    energy = float(x.diff(dim=2).square().sum() + x.diff(dim=3).square().sum())
    return 4 * float(lone.square().sum()) / energy if energy else 0.0


def _around(x: Tensor) -> Tensor:
    """Return the largest of the eight neighbours of every pixel that has them."""
    height, width = x.shape[2] - 2, x.shape[3] - 2
    shifts = [(y, z) for y in range(3) for z in range(3) if (y, z) != (1, 1)]
    largest = x[..., :height, :width]
    for y, z in shifts:
        largest = largest.maximum(x[..., y : y + height, z : z + width])
    return largest


def _cell(plan: Plan, number: int, key: Key, c: float) -> Cell:
    layer, b, jitter = key
    about = {"photo": plan.photo_ids[number], "layer": layer, "strength": c}

    def compute() -> Cell:
        priors = (BoundedRange(), TotalVariation(beta=b))
        settings: dict[str, Any] = {"priors": priors, "jitter": None if jitter else 1}
        try:
            result = inverted(plan, plan.photos[number], layer, c, **settings)
        except UnitError as error:
            return Cell({"skipped": str(error)})
        assert result.error is not None
        assert result.reference is not None
        values = {
            "error": float(result.error[0]),
            "spikes": spikes_of(result.image[0]),
            "spikes_original": spikes_of(result.reference[0]),
        }
        images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
        return Cell(values, images)

    return plan.cell("beta", {**about, "beta": b, "jitter": jitter}, compute)


def _verdict(layers: tuple[str, ...], cells: dict[Key, list[Cell]]) -> str:
    """Compare beta = 1 with 2, photograph by photograph."""
    parts = []
    for layer in layers:
        for jitter in (False, True):
            pairs = zip(
                cells[layer, BETAS[0], jitter], cells[layer, BETAS[-1], jitter], strict=True
            )
            values = [(a.values["spikes"], b.values["spikes"]) for a, b in pairs]
            if not values:
                continue
            sign = tabulated.sure(tabulated.averaged(a - b for a, b in values))
            how = {1: "more than", -1: "fewer than", 0: "not surely other than"}[sign]
            one, two = (tabulated.averaged(column)["mean"] for column in zip(*values, strict=True))
            parts.append(
                f"at {layer} {'with' if jitter else 'without'} jitter lone pixels make {one:.1%} "
                f"of the variation's energy with beta = 1, {how} the {two:.1%} with beta = 2"
            )
    return (_capital("; ".join(parts)) or "Nothing could be inverted") + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(found: dict[Key, dict[str, dict[str, Any]]], verdict: str) -> Table:
    rows = [
        (
            layer,
            f"{b:g}",
            "on" if jitter else "off",
            tabulated.said(entry["error"], 1, 100),
            tabulated.said(entry["spikes"], 2, 100),
            tabulated.said(entry["spikes_original"], 2, 100),
        )
        for (layer, b, jitter), entry in found.items()
    ]
    columns = ("layer", "beta", "jitter", "relative error, %", "spikes, %", "the photographs', %")
    return Table("error and spikes by exponent", columns, tuple(rows), verdict)


def _plot(found: dict[Key, dict[str, dict[str, Any]]], what: str, title: str) -> Plot:
    series = []
    for layer in dict.fromkeys(key[0] for key in found):
        for jitter in (False, True):
            own = [found[layer, b, jitter][what] for b in BETAS]
            name = f"{layer}, jitter {'on' if jitter else 'off'}"
            series.append(tabulated.line(name, (f"{b:g}" for b in BETAS), own, 100))
    return Plot(title, tuple(series), "beta", "%")


def _tiles(layer: str, number: int, cells: dict[Key, list[Cell]]) -> tuple[Tile, ...]:
    tiles: list[Tile] = []
    for (place, b, jitter), own in cells.items():
        if place != layer or number >= len(own):
            continue
        images, values = own[number].images, own[number].values
        if not tiles:
            tiles.append(Tile(images["original"], "image"))
        caption = f"beta {b:g}, jitter {'on' if jitter else 'off'}: spikes {values['spikes']:.1%}"
        tiles.append(Tile(images["found"], caption))
    return tuple(tiles)


def _warnings(plan: Plan, layers: tuple[str, ...]) -> list[str]:
    said = []
    for layer in layers:
        field = plan.net.receptive_field(layer)
        if field is None or jitter_of(min(field.stride)) == 1:
            said.append(
                f"{layer}: a quarter of its stride is no jitter, so on and off are the same"
            )
    if plan.quality in ("fast", "best"):
        said.append(
            f"the quality {plan.quality!r} descends in the spectrum, which smooths by itself: "
            "spikes are those of the papers' method with the quality 'paper'"
        )
    return said

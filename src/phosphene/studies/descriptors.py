"""How much of a photograph do HOG and dense SIFT keep, and who gets it back?

Photographs are described in gray, at their own size, in cells of 8 pixels, and inverted: by a
paired dictionary in the manner of HOGgles, learned from the other half of the photographs, and by
descending the energy. Scored is `|| phi(x) - phi0 || / || phi0 ||` of each descriptor's own
features, those of the authors' networks; beside it, for HOG, of the 31 features of VLFeat's HOG
(UoCTTI, hard), as the papers take those of the deformable part models.

*Reference.* Mahendran & Vedaldi, IJCV 2016, table 4 and figure 4; thesis 2018, table 5.2 and
figure 5.4: HOGgles 60.1 %, HOG 36.6 %, HOG with bilinear binning 11.5 %, DSIFT 9.4 %.

*Departures.* `descriptors.inversion` tells how the solver differs; `quality="paper"` is theirs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor

from phosphene.core.photographs import prepared
from phosphene.descriptors.dictionary import Dictionary
from phosphene.descriptors.glyphs import glyphs
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.inversion import RECIPES, STRENGTH, USUAL, invert, network_for
from phosphene.errors import ImageError
from phosphene.image import to_image
from phosphene.panel import Table, Tile
from phosphene.preimage.recipe import chosen
from phosphene.studies.findings import Findings
from phosphene.studies.identity import identity
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, finished, plural

PAPERS = {"hoggles": 60.1, "hog": 36.6, "hogb": 11.5, "dsift": 9.4}
"""The errors of IJCV 2016, table 4, per cent."""
_TITLES = {"hoggles": "HOGgles", "hog": "HOG", "hogb": "HOGb", "dsift": "DSIFT"}
_ROWS = 8
# A dictionary of many atoms needs many photographs.
_ATOMS, _FEW_ATOMS, _MANY = 1024, 256, 20
_VLFEAT = HOG(8)


def descriptors(plan: Plan) -> Findings:
    """Invert photographs from HOG, HOG with bilinear binning, and dense SIFT; see `Plan`."""
    demand_photos(plan, "descriptors")
    numbers = range(len(plan.photos))
    total = len(_TITLES) * len(plan.photos)
    cells: dict[str, list[Cell]] = {}
    warnings = []
    learned: dict[int, Dictionary] = {}
    for method, title in _TITLES.items():
        own: list[Cell] = []
        try:
            for number in numbers:
                plan.tick(sum(map(len, cells.values())) + number, total, f"{title}, {number + 1}")
                if method == "hoggles":
                    own.append(_by_dictionary(plan, number, learned))
                else:
                    own.append(_by_descent(plan, method, number))
        except ImageError as error:
            if method != "hoggles":
                raise
            warnings.append(f"HOGgles is left out: {error}")
            continue
        cells[method] = own
    plan.tick(total, total, "done")
    found = {method: _summary([c.values for c in own]) for method, own in cells.items()}
    return Findings(
        "descriptors",
        f"What inversion recovers from HOG and SIFT, {plural(len(plan.photos), 'photograph')}",
        (_table(found),),
        rows=tuple(
            (plan.names[i], _tiles(plan, i, {m: own[i] for m, own in cells.items()}))
            for i in range(min(_ROWS, len(plan.photos)))
        ),
        facts={
            "features scored": "those of the authors' networks, cells of 8 pixels",
            "photographs": f"{len(plan.photos)}, gray, at their own size",
            "C": f"{STRENGTH:g}",
            "recipe": str(chosen(RECIPES, plan.quality, USUAL, plan.steps)),
            "seed": str(plan.seed),
        },
        warnings=tuple(warnings),
        data={
            "methods": [{"method": m, "papers": PAPERS[m], **v} for m, v in found.items()],
            "photographs": [
                {"name": name, **{m: own[i].values["error"] for m, own in cells.items()}}
                for i, name in enumerate(plan.names)
            ],
        },
    )


def _by_descent(plan: Plan, method: str, number: int) -> Cell:
    net = network_for(method, plan.quality == "paper")
    key = {
        "what": "descriptor",
        "network": identity(net),
        "photo": plan.photo_ids[number],
        "quality": plan.quality,
        "steps": plan.steps,
        "seed": plan.seed,
    }

    def computed() -> Cell:
        started = time.perf_counter()
        result = finished(
            invert(
                method,
                plan.photos[number],
                quality=plan.quality,
                steps=plan.steps,
                seed=plan.seed,
            )
        )
        seconds = time.perf_counter() - started
        assert result.error is not None
        assert result.reference is not None
        gray = net.preprocessing.in_own_channels(result.reference)
        return _cell(float(result.error[0]), gray, result.image, seconds)

    return plan.ledger.cell(key, computed)


def _by_dictionary(plan: Plan, number: int, learned: dict[int, Dictionary]) -> Cell:
    """Invert by what is learned from the photographs of the other parity."""
    net = network_for("hog", literal=True)
    atoms = _ATOMS if len(plan.photos) >= _MANY else _FEW_ATOMS
    others = [i for i in range(len(plan.photos)) if i % 2 != number % 2]
    key = {
        "what": "paired dictionary",
        "network": identity(net),
        "photo": plan.photo_ids[number],
        "learned from": sorted(plan.photo_ids[i] for i in others),
        "atoms": atoms,
        "seed": plan.seed,
    }

    def computed() -> Cell:
        if number % 2 not in learned:
            if not others:
                raise ImageError("there are no other photographs to learn from: give two or more")
            assert isinstance(net.module, HOG)
            photos = [plan.photos[i] for i in others]
            learned[number % 2] = Dictionary.learned(photos, net.module, atoms, seed=plan.seed)
        dictionary = learned[number % 2]
        (ready,) = prepared(net, [plan.photos[number]])
        gray = net.preprocessing.in_own_channels(ready.image)
        # It paints whole cells.
        side = dictionary.descriptor.cell
        height, width = (n // side * side for n in gray.shape[2:])
        own = gray[..., :height, :width]
        with torch.no_grad():
            code = net.output(own)
            started = time.perf_counter()
            painted = dictionary.invert(code)
            seconds = time.perf_counter() - started
            error = _relative(net.output(painted), code)
        return _cell(error, own, painted, seconds)

    return plan.ledger.cell(key, computed)


def _cell(error: float, original: Tensor, found: Tensor, seconds: float) -> Cell:
    """Keep the pictures, and two errors; gray images (1, 1, h, w) in [0, 1]."""
    with torch.no_grad():
        vlfeat = _relative(_VLFEAT(found * 255), _VLFEAT(original * 255))
    return Cell(
        {"error": error, "squared": error**2, "vlfeat": vlfeat, "seconds": seconds},
        {"original": to_image(original[0]), "found": to_image(_stretched(found)[0])},
    )


def _relative(code: Tensor, wanted: Tensor) -> float:
    return float((code - wanted).norm() / wanted.norm())


def _stretched(image: Tensor) -> Tensor:
    low, high = image.min(), image.max()
    return (image - low) / (high - low).clamp(min=1e-6)


def _summary(cells: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return means over photographs, and standard deviations of the error."""
    errors = [float(values["error"]) for values in cells]
    return {
        "error": mean(errors),
        "deviation": stdev(errors) if len(errors) > 1 else 0.0,
        **{name: mean(float(v[name]) for v in cells) for name in ("squared", "vlfeat", "seconds")},
    }


def _table(found: dict[str, dict[str, float]]) -> Table:
    rows = tuple(
        (
            _TITLES[method],
            f"{100 * v['error']:.1f} ± {100 * v['deviation']:.1f}",
            f"{100 * v['squared']:.2f}",
            f"{100 * v['vlfeat']:.1f}" if method != "dsift" else None,
            f"{v['seconds']:.2g}",
            f"{PAPERS[method]}",
        )
        for method, v in found.items()
    )
    return Table(
        "reconstruction error, %",
        ("", "error", "squared", "in VLFeat's HOG", "seconds an image", "papers"),
        rows,
        "Mean and standard deviation over photographs, not squared unless said. The papers' are "
        "of the first 100 validation photographs of ImageNet.",
    )


def _tiles(plan: Plan, number: int, cells: dict[str, Cell]) -> tuple[Tile, ...]:
    """Return a row of figure 4: the photograph, HOG's glyphs, and what each method finds."""
    first = next(iter(cells.values()))
    net = network_for("hog", literal=True)
    with torch.no_grad():
        code = net.output(net.prepare(plan.photos[number])[0])
    drawn = to_image(glyphs(code, variant="network", size=15)[0])
    tiles = [
        Tile(first.images["original"], "image"),
        Tile(drawn.resize(first.images["original"].size), "HOG glyphs"),
    ]
    for method, cell in cells.items():
        tiles.append(Tile(cell.images["found"], f"{_TITLES[method]}: {cell.values['error']:.0%}"))
    return tuple(tiles)

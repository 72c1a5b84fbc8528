"""What does a network's bottleneck know of the photograph? Inverses that are told of it, or not.

The reversed network gets filters of its own, which learn to make the photograph out of a deep code
(`phosphene.inverse`). It is told the rectification masks of the forward pass, the switches of its
max-pools, both or neither: the less it errs on photographs that it has not seen, the more there is
in what it was told.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.2; thesis 2018, section 7.4.3, equation 7.10:
told both, the error is 15 % lower than by switches alone and 46 % lower than by masks alone, and by
switches alone 36 % lower than by masks alone.

*Departures.* The papers say neither which layer nor how it was learned, nor whether the error is
squared: both are given here. Every seed draws photographs to be held out anew, and the four share
them, as well as crops and their order. Without masks ReLUs are reversed to ReLUs, and with them to
ReLUs times the mask (DeConvNet and guided backpropagation), so that nothing but the mask differs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from PIL.Image import Image

from phosphene.errors import NetworkError, SettingError
from phosphene.inverse.photographs import FEWEST
from phosphene.inverse.running import Inverted, run
from phosphene.inverse.settings import TOLD, InverseSetting
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.informed_judged import judged, plots, tables
from phosphene.studies.ledger import Cell
from phosphene.studies.plain import digest
from phosphene.studies.plan import Plan
from phosphene.studies.setting import deep_layers, demand_photos, plural

PASSES = 8
"""Times that every photograph is learned from, if no number of updates is given."""
# Those from which on nothing is said of how short they learned.
_LEARNED = 20
RATE = 3e-3
MAP = 3
"""Units across the layer's map, from which on crops are large enough."""
_SHOWN = 3


def informed(
    plan: Plan,
    *,
    crop: int | None = None,
    rate: float = RATE,
    held_out: float = 0.2,
    bias: bool = False,
    rectified: bool = True,
) -> Findings:
    """Learn inverses that are told masks, switches, both and neither, and compare their errors.

    Args:
        plan: Photographs, one layer (the last max-pool, if it is deep), seeds (`repeats`) and
            updates (`steps`; as many as go through the photographs 8 times, if not given).
        crop: Side of crops, pixels; if `None`, the least for which the layer's map is 3x3.
        rate: Step length of Adam.
        held_out: Share of the photographs that are only tested with.
        bias: Whether inverses learn biases.
        rectified: Whether ReLUs are reversed to ReLUs; as `InverseSetting` has it.

    Raises:
        ImageError: There is no photograph, or one is smaller than the crops.
        SettingError: There are too few photographs, or several layers.
        NetworkError: The network does not take such crops.
        ReversalError: It has no reverse that could be learned.
    """
    demand_photos(plan, "informed")
    if len(plan.photos) < FEWEST:
        raise SettingError(
            f"the study informed learns from some photographs and tests with others, and "
            f"{len(plan.photos)} were given: give {FEWEST} or more"
        )
    if len(plan.layers) > 1:
        raise SettingError("the study informed inverts one layer: give one, or none")
    layer = plan.layers[0] if plan.layers else _deep(plan)
    size = crop or least_crop(plan, layer)
    updates = plan.steps or max(1, round(PASSES * len(plan.photos) / plan.batch))
    settings = [
        InverseSetting(
            layer, told, size, updates, plan.batch, rate, held_out, seed, bias, rectified
        )
        for seed in range(plan.seed, plan.seed + plan.repeats)
        for told in TOLD
    ]
    cells: dict[tuple[str, int], Cell] = {}
    for done, setting in enumerate(settings):
        cells[setting.told, setting.seed] = _cell(plan, setting, done, len(settings))
    plan.tick(len(settings) * updates, len(settings) * updates, "done")
    values = {place: cell.values for place, cell in cells.items()}
    found = judged(values)
    return Findings(
        "informed",
        f"{plan.net.name}: {layer} inverted by networks that are told of the forward pass",
        tables(values, found),
        plots(values),
        _rows(plan, cells),
        tabulated.facts(
            plan,
            layer=layer,
            crops=f"{size}x{size} px, a map of {_map(values)}",
            seeds=str(plan.repeats),
            updates=f"{updates} of {plural(plan.batch, 'crop')}",
            optimizer=f"Adam, {rate:g} at most",
            held_out=f"{held_out:.0%} of the photographs, others for every seed",
            rectifiers="reversed to ReLUs" if rectified else "passed, but for masks",
            biases="learned" if bias else "none",
        ),
        _doubts(plan, values, updates),
        {
            "runs": [{"told": t, "seed": s, **value} for (t, s), value in values.items()],
            "errors": found.errors,
            "differences": found.differences,
            "verdict": found.verdict,
        },
    )


def least_crop(plan: Plan, layer: str) -> int:
    """Return the least side of crops, in steps of 16 pixels, for which a layer's map is 3x3.

    It is the network's own where it takes no other, or the layer has no maps.

    Args:
        plan: Whose network.
        layer: Its layer.
    """
    own = min(plan.net.preprocessing.input_size)
    for side in range(32, own, 16):
        try:
            with plan.net.running(gradients=False):
                code = plan.net[layer].of_input(plan.net.blank((side, side)).detach())
        except NetworkError:
            continue
        if code.dim() == 4 and min(code.shape[2:]) >= MAP:
            return side
    return own


def _deep(plan: Plan) -> str:
    """Return the last max-pool of the second half of the layers, or else a deep layer."""
    listed = plan.net.layers()
    deep = [layer.name for layer in listed[len(listed) // 2 :] if "MaxPool" in layer.kind]
    return deep[-1] if deep else deep_layers(plan.net)[:2][-1]


def _cell(plan: Plan, setting: InverseSetting, done: int, total: int) -> Cell:
    key = {"photos": list(plan.photo_ids), **setting.facts()}
    told = f"told {setting.told}, seed {setting.seed}"

    def tick(update: int, updates: int, what: str) -> None:
        plan.tick(done * updates + update, total * updates, f"{told}: {what}")

    def compute() -> Cell:
        place = plan.ledger.folder
        name = digest([plan.identity, key])
        folder = None if place is None else place / "learning" / name
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        made = run(setting, plan.net, plan.photos, folder, shown=_SHOWN, about=name[:32], tick=tick)
        if made.interrupted:
            raise KeyboardInterrupt
        if folder is not None:  # what it took to go on; the cell stays
            shutil.rmtree(folder, ignore_errors=True)
        return _kept(plan, made)

    plan.tick(done * setting.updates, total * setting.updates, told)
    return plan.cell("informed", key, compute)


def _kept(plan: Plan, made: Inverted) -> Cell:
    images: dict[str, Image] = {}
    for number, crop, estimate in made.pictures:
        images |= {f"{number} photograph": crop, f"{number} estimate": estimate}
    values = {
        "squared": made.squared,
        "root": made.root,
        "untrained": made.untrained,
        "losses": [epoch.loss for epoch in made.history],
        "photographs": [plan.names[number] for number in made.held_out],
        "errors": list(made.errors),
        "energies": list(made.energies),
        "shown": [number for number, _, _ in made.pictures],
        "map": list(made.code),
    }
    return Cell(values, images)


def _rows(
    plan: Plan, cells: Mapping[tuple[str, int], Cell]
) -> tuple[tuple[str, tuple[Tile, ...]], ...]:
    rows = []
    own = {told: cells[told, plan.seed] for told in TOLD}
    for place, number in enumerate(own[TOLD[0]].values["shown"]):
        tiles = [Tile(own[TOLD[0]].images[f"{number} photograph"], "photograph")]
        for told, cell in own.items():
            energy = max(cell.values["energies"][place], 1e-12)
            error = cell.values["errors"][place] / energy
            tiles.append(Tile(cell.images[f"{number} estimate"], f"{told}: {error:.0%}"))
        rows.append((plan.names[number], tuple(tiles)))
    return tuple(rows)


def _map(values: Mapping[tuple[str, int], Mapping[str, Any]]) -> str:
    return "x".join(map(str, next(iter(values.values()))["map"]))


def _doubts(
    plan: Plan, values: Mapping[tuple[str, int], Mapping[str, Any]], updates: int
) -> tuple[str, ...]:
    held = len({name for value in values.values() for name in value["photographs"]})
    doubts = []
    passes = updates * plan.batch / len(plan.photos)
    if passes < _LEARNED:
        doubts.append(
            f"every photograph was learned from {passes:.0f} times only, and inverses learn at "
            "different speeds: give more updates (--steps) before the order is believed"
        )
    if held < tabulated.FEWEST:
        doubts.append(
            f"tested with {plural(held, 'photograph')} only: give more photographs, or more seeds"
        )
    if all(value["squared"] > 1 for value in values.values()):
        doubts.append(
            "no inverse does better than the mean colour, whose error is 1: give more updates "
            "(--steps), or more photographs"
        )
    return tuple(doubts)

"""The strongest patches of all units and what made them fire, as picture files.

Images are taken some at a time. Each is read once for all the units that it serves; what is done is
noted behind each batch of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from phosphene.atlas.album import Album
from phosphene.atlas.plan import Cells, Plan
from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.survey.contrast import enhanced
from phosphene.survey.dissection.concepts import digest
from phosphene.survey.images import ImageSet
from phosphene.survey.patches import patches
from phosphene.survey.reversible import refusals
from phosphene.survey.top_patches import TopPatches

Tick = Callable[[int, int, str], None]
Units = Mapping[str, Sequence[int]]

_TOGETHER = 16
STAGE = "strongest patches"


def patch_file(plan: Plan, layer: str, unit: int, rank: int, rule: str = "") -> str:
    """Return the path of a unit's patch, or of what a rule sends back there."""
    end = f"-{rule}" if rule else ""
    return f"{plan.folder_of(layer)}/{unit}/top{rank}{end}.webp"


def grid_file(plan: Plan, layer: str, unit: int, rule: str = "") -> str:
    """Return the path of the picture of all patches of a unit, or of what a rule sends back."""
    return f"{plan.folder_of(layer)}/{unit}/{rule or 'patches'}.webp"


def slug_of(rule: Reversal) -> str:
    """Return a rule's name as it may stand in the name of a file."""
    name = str(rule)
    return name if name.isidentifier() else f"rule{digest(name)[:6]}"


def rules_of(net: Network, plan: Plan, cells: Cells) -> dict[str, tuple[tuple[Reversal, ...], str]]:
    """Find for every layer which of the rules it can be reversed by, and why not by the others.

    Below the first rectification, for instance, there is nothing to reverse.
    """
    about: dict[str, tuple[list[str], str]] = cells.load("rules") or {}
    new = [layer for layer in plan.layers if layer not in about]
    for layer, refused in (refusals(net, new, plan.rules) if new else {}).items():
        works = [str(rule) for rule in plan.rules if rule not in refused]
        why = [f"not reversed by {rule}: {error}" for rule, error in refused.items()]
        about[layer] = works, why[-1] if why else ""
    cells.keep("rules", about)
    found: dict[str, tuple[tuple[Reversal, ...], str]] = {}
    for layer in plan.layers:
        names, reason = about[layer]
        found[layer] = tuple(rule for rule in plan.rules if str(rule) in names), reason
    return found


def gather_patches(
    net: Network,
    images: ImageSet,
    top: TopPatches,
    units: Units,
    rules: Mapping[str, Sequence[Reversal]],
    plan: Plan,
    album: Album,
    cells: Cells,
    tick: Tick,
) -> None:
    """Write the patches of units.

    Args:
        net: The network.
        images: The images that were swept.
        top: What the sweep found.
        units: Channels by layer.
        rules: The rules of each layer.
        plan: What is wanted.
        album: Where pictures go.
        cells: Where is noted what is done.
        tick: Told how many images are done, of how many.

    Raises:
        ImageError: An image cannot be read any more.
        OutputError: A picture cannot be written.
    """
    ranks = {
        (layer, unit, peak.key): rank
        for layer, some in units.items()
        for unit in some
        for rank, peak in enumerate(top.of(layer, unit)[: plan.count])
    }
    keys = sorted({key for _, _, key in ranks})
    for start in range(0, len(keys), _TOGETHER):
        some = frozenset(keys[start : start + _TOGETHER])
        tick(start, len(keys), STAGE)
        wanted = [(*unit, rank) for unit, rank in ranks.items() if unit[2] in some]
        name = f"patches/{digest(sorted(wanted))}"
        if cells.load(name) is not None:
            continue
        shown = 0
        shared: dict[str, dict[int, None]] = {}
        for layer, unit, _, _ in wanted:
            shared.setdefault(layer, {})[unit] = None
        these = {layer: sorted(numbers) for layer, numbers in shared.items()}
        for patch in patches(net, images, top, these, rules, keys=some):
            rank = ranks[patch.layer, patch.channel, patch.peak.key]
            album.write(patch_file(plan, patch.layer, patch.channel, rank), patch.image)
            for rule in rules[patch.layer]:
                file = patch_file(plan, patch.layer, patch.channel, rank, slug_of(rule))
                album.write(file, enhanced([patch.signals[str(rule)]])[0])
            shown += 1
        cells.keep(name, shown)
    _grids(top, units, rules, plan, album)
    tick(len(keys), len(keys), STAGE)


def _grids(
    top: TopPatches,
    units: Units,
    rules: Mapping[str, Sequence[Reversal]],
    plan: Plan,
    album: Album,
) -> None:
    for layer, some in units.items():
        for unit in some:
            count = len(top.of(layer, unit)[: plan.count])
            columns = max(1, math.ceil(math.sqrt(count)))
            for rule in ("", *map(slug_of, rules[layer])):
                name = grid_file(plan, layer, unit, rule)
                if count and not album.holds(name):
                    files = [patch_file(plan, layer, unit, rank, rule) for rank in range(count)]
                    album.write_grid(name, files, columns)

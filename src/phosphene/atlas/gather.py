"""Making an atlas of a network: sweep, patches, concepts, maximisation, and the site of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phosphene.atlas.album import Album
from phosphene.atlas.collect import Gathered, layers_of
from phosphene.atlas.collect_layers import failed_table, network_tables
from phosphene.atlas.gather_concepts import gather_concepts, image_colors
from phosphene.atlas.gather_patches import gather_patches, rules_of
from phosphene.atlas.maximise import facts_of_maximisation
from phosphene.atlas.maximise import maximise as maximise_units
from phosphene.atlas.model import Atlas
from phosphene.atlas.overview import nodes_of
from phosphene.atlas.plan import Cells, Maximise, Plan, claimed, plan_of
from phosphene.atlas.site import write
from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.errors import ImageError
from phosphene.provenance import versions
from phosphene.survey.collector import Collector
from phosphene.survey.correlation import Correlation
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.images import ImageSet
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.statistics import Statistics, bounds_of
from phosphene.survey.sweep import Swept, sweep
from phosphene.survey.top_patches import TopPatches

Tick = Callable[[int, int, str], None]

SWEEPING, WRITING = "showing all images", "pages"


@dataclass(frozen=True)
class Built:
    """An atlas that was written.

    Attributes:
        atlas: What it shows.
        page: The page to open first.
        failed: Images that could not be read and why, by name.
        seconds: How long the sweep took.
    """

    atlas: Atlas
    page: Path
    failed: dict[str, str]
    seconds: float


def build(
    net: Network,
    images: ImageSet,
    folder: str | Path,
    *,
    layers: Sequence[str] | None = None,
    count: int = 9,
    maximise: Maximise = "quick",
    seeds: int = 2,
    rules: Sequence[Reversal | str] = ("deconvnet",),
    dissect: bool | ConceptSet = True,
    limit: int | None = None,
    batch: int = 16,
    workers: int = 1,
    reopen: Callable[[], Network] | None = None,
    tick: Tick | None = None,
) -> Built:
    """Make the atlas of a network: a site of static pages about all its units.

    What is done is kept in the folder, so that the same call goes on where an earlier one was cut
    off, and ends in the same site. With another `limit` it takes up what there is, too.

    Args:
        net: The network.
        images: What it is shown: `survey.images.open_images`.
        folder: The site's: new, empty, or that of the same atlas.
        layers: Names; a survey's choice if `None`, and the class scores where they are few.
        count: How many strongest images a unit shows.
        maximise: Whether images are made that excite units: `"none"`, `"quick"` or `"fine"`.
        seeds: How many of each unit.
        rules: Which reversed networks are shown beside the patches.
        dissect: Concepts to look for in the layers that have maps; `True` for the images' colors.
        limit: How many units of each layer to show; all if `None`.
        batch: Images at a time.
        workers: How many processes share the images in the sweep and the dissection.
        reopen: How a worker opens the network by itself; see `survey.sweep`.
        tick: Told how much is done, of how much, and what is being done.

    Raises:
        ImageError: None of the images can be read, or one cannot any more.
        UnknownLayer: There is no such layer.
        SettingError: A number or a choice cannot be.
        OutputError: The folder cannot be written, is in use, or holds something else.
        KeyboardInterrupt: It was interrupted; the same call goes on.
    """
    folder, tell = Path(folder), tick or (lambda done, total, what: None)
    plan = plan_of(net, layers, count, maximise, seeds, rules, limit)
    concepts = dissect if isinstance(dissect, ConceptSet) else None
    if dissect is True:
        concepts = image_colors(images, net.preprocessing.input_size)
    with claimed(folder, plan.job(net, images, concepts), images) as cells:
        swept = _swept(net, images, plan, cells, batch, workers, reopen, tell)
        album = Album(folder)
        found = _gathered(net, images, plan, swept, album, cells, tell)
        if concepts is not None:
            dissected = gather_concepts(
                net, swept.layers, concepts, cells, batch, workers, reopen, tell
            )
            found = replace(found, concepts=dissected)
        if plan.maximise != "none":
            found = replace(found, reached=_maximised(found, album, cells, tell))
        atlas = _atlas(found, swept, album)
        page = write(atlas, folder, tick=lambda done, total, _: tell(done, total, WRITING))
    return Built(atlas, page, swept.failed, swept.seconds)


def _swept(
    net: Network,
    images: ImageSet,
    plan: Plan,
    cells: Cells,
    batch: int,
    workers: int,
    reopen: Callable[[], Network] | None,
    tell: Tick,
) -> Swept:
    layers = plan.layers
    collectors: dict[str, Collector] = {
        "statistics": Statistics(layers, bounds_of(net, layers)),
        "top patches": TopPatches(layers, plan.count),
        "quantiles": Quantiles(layers),
        "correlation": Correlation(layers),
    }
    swept = sweep(
        net, images, collectors, batch=batch, folder=cells.folder / "survey", workers=workers,
        reopen=reopen, tick=lambda done, total: tell(done, total or 0, SWEEPING),
    )  # fmt: skip
    if swept.interrupted:
        raise KeyboardInterrupt
    if not swept.count:
        why = next(iter(swept.failed.values()), "there are none")
        raise ImageError(f"none of the images of {images.name} can be read: {why}")
    return swept


def _gathered(
    net: Network,
    images: ImageSet,
    plan: Plan,
    swept: Swept,
    album: Album,
    cells: Cells,
    tell: Tick,
) -> Gathered:
    """Take what a sweep has found, and write the patches."""
    statistics, top = swept.collectors["statistics"], swept.collectors["top patches"]
    quantiles, correlation = swept.collectors["quantiles"], swept.collectors["correlation"]
    assert isinstance(statistics, Statistics)
    assert isinstance(top, TopPatches)
    assert isinstance(quantiles, Quantiles)
    assert isinstance(correlation, Correlation)
    units = {name: plan.units(fact.channels) for name, fact in swept.layers.items()}
    rules = rules_of(net, plan, cells)
    usable = {layer: some for layer, (some, _) in rules.items()}
    gather_patches(net, images, top, units, usable, plan, album, cells, tell)
    return Gathered(
        net, images, plan, swept.layers, units, statistics, top, quantiles, correlation, rules
    )


def _maximised(
    found: Gathered, album: Album, cells: Cells, tell: Tick
) -> dict[str, dict[int, list[float]]]:
    """Maximise the units of all layers that were ever above zero."""
    reached = {}
    for layer, units in found.units.items():
        maxima = found.statistics.maxima(layer, found.net.name, found.images.name)
        numbers = found.statistics.of(layer)
        alive = [unit for unit in units if not numbers.dead[unit] and not numbers.silent[unit]]
        reached[layer] = maximise_units(
            found.net, layer, alive, maxima, found.plan, album, cells, tell
        )
    return reached


def _atlas(found: Gathered, swept: Swept, album: Album) -> Atlas:
    net, plan = found.net, found.plan
    layers = layers_of(found, album)
    known = found.concepts
    failed = {**(known.failed if known else {}), **swept.failed}
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "images": f"{swept.count} of {found.images.name}",
        "patches": f"of the {plan.count} strongest images of each unit, one patch an image",
        "units": f"at most {plan.limit} of each layer" if plan.limit else "all",
        "reversed by": ", ".join(map(str, plan.rules)) or "nothing",
        **facts_of_maximisation(plan),
        "concepts": known.facts.get("concepts", "") if known else "none",
        **({"IoU of a detector": f"{known.minimum:g} or more"} if known else {}),
        **versions(),
    }
    return Atlas(
        f"Atlas of {net.name}",
        nodes_of(net, plan.layers),
        layers,
        facts,
        _warnings(plan, swept, failed),
        (*network_tables(layers, known), *failed_table(failed)),
    )


def _warnings(plan: Plan, swept: Swept, failed: dict[str, str]) -> tuple[str, ...]:
    said = []
    if failed:
        many = f"{len(failed)} images" if len(failed) > 1 else "1 image"
        said.append(f"{many} could not be read: {_some(sorted(failed))}.")
    if swept.count < plan.count:
        said.append(
            f"There were only {swept.count} images, fewer than the {plan.count} that each unit is "
            "to show: give more for a fair picture."
        )
    return tuple(said)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")

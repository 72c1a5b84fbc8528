"""Network dissection: which units of a network detect which concepts.

Two passes over the same images, for all layers at once, and no activation is written to disk.
The first finds for every unit the threshold that a share `level` of all positions of all images
exceeds; the second counts where the codes above it meet labels (`tally`). Where the maps that
exceed it fit into memory, one pass does for both, with the same result (`recollection`).

Reference:
    D. Bau, B. Zhou, A. Khosla, A. Oliva and A. Torralba, *Network Dissection: Quantifying
    Interpretability of Deep Visual Representations*, CVPR 2017.

Departures from the original: thresholds are exact quantiles and not those of a sketch; codes are
anchored at the exact centres of receptive fields (`upsampling="original"` for whole label pixels);
images are shown as the network was trained to see them, only stretched to its input size; and an
image whose labels cannot be read is left out of the counts, though not of the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from phosphene.core.network import Network
from phosphene.errors import ImageError, SettingError
from phosphene.provenance import versions
from phosphene.survey.collector import Collector
from phosphene.survey.dissection.alignment import MINIMUM, LayerDissection, Match
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.dissection.images import concept_images, index_of, key_of
from phosphene.survey.dissection.masked import masked_tiles
from phosphene.survey.dissection.recollection import Recollection, fits
from phosphene.survey.dissection.result import Dissection
from phosphene.survey.dissection.showing import stretching
from phosphene.survey.dissection.tally import COUNTINGS, Counting, Tally
from phosphene.survey.dissection.upsampling import WAYS, Upsampling, Way, upsampling
from phosphene.survey.facts import LayerFacts, facts_of
from phosphene.survey.images import ImageSet
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.sweep import sweep
from phosphene.survey.top_patches import TopPatches

Tick = Callable[[int, int, str], None]
MEMORY = 1 << 29
"""Bytes of codes that may be kept in memory so that one pass does."""
LEVEL = 0.005
"""Share of all positions above a unit's threshold."""


def dissect(
    net: Network,
    layers: Sequence[str],
    concepts: ConceptSet,
    *,
    level: float = LEVEL,
    upsampling: Way = "centred",
    counting: Counting = "original",
    minimum: float = MINIMUM,
    shown: int = 8,
    pictures: int = 4,
    batch: int = 8,
    folder: str | Path | None = None,
    memory: int = MEMORY,
    workers: int = 1,
    reopen: Callable[[], Network] | None = None,
    tick: Tick | None = None,
) -> Dissection:
    """Find for every unit of some layers the concept that it detects best.

    Args:
        net: The network. Images are stretched to its input size, never cropped.
        layers: Names of layers.
        concepts: Images and what is known of their pixels.
        level: Share of all positions of all images above a unit's threshold, 0 to 1.
        upsampling: How codes are brought to the size of label maps: `"centred"` at the centres of
            receptive fields, `"original"` in whole label pixels, `"plain"` as a resize.
        counting: Which images count for the active area: `"original"`, or `"lite"`, which gives
            larger IoUs (see `tally`).
        minimum: The IoU from which on a unit is a detector.
        shown: How many units of each layer get pictures, at most: the best detector of every
            concept, and then the next best.
        pictures: How many images each of them gets.
        batch: Images at a time.
        folder: Where two passes keep their state; the same call goes on from there. One pass keeps
            none, and begins anew.
        memory: Bytes of codes that may be kept so that one pass does: in one process, where they
            are likely to fit, and no state of two passes is there. The results are the same.
        workers: How many processes share the images.
        reopen: How a worker opens the network by itself; see `sweep`.
        tick: Told how many images are done, of how many, and what is being done.

    Raises:
        SettingError: A number or a choice cannot be, or a layer has tokens in place of a map.
        ImageError: No image can be read, or no labels.
        UnknownLayer: There is no such layer.
        NotFinite: A code is NaN or infinite.
        OutputError: The folder cannot be written, is in use, or holds another dissection.
        KeyboardInterrupt: It was interrupted; what two passes have done is in the folder.
    """
    _check(level, upsampling, counting, minimum)
    net = stretching(net, concepts.image_size)
    facts = facts_of(net, layers)
    ways = {name: _way(upsampling, fact, concepts) for name, fact in facts.items()}
    images, place = concept_images(concepts), Path(folder) if folder is not None else None
    done = _Passes(net, images, batch, place, workers, reopen, tick)
    shown = shown if pictures else 0
    strongest = TopPatches(tuple(facts), max(1, pictures))
    also = {"strongest": strongest} if shown else {}
    tally, unread = None, dict[str, str]()
    begun = place is not None and place.exists()
    if not begun and workers == 1 and fits(facts, len(concepts), memory):
        kept = Recollection(tuple(facts), level, len(concepts), memory)
        unread = _some(concepts, done("one pass", {"kept": kept, **also}, kept=False))
        if not kept.full:
            tally = Tally({name: kept.of(name) for name in facts}, ways, concepts, counting)
            seen = (i for i in range(len(concepts)) if concepts.name_of(i) not in unread)
            tally.recount(kept, [key_of(index) for index in seen])
        elif shown:  # all is to be seen again
            also = {"strongest": (strongest := TopPatches(tuple(facts), max(1, pictures)))}
    if tally is None:
        quantiles = Quantiles(tuple(facts), level=1 - level, exact=True)
        found = done("thresholds", {"quantiles": quantiles, **also})
        unread = _some(concepts, found)
        thresholds = {name: quantiles.of(name) for name in facts}
        second = quantiles.again()
        if second is not None:  # rare: the images came in an unfortunate order
            done("thresholds, once more", {"quantiles": second})
            thresholds |= {name: second.of(name) for name in second.layers}
        tally = Tally(thresholds, ways, concepts, counting)
        unread |= done("counts", {"tally": tally})
    unread |= {concepts.name_of(index): _why(concepts, index) for index in sorted(tally.failed)}
    if not tally.images:
        raise ImageError(f"no labels of {concepts.name} can be read: {next(iter(unread.values()))}")
    results = {
        name: LayerDissection(
            name,
            tally.thresholds[name].double().numpy(),
            tally.counts[name].intersection,
            tally.counts[name].active,
            tally.truth,
            concepts.vocabulary,
        )
        for name in facts
    }
    told = {
        "network": net.name,
        "layers": ", ".join(facts),
        "concepts": concepts.name,
        **concepts.facts,
        "images": f"{tally.images} counted, {len(unread)} left out",
        "level": f"{level:g}",
        "upsampling": ", ".join(dict.fromkeys(way.way for way in ways.values())),
        "counting": counting,
        "minimum IoU": f"{minimum:g}",
        "preprocessing": str(net.preprocessing),
        **versions(),
    }
    result = Dissection(results, minimum, tally.images, unread, told)
    wanted = {
        (name, match.unit): tuple(
            index_of(peak.key) for peak in strongest.of(name, match.unit)[:pictures]
        )
        for name, layer in results.items()
        for match in _various(layer.detectors(minimum))[:shown]
    }
    limits, tiles = tally.thresholds, {}
    if pictures:
        tiles = masked_tiles(net, concepts, wanted, limits, facts, upsampling)
    return replace(result, pictures=tiles)


class _Passes:
    """Runs passes over the images, one after the other, and says how far they are."""

    def __init__(
        self, net: Network, images: ImageSet, batch: int, folder: Path | None, workers: int,
        reopen: Callable[[], Network] | None, tick: Tick | None,
    ) -> None:  # fmt: skip
        self._net, self._images, self._batch, self._folder = net, images, batch, folder
        self._workers, self._tick = workers, tick
        size = net.preprocessing.input_size
        self._reopen = None if reopen is None else partial(_stretched, reopen, size)
        self._before = 0

    def __call__(
        self, what: str, collectors: Mapping[str, Collector], kept: bool = True
    ) -> dict[str, str]:
        """Feed collectors all images, `kept` in the folder; return what could not be read."""
        count = self._images.count or 0
        before = self._before

        def told(now: int, _: int | None) -> None:
            if self._tick:
                self._tick(before + now, max(2 * count, before + count), what)

        swept = sweep(
            self._net,
            self._images,
            collectors,
            batch=self._batch,
            folder=self._folder / what.replace(", ", "-").replace(" ", "-")
            if kept and self._folder
            else None,
            workers=self._workers,
            reopen=self._reopen,
            tick=told,
        )
        if swept.interrupted:
            raise KeyboardInterrupt
        self._before += count
        return dict(swept.failed)


def _various(matches: Sequence[Match]) -> list[Match]:
    """Put the first of every concept in front; many units of one concept look much the same."""
    firsts: dict[tuple[str, str], Match] = {}
    for match in matches:
        firsts.setdefault((match.category, match.label), match)
    first = set(firsts.values())
    return [*firsts.values(), *(match for match in matches if match not in first)]


def _stretched(reopen: Callable[[], Network], size: tuple[int, int]) -> Network:
    """Open the network in another process, to be shown the same."""
    return stretching(reopen(), size)


def _check(level: float, way: Way, counting: Counting, minimum: float) -> None:
    if not 0 < level < 1:
        raise SettingError(f"level {level:g} is no share of positions: give 0.005, or 0 to 1")
    if way not in WAYS:
        raise SettingError(f"{way!r} is no way of upsampling: choose one of {', '.join(WAYS)}")
    if counting not in COUNTINGS:
        raise SettingError(f"{counting!r} is no way of counting: choose {' or '.join(COUNTINGS)}")
    if not 0 < minimum <= 1:
        raise SettingError(f"minimum {minimum:g} is no IoU: give 0.04, or above 0 and up to 1")


def _way(way: Way, fact: LayerFacts, concepts: ConceptSet) -> Upsampling:
    if fact.width == 1 and fact.height > 1 and fact.input_size[1] > 1:
        raise SettingError(
            f"layer {fact.name!r} puts out {fact.height} tokens, which are no map of the image: "
            "choose a layer of maps"
        )
    size = fact.height, fact.width
    return upsampling(way, size, concepts.label_size, fact.input_size, fact.field)


def _some(concepts: ConceptSet, unread: dict[str, str]) -> dict[str, str]:
    """Return what could not be read, if something could."""
    if len(unread) == len(concepts):
        raise ImageError(f"no image of {concepts.name} can be read: {next(iter(unread.values()))}")
    return unread


def _why(concepts: ConceptSet, index: int) -> str:
    """Say why the labels of an image cannot be read, by reading them once more."""
    try:
        concepts.labels(index)
    except ImageError as error:
        return str(error)
    return "its labels could not be read then, and can be now"

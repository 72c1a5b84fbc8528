"""What a network makes of the image set: one pass, kept in a folder, for all that is asked of it.

All networks of a comparison are shown the same images in the same way: whole and stretched to the
input of each. From the pass come the largest activations that maximisation is scaled by, the
strongest images, what is usual of an image, and what the layers make of the concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.comparison.concept_means import ConceptMeans
from phosphene.comparison.image_peaks import ImagePeaks
from phosphene.core.network import Network
from phosphene.errors import ImageError
from phosphene.studies.identity import source
from phosphene.survey.collector import Collector
from phosphene.survey.dissection.concepts import ConceptSet, digest
from phosphene.survey.dissection.images import concept_images
from phosphene.survey.dissection.showing import stretching
from phosphene.survey.facts import LayerFacts, facts_of
from phosphene.survey.images import ImageSet
from phosphene.survey.statistics import Statistics
from phosphene.survey.sweep import sweep
from phosphene.survey.sweeping.job import job_of
from phosphene.survey.top_patches import TopPatches

COUNT = 9
"""Strongest images that are kept of a unit."""
Tick = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass has found.

    Attributes:
        net: The network, shown whole images stretched to its input.
        images: The images.
        concepts: The same, with what is known of their pixels.
        facts: The layers.
        statistics: How active units are.
        top: Their strongest images.
        peaks: How high they get in each image.
        means: What they make of the concepts, of layers with maps.
        failed: What could not be read and why, by name.
    """

    net: Network
    images: ImageSet
    concepts: ConceptSet
    facts: Mapping[str, LayerFacts]
    statistics: Statistics
    top: TopPatches
    peaks: ImagePeaks
    means: ConceptMeans | None
    failed: Mapping[str, str]

    def alive(self, layer: str) -> list[int]:
        """List the units that were ever above zero, and not always of one value."""
        found = self.statistics.of(layer)
        return [int(unit) for unit in (~found.dead & ~found.silent).nonzero()[0]]


def has_map(fact: LayerFacts) -> bool:
    """Tell whether a layer puts out maps of the image, not codes or tokens."""
    return fact.width > 1 or (fact.height == 1 and fact.field is not None)


def seen(
    net: Network,
    concepts: ConceptSet,
    layers: Sequence[str],
    *,
    batch: int = 16,
    folder: Path | None = None,
    tick: Tick | None = None,
) -> Seen:
    """Show a network the image set.

    Args:
        net: The network.
        concepts: The images.
        layers: Names of layers.
        batch: Images at a time.
        folder: Where passes keep their states, each in a folder of its own; a pass that is there
            is not done again.
        tick: Told how many images are done, of how many.

    Raises:
        ImageError: No image can be read.
        KeyboardInterrupt: It was interrupted; what was done is in the folder.
    """
    net = stretching(net, concepts.image_size)
    images, facts = concept_images(concepts), facts_of(net, layers)
    mapped = {name: fact for name, fact in facts.items() if has_map(fact)}
    statistics, top, peaks = Statistics(layers), TopPatches(layers, COUNT), ImagePeaks(layers)
    means = ConceptMeans(mapped, concepts) if mapped else None
    collectors: dict[str, Collector] = {"statistics": statistics, "top": top, "peaks": peaks}
    if means is not None:
        collectors["means"] = means
    place = None
    if folder is not None:
        job = job_of(net, images, collectors, False)
        place = folder / digest([source(), sorted(job.items())])
    count = len(concepts)
    found = sweep(
        net, images, collectors, batch=batch, folder=place,
        tick=(lambda done, _: tick(done, count)) if tick else None,
    )  # fmt: skip
    if found.interrupted:
        raise KeyboardInterrupt
    if not found.count:
        why = next(iter(found.failed.values()), "there are none")
        raise ImageError(f"no image of {concepts.name} can be read: {why}")
    return Seen(net, images, concepts, facts, statistics, top, peaks, means, dict(found.failed))

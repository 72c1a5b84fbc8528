"""How much a layer, or a group of units, is worth: taken out of a network, and measured.

Accuracy and loss are measured on labelled images, with and without. The network is not trained
again; what a network makes of its parts when it learns without them, is `ablation.retrain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from phosphene.core.network import Network
from phosphene.core.photographs import Prepared, batches
from phosphene.errors import ImageError, SettingError
from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.provenance import versions
from phosphene.survey.ablation.cuts import Cut, cut
from phosphene.survey.ablation.labels import Labels
from phosphene.survey.images import ImageSet
from phosphene.survey.statistics import Statistics
from phosphene.survey.sweep import sweep

Tick = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Scores:
    """How well a network tells classes.

    Attributes:
        accuracy: Share of images whose class is the most probable one.
        five: Share whose class is among the five most probable.
        loss: Mean of -log p(class), nats.
        count: How many images there were.
    """

    accuracy: float
    five: float
    loss: float
    count: int


@dataclass(frozen=True, eq=False)
class Ablation(Shows):
    """What each cut costs.

    Attributes:
        network: Name of the network.
        whole: How well it does uncut.
        cuts: How well it does with each cut, in the order given.
        failed: Images that could not be read and why, by name.
        facts: What it was made of.
    """

    network: str
    whole: Scores
    cuts: Mapping[Cut, Scores]
    failed: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON knows them."""
        return {
            "network": self.network,
            "whole": vars(self.whole),
            "cuts": [
                {"layer": c.layer, "units": list(c.units), "fill": c.fill, **vars(s)}
                for c, s in self.cuts.items()
            ],
            "failed": dict(self.failed),
            "facts": dict(self.facts),
        }

    def panel(self) -> Panel:
        """Show a table, and bars of what is lost."""
        rows = [("whole", self.whole), *((str(c), s) for c, s in self.cuts.items())]
        table = Table(
            "Accuracy",
            ("network", "top 1", "top 5", "loss", "lost"),
            tuple(
                (n, s.accuracy, s.five, s.loss, self.whole.accuracy - s.accuracy) for n, s in rows
            ),
            f"On {self.whole.count} images. Removed layers let pass what they are given, in the "
            "shape of what they gave; nothing was trained again.",
        )
        names = tuple(str(c) for c in self.cuts)
        lost = tuple(100 * (self.whole.accuracy - s.accuracy) for s in self.cuts.values())
        plot = Plot("Lost", (Series("", names, lost),), "", "accuracy lost, % of images", "bars")
        return Panel(
            f"What {self.network} loses",
            (),
            self.facts,
            plots=(plot,) if names else (),
            tables=(table,),
        )


def ablate(
    net: Network,
    images: ImageSet,
    labels: Labels,
    cuts: Sequence[Cut],
    *,
    batch: int = 16,
    tick: Tick | None = None,
) -> Ablation:
    """Measure a network whole, and with each cut by itself.

    Args:
        net: The network; it stays as it is.
        images: What it is measured on.
        labels: The class of every image, by key.
        cuts: What is taken out.
        batch: Images at a time.
        tick: Called with measurements done, their number, and which one is next.

    Raises:
        SettingError: There is no cut.
        ImageError: No image can be read.
    """
    if not cuts:
        raise SettingError("nothing is to be taken out: name a layer, or units of one")
    # All that can be wrong with a cut is found before anything is measured.
    zeros = {c: cut(net, Cut(c.layer, c.units)) for c in cuts}
    means = _means(net, images, [c.layer for c in cuts if c.units and c.fill == "mean"], batch)
    failed: dict[str, str] = {}
    ready = _prepared(net, images, failed)
    found: dict[Cut, Scores] = {}
    if tick is not None:
        tick(0, len(cuts) + 1, "whole")
    whole = measure(net, ready, labels, batch)
    for number, each in enumerate(cuts):
        if tick is not None:
            tick(number + 1, len(cuts) + 1, str(each))
        lesser = cut(net, each, means[each.layer]) if each.layer in means else zeros[each]
        found[each] = measure(lesser, ready, labels, batch)
    if tick is not None:
        tick(len(cuts) + 1, len(cuts) + 1, "")
    facts = {"network": net.name, "images": f"{images.name} ({whole.count} images)", **versions()}
    return Ablation(net.name, whole, found, failed, facts)


def measure(
    net: Network, ready: Sequence[tuple[int, Prepared]], labels: Labels, batch: int
) -> Scores:
    """Measure a network on images that are prepared, each with its key."""
    right, five, loss = 0, 0, 0.0
    keys = {id(photo): key for key, photo in ready}
    for together in batches([photo for _, photo in ready], batch):
        p = net.probabilities(torch.cat([photo.image for photo in together])).double().cpu()
        told = torch.tensor([labels[keys[id(photo)]] for photo in together])
        likely = p.topk(min(5, p.shape[1])).indices
        right += int((likely[:, 0] == told).sum())
        five += int((likely == told[:, None]).any(1).sum())
        loss -= float(p.gather(1, told[:, None]).clamp_min(1e-300).log().sum())
    n = len(ready)
    return Scores(right / n, five / n, loss / n, n)


def _prepared(net: Network, images: ImageSet, failed: dict[str, str]) -> list[tuple[int, Prepared]]:
    """Read all images once, as every cut sees them again."""
    ready = []
    for key, name in images:
        try:
            ready.append((key, Prepared(name, *net.prepare(images.read(key)))))
        except ImageError as error:
            failed[name] = str(error)
    if not ready:
        raise ImageError(f"no image of {images.name} can be read, and so nothing be measured")
    return ready


def _means(
    net: Network, images: ImageSet, layers: Sequence[str], batch: int
) -> dict[str, torch.Tensor]:
    if not layers:
        return {}
    statistics = Statistics(layers)
    sweep(net, images, {"statistics": statistics}, batch=batch)
    return {layer: torch.from_numpy(statistics.of(layer).mean) for layer in statistics.layers}

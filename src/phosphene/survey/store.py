"""A finished sweep in its folder: what it found, opened again without running anything.

`survey.json` says what was done; `survey.safetensors` holds what the collectors know. Neither is
ever unpickled. The second is the sweep's own state under another name, so that a sweep into the
same folder finds that all is done.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import ImageError, OutputError, PhospheneError
from phosphene.image import replacing
from phosphene.panel import Panel, Shows, Table
from phosphene.provenance import versions
from phosphene.survey.collector import Collector, State
from phosphene.survey.facts import LayerFacts
from phosphene.survey.images import ImageSet, open_images
from phosphene.survey.sweep import Swept
from phosphene.survey.sweeping.folder_lock import locked
from phosphene.survey.sweeping.job import settings
from phosphene.survey.sweeping.standing import FINISHED, read, state_path

FACTS = "survey.json"
AGAIN = "second-pass"
"""The folder, inside, of the second sweep that exact quantiles may need."""
_FORMAT = 1
_KINDS = {
    "Statistics": "phosphene.survey.statistics",
    "TopPatches": "phosphene.survey.top_patches",
    "Quantiles": "phosphene.survey.quantiles",
    "Correlation": "phosphene.survey.correlation",
}


@dataclass(frozen=True)
class Survey(Shows):
    """A finished sweep.

    Attributes:
        folder: Where it lies.
        network: The network's name.
        count: How many images went through the network.
        failed: What could not be read and why, by name.
        layers: The layers, by name.
        seconds: How long the sweep took.
        facts: All that `survey.json` says.
    """

    folder: Path
    network: str
    count: int
    failed: dict[str, str]
    layers: dict[str, LayerFacts]
    seconds: float
    facts: dict[str, Any] = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> Survey:
        """Open a finished sweep.

        Raises:
            OutputError: The folder holds none, or it is damaged.
        """
        folder = Path(folder)
        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            if facts["format"] != _FORMAT:
                raise OutputError(
                    f"{folder} holds a survey of another version of phosphene: run it again"
                )
            layers = [LayerFacts.from_json(found) for found in facts["layers"]]
            by_name = {layer.name: layer for layer in layers}
            found = cls(
                folder,
                str(facts["network"]),
                int(facts["count"]),
                dict(facts["failed"]),
                by_name,
                float(facts["seconds"]),
                facts,
            )
        except FileNotFoundError:
            raise OutputError(
                f"{folder} holds no finished survey: `phosphene survey IMAGES -o {folder}` makes "
                "one, or goes on with one that was interrupted"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{folder / FACTS} is damaged ({error}): run it again") from error
        return found

    @property
    def collectors(self) -> tuple[str, ...]:
        """The names of what was collected."""
        return tuple(self.facts["collectors"])

    def collector(self, name: str) -> Any:
        """Return a collector that has seen all images.

        Raises:
            OutputError: Nothing was collected by that name, or by a collector that is not
                phosphene's own; `fill` takes up those.
        """
        kept = self.facts["collectors"].get(name)
        if kept is None:
            known = ", ".join(self.collectors)
            raise OutputError(f"{self.folder} holds no {name!r}: it holds {known}")
        home = _KINDS.get(kept["kind"])
        if home is None:
            raise OutputError(
                f"{name!r} was collected by {kept['kind']}, which phosphene does not know: make "
                "one and give it to `fill`"
            )
        made: Collector = getattr(importlib.import_module(home), kept["kind"])(**kept["settings"])
        return self.fill(name, made)

    def fill(self, name: str, collector: Collector) -> Collector:
        """Give a collector that has seen nothing what was collected by a name."""
        if name in self._states:
            collector.merge(self._states[name])
        return collector

    def quantiles(self, layer: str) -> Tensor:
        """Return every channel's quantile of a layer, (c,) float32.

        NaN where it was to be exact and the second pass that finds it was not made.
        """
        first = self.collector("quantiles")
        second = first.again() if layer in first.layers and first.missing(layer) else None
        state = state_path(self.folder / AGAIN, 0)
        if second is None or not state.is_file():
            found: Tensor = first.of(layer)
            return found
        second.merge(read(state)[1]["quantiles"])
        again: Tensor = second.of(layer)
        return again

    def images(self, source: Any = None) -> ImageSet:
        """Open the images again, to be read by their keys.

        Args:
            source: Where they are now, or the images themselves; where they were, if `None`.

        Raises:
            ImageError: They are not there, or are others than they were.
        """
        about = self.facts["images"]
        kept = about["source"]
        if source is None and not kept:
            raise ImageError("the images of this survey were no files: give them again")
        options = {"every_nth": kept["every_nth"], "member": kept["member"]} if kept else {}
        found = open_images(kept["paths"] if source is None else source, **options)
        if found.fingerprint != about["fingerprint"]:
            raise ImageError(
                f"the images of {self.folder} have changed since: put back those that there were, "
                "or run the survey anew"
            )
        return found

    def panel(self) -> Panel:
        """Say what was done, and list the layers."""
        about = self.facts
        rows = tuple(
            (f.name, f.channels, f"{f.height}x{f.width}", str(f.field) if f.field else None)
            for f in self.layers.values()
        )
        tables = [Table("Layers", ("layer", "units", "map", "receptive field"), rows)]
        if self.failed:
            failures = tuple((name, why) for name, why in self.failed.items())
            tables.append(Table("Not read", ("image", "why"), failures))
        facts = {
            "network": self.network,
            "preprocessing": about["preprocessing"],
            "images": f"{self.count} of {about['images']['name']}",
            "seconds": f"{self.seconds:.1f}",
            "images per second": f"{self.rate:.1f}",
            "collected": ", ".join(self.collectors),
            **about["versions"],
        }
        warnings = (f"{len(self.failed)} images could not be read",) * bool(self.failed)
        title = f"What {self.network} answers to in {self.count} images"
        return Panel(title, (), facts, warnings, (), tuple(tables))

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.count / self.seconds if self.seconds else 0.0

    @cached_property
    def _states(self) -> dict[str, State]:
        return read(self.folder / FINISHED)[1]


def store(
    folder: str | Path,
    swept: Swept,
    net: Network,
    images: ImageSet,
    about: Mapping[str, Any] | None = None,
) -> Survey:
    """Finish a sweep's folder.

    Args:
        folder: The sweep's.
        swept: What it came to.
        net: The network.
        images: The image set.
        about: More to keep in `survey.json`, as JSON knows it.

    Raises:
        OutputError: The folder cannot be written.
        PhospheneError: The sweep was interrupted.
    """
    folder = Path(folder)
    if swept.interrupted:
        raise PhospheneError("the sweep was interrupted: run it to its end first")
    facts = {
        "format": _FORMAT,
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "labels": list(net.labels),
        "images": {
            "name": images.name,
            "parts": len(images.parts),
            "fingerprint": images.fingerprint,
            "source": images.source,
        },
        "count": swept.count,
        "failed": swept.failed,
        "seconds": swept.seconds,
        "layers": [layer.as_json() for layer in swept.layers.values()],
        "collectors": {
            name: {"kind": type(collector).__name__, "settings": settings(collector)}
            for name, collector in swept.collectors.items()
        },
        "job": swept.job,
        "versions": versions(),
        "about": dict(about or {}),
    }
    with locked(folder):
        with replacing(folder / FACTS) as file:
            file.write((json.dumps(facts, indent=1) + "\n").encode())
        state = state_path(folder, 0)
        if state.is_file():
            os.replace(state, folder / FINISHED)
    return Survey.open(folder)

"""All protocols by name, and one run of any of them over several networks and seeds."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from phosphene.core.network import Network
from phosphene.errors import SettingError, nearest
from phosphene.image import replacing
from phosphene.training.processes import rank
from phosphene.transfer.benchmarks.layouts import Kind
from phosphene.transfer.compared import Compared, Score, over_seeds

TABLE = "compared.json"
Found = Mapping[str, Score]


@dataclass(frozen=True)
class Protocol:
    """A way of measuring what features are worth.

    Attributes:
        title: What it measures.
        kind: What must be known of the photographs; see `benchmarks.open_benchmark`.
        package: Where it lives: `settings` or `setting`, and `running.run`.
        setting: Name of its setting's class.
        benchmarks: What others reported numbers for, by column; see `published`.
        columns: Of a result, its columns.
        batch: What its setting calls the photographs of a batch, which several processes share;
            empty where it runs in one.
    """

    title: str
    kind: Kind
    package: str
    setting: str
    benchmarks: Mapping[str, str]
    columns: Callable[[Any], Found]
    batch: str = "batch"

    def check_shared(self, setting: Any, processes: int) -> None:
        """Check that so many processes can share the work.

        Raises:
            SettingError: They cannot.
        """
        if processes > 1 and not self.batch:
            raise SettingError(
                f"{self.package} runs in one process, and {processes} were asked for: leave out "
                "--workers"
            )
        size = getattr(setting, self.batch) if self.batch else 0
        if size % processes:
            raise SettingError(
                f"a batch ({self.batch}) of {size} cannot be shared evenly by {processes} "
                "processes: give a multiple of their number"
            )

    def setting_type(self) -> Any:
        """Return the class of its settings."""
        return getattr(importlib.import_module(f"{_ROOM}.{self.package}"), self.setting)

    def run(self, *given: Any, **how: Any) -> Any:
        """Run it; see the package's own `run`."""
        return importlib.import_module(f"{_ROOM}.{self.package}").run(*given, **how)


_ROOM = "phosphene.transfer"


def _score(name: str) -> Callable[[Any], Found]:
    return lambda found: {name: (float(found.score), None)}


def _layers(found: Any) -> Found:
    return {probe.layer: (float(probe.top1), None) for probe in found.layers}


def _both(found: Any) -> Found:
    return {"AP, 11 points": (found.score, None), "AP, all points": (found.all_point, None)}


def _curve(found: Any) -> Found:
    return {f"{count} a class": score for count, score in found.curve.items()}


PROTOCOLS = {
    "classification": Protocol(
        "Classification, VOC 2007 by Kraehenbuehl et al.", "tagged", "classification",
        "ClassificationSetting", {"mean AP": "VOC2007 classification"}, _score("mean AP"),
    ),
    "detection": Protocol(
        "Detection, VOC 2007 by Fast R-CNN", "boxed", "detection", "DetectionSetting",
        {"AP, 11 points": "VOC2007 detection"}, _both, "photographs",
    ),
    "segmentation": Protocol(
        "Segmentation, VOC 2012 by Larsson et al.", "labelled", "labelling", "LabellingSetting",
        {"mean IoU": "VOC2012 segmentation"}, _score("mean IoU"),
    ),
    "probing": Protocol(
        "Linear probes, ImageNet by Zhang et al.: top-1", "sorted", "probing", "ProbingSetting",
        {f"conv{i}": f"ImageNet conv{i}" for i in range(1, 6)}, _layers,
    ),
    "retrained": Protocol(
        "Retrained softmax, Caltech by Zeiler and Fergus: mean accuracy of classes", "sorted",
        "retrained", "RetrainedSetting", {}, _curve, "",
    ),
}  # fmt: skip


def protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        SettingError: There is none.

    >>> protocol("probing").kind
    'sorted'
    """
    if name not in PROTOCOLS:
        hint = nearest(name, PROTOCOLS) or f": take one of {', '.join(PROTOCOLS)}"
        raise SettingError(f"there is no protocol {name!r}{hint}")
    return PROTOCOLS[name]


def compare(
    name: str,
    setting: Any,
    networks: Mapping[str, Network],
    train: Any,
    test: Any,
    folder: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    watched: Callable[[str], Any] | None = None,
    say: Callable[[str], None] = lambda text: None,
    fabric: Any = None,
    **how: Any,
) -> Compared:
    """Run a protocol with several networks, each with the same seeds, and put them side by side.

    Every run has a folder of its own, `folder/NETWORK/seed-N`, and goes on there where it was
    stopped; `compared.json` has what all came to.

    Args:
        name: Of the protocol.
        setting: Its setting; its seed is replaced.
        networks: By the names of their rows.
        train: To learn from.
        test: To be tested with.
        folder: Where to.
        seeds: Of which the runs are made; means and spreads are shown of several.
        watched: From what is run, a context that yields a `tick`; in the first process.
        say: Told what a person should know.
        fabric: Of `training.processes.fabric_of`, launched; each of its processes calls this. One
            process if `None`.
        how: What `run` of the protocol takes besides.

    Raises:
        SettingError: There is no such protocol, no network, or no seed, or processes cannot share
            a batch; and what runs raise.
        KeyboardInterrupt: A run was stopped; the same call goes on.
    """
    chosen, folder = protocol(name), Path(folder)
    if not networks or not seeds:
        raise SettingError("there is nothing to compare: give one network and one seed or more")
    if fabric is not None:
        chosen.check_shared(setting, fabric.world_size)
    scores: dict[str, dict[str, Score]] = {}
    for row, net in networks.items():
        each = []
        for seed in seeds:
            place = folder / _folder_of(row) / f"seed-{seed}"
            own = replace(setting, seed=seed)
            watching = watched(f"{row}, seed {seed}") if watched and rank() == 0 else nullcontext()
            with watching as tick:
                found = chosen.run(
                    own, net, train, test, place, say=say, tick=tick, fabric=fabric, **how
                )
            if getattr(found, "interrupted", False):
                raise KeyboardInterrupt
            each.append(chosen.columns(found))
        scores[row] = _over(each)
    told = {field.name: getattr(setting, field.name) for field in fields(setting)}
    told["seed"] = ", ".join(map(str, seeds))
    notes = (*getattr(train, "notes", ()), *getattr(test, "notes", ()))
    compared = Compared(chosen.title, scores, _quotable(chosen, scores), told, notes)
    if rank() == 0:
        with replacing(folder / TABLE) as file:
            file.write((json.dumps(compared.as_json(), indent=1, default=str) + "\n").encode())
    return compared


def _over(each: Sequence[Found]) -> dict[str, Score]:
    if len(each) == 1:
        return dict(each[0])
    return {column: over_seeds([one[column][0] for one in each]) for column in each[0]}


def _quotable(chosen: Protocol, scores: Mapping[str, Found]) -> dict[str, str]:
    columns = next(iter(scores.values()))
    return {column: what for column, what in chosen.benchmarks.items() if column in columns}


def _folder_of(name: str) -> str:
    """Make the name of a folder of a network's: without what names of files may not have."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name.strip("/."))
    return kept[-80:].lstrip("-.") or "network"

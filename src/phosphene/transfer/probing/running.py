"""Probing from a setting to a result."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from phosphene.core.network import Network
from phosphene.errors import ImageError, SettingError
from phosphene.image import replacing
from phosphene.provenance import versions
from phosphene.training import loop
from phosphene.training.log import CsvLog
from phosphene.training.loop import Tick, Trained
from phosphene.training.processes import agreed, fabric_of, gathered, rank, ranks
from phosphene.training.recipe import MakeOptimizer, Recipe, drops, sgd
from phosphene.training.run import Epoch
from phosphene.transfer import fingerprints
from phosphene.transfer.benchmarks.records import Sorted
from phosphene.transfer.probing.accuracy import TopK
from phosphene.transfer.probing.crops import Crops
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.keeping import Say, keep
from phosphene.transfer.probing.kept import KeptFeatures
from phosphene.transfer.probing.probes import Probes, joint_loss
from phosphene.transfer.probing.result import Probed, ProbingResult
from phosphene.transfer.probing.sets import check_sets
from phosphene.transfer.probing.setting import ProbingSetting
from phosphene.transfer.probing.sources import FromKept, FromPhotographs, Source, moved

STATE, LOG, RESULT, FEATURES = "state", "log.csv", "result.json", "features"
_ROW, _FEWEST = 1000, 100
"""Updates of an epoch, about and at least: behind each a row of the log and a state are written."""


def run(
    setting: ProbingSetting,
    net: Network,
    train: Sorted,
    test: Sorted,
    folder: str | Path | None = None,
    *,
    features: str | Path | None = None,
    device: torch.device | str = "cpu",
    fabric: Any = None,
    loaders: int = 0,
    tick: Tick | None = None,
    say: Say = lambda text: None,
) -> ProbingResult:
    """Probe layers of a network: learn a linear classifier of each, and test them.

    The network is run once for all layers, in evaluation mode, and learns nothing. With a folder a
    run that was stopped goes on from there, to the same result; it gets `result.json`, `log.csv`
    and `state/`.

    Args:
        setting: The constants.
        net: The network.
        train: What classifiers are learned from.
        test: What they are tested on.
        folder: Where everything goes; `None` for nowhere.
        features: Where features are kept, if they are; `features` in the folder if `None`. Runs
            with the same network, layers and sets share them.
        device: Where to run, without a fabric.
        fabric: Of `training.processes.fabric_of`, launched; each of its processes calls this.
        loaders: Processes that read photographs; they change nothing of the result.
        tick: Called with how much is done, of how much, and what it is.
        say: Told what a person should know, as it comes up.

    Raises:
        ImageError: A photograph cannot be read, or the network takes none.
        NotFinite: A loss or a feature was not.
        OutputError: Files cannot be written, or features do not fit onto the disk.
        SettingError: Something cannot be what was given, or the folder holds another run.
        UnknownLayer: There is no layer of a name.
    """
    began = time.monotonic()
    place = None if folder is None else Path(folder)
    if rank() > 0:
        tick, say = None, lambda text: None
    if net.preprocessing.channels is None:
        raise ImageError(f"{net.name} does not take photographs, and so cannot be probed with them")
    notes = check_sets(train, test)
    for note in notes:
        say(note)
    fabric = fabric or fabric_of(device)
    frozen = FrozenFeatures(
        net, setting.layers, setting.resize, device=fabric.device, at_once=setting.at_once
    )
    seen = _seen(setting, net, frozen, train, test, loaders)
    source: Source | None = seen
    if setting.cached:
        source = _kept(seen, features or (place and place / FEATURES), tick, say)
    result = ProbingResult(
        net.name, setting.protocol, (), _facts(setting, frozen, train, test), notes, True
    )
    probes = Probes(
        frozen.layers, frozen.grids, len(train.classes),
        deviation=setting.deviation, seed=setting.seed,
    ).to(fabric.device)  # fmt: skip
    about = {
        "setting": setting.learned(),
        "network": fingerprints.of_network(net),
        "photographs": fingerprints.of_set(train),
    }
    if source and not _train(setting, source, probes, about, place, fabric, tick, say).interrupted:
        found = _tested(source, probes, frozen, test, fabric.device, tick) if rank() == 0 else ()
        result = replace(result, layers=gathered(found)[0], interrupted=False)
    result = replace(result, seconds=time.monotonic() - began)
    if place is not None and result.layers and rank() == 0:
        with replacing(place / RESULT) as file:
            file.write(json.dumps(result.as_json(), indent=1).encode() + b"\n")
    return result


def _seen(
    setting: ProbingSetting,
    net: Network,
    frozen: FrozenFeatures,
    train: Sorted,
    test: Sorted,
    loaders: int,
) -> FromPhotographs:
    size = net.preprocessing.input_size
    side = setting.shown_side(size)
    crops = Crops(train, size, side, setting.fit, setting.mirror)
    return FromPhotographs(frozen, crops, replace(crops, photographs=test), loaders)


def _facts(
    setting: ProbingSetting, frozen: FrozenFeatures, train: Sorted, test: Sorted
) -> dict[str, str]:
    told = {name.replace("_", " "): str(value) for name, value in setting.facts().items()}
    return {
        **told,
        "layers": ", ".join(frozen.layers),
        "side": str(setting.shown_side(frozen.network.preprocessing.input_size)),
        "photographs": f"{len(train)} to learn from, {len(test)} to test",
        "classes": str(len(train.classes)),
        "processes": str(ranks()),
        **versions(),
    }


def _kept(seen: FromPhotographs, root: Any, tick: Tick | None, say: Say) -> FromKept | None:
    """Make features that are not there yet, and open them; the first process makes them."""
    if not root:
        raise SettingError("cached features need a place: give a folder")
    folders: list[Path] = []

    def make() -> float:
        for name, crops in (("train", seen.train), ("test", seen.test)):
            made = keep(
                seen.frozen, crops, Path(root), name=name, loaders=seen.loaders, tick=tick, say=say
            )
            if made is None:
                break
            folders.append(made)
        return float(len(folders))

    if agreed(make) != 2:
        return None
    train, test = gathered([str(folder) for folder in folders])[0]
    together = 2 * ranks()
    return FromKept(
        KeptFeatures.opened(Path(train), seen.train.photographs.class_of.tolist(), together),
        KeptFeatures.opened(Path(test), seen.test.photographs.class_of.tolist(), together),
    )


def _train(
    setting: ProbingSetting,
    source: Source,
    probes: Probes,
    about: dict[str, Any],
    place: Path | None,
    fabric: Any,
    tick: Tick | None,
    say: Say,
) -> Trained:
    """Learn from features; a fixed number of updates, of which nothing is measured."""
    # Ten rows for runs that are short; a state of many classes takes as long as some updates.
    most = max(1, min(10, setting.updates // _FEWEST), setting.updates // _ROW)
    epochs = max(n for n in range(1, most + 1) if setting.updates % n == 0)
    updates = setting.updates // epochs
    recipe = Recipe(
        epochs,
        fused(
            sgd(
                setting.rate, setting.decay, setting.momentum,
                nesterov=setting.nesterov, biases=setting.biases,
            )
        ),
        drops(setting.drops, setting.factor) if setting.drops else None,
        seed=setting.seed,
        about="stochastic gradient descent",
    )  # fmt: skip
    began = time.monotonic()
    log = CsvLog(place / LOG) if place is not None else None

    def loss(module: nn.Module, batch: Any) -> torch.Tensor:
        features, labels = moved(source.features(batch), fabric.device)
        return joint_loss(module, features, labels)

    def each(epoch: Epoch) -> None:
        done = epoch.number * updates
        if log is not None:
            log(epoch, done, time.monotonic() - began)
        say(f"{done} of {setting.updates} updates: mean loss {epoch.loss / len(probes.layers):.4f}")

    return loop.train(
        probes,
        source.batches(setting, updates),
        loss,
        recipe,
        folder=place and place / STATE,
        about=json.dumps(about, sort_keys=True),
        fabric=fabric,
        tick=tick,
        each=each,
    )


def fused(make: MakeOptimizer) -> MakeOptimizer:
    """Let an optimizer go through weights once an update, which takes a third of the time.

    On processors alone: elsewhere it would do the scaling of losses itself.
    """

    def made(module: nn.Module) -> Optimizer:
        optimizer = make(module)
        if all(p.device.type == "cpu" for p in module.parameters()):
            for group in optimizer.param_groups:
                group["fused"] = True
        return optimizer

    return made


@torch.no_grad()
def _tested(
    source: Source,
    probes: Probes,
    frozen: FrozenFeatures,
    test: Sorted,
    device: torch.device,
    tick: Tick | None,
) -> tuple[Probed, ...]:
    """Count how often probes are right."""
    counted = [TopK(len(test.classes)) for _ in probes.layers]
    done = 0
    for batch in source.tests():
        features, labels = moved(batch, device)
        for scores, count in zip(probes(features), counted, strict=True):
            count.see(scores, labels)
        done += len(labels)
        if tick is not None:
            tick(done, len(test), "testing")
    found = []
    for layer, grid, count in zip(frozen.layers, frozen.grids, counted, strict=True):
        by_class = dict(zip(test.classes, count.by_class(), strict=True))
        top1, rectified = count.share(1), frozen.rectified(layer)
        assert top1 is not None
        found.append(Probed.of(layer, grid, rectified, top1, count.share(5), by_class))
    return tuple(found)

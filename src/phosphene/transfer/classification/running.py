"""A classification from a network and photographs to its scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.image import replacing
from phosphene.provenance import versions
from phosphene.training import loop
from phosphene.training.log import CsvLog
from phosphene.training.made import Made
from phosphene.training.processes import fabric_of, rank, ranks
from phosphene.training.recipe import Recipe, drops, sgd
from phosphene.training.run import Epoch
from phosphene.transfer import fingerprints
from phosphene.transfer.benchmarks.records import Tagged
from phosphene.transfer.classification.crops import Cropping
from phosphene.transfer.classification.examples import (
    HeldOutCrops,
    TrainingCrops,
    check_sets,
    first_crops,
    input_of,
    scored,
)
from phosphene.transfer.classification.learner import Learner
from phosphene.transfer.classification.losses import LOSSES
from phosphene.transfer.classification.rebalancing import balance, standardize
from phosphene.transfer.classification.result import Classification
from phosphene.transfer.classification.settings import ClassificationSetting
from phosphene.transfer.scores.average_precision import average_precisions

LOG, RESULT, STATE = "log.csv", "result.json", "state"
_MOST_EPOCHS = 20


def run(
    setting: ClassificationSetting,
    net: Network,
    train: Tagged,
    test: Tagged,
    folder: str | Path | None = None,
    *,
    device: torch.device | str = "cpu",
    fabric: Any = None,
    loaders: int = 0,
    tick: loop.Tick | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Classification:
    """Teach a copy of a network which classes photographs show, and test it.

    Crops, orders and initial weights hang on the seed alone, so that all networks that are compared
    see the same.

    Args:
        setting: How.
        net: The network; it stays as it is.
        train: Photographs to learn from.
        test: Photographs to be tested with.
        folder: Gets `log.csv`, `result.json` and `state/`, from which a run that was stopped goes
            on to the same result; nothing is kept if `None`.
        device: Where.
        fabric: Of `training.processes.fabric_of`, launched; one process on `device` if `None`.
        loaders: Processes that read photographs; they change nothing of the result.
        tick: Called with what is done, how much there is, and how it goes.
        say: Told what a person should know, as it comes up.

    Returns:
        The average precision of every class; a result without any if it was stopped by hand.

    Raises:
        SettingError: Sets do not fit together, the setting does not fit the network, or the folder
            holds another run.
        UnknownLayer: The layer is none that can be classified by.
        ImageError: A photograph cannot be read.
        NotFinite: The loss or a gradient was not; lower the rate.
    """
    place = None if folder is None else Path(folder)
    tell = say if rank() == 0 else (lambda text: None)
    notes = list(check_sets(train, test))
    for note in notes:
        tell(note)
    side = setting.size
    size = net.preprocessing.input_size if side is None else (side, side)
    learner = Learner(net, len(train.classes), size, setting)
    cropping = Cropping(size, setting.scales, setting.mirror, setting.way)
    facts = _facts(setting, net, train, test)
    fabric = fabric or fabric_of(device)
    learner.to(fabric.device)
    facts |= _rescaled(setting, learner, train, cropping, fabric.device)

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        crops, present = batch
        scores = module(input_of(net, crops, fabric.device))
        return LOSSES[setting.loss](scores, present.to(scores.device))

    epochs = _epochs(setting.updates)
    batches = Made(
        len(train),
        TrainingCrops(train, cropping),
        setting.batch,
        updates=setting.updates // epochs,
        workers=loaders,
        seed=setting.seed,
        share=(rank(), ranks()),
    )
    trained = loop.train(
        learner,
        batches,
        loss,
        _recipe(setting, epochs),
        folder=None if place is None else place / STATE,
        about=f"{net.name}, {fingerprints.of_network(net)}, {len(train)} photographs, "
        f"{setting.facts()}",
        fabric=fabric,
        tick=tick if rank() == 0 else None,
        each=None if place is None else _logging(place / LOG, setting.updates // epochs),
    )
    if trained.interrupted:
        return Classification(
            net.name, setting, None, None, trained.history, facts, tuple(notes), "interrupted"
        )
    testing = HeldOutCrops(test, cropping, setting.tests, setting.seed)
    found = scored(learner, net, testing, fabric.device, loaders, tick if rank() == 0 else None)
    ranked = found - setting.tie * (test.present == 1)
    precisions = average_precisions(ranked, test.present, test.classes, setting.definition)
    if precisions.note:
        notes.append(precisions.note)
        tell(precisions.note)
    result = Classification(
        net.name, setting, precisions, found, trained.history, facts, tuple(notes)
    )
    if place is not None and rank() == 0:
        with replacing(place / RESULT) as file:
            file.write(json.dumps(result.as_json(), indent=2).encode() + b"\n")
    return result


def _epochs(updates: int) -> int:
    """Divide updates into epochs of the same length, for the log: as many as come out even."""
    return max(n for n in range(1, _MOST_EPOCHS + 1) if updates % n == 0)


def _recipe(setting: ClassificationSetting, epochs: int) -> Recipe:
    optimizer = sgd(setting.rate, setting.decay, setting.momentum, biases=setting.biases)
    schedule = drops(setting.drops, setting.drop) if setting.drops else None
    about = f"descent with momentum, {setting.drop:g} behind {list(setting.drops)}"
    return Recipe(epochs, optimizer, schedule, setting.clip, seed=setting.seed, about=about)


def _rescaled(
    setting: ClassificationSetting,
    learner: Learner,
    train: Tagged,
    cropping: Cropping,
    device: torch.device,
) -> dict[str, str]:
    """Rescale the network's weights, where that is wanted; say what was done."""
    if not (setting.rebalance or setting.standardize):
        return {}
    crops = first_crops(train, cropping, setting.rebalance_by, setting.seed)
    net = learner.network
    x, address = input_of(net, crops, device), net.address(setting.layer)
    facts = {}
    if setting.standardize:
        names = standardize(net.module, x, address)
        facts["standardized"] = f"units of {len(names)} layers, by {len(crops)} crops"
    if setting.rebalance:
        done = balance(net.module, x, address, seed=setting.seed)
        apart = max(done.before.values()) / min(done.before.values())
        facts["rebalanced"] = (
            f"{len(done.factors)} layers, whose rates were {apart:.3g} times apart, by "
            f"{len(crops)} crops; output times {done.output:.3g}"
        )
    return facts


def _logging(path: Path, updates: int) -> Callable[[Epoch], None]:
    from time import monotonic

    log, began = CsvLog(path), monotonic()
    return lambda epoch: log(epoch, epoch.number * updates, monotonic() - began)


def _facts(
    setting: ClassificationSetting, net: Network, train: Tagged, test: Tagged
) -> dict[str, str]:
    told = {
        name.replace("_", " "): str(value)
        for name, value in setting.facts().items()
        if value not in (None, [], False)
    }
    return {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        **told,
        "photographs": f"{len(train)} to train, {len(test)} to test",
        "processes": str(ranks()),
        **versions(),
    }

"""A labelling from its setting to its result: VOC 2012 segmentation, and whatever has labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.image import replacing
from phosphene.provenance import versions
from phosphene.training.loop import Tick
from phosphene.training.processes import fabric_of, rank, ranks, summed
from phosphene.transfer.benchmarks.records import Labelled
from phosphene.transfer.labelling.examples import labels_of
from phosphene.transfer.labelling.labeller import Labeller
from phosphene.transfer.labelling.result import Labelling, Shown
from phosphene.transfer.labelling.settings import LabellingSetting
from phosphene.transfer.labelling.stages import Stages
from phosphene.transfer.scores.mean_iou import Confusion

RESULT = "result.json"


def run(
    setting: LabellingSetting,
    net: Network,
    train: Labelled,
    test: Labelled,
    folder: Path | None = None,
    *,
    device: str = "cpu",
    fabric: Any = None,
    loaders: int = 0,
    tick: Tick | None = None,
    say: Callable[[str], None] = lambda text: None,
    pictures: int = 5,
) -> Labelling:
    """Teach a network the classes of pixels in two stages, and test it.

    Args:
        setting: The protocol.
        net: The network; it stays as it is.
        train: What is learned from.
        test: What is tested on, photograph by photograph, at their own size.
        folder: Where states and the result are written, and a run that was stopped goes on; `None`
            for nowhere.
        device: Where.
        fabric: Of `training.processes.fabric_of`, launched; each of its processes calls this. One
            process if `None`.
        loaders: Processes that make examples; they change nothing of the result.
        tick: Called with updates done, their number, and how it goes.
        say: Told, by the first process, what a person should know.
        pictures: How many test photographs to show.

    Returns:
        What came of it; `interrupted`, without a score, if it was stopped by hand while it learned:
        the same call goes on.

    Raises:
        SettingError: Sets are empty or of different classes; the network's layers are not known, or
            it cannot look at such crops; the folder holds another run.
        UnknownLayer: The network has no such layer, or it has no map.
        ImageError: Photographs or labels cannot be read, or do not fit each other.
        NotFinite: The loss was not; the last state is kept.
    """
    notes = _checked(train, test)
    for note in notes:
        if rank() == 0:
            say(note)
    fabric = fabric or fabric_of(device)
    stages = Stages(setting, net, train, fabric, folder, loaders, tick, _about(setting, net, train))
    classes = ("background", *train.classes)

    def stopped(falls: tuple[int, ...]) -> Labelling:
        return Labelling(
            net.name, setting, classes, Confusion(len(classes)), falls, dict(stages.history),
            notes=tuple(notes), interrupted=True,
        )  # fmt: skip

    falls = stages.first()
    if falls is None:
        return stopped(())
    if rank() == 0 and not setting.falls:
        say(f"the rate falls behind {', '.join(map(str, falls[:-1])) or 'none'} of {falls[-1]} "
            "updates")  # fmt: skip
    labeller = stages.second(falls)
    if labeller is None:
        return stopped(falls)
    counted = confusion_of(labeller, test, tick)
    some = np.linspace(0, len(test) - 1, min(pictures, len(test))).astype(int)
    shown = []
    for index in some.tolist() if rank() == 0 else []:
        image = test.image(index)
        truth = labels_of(test, index, image.size[::-1])
        shown.append(Shown(test.name(index), image, truth, labeller.label(image)))
    facts = _facts(setting, labeller, train, test, falls)
    result = Labelling(
        labeller.name, setting, classes, counted, falls,
        dict(stages.history), facts, tuple(notes), tuple(shown),
    )  # fmt: skip
    if folder is not None and rank() == 0:
        with replacing(folder / RESULT) as file:
            file.write(json.dumps(result.as_json(), indent=1).encode())
    return result


def confusion_of(labeller: Labeller, test: Labelled, tick: Tick | None = None) -> Confusion:
    """Label photographs at their own size, and count their pixels; processes share them.

    Raises:
        ImageError: They cannot be read, or labels do not fit.
    """
    labeller.eval()
    counted = Confusion(labeller.classes)
    own = range(rank(), len(test), ranks())
    for done, index in enumerate(own, 1):
        image = test.image(index)
        counted.add(labels_of(test, index, image.size[::-1]), labeller.label(image))
        if tick is not None:
            tick(done, len(own), f"testing, mean IoU {counted.mean:.3f}")
    whole = summed(torch.from_numpy(counted.counts).to(labeller.device)).cpu().numpy()
    return Confusion(labeller.classes, whole)


def _about(setting: LabellingSetting, net: Network, train: Labelled) -> str:
    """Say what is learned from what: networks of one name may have other weights."""
    seen = hashlib.sha256()
    for name, value in net.module.state_dict().items():
        seen.update(name.encode())
        seen.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    for index in range(len(train)):
        seen.update(train.name(index).encode())
    facts = [setting.facts(), net.name, train.classes, len(train), seen.hexdigest()]
    return json.dumps(facts, sort_keys=True)


def _checked(train: Labelled, test: Labelled) -> list[str]:
    """Check that sets belong together; return what a person should know of them."""
    if not len(train) or not len(test):
        which = "tested on" if len(train) else "learned from"
        raise SettingError(f"there are no photographs to be {which}: give some")
    if train.classes != test.classes:
        raise SettingError(
            f"what is learned has the classes {', '.join(train.classes)}, and what is tested "
            f"{', '.join(test.classes)}: give sets of the same classes"
        )
    if 1 + len(train.classes) > 255:
        raise SettingError(f"labels of 8 bits have no room for {len(train.classes)} classes")
    notes = [*train.notes, *test.notes]
    both = {train.name(i) for i in range(len(train))} & {test.name(i) for i in range(len(test))}
    if both:
        notes.append(
            f"{len(both)} photographs ({min(both)}, ...) are learned from and tested on: scores "
            "are too high"
        )
    return notes


def _facts(
    setting: LabellingSetting,
    labeller: Labeller,
    train: Labelled,
    test: Labelled,
    falls: tuple[int, ...],
) -> dict[str, str]:
    plain = {k: v for k, v in setting.facts().items() if k not in _unused(setting)}
    found = {name.replace("_", " "): str(value) for name, value in plain.items()}
    found["layers"] = ", ".join(labeller.layers)
    ends = ", ".join(map(str, falls[:-1])) or "none"
    found["updates"] = f"{falls[-1]}, the rate falls behind {ends}"
    found["photographs"] = f"{len(train)} to learn from, {len(test)} to test on"
    found["processes"] = str(ranks())
    return {**found, **versions()}


def _unused(setting: LabellingSetting) -> set[str]:
    """Return what has no part in a run, or is told in other words."""
    unused = {"falls", "layers"}
    if setting.falls:
        unused |= {"held_out", "check", "window", "first", "levels", "most"}
    if not setting.fov:
        unused |= {"fov_width"}
    unused |= {name for name, plain in (("padding", None), ("accumulate", 1))
               if getattr(setting, name) == plain}  # fmt: skip
    if setting.head == "fcn-32s":
        unused |= {"offset", "fov", "hidden", "deviation", "dropout", "standardize", "points"}
        unused |= {"buffer", "stride"}
    return unused

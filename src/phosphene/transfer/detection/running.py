"""A run of Fast R-CNN: boxes proposed, a detector trained, objects detected and scored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.image import replacing
from phosphene.training import loop
from phosphene.training.log import CsvLog
from phosphene.training.loop import Tick, Trained
from phosphene.training.made import Made
from phosphene.training.processes import agreed, fabric_of, rank, ranks
from phosphene.training.recipe import Recipe, drops, sgd
from phosphene.training.run import Epoch
from phosphene.training.state import save_weights
from phosphene.transfer.benchmarks.records import Boxed
from phosphene.transfer.detection.detecting import all_detected
from phosphene.transfer.detection.drawing import boxes_tile
from phosphene.transfer.detection.examples import Batch, Examples, detection_loss
from phosphene.transfer.detection.fast_rcnn import FastRcnn
from phosphene.transfer.detection.layout import layout_of
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.proposing import check_tested, proposals_of
from phosphene.transfer.detection.regions import Prospect, prospect
from phosphene.transfer.detection.result import Detected
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.scores.detections import class_scores

STATE, LOG, WEIGHTS = "state", "log.csv", "detector.safetensors"
RESULT, COCO = "result.json", "detections.json"
_SHOWN = 8
_DRAWN_FROM = 0.5

Say = Callable[[str], None]


def _say_nothing(text: str) -> None:
    pass


def run(
    setting: DetectionSetting,
    net: Network,
    train: Boxed,
    test: Boxed,
    folder: str | Path | None = None,
    *,
    device: str = "cpu",
    fabric: Any = None,
    loaders: int = 0,
    tick: Tick | None = None,
    say: Say = _say_nothing,
    proposals: tuple[Proposals, Proposals] | None = None,
) -> Detected:
    """Train a detector on the features of a network, and say how well it detects.

    The network stays as it is; a copy learns. What is random hangs on the setting's seed alone, so
    that all networks see the same photographs, sizes and regions in the same order.

    Args:
        setting: How.
        net: The network.
        train: Photographs to learn from.
        test: Photographs to test on, of the same classes.
        folder: Gets `state/`, from which a run that was stopped goes on, `log.csv`,
            `detector.safetensors`, `result.json`, `detections.json` as COCO has it, VOC's
            `comp4_det_test_CLASS.txt`, and proposed boxes where they are computed; nothing is
            written if `None`.
        device: Where it runs.
        fabric: Of `training.processes.fabric_of`, launched; each of its processes calls this. One
            process on `device` if `None`.
        loaders: Processes that read photographs.
        tick: Called with what is done, how much there is, and how it goes.
        say: Told what a person should know, as it comes up.
        proposals: Boxes of both sets, in place of those the setting names.

    Returns:
        Scores, and everything detected; `interrupted` without any if training was stopped by hand.

    Raises:
        SettingError: Classes of the sets differ, there is nothing to learn from, the network
            cannot be parted, or the folder holds another run.
        UnknownLayer: The network has no such layer.
        FormatError: A file of boxes cannot be read.
        ImageError: A photograph cannot be read.
        NotFinite: The loss or a gradient was not; the last state is kept.
    """
    place = None if folder is None else Path(folder)
    if rank() > 0:  # the first one speaks for all
        say, tick = _say_nothing, None
    _check(setting, train, test)
    layout = layout_of(net, setting.layer, setting.pooled, setting.head)
    detector = FastRcnn(
        net,
        layout,
        len(train.classes),
        hidden=setting.hidden,
        rf_offset=setting.rf_offset,
        freeze_conv1=setting.freeze_conv1,
        padded=setting.padded,
        seed=setting.seed,
    )
    boxes = proposals or tuple(
        proposals_of(setting, which, photographs, place, loaders, tick)
        for which, photographs in (("train", train), ("test", test))
    )
    found = prospect(train, boxes[0], setting, tick)
    notes = [*train.notes, *test.notes, *found.notes, *check_tested(test, boxes[1])]
    for note in notes:
        say(note)
    detector.means.copy_(torch.from_numpy(found.scale.means))
    detector.deviations.copy_(torch.from_numpy(found.scale.deviations))
    fabric = fabric or fabric_of(device)
    detector.to(fabric.device)
    trained = _learned(
        detector, setting, net, Examples(train, boxes[0], found, setting), place, fabric,
        loaders, tick, found,
    )  # fmt: skip
    facts = _facts(setting, net, train, test, boxes, detector, trained)
    if trained.interrupted:
        return Detected(
            net.name, setting, names=(), facts=facts, notes=tuple(notes),
            seconds=trained.seconds, interrupted=True,
        )  # fmt: skip
    detections = all_detected(detector, test, boxes[1], setting, loaders, tick)
    names = [test.name(index) for index in range(len(test))]
    truth = [test.boxes(index) for index in range(len(test))]
    scores = class_scores(detections, truth, test.classes)
    bare = [name for name, score in scores.items() if not score.objects]
    if bare:
        notes.append(f"no object of {', '.join(bare)} is to be found: the mean is over the others")
        say(notes[-1])
    shown = _spread(len(test), _SHOWN)
    tiles = tuple(
        boxes_tile(
            test.image(i), names[i], truth[i], detections[detections.photographs == i],
            test.classes, _DRAWN_FROM,
        )
        for i in shown
    )  # fmt: skip
    result = Detected(
        net.name, setting, scores, detections, names, facts, tuple(notes), tiles, trained.seconds
    )
    if place is not None:
        where = place

        def write() -> None:
            _write(result, detector, where)

        agreed(write)
    return result


def _check(setting: DetectionSetting, train: Boxed, test: Boxed) -> None:
    if tuple(train.classes) != tuple(test.classes):
        raise SettingError(
            f"photographs to learn from are of the classes {', '.join(train.classes)}, and "
            f"those to test on of {', '.join(test.classes)}: give sets of the same classes"
        )
    if not len(test):
        raise SettingError("there are no photographs to test on: give one or more")
    if len(train) < setting.photographs:
        raise SettingError(
            f"{len(train)} photographs to learn from do not fill a batch of "
            f"{setting.photographs}: give more"
        )


def _learned(
    detector: FastRcnn,
    setting: DetectionSetting,
    net: Network,
    examples: Examples,
    place: Path | None,
    fabric: Any,
    loaders: int,
    tick: Tick | None,
    found: Prospect,
) -> Trained:
    """Train the detector, in place."""
    each = setting.updates // setting.epochs
    batches = Made(
        len(examples),
        examples,
        setting.photographs,
        updates=each,
        workers=loaders,
        seed=setting.seed,
        share=(rank(), ranks()),
        together=Batch,
    )
    recipe = Recipe(
        setting.epochs,
        sgd(setting.rate, setting.decay, setting.momentum, biases=(setting.bias_rate, 0.0)),
        drops(setting.drops) if setting.drops else None,
        clip=setting.clip,
        seed=setting.seed,
        about=f"descent with momentum {setting.momentum:g}, rate {setting.rate:g}",
    )
    log = None if place is None else CsvLog(place / LOG)
    began = time.monotonic()

    def note(epoch: Epoch) -> None:
        if log is not None:
            log(epoch, epoch.number * each, time.monotonic() - began)

    about = {
        **setting.learned(),
        "network": net.name,
        "photographs": len(examples),
        "offsets": found.scale.deviations.round(6).tolist(),
    }
    return loop.train(
        detector,
        batches,
        detection_loss,
        recipe,
        folder=None if place is None else place / STATE,
        about=str(about),
        fabric=fabric,
        tick=tick,
        each=note,
    )


def _facts(
    setting: DetectionSetting,
    net: Network,
    train: Boxed,
    test: Boxed,
    boxes: tuple[Proposals, ...],
    detector: FastRcnn,
    trained: Trained,
) -> dict[str, str]:
    layout = detector.layout
    behind = f"{layout.head[0]} to {layout.head[1]}" if layout.head else f"new, {setting.hidden}"
    facts = {
        "network": net.name,
        "photographs": f"{len(train)} to learn from, {len(test)} to test on",
        "boxes proposed": " and ".join(
            f"{part.count / max(1, len(part)):.0f} a photograph" for part in boxes
        ),
        "regions": f"{layout.pooled}x{layout.pooled} cells of {layout.layer}, "
        f"{1 / detector.scale:g} px each",
        "layers behind": behind,
        "updates": f"{setting.updates} of {setting.photographs} x {setting.regions} regions",
        "rate": f"{setting.rate:g}, a tenth behind {list(setting.drops)}",
        "scales": f"{list(setting.scales)}, tested at {setting.test_scale}",
        "seed": str(setting.seed),
    }
    if trained.history:
        facts["training loss"] = f"{trained.history[-1].loss:.4f}"
    return facts


def _write(result: Detected, detector: FastRcnn, place: Path) -> None:
    save_weights(detector, place / WEIGHTS)
    result.write_coco(place / COCO)
    result.write_voc(place)
    with replacing(place / RESULT) as file:
        file.write(json.dumps(result.as_json(), indent=2).encode())


def _spread(count: int, most: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, count - 1, min(count, most)).round()})

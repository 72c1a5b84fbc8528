"""A retrained softmax from a network and photographs to its accuracy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.image import replacing
from phosphene.provenance import versions
from phosphene.training import loop
from phosphene.training.processes import fabric_of, ranks
from phosphene.transfer import fingerprints
from phosphene.transfer.benchmarks.comparison import notes_of
from phosphene.transfer.benchmarks.records import Sorted
from phosphene.transfer.retrained.features import Features, features_of
from phosphene.transfer.retrained.result import Retrained
from phosphene.transfer.retrained.settings import RetrainedSetting
from phosphene.transfer.retrained.splits import Split, split_of
from phosphene.transfer.retrained.teachers import answers, right_by_class

RESULT, DONE = "result.json", "splits.json"
Turn = tuple[int, int]


def run(
    setting: RetrainedSetting,
    net: Network,
    train: Sorted,
    test: Sorted | None = None,
    folder: str | Path | None = None,
    *,
    device: torch.device | str = "cpu",
    fabric: Any = None,
    loaders: int = 0,
    tick: loop.Tick | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Retrained:
    """Teach classifiers on a frozen layer, from few photographs of each class, and test them.

    Args:
        setting: How.
        net: The network; it stays as it is.
        train: Photographs to learn from.
        test: Photographs to be tested with; those of `train` that were not learned from if `None`,
            as with Caltech's sets.
        folder: Gets `result.json`, what the layer says of photographs (`train.npy`, `test.npy`, for
            other classifiers to look at again), and which splits are done, so that a run that was
            stopped goes on behind them; nothing is kept if `None`.
        device: Where.
        fabric: Of `training.processes.fabric_of`, of one process.
        loaders: Processes that read photographs.
        tick: Called with what is done, how much there is, and what it is.
        say: Told what a person should know.

    Returns:
        Mean accuracy by the number of photographs learned from.

    Raises:
        SettingError: A class has too few photographs, sets do not fit together, the folder holds
            another run, or there are several processes.
        UnknownLayer: There is no such layer, or it puts out neither maps nor a vector.
        ImageError: A photograph cannot be read.
        NotFinite: The softmax diverged: lower the rate.
    """
    if ranks() > 1:
        raise SettingError(
            f"features are kept by one process, and there are {ranks()}: run it without several"
        )
    place = None if folder is None else Path(folder)
    notes = _checked(train, test)
    for note in notes:
        say(note)
    if setting.teacher == "softmax":  # the others need no training loop
        fabric = fabric or fabric_of(device)
    where = torch.device(device) if fabric is None else fabric.device
    turns = [(count, number) for count in setting.counts for number in range(setting.splits)]
    splits = {turn: _split(setting, train, test, turn) for turn in turns}
    about = f"{net.name}, {fingerprints.of_network(net)}"
    sets = ", ".join(fingerprints.of_set(each) for each in (train, test) if each is not None)
    done = _Done(place, f"{about}, {sets}, {setting.facts()}")
    looked = _looked_at(setting, net, train, test, splits, place, about, where, loaders, tick)
    chosen: list[str] = []
    ended = False
    for number, turn in enumerate(turns):
        if turn in done.shares:
            continue
        if tick is not None:
            tick(number, len(turns), f"{turn[0]} of each class, split {turn[1] + 1}")
        shares, what = _taught(setting, looked, train, test, splits[turn], fabric)
        if shares is None:
            ended = True
            break
        chosen += [what] if what else []
        done.add(turn, shares)
    if tick is not None and not ended:
        tick(len(turns), len(turns), "done")
    right = {
        count: np.stack([done.shares[count, n] for n in range(setting.splits)])
        for count in setting.counts
        if all((count, n) in done.shares for n in range(setting.splits))
    }
    result = Retrained(
        net.name, setting, tuple(train.classes), right, looked[0].values.shape[1],
        _facts(setting, net, train, test, splits, chosen), notes,
        "interrupted" if ended else "done",
    )  # fmt: skip
    if place is not None and not ended:
        with replacing(place / RESULT) as file:
            file.write(json.dumps(result.as_json(), indent=2).encode() + b"\n")
    return result


def _checked(train: Sorted, test: Sorted | None) -> tuple[str, ...]:
    for each in (train, test):
        if each is not None and len(each.class_of) != len(each):
            raise SettingError(
                f"the classes of {len(each.class_of)} of {len(each)} photographs are known: give a "
                "folder for each class"
            )
    if len(train.classes) < 2:
        raise SettingError(
            f"{len(train.classes)} class cannot be told apart from others: give two or more"
        )
    if test is None:
        return tuple(train.notes)
    return notes_of(train, test)


def _split(setting: RetrainedSetting, train: Sorted, test: Sorted | None, turn: Turn) -> Split:
    count, number = turn
    others = None if test is None else test.class_of
    return split_of(
        train.class_of, train.classes, count, setting.tested, number, setting.seed, others
    )


def _looked_at(
    setting: RetrainedSetting,
    net: Network,
    train: Sorted,
    test: Sorted | None,
    splits: dict[Turn, Split],
    place: Path | None,
    about: str,
    device: torch.device,
    loaders: int,
    tick: loop.Tick | None,
) -> tuple[Features, Features]:
    """Let the layer look at every photograph that any split needs."""
    learned = [split.train for split in splits.values()]
    tested = [split.test for split in splits.values()]
    wanted: list[tuple[str, Sorted, list[NDArray[np.int64]]]]
    wanted = [("train", train, learned + tested if test is None else learned)]
    wanted += [] if test is None else [("test", test, tested)]
    found = [
        features_of(
            net,
            setting.layer,
            photographs,
            np.unique(np.concatenate(rows)),
            reading=setting.reading,
            at=None if place is None else place / f"{name}.npy",
            about=f"{about}, {fingerprints.of_set(photographs)}",
            device=device,
            loaders=loaders,
            tick=tick,
        )
        for name, photographs, rows in wanted
    ]
    return found[0], found[-1]


def _taught(
    setting: RetrainedSetting,
    looked: tuple[Features, Features],
    train: Sorted,
    test: Sorted | None,
    split: Split,
    fabric: Any,
) -> tuple[NDArray[np.float64] | None, str]:
    learned, tested = looked
    found, what = answers(
        setting,
        learned.values,
        train.class_of[learned.rows],
        learned.places(split.train),
        tested.values,
        tested.places(split.test),
        classes=len(train.classes),
        fabric=fabric,
    )
    if found is None:
        return None, ""
    truth = (train if test is None else test).class_of[split.test]
    return right_by_class(found, truth, len(train.classes)), what


class _Done:
    """Splits that are done, in memory and, if there is a folder, in a file."""

    def __init__(self, place: Path | None, about: str) -> None:
        self._path, self._about = None if place is None else place / DONE, about
        self.shares: dict[Turn, NDArray[np.float64]] = {}
        if self._path is None or not self._path.is_file():
            return
        try:
            said = json.loads(self._path.read_text())
            other = said["about"] != about
            for entry in said["done"]:
                self.shares[entry["count"], entry["split"]] = np.array(entry["right"])
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(f"{self._path} is damaged ({error}): remove it") from None
        if other:
            raise SettingError(
                f"{place} holds another run (its network, photographs or setting differ): name "
                "another folder, or remove it"
            )

    def add(self, turn: Turn, shares: NDArray[np.float64]) -> None:
        """Note a split."""
        self.shares[turn] = shares
        if self._path is None:
            return
        entries = [
            {"count": count, "split": number, "right": right.tolist()}
            for (count, number), right in self.shares.items()
        ]
        with replacing(self._path) as file:
            file.write(json.dumps({"about": self._about, "done": entries}).encode())


def _facts(
    setting: RetrainedSetting,
    net: Network,
    train: Sorted,
    test: Sorted | None,
    splits: dict[Turn, Split],
    chosen: list[str],
) -> dict[str, str]:
    told = {
        name.replace("_", " "): str(value)
        for name, value in setting.facts().items()
        if value not in (None, [])
    }
    sizes = sorted({len(split.test) for split in splits.values()})
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        **told,
        "photographs": f"{len(train)} of {len(train.classes)} classes"
        + ("" if test is None else f", {len(test)} to test"),
        "tested with": " or ".join(map(str, sizes)),
    }
    if chosen:
        facts["chosen"] = ", ".join(f"{what} x{chosen.count(what)}" for what in sorted(set(chosen)))
    return {**facts, **versions()}

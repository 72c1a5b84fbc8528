"""Proposed boxes of the sets of a run."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import SettingError
from phosphene.training.loop import Tick
from phosphene.training.processes import agreed, ranks
from phosphene.transfer.benchmarks.records import Boxed
from phosphene.transfer.detection.proposals import MODES, Proposals, read_proposals, searched
from phosphene.transfer.detection.settings import DetectionSetting


def proposals_of(
    setting: DetectionSetting,
    which: str,
    photographs: Boxed,
    place: Path | None,
    loaders: int,
    tick: Tick | None,
) -> Proposals:
    """Read or compute the boxes of a set.

    Args:
        setting: Where they come from.
        which: `"train"` or `"test"`.
        photographs: The set.
        place: The run's folder, if any.
        loaders: Processes that search.
        tick: Called with how it goes.

    Raises:
        FormatError: A file cannot be read.
        SettingError: OpenCV's contributed modules are not installed.
    """
    source = (setting.test_proposals if which == "test" else "") or setting.proposals
    if source not in MODES:
        names = [photographs.name(index) for index in range(len(photographs))]
        return read_proposals(source, names)
    kept = Path(setting.cache) if setting.cache else place
    cache = None if kept is None else kept / f"proposals-{which}-{source}.npz"
    made: list[Proposals] = []

    def search() -> None:
        made.append(
            searched(photographs, source, cache, loaders=loaders, tick=tick)  # type: ignore[arg-type]
        )

    if ranks() == 1 or cache is None:
        search()
        return made[0]
    agreed(search)  # the others wait for the file
    return made[0] if made else read_proposals(cache)


def check_tested(test: Boxed, boxes: Proposals) -> list[str]:
    """Say of which photographs nothing can be found.

    Args:
        test: Photographs to test on.
        boxes: Those proposed.

    Raises:
        SettingError: There are no boxes at all.
    """
    names = [test.name(index) for index in range(len(test))]
    bare = [name for name in names if not len(boxes.of(name))]
    if not bare:
        return []
    if len(bare) == len(test):
        raise SettingError(
            f"boxes are proposed for none of the {len(test)} photographs to test on, whose "
            f"names are like {bare[0]!r}: give the file of this set"
        )
    return [
        f"no boxes are proposed for {len(bare)} of {len(test)} photographs to test on "
        f"({bare[0]}, ...), in which nothing can be found"
    ]

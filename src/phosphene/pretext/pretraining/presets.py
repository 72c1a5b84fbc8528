"""The thesis's runs of chapter 4 as settings: Sintel, YFCC, and the schedule of two stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phosphene.errors import SettingError, nearest
from phosphene.pretext.pretraining.exporting import NETWORK
from phosphene.pretext.pretraining.results import HEAD, Pretrained
from phosphene.pretext.pretraining.running import run
from phosphene.pretext.pretraining.settings import Grouping, Setting

PRESETS = ("sintel", "yfcc")
# Footnote 6 of section 4.4: updates of both stages, and after which of the first the rate falls.
UPDATES, DROP = (4_000_000, 640_000), 3_250_000
_FULLY = ("fc6", "fc7")
_BETWEEN = 10_000
"""Updates between two validations, which the thesis does not say."""


def preset(name: str, data: str, validation: str = "", **changes: Any) -> tuple[Grouping, ...]:
    """Return the stages of a preset by its name.

    Args:
        name: `sintel` or `yfcc`.
        data: Sintel's folder; pairs, for `yfcc`.
        validation: What to validate on, if not the preset's own.
        changes: Other values of the settings of all stages.

    Raises:
        SettingError: There is no such preset.
    """
    if name == "sintel":
        more = {"validation": validation} if validation else {}
        return sintel(data, **{**more, **changes})
    if name == "yfcc":
        return yfcc(data, validation, **changes)
    raise SettingError(
        f"there is no preset {name!r}{nearest(name, PRESETS) or ': take sintel or yfcc'}"
    )


def sintel(folder: str, **changes: Any) -> tuple[Grouping, ...]:
    """Return how the thesis learns from Sintel, in one stage: 5 regions of affine flow.

    20 sequences are learned from, 3 are validated on; colors are as they are. How long it takes,
    and whether it has two stages, is not said: 224 pixels and early stopping are ours.

    Args:
        folder: Sintel's, or one laid out like it.
        changes: Other values of the setting.
    """
    plain = folder.removeprefix("sintel:")
    told: dict[str, Any] = {
        "data": f"sintel:{plain},split=train",
        "validation": f"sintel:{plain},split=test",
        "augmentation": "sintel",
        "model": "affine",
        "regions": 5,
    }
    return (Grouping(**{**told, **changes}),)


def yfcc(data: str, validation: str = "", **changes: Any) -> tuple[Grouping, ...]:
    """Return how the thesis learns from YFCC100m-150k, in two stages: 10 regions of low entropy.

    Args:
        data: Pairs of its videos: the first frame of each, and flow to the fifth.
        validation: The thesis's are pairs of YouTube-Objects; a share of the data if empty.
        changes: Other values of the settings.
    """
    told: dict[str, Any] = {
        "data": data,
        "validation": validation,
        "augmentation": "yfcc",
        "model": "entropy",
        "regions": 10,
    }
    return two_stage(Grouping(**{**told, **changes}))


def two_stage(setting: Grouping) -> tuple[Grouping, Grouping]:
    """Return the two stages in which the thesis learns from YFCC (footnote 6 of section 4.4).

    First at 128 pixels, without normalization of fc6 and fc7, with rate 1e-4, a tenth of it in
    the last three sixteenths; then at 224 pixels, fc6 and fc7 begun anew and normalized, with
    rate 1e-5.

    Args:
        setting: What both have in common; its `updates` are those of the first, of which the
            second has 0.16 times as many. 4,000,000 and 640,000 if `None`.
    """
    first = setting.updates or UPDATES[0]
    second = round(first * UPDATES[1] / UPDATES[0])
    long = setting.updates is None
    one = replace(
        setting,
        size=128,
        leave=_FULLY,
        rate=1e-4,
        drops=(max(1, round(first * DROP / UPDATES[0])),),
        updates=first,
        epochs=first // _BETWEEN if long else setting.epochs,
        patience=None,
    )
    two = replace(
        one,
        size=224,
        leave=(),
        reset=_FULLY,
        rate=1e-5,
        drops=(),
        updates=max(1, second),
        epochs=second // _BETWEEN if long else setting.epochs,
    )
    return one, two


def run_stages(stages: Sequence[Setting], folder: str | Path, **how: Any) -> Pretrained:
    """Run stages one after another, each from what the one before it has written.

    Args:
        stages: Their settings.
        folder: Where to; several have a folder `stage-1`, `stage-2`, ... each.
        how: What `run` takes besides.

    Returns:
        What the last came to, or the one that was stopped.

    Raises:
        SettingError: There are no stages; and what `run` raises.
    """
    if not stages:
        raise SettingError("there are no stages to run: give one or more settings")
    if len(stages) == 1:
        return run(stages[0], folder, **how)
    before: Path | None = None
    for number, stage in enumerate(stages, 1):
        if before is not None:
            stage = replace(stage, weights=str(before / NETWORK), head=str(before / HEAD))
        place = Path(folder) / f"stage-{number}"
        found = run(stage, place, **how)
        if found.ended in ("interrupted", "time"):
            return found
        before = place
    return found

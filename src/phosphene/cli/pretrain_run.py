"""`phosphene pretrain`: running what was asked for, and saying what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from phosphene.cli import options
from phosphene.cli.options import say
from phosphene.cli.pretrain_options import Running
from phosphene.cli.progress import followed

if TYPE_CHECKING:
    from phosphene.pretext.pretraining import Pretrained, Setting


def learn(system: str, told: dict[str, Any], running: Running) -> None:
    """Run one system."""
    from phosphene.pretext.pretraining.settings import SYSTEMS

    given = {name: value for name, value in told.items() if value is not None}
    # Said with a meaning: never.
    given |= {"patience": None} if told.get("patience", 0) is None else {}
    learn_stages([SYSTEMS[system](**given)], running)


def learn_stages(stages: Sequence[Setting], running: Running) -> None:
    """Run stages, and say what they came to."""
    from phosphene.pretext.pretraining import run_with
    from phosphene.training.processes import rank

    found = run_with(
        stages,
        running.out,
        workers=running.workers,
        how=running.how(),
        watched=partial(followed, "learning"),
        say=_note,
    )
    # Of processes that torchrun has started, the first one speaks.
    if rank() == 0:
        if running.json and found.ended != "interrupted":
            options.print_json(_facts(found))
        _say(found)
    if found.ended == "interrupted":
        raise typer.Exit(130)


def _note(text: str) -> None:
    say(text, "dim")


def _say(found: Pretrained) -> None:
    epochs = f"{len(found.history)} epoch{'s' * (len(found.history) != 1)}"
    if found.ended == "interrupted":
        say(f"interrupted after {epochs}; the same command goes on from here", "yellow")
        return
    if "page" not in found.files:
        if found.ended == "time":
            say(f"time is up before {found.folder} has a whole epoch; the same command goes on",
                "yellow")  # fmt: skip
        return
    for name in (
        "nothing moves in", "regions and places", "overlap with objects",
        "overlap with foreground",
    ):  # fmt: skip
        if name in found.facts:
            say(f"{name}: {found.facts[name]}")
    why = {
        "done": "",
        "early": ", ended early as nothing got better",
        "time": ", until time was up (the same command goes on)",
    }[found.ended]
    say(f"{epochs}{why}; the weights are those of epoch {found.best}")
    say(f"use it as -m {found.files['network']}; open {found.files['page']}")


def _facts(found: Pretrained) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "ended": found.ended,
        "best": found.best,
        "seconds": round(found.seconds, 3),
        "history": [vars(epoch) for epoch in found.history],
        "files": {name: str(path) for name, path in found.files.items()},
        "facts": dict(found.facts),
        "notes": list(found.notes),
        "setting": found.setting.facts(),
    }

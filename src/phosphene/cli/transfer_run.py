"""`phosphene transfer`: running a protocol, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns
from phosphene.cli.options import say
from phosphene.cli.progress import followed
from phosphene.cli.transfer_told import listed_constants, read_constants

if TYPE_CHECKING:
    from phosphene.transfer.compared import Compared
    from phosphene.transfer.protocols import Protocol


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line said; see the options of `phosphene transfer`."""

    data: str
    test: str | None
    held_out: float | None
    models: tuple[str, ...]
    layer: str | None
    constants: bool
    given: tuple[str, ...]
    seeds: str
    updates: int | None
    rate: float | None
    batch: int | None
    loaders: int
    workers: int
    device: str
    out: Path | None
    json: bool
    preset: str | None = None


def measure(name: str, asked: Asked) -> None:
    """Run a protocol with all networks that were named."""
    from phosphene.transfer.protocols import protocol

    chosen = protocol(name)
    if asked.constants:
        for row in in_columns(listed_constants(chosen.setting_type())):
            typer.echo(row)
        return
    if not asked.data or asked.out is None:
        what = "-o, a folder to write to" if asked.data else "DATA, what to learn from"
        raise typer.BadParameter(f"give {what}")
    setting = _setting(name, chosen, asked)
    seeds = _seeds(asked.seeds)
    if asked.held_out is not None and asked.test is not None:
        raise typer.BadParameter("--held-out and --test exclude each other")
    for model in asked.models:
        if asked.models.count(model) > 1:
            raise typer.BadParameter(f"-m {model} is given twice")
    from phosphene.training.processes import rank
    from phosphene.training.spawning import together

    chosen.check_shared(setting, asked.workers)
    device = options.device_named(asked.device)
    try:
        found = together(
            _compared, name, setting, seeds, asked, device, workers=asked.workers, device=device
        )
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here", "yellow")
        raise typer.Exit(130) from None
    if rank() > 0:  # of processes that torchrun has started, the first one speaks
        return
    page = found.save(asked.out)
    if asked.json:
        options.print_json(found.as_json())
    else:
        _show(found)
    say(f"open {page}")


def _compared(
    fabric: Any, name: str, setting: Any, seeds: tuple[int, ...], asked: Asked, device: str
) -> Compared:
    """Compare, in each of the processes: every one opens what it needs."""
    from phosphene.training.processes import rank
    from phosphene.transfer.protocols import compare, protocol

    assert asked.out is not None
    tell = partial(say, style="dim") if rank() == 0 else _nothing
    train, test = _data(name, protocol(name), asked, tell)
    networks = {model: options.open_model(model, device="cpu") for model in asked.models}
    for note in (*train.notes, *(test.notes if test is not None else ())):
        tell(note)
    return compare(
        name, setting, networks, train, test, asked.out,
        seeds=seeds, watched=partial(_watched, name), say=tell, fabric=fabric,
        loaders=asked.loaders, device=device,
    )  # fmt: skip


def _nothing(text: str) -> None:
    pass


def _setting(name: str, chosen: Protocol, asked: Asked) -> Any:
    kind = chosen.setting_type()
    told = dict(_preset(name, asked.preset))
    told |= read_constants(kind, asked.given)
    known = {field.name: field for field in fields(kind)}
    if asked.layer is not None:
        names = tuple(part.strip() for part in asked.layer.split(",") if part.strip())
        if "layers" in known:
            told["layers"] = names
        elif len(names) == 1:
            told["layer"] = names[0]
        else:
            raise typer.BadParameter(f"{name} reads one layer: {asked.layer!r} are several")
    elif "layer" in known and known["layer"].default is MISSING and "layer" not in told:
        raise typer.BadParameter(f"{name} reads a layer: name one with --layer")
    told |= {k: v for k in ("rate", "batch") if (v := getattr(asked, k)) is not None}
    if "batch" in told and "batch" not in known:
        raise typer.BadParameter(f"{name} has no --batch: --constants lists what it has")
    if asked.updates is not None:
        told |= _shortened(name, kind, told, asked.updates)
    return kind(**told)


def _preset(name: str, preset: str | None) -> dict[str, Any]:
    if preset is None:
        return {}
    from phosphene.transfer import classification, retrained

    known = {"classification": classification.PRESETS, "retrained": retrained.PRESETS}[name]
    if preset not in known:
        raise typer.BadParameter(f"there is no preset {preset!r}: take {' or '.join(known)}")
    return known[preset]


def _shortened(name: str, kind: Any, told: dict[str, Any], updates: int) -> dict[str, Any]:
    """Say what changes with the number of updates: where the rate falls."""
    if name == "segmentation":
        raise typer.BadParameter(
            "segmentation ends where its rate has fallen three times: say when, "
            "--with falls=400,500,550"
        )
    defaults: dict[str, Any] = {field.name: field.default for field in fields(kind)}
    whole = told.get("updates", defaults["updates"])
    share = updates / whole
    more: dict[str, Any] = {"updates": updates}
    if "drop_every" in defaults and "drop_every" not in told:
        more["drop_every"] = max(1, round(defaults["drop_every"] * share))
    if "drops" in defaults and "drops" not in told:
        more["drops"] = tuple(
            at for at in dict.fromkeys(round(one * share) for one in defaults["drops"]) if at > 0
        )
    if "epochs" in defaults and "epochs" not in told:
        more["epochs"] = min(defaults["epochs"], updates)
    return more


def _data(
    name: str, chosen: Protocol, asked: Asked, tell: Callable[[str], None]
) -> tuple[Any, Any]:
    from phosphene.transfer.benchmarks import held_out, open_benchmark, open_splits

    if asked.held_out is not None:
        return held_out(open_benchmark(asked.data, chosen.kind), asked.held_out)
    if asked.test is not None:
        both = (open_benchmark(asked.data, chosen.kind), open_benchmark(asked.test, chosen.kind))
        from phosphene.transfer.benchmarks import overlap_note, same_classes

        same_classes(*both)
        if note := overlap_note(*both):
            tell(note)
        return both
    if name == "retrained":
        return open_benchmark(asked.data, chosen.kind), None
    train, test = open_splits(asked.data, chosen.kind)
    return train, test


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"--seeds {text!r} are no seeds: write them as 0,1,2")
    return tuple(dict.fromkeys(map(int, parts)))


def _watched(name: str, what: str) -> Any:
    return followed(f"{name}: {what}")


def _show(found: Compared) -> None:
    quoted = found.quoted()
    for table in (found.table(), *((quoted,) if quoted else ())):
        numbers = {
            i
            for i in range(len(table.columns))
            if any(isinstance(row[i], float | int) for row in table.rows)
        }
        cells = [["" if cell is None else str(cell) for cell in row] for row in table.rows]
        typer.echo(f"{table.title} ({table.note})")
        for line in in_columns([table.columns, *cells], right=numbers):
            typer.echo(f"  {line}")

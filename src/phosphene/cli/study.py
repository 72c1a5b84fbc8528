"""`phosphene study`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phosphene.cli import options, studying
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say
from phosphene.cli.places import nothing_left
from phosphene.cli.study_controls import StudyControls
from phosphene.cli.study_cuts import StudyCuts
from phosphene.cli.study_inverse import StudyInverse
from phosphene.errors import ImageError, OutputError, nearest
from phosphene.studies.registry import STUDIES, StudyInfo

if TYPE_CHECKING:
    from phosphene.studies.findings import Findings

HELP = r"""Run an experiment of the papers on your own network and photographs.

Every study ends in a folder: a page with tables, plots and pictures
(index.html), and all numbers (data.json). What is computed is kept there
piece by piece, so that the same command goes on where it was interrupted.
Without a name, the studies are listed.

[b]Examples[/b]
  phosphene study
  phosphene study errors photos/ -m NET.caffemodel --limit 20
  phosphene study layers fox.jpg -m torchvision:vgg16 -C 100 -o fox/
  phosphene study pairs photos/ -l pool1 -l fc8 -C none -C 100 -C 1
  phosphene study votes votes-*.csv
  phosphene study segmentation photos/ --method guided --low 0.5 --fill
"""
_QUALITIES = ("fast", "paper", "best")
# What of the plan an option fills, and the option.
_OPTIONS = {
    "layers": "--layer",
    "strengths": "--strength",
    "units": "--unit",
    "classes": "--class",
    "repeats": "--repeats",
}


@grouped
def study(
    name: studying.Name = None,
    photos: studying.Photos = None,
    layer: studying.Layers = None,
    strength: studying.Strengths = None,
    unit: studying.Units = None,
    class_: studying.Classes = None,
    repeats: studying.Repeats = None,
    quality: studying.Quality = None,
    steps: studying.Steps = None,
    batch: studying.Batch = 8,
    seed: studying.Seed = 0,
    limit: studying.Limit = None,
    out: studying.Out = None,
    cells: studying.Cells = None,
    listing: studying.List = False,
    json: options.AsJson = False,
    *,
    cuts: StudyCuts,
    inverse: StudyInverse,
    controls: StudyControls,
    network: options.NetworkOptions,
) -> None:
    """Run an experiment of the papers on your own network and photographs."""
    if listing or name is None:
        studying.print_list(json)
        return
    info = _named(name)
    said = {"layers": layer, "strengths": strength, "units": unit, "classes": class_}
    asked = {need: tuple(values) for need, values in said.items() if values}
    if repeats is not None:
        asked["repeats"] = (repeats,)
    for need in asked:
        if need not in info.needs:
            raise typer.BadParameter(f"the study {name} takes no {_OPTIONS[need]}")
    more: dict[Any, StudyCuts | StudyInverse] = {"cuts": cuts, "inverse": inverse}
    for need, group in more.items():
        if group.given() and need not in info.needs:
            raise typer.BadParameter(f"the study {name} takes no {group.given()[0]}")
    if extra := controls.given(name):
        raise typer.BadParameter(f"the study {name} takes no {extra[0]}")
    if photos and not info.needs & {"photos", "votes"}:
        raise typer.BadParameter(f"the study {name} takes no photographs")
    if quality is not None and quality not in _QUALITIES:
        offer = nearest(quality, _QUALITIES) or f": choose {', '.join(_QUALITIES)}"
        raise typer.BadParameter(f"--quality {quality!r} is none{offer}")
    strengths = studying.read_strengths(strength or [])
    place = studying.folder(out or f"study-{name}")
    if "votes" in info.needs:
        findings = info.load()(photos or [], tuple(layer or ()))
        _report(findings, _saved(findings, place), {}, json)
        return
    run = info.load()
    besides: dict[str, Any] = {}
    for need, group in more.items():
        besides |= group.arguments() if need in info.needs else {}
    if "controls" in info.needs:
        besides |= controls.arguments(name, network)
    files, failed = studying.readable(photos or [], place, limit)
    from phosphene.cli.progress import followed

    far = [0, 0]  # steps done, and of how many
    within = cells or place
    try:
        net = network.open()
        from phosphene.studies.identity import identity
        from phosphene.studies.ledger import Ledger
        from phosphene.studies.plan import STRENGTHS, Plan

        plan = Plan(
            net=net,
            photos=_shown(info, files, failed, network.model, limit),
            layers=tuple(layer or ()),
            strengths=strengths or STRENGTHS,
            units=tuple(unit or ()),
            classes=tuple(class_ or ()),
            repeats=repeats or info.repeats,
            quality=quality,
            steps=steps,
            batch=batch,
            seed=seed,
        )
        with nothing_left(place, within), followed(name) as tick:
            ledger = Ledger(within, identity(net))

            def follow(done: int, total: int, what: str) -> None:
                far[:] = done, total
                tick(done, total, what)

            findings = run(replace(plan, ledger=ledger, tick=follow), **besides)
        saved = _saved(findings, place)
    except KeyboardInterrupt:
        where = f" after {far[0]} of {far[1]}" if far[1] else ""
        say(f"interrupted{where}; the same command goes on from here", "yellow")
        raise typer.Exit(130) from None
    _report(findings, saved, failed, json)
    if failed:
        raise typer.Exit(1)


def _named(name: str) -> StudyInfo:
    if name not in STUDIES:
        offer = nearest(name, STUDIES)
        raise typer.BadParameter(
            f"there is no study {name!r}{offer or ''} (`phosphene study` lists them)"
        )
    return STUDIES[name]


def _shown(
    info: StudyInfo,
    files: list[Path],
    failed: dict[str, str],
    model: str,
    limit: int | None,
) -> tuple[Any, ...]:
    """Return the photographs of a study; those of the demo network if none were given."""
    if files or "photos" not in info.needs:
        return tuple(files)
    if failed:
        raise ImageError("none of the photographs can be read")
    if model == "demo":
        from phosphene.zoo.demo import demo_scenes

        return tuple(scene.image for scene in demo_scenes())[:limit]
    raise typer.BadParameter(f"the study {info.name} needs photographs: give files or folders")


def _saved(findings: Findings, place: Path) -> Path:
    try:  # a name with a dot in it is taken for a folder's only where the folder is
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{place} cannot be written: {error.strerror}") from error
    return findings.save(place)


def _report(findings: Findings, saved: Path, failed: dict[str, str], json: bool) -> None:
    if json:
        options.print_json({**findings.as_json(), "output": str(saved), "failed": failed})
        return
    for line in studying.summary(findings):
        say(line)
    for warning in findings.warnings:
        say(f"! {warning}", "yellow")
    if failed:
        say(f"{len(failed)} could not be read (named above)")
    pages = [saved.with_name(name) for name in findings.files if name.endswith(".html")]
    say(f"{findings.title}: open {' and '.join(map(str, [saved, *pages]))}")

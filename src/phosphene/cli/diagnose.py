"""`phosphene diagnose`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options
from phosphene.cli.evolution import Batch, Images, OutPage, Run, images_given, place_of, run_given
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.survey.diagnosis.diagnose import Diagnosis
    from phosphene.survey.diagnosis.run import RunDiagnosis

HELP = r"""Look for what is wrong with a network, or with a training run.

From the weights: filters that are the same, empty or dominating; first-layer
filters of too high or too low frequencies, and aliasing from a large stride:
what led Zeiler & Fergus (2014) from AlexNet to a better network. From images:
dead and always-on units, saturated activations, layers that explode or
vanish, NaN. Each finding names its number, the bound, and what to do.

A fault is of a layer; what is odd with a few units is a note. With RUN, a
folder of checkpoints of the network -m, every one is looked at.

[b]Examples[/b]
  phosphene diagnose
  phosphene diagnose -m NET.caffemodel --images photos/
  phosphene diagnose -m torchvision:resnet18 --weights-only
  phosphene diagnose checkpoints/ -m my.py:net --images photos/
  phosphene diagnose -m my.py:net --images photos/ --strict && echo fine
"""


@grouped
def diagnose(
    run: Run = None,
    images: Images = None,
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Show it no images: what weights tell alone.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Leave with exit code 1 if there is a fault.")
    ] = False,
    batch: Batch = 16,
    out: OutPage = "diagnosis.html",
    json: options.AsJson = False,
    *,
    network: options.NetworkOptions,
) -> None:  # fmt: skip
    """Look for what is wrong with a network, or with a training run."""
    if weights_only and images:
        raise typer.BadParameter("--weights-only shows it no images: leave out --images")
    place = place_of(out)
    shown = None if weights_only else images_given(images, network, 100 if run else 300)
    from phosphene.cli.progress import followed
    from phosphene.survey.diagnosis import diagnose as single
    from phosphene.survey.diagnosis import run as several
    from phosphene.survey.images import open_images
    from phosphene.view import save

    found: Diagnosis | RunDiagnosis
    opened = open_images(shown) if shown else None
    try:
        with followed("looking") as tick:
            if run:
                stages = run_given(run, network)
                found = several.diagnose_run(stages, opened, batch=batch, tick=tick)
            else:
                found = single.diagnose(
                    network.open(),
                    opened,
                    batch=batch,
                    tick=lambda done, total: tick(done, total or 0, "images"),
                )
    except KeyboardInterrupt:
        say("interrupted: nothing is written", "yellow")
        raise typer.Exit(130) from None
    written = save(found.panel(), place)
    if json:
        options.print_json({**found.as_json(), "output": str(written)})
    else:
        last = found if isinstance(found, single.Diagnosis) else found.last
        for finding in last.findings:
            say(f"{finding.severity}: {finding.sentence}", "red" if finding in last.faults else "")
        say(f"{len(last.faults) or 'no'} fault(s) in {last.network}: open {written}")
    if strict and not found.healthy:
        raise typer.Exit(1)

"""`phosphene explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from phosphene.cli import asking, options
from phosphene.cli.batches import Asked, explained
from phosphene.cli.collected import carry_out
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say
from phosphene.cli.outputs import Output
from phosphene.errors import ImageError, PhospheneError

if TYPE_CHECKING:
    from phosphene.core.network import Network

HELP = r"""Show which pixels of photographs made a unit fire, by reversed networks.

Without --unit or --class the class that the network predicts is explained;
with --layer alone, the layer's strongest unit. Every rule runs on the same
forward pass.

[b]Rules[/b]
  saliency     the derivative of the unit (Simonyan et al. 2014)
  deconvnet    rectifies the signal on its way back (Zeiler & Fergus 2014)
  guided       both at once, also called DeSaliNet (Mahendran & Vedaldi 2016)
  all          all eight architectures of the last paper

  excitation   excitation backprop: what excites the unit (Zhang et al. 2016)
  contrastive  the same, less what excites its opposite
  grad-cam     channels of a layer that raise the unit (Selvaraju et al. 2017)
  These three are maps of a layer: grad-cam@fire9/concat says which.

[b]Examples[/b]
  phosphene explain cat.jpg -m NET.caffemodel
  phosphene explain cat.jpg -m NET.caffemodel --class tabby -o cat.png
  phosphene explain photos/ -m NET.caffemodel -l fire5/concat -u 100 -o out/
  phosphene explain cat.jpg -m my.py:net --weights my.pt --rule guided
  phosphene explain cat.jpg -c tabby --rule contrastive --rule grad-cam
"""


@grouped
def explain(
    photos: asking.Photos,
    layer: asking.Layer = None,
    unit: asking.Units = None,
    class_: asking.Classes = None,
    rule: asking.Rules = None,
    to: asking.To = None,
    ten_crop: asking.TenCrop = False,
    whole: asking.Whole = False,
    batch: asking.Batch = 8,
    seed: asking.Seed = 0,
    out: asking.Out = None,
    json: options.AsJson = False,
    *,
    network: options.NetworkOptions,
) -> None:
    """Show which pixels of photographs made a unit fire, by reversed networks."""
    if ten_crop and (unit or layer or to or whole or len(class_ or []) > 1):
        raise typer.BadParameter(
            "--ten-crop explains one class: leave out --unit, --layer, --to and --whole"
        )
    if unit and class_:
        raise typer.BadParameter("give --unit or --class, not both")
    from phosphene.image import find

    rules, units = (
        asking.read_any_rules(rule or []),
        asking.read_units(unit or [], class_ or [], seed),
    )
    if ten_crop and any(u.at != "strongest" for u in units):
        raise typer.BadParameter("--ten-crop takes all positive positions: give the class alone")
    output = Output(out if out or json else "explanation.html")
    files = output.takes(photos, find(photos), max(1, len(units)), 2 + (len(rules) or 3))

    def work() -> None:
        net = network.open()
        asked = Asked(units, rules, layer, to, whole, ten_crop)
        _check(net, asked)
        about = {**vars(asked), **network.origin(net)}
        _run(net, output.missing(files, about), output, asked, batch)

    carry_out(output, files, json, work)


def _check(network: Network, asked: Asked) -> None:
    """Look up what is named, so that a misspelt name is no error of the first photograph."""
    for name in (asked.layer, asked.to, *(getattr(rule, "at", None) for rule in asked.rules)):
        if name and name != "image":
            network.address(name)
    for unit in asked.units:
        if unit.kind == "class":
            network.class_index(unit.name)
    sees = network.preprocessing
    if sees.resize == "shorter" and not asked.whole and sees.shorter_side < min(sees.input_size):
        raise typer.BadParameter(
            f"--resize-to {sees.shorter_side} leaves photographs smaller than the network's input, "
            f"{sees.input_size[0]}x{sees.input_size[1]}: raise it, or lower --input-size"
        )


def _run(network: Network, files: list[Path], output: Output, asked: Asked, batch: int) -> None:
    """Explain the files with a progress bar; those that cannot be are named and passed."""
    from dataclasses import replace

    from phosphene.cli.progress import tracked

    with tracked("explaining", len(files)) as step:
        for file, result in explained(network, files, asked, batch, say):
            if isinstance(result, PhospheneError):
                of_all = not asked.whole or str(result) in output.failed.values()
                if of_all and not isinstance(result, ImageError) and not output.records:
                    raise result  # the network's fault, and no photograph's
                output.fail(file, result)
            else:
                output.add(file, replace(result, names=(output.names[str(file)],)))
            step()

"""`phosphene explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options
from phosphene.cli.outputs import Output

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.saliency.result import Explanation


def explain(
    photos: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.")],
    model: options.Model = "demo",
    layer: Annotated[
        str | None, typer.Option("--layer", "-l", help="Layer of the unit; the class scores.")
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            "--unit",
            "-u",
            help="131, 131@6,6, 131@centre, 131@positive, strongest, random, mixture, code, noise.",
        ),
    ] = None,
    class_: Annotated[
        list[str] | None, typer.Option("--class", "-c", help="Class, by name or index.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            "-r",
            help="saliency, deconvnet, guided, RELU/POOL/LRN, or all eight architectures.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="PNG, a folder, or a self-contained HTML page.")
    ] = Path("explanation.html"),
    to: Annotated[
        str | None, typer.Option(help="Stop the signal at this layer instead of the image.")
    ] = None,
    ten_crop: Annotated[
        bool, typer.Option(help="Average the class's map over ten crops of the photograph.")
    ] = False,
    whole: Annotated[
        bool, typer.Option(help="Show the network the whole photograph, not its centre crop.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Photographs at a time.")] = 8,
    seed: Annotated[int, typer.Option(help="Start of the random units' numbers.")] = 0,
    json: options.AsJson = False,
    weights: options.Weights = None,
    prototxt: options.Prototxt = None,
    labels: options.Labels = None,
    device: options.Device = "auto",
    input_size: options.InputSize = None,
    mean: options.Mean = None,
    std: options.Std = None,
    scale: options.Scale = None,
    order: options.Order = None,
    resize_to: options.ResizeTo = None,
) -> None:
    """Show which pixels of photographs made a unit fire, by reversed networks.

    Without a unit or class, each photograph's strongest class is explained. Every rule runs on
    the same forward pass.

    * **saliency**: the derivative of the unit (Simonyan et al. 2014)
    * **deconvnet**: rectifies the signal on its way back (Zeiler & Fergus 2014)
    * **guided**: both at once, also called DeSaliNet (Mahendran & Vedaldi 2016)

    Examples:
    `phosphene explain cat.jpg --model squeezenet.caffemodel`

    `phosphene explain photos/ -m squeezenet.caffemodel -l fire5/concat -u 100 -o results/`

    `phosphene explain cat.jpg -m squeezenet.caffemodel --class tabby --ten-crop -o cat.png`
    """
    from phosphene.core.rules import ARCHITECTURES, DECONVNET, GUIDED, SALIENCY, Reversal
    from phosphene.core.unit import Unit
    from phosphene.image import find

    if unit and class_:
        raise typer.BadParameter("give --unit or --class, not both")
    if ten_crop and (unit or layer or to or whole or len(class_ or []) > 1):
        raise typer.BadParameter(
            "--ten-crop explains one class: leave out --unit, --layer, --to and --whole"
        )
    network = options.open_model(
        model, weights, prototxt, labels, device, input_size, mean, std, scale, order, resize_to
    )
    rules: list[Reversal] = []
    for text in rule or []:
        rules.extend(ARCHITECTURES if text == "all" else [Reversal.parse(text)])
    # A class is looked up now, so that a misspelt one is no error of the first photograph.
    units: list[Any] = [Unit.parse(text, seed) for text in unit or []]
    units += [network.class_index(name) for name in class_ or []]
    if layer is not None:
        network.address(layer)
    asked = _Asked(
        units or None, rules or [SALIENCY, DECONVNET, GUIDED], layer, to, whole, ten_crop, batch
    )
    output = Output(out, {"model": model, "seed": seed, **vars(asked)})
    files = find(photos)
    with output:
        for result in _results(network, output.missing(files), output, asked):
            output.add(result)
    if json:
        options.print_json(output.as_json())
    else:
        for line in output.summary():
            options.errors.print(line, soft_wrap=True, markup=False)
    if output.failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Asked:
    """What to explain, by which rules, and how: one run's arguments."""

    unit: Any
    rules: Any
    layer: str | None
    to: str | None
    whole: bool
    ten_crop: bool
    batch: int


def _results(
    network: Network, files: list[Path], output: Output, asked: _Asked
) -> Iterator[Explanation]:
    """Explain the files with a progress bar; those that cannot be read are noted and passed."""
    from phosphene.cli.progress import tracked
    from phosphene.errors import ImageError
    from phosphene.saliency.explain import explain_many
    from phosphene.saliency.ten_crop import ten_crop

    with tracked("explaining", len(files)) as step:

        def failed(photo: Path, error: ImageError) -> None:
            output.fail(photo, error)
            step()

        if not asked.ten_crop:
            for result in explain_many(
                network,
                files,
                asked.unit,
                asked.rules,
                layer=asked.layer,
                to=asked.to,
                whole=asked.whole,
                batch=asked.batch,
                on_error=failed,
            ):
                yield result
                step()
            return
        for file in files:
            try:
                yield ten_crop(network, file, asked.unit[0] if asked.unit else None, asked.rules)
            except ImageError as error:
                failed(file, error)
            else:
                step()

"""What `segment` and `localize` share: how objects are cut out, where they go, and the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import options
from phosphene.cli.asking import RESULT
from phosphene.cli.collected import carry_out
from phosphene.cli.options import NetworkOptions
from phosphene.errors import (
    ImageError,
    OutputError,
    PhospheneError,
    SettingError,
    UnknownRule,
    out_of_memory,
)

if TYPE_CHECKING:
    from phosphene.cli.cutouts import Cutouts
    from phosphene.core.network import Network
    from phosphene.segmentation.result import Localization, Segmentation

    Cut = Callable[[Network, Path], Segmentation | Localization]

_MAP, _CUT = "The map", "The cut"

SeedAt = Literal["positive", "strongest", "everywhere"]


@dataclass(frozen=True)
class CutOptions:
    """How a map is made and cut: the arguments of `segment` and `localize`."""

    rule: Annotated[
        str,
        typer.Option("--rule", "-r", metavar="RULE", rich_help_panel=_MAP,
                     help="saliency, deconvnet, guided, or RELU/POOL/LRN such as "
                     "mask+rectify/centre/identity."),
    ] = "saliency"  # fmt: skip
    seed_at: Annotated[
        SeedAt,
        typer.Option(help="Where the signal starts: all positions where the class is positive, "
                     "its strongest one, or all.", rich_help_panel=_MAP),
    ] = "positive"  # fmt: skip
    shorter_side: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=1, rich_help_panel=_MAP,
                     help="Of the photograph as the network is shown it and as it is cut.",
                     show_default="256 for networks of 224, others in proportion"),
    ] = None  # fmt: skip
    smoothing: Annotated[
        float,
        typer.Option(metavar="SHARE", rich_help_panel=_MAP,
                     help="Smooth the map by a Gaussian this wide: a share of its shorter side, "
                     "as 0.04."),
    ] = 0.0  # fmt: skip
    engine: Annotated[
        Literal["graph-cut", "grab-cut", "threshold"],
        typer.Option("--engine", "-e", rich_help_panel=_CUT,
                     help="One cut by colour; OpenCV's, which learns the colours anew after each "
                     "cut; or the map's highest pixels."),
    ] = "graph-cut"  # fmt: skip
    high: Annotated[
        float | None,
        typer.Option(metavar="Q", rich_help_panel=_CUT,
                     help="Quantile of the map from which a pixel is object.",
                     show_default="0.95 for saliency, 0.90 for other rules"),
    ] = None  # fmt: skip
    low: Annotated[
        float | None,
        typer.Option(metavar="Q", help="Quantile up to which it is background.",
                     show_default="0.30", rich_help_panel=_CUT),
    ] = None  # fmt: skip
    threshold: Annotated[
        float | None,
        typer.Option(metavar="Q", help="Quantile that --engine threshold cuts at.",
                     show_default="0.80", rich_help_panel=_CUT),
    ] = None  # fmt: skip
    fill: Annotated[
        bool, typer.Option("--fill", help="Fill holes of the object.", rich_help_panel=_CUT)
    ] = False

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments, once they are known to make sense together."""
        check_quantiles((self.engine,), self.high, self.low, self.threshold)
        from phosphene.segmentation.cutting import Cutting
        from phosphene.segmentation.views import high_of, rule_of

        threshold = 0.80 if self.threshold is None else self.threshold
        low = 0.30 if self.low is None else self.low
        try:
            high = high_of(rule_of(self.rule), self.high)
            Cutting(self.engine, high, low, self.smoothing, threshold, self.fill)
        except (UnknownRule, SettingError) as error:
            raise typer.BadParameter(str(error)) from None
        given = {**vars(self), "low": low, "threshold": threshold, "seed": self.seed_at}
        del given["seed_at"]
        return given


def check_quantiles(
    engines: Collection[str], high: float | None, low: float | None, threshold: float | None
) -> None:
    """Refuse quantiles, `None` where not given, that no engine would read."""
    if threshold is not None and "threshold" not in engines:
        raise typer.BadParameter("--threshold goes with --engine threshold")
    for option, value in (("--high", high), ("--low", low)):
        if value is not None and set(engines) == {"threshold"}:
            raise typer.BadParameter(
                f"{option} goes with --engine graph-cut or grab-cut; --engine threshold cuts at "
                "one quantile alone, --threshold"
            )


@dataclass(frozen=True)
class CutResult:
    """Where what was cut out goes."""

    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="OUT", rich_help_panel=RESULT,
                     help="OUT.png (.jpg, .webp) for one sheet, OUT.html for a page with "
                     "everything inside, OUT/ for a folder: masks, sheets, COCO's JSON, PASCAL "
                     "VOC's XML, boxes.json. Run again, an interrupted folder goes on where it "
                     "stopped.",
                     show_default="a page; nothing with --json or another file"),
    ] = None  # fmt: skip
    coco: Annotated[
        Path | None,
        typer.Option("--coco", metavar="FILE.json", rich_help_panel=RESULT,
                     help="Masks and boxes of all photographs, as COCO's instances."),
    ] = None  # fmt: skip
    coco_masks: Annotated[
        Literal["rle", "polygon"] | None,
        typer.Option("--coco-masks", rich_help_panel=RESULT, show_default="rle",
                     help="Masks in COCO's JSON as run lengths, or as outlines of the pixels, with "
                     "seams to their holes; both are exact."),
    ] = None  # fmt: skip
    voc: Annotated[
        Path | None,
        typer.Option("--voc", metavar="FILE.xml", rich_help_panel=RESULT,
                     help="Boxes of one photograph, as PASCAL VOC's XML."),
    ] = None  # fmt: skip
    json: options.AsJson = False


@dataclass(frozen=True)
class Job:
    """A verb's work.

    Attributes:
        page: What the result is called where nothing else says so.
        cut: Cuts out of one photograph.
        check: Looks up what is named, so that a misspelt name is no error of the first photograph.
        arguments: What results depend on besides photograph and network.
        rows: How many rows of pictures a photograph gets.
    """

    page: str
    cut: Cut
    check: Callable[[Network], None]
    arguments: dict[str, Any]
    rows: int = 1


def run(
    photos: Sequence[Path],
    job: Job,
    result: CutResult,
    network: NetworkOptions,
    mask: Path | None = None,
) -> None:
    """Cut objects out of photographs, and write what was found, also when interrupted.

    Args:
        photos: Files and folders.
        job: What to do with each photograph.
        result: Where the results go.
        network: By which network.
        mask: Where the mask of a single photograph goes.
    """
    from phosphene.cli.cutouts import Cutouts
    from phosphene.image import find

    beside = {"--mask": mask, "--coco": result.coco, "--voc": result.voc}
    wanted = {option: path for option, path in beside.items() if path is not None}
    page = None if result.json or wanted else f"{job.page}.html"
    output = Cutouts(result.out or page, wanted, result.coco_masks or "rle")
    if result.coco_masks and not (result.coco or output.folder):
        raise typer.BadParameter("--coco-masks goes with --coco FILE.json, or a folder, as -o out/")
    files = output.takes(photos, find(list(photos)), job.rows)

    def work() -> None:
        net = network.open()
        job.check(net)
        about = {**job.arguments, **network.origin(net)}
        _cut_all(net, output.missing(files, about), output, job.cut)

    carry_out(output, files, result.json, work)


def _cut_all(network: Network, files: Sequence[Path], output: Cutouts, cut: Cut) -> None:
    """Cut out of the files with a progress bar; those that cannot be are named and passed."""
    from phosphene.cli.progress import tracked

    with tracked("cutting out", len(files)) as step:
        for file in files:
            try:
                found = cut(network, file)
            except (PhospheneError, MemoryError, RuntimeError) as error:
                reason = _reason(file, error)
                # Whatever is wrong before anything went well is mostly no photograph's fault.
                if not isinstance(reason, ImageError) and not output.records:
                    raise reason from None
                output.fail(file, reason)
            else:
                output.add(file, found)
            step()


def _reason(file: Path, error: Exception) -> PhospheneError:
    if out_of_memory(error):
        return ImageError(f"{file} needs more memory than there is: give a smaller --shorter-side")
    if isinstance(error, PhospheneError) and not isinstance(error, SettingError | OutputError):
        return error
    raise error

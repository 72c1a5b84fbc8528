"""The live page as text: a frame, and what its scripts have to know of the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.atlas.search import block
from phosphene.atlas.serving.requests import LARGEST_PHOTOGRAPH
from phosphene.atlas.serving.seeing import Seeing
from phosphene.view.typeset import legible

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def page(seeing: Seeing, title: str, notes: tuple[str, ...], scenes: int) -> str:
    """Write the page.

    Args:
        seeing: The network.
        title: What the site is called that is served beside it; empty without one.
        notes: Sentences a reader should not miss.
        scenes: How many drawn scenes are offered.
    """
    net = seeing.net
    data: dict[str, Any] = {
        "largest": LARGEST_PHOTOGRAPH,
        "layers": list(seeing.layers),
        "chosen": seeing.chosen,
        "site": seeing.site is not None,
    }
    return (
        _environment()
        .get_template("live.html")
        .render(
            network=net.name,
            sees=str(net.preprocessing),
            title=title,
            notes=notes,
            scenes=scenes,
            classes=seeing.classes,
            # An index is what browsers send; names are what people read.
            names=[net.label(k) for k in range(seeing.classes)] if net.labels else [],
            megabytes=LARGEST_PHOTOGRAPH // 2**20,
            data=block(data),
        )
    )


def read(name: str) -> bytes:
    """Read the style or a script."""
    return (_TEMPLATES / name).read_bytes()


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

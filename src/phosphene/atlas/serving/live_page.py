"""The live page as text: a frame, and what its scripts have to know of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phosphene.atlas.search import block
from phosphene.atlas.serving.requests import LARGEST_PHOTOGRAPH
from phosphene.atlas.serving.seeing import Seeing
from phosphene.view.templating import environment

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
        environment(_TEMPLATES)
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

"""Sets of concepts by the names that verbs take for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from phosphene.survey.dissection.concepts import ConceptSet

SCENES = 500
"""How many drawn scenes `demo` stands for."""


def concepts_of(
    text: str,
    *,
    scenes: tuple[int, int],
    photographs: tuple[int, int],
    masks: Path | None = None,
) -> ConceptSet:
    """Open what is named: demo, demo:N, a Broden directory, or photographs.

    Args:
        text: The name.
        scenes: (h, w) of scenes.
        photographs: (h, w) of the images made of photographs.
        masks: Masks of the photographs.
    """
    name, _, count = text.partition(":")
    if name == "demo" and not Path(text).exists():
        from phosphene.survey.dissection.scenes import scene_concepts

        if count and not (count.isdecimal() and int(count)):
            raise typer.BadParameter(f"{text!r} is no number of scenes: give demo:500 or the like")
        return scene_concepts(int(count or SCENES), size=scenes)
    from phosphene.survey.dissection.broden import is_broden, open_broden
    from phosphene.survey.dissection.photographs import photo_concepts

    # What has an index is meant as a Broden directory, also if it is no whole one.
    if is_broden(Path(text)) or (Path(text) / "index.csv").is_file():
        if masks is not None:
            raise typer.BadParameter("--masks go with photographs; a Broden directory has labels")
        return open_broden(text)
    return photo_concepts(text, masks, size=photographs)

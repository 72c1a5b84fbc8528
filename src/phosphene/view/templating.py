"""Templates of pages: every text escaped, and legible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.view.typeset import legible

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
"""Those of panels and pages, and their styles."""


def environment(*folders: Path) -> Environment:
    """Make what renders the templates of folders; the first that has a template gives it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(folders, encoding="utf-8"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

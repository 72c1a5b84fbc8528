"""The page of the gallery: what the papers showed, what ours shows, and the lines that made it."""

from __future__ import annotations

import re
from pathlib import Path

from gallery_entries import Entry, Gallery

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PICTURES = Path("pictures") / "gallery"
LONGEST = 116


def page(gallery: Gallery, docs: Path = DOCS) -> str:
    """Write the page, of what the TOML says and which pictures there are."""
    text = [(HERE / "gallery_head.md").read_text().rstrip(), ""]
    told: set[str] = set()
    for key, document in gallery.documents.items():
        text += [f"## {document['name']}", "", document["title"], ""]
        text += ["| | |", "|---|---|"]
        for figure, ids in document["figures"].items():
            text.append(f"| {figure} | {_place(gallery, ids)} |")
        text.append("")
        for entry in gallery.entries.values():
            if entry.id not in told and key in dict(entry.figures):
                told.add(entry.id)
                text += _section(gallery, entry, docs)
    return "\n".join(text).rstrip() + "\n"


def _place(gallery: Gallery, ids: str) -> str:
    if ids.startswith("not: "):
        return f"not remade: {ids.removeprefix('not: ')}"
    return ", ".join(
        f"[{gallery.entries[name].title}](#{anchor(gallery.entries[name].title)})"
        for name in ids.split()
    )


def anchor(title: str) -> str:
    """Return the name by which a heading is linked to, as GitHub makes it."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def _section(gallery: Gallery, entry: Entry, docs: Path) -> list[str]:
    by_document: dict[str, list[str]] = {}
    for key, figure in entry.figures:
        by_document.setdefault(gallery.documents[key]["name"], []).append(figure)
    remakes = "; ".join(f"{name}, {', '.join(f)}" for name, f in by_document.items())
    text = [f"### {entry.title}", "", f"*{remakes}.* Weights: {gallery.networks[entry.network]}."]
    file = PICTURES / f"{entry.id}.jpg"
    if (docs / file).exists():
        text += ["", f"![{entry.title}]({file.as_posix()})"]
    text += ["", f"*The paper*: {entry.paper.strip()}", ""]
    text += [f"*Ours*: {entry.ours.strip() or 'not rebuilt yet.'}", ""]
    if entry.made_by:
        title = gallery.entries[entry.made_by].title
        return [*text, f"Made by the lines of [{title}](#{anchor(title)}).", ""]
    made_of = [entry.python.strip()] if entry.python else [_wrapped(line) for line in entry.lines]
    # What is in a `text` block is not run by the tests of the docs: it would take too long.
    return [*text, "```text", *made_of, "```", ""]


def _wrapped(line: str) -> str:
    """Break a command line before its options, where it is too long for the page."""
    rows = [""]
    for part in re.split(r" (?=-)", line):
        if rows[-1] and len(rows[-1]) + len(part) > LONGEST:
            rows.append("   ")
        rows[-1] += f" {part}" if rows[-1] else part
    return " \\\n".join(rows)

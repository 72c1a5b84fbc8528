"""What the gallery consists of: figures of documents, and the entries that remake them."""

from __future__ import annotations

import shlex
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOML = Path(__file__).resolve().parent / "gallery.toml"


@dataclass(frozen=True)
class Entry:
    """One picture of the gallery.

    Attributes:
        id: Its name, that of its picture, and of the folder that its lines write.
        title: Heading.
        network: Name of the weights, a key of `networks` in the TOML.
        paper: What the paper showed.
        ours: What ours shows; empty until it was looked at.
        lines: Command lines that make it.
        python: Or the program that does.
        made_by: Or the entry whose lines make it as well.
        shown: Patterns of picture files, to stand below one another; or which rows (or
            `all`), tiles of these, plots, tables, and lines of these (from 1) of the `panel` (1) of
            the folder `of`, or of the entry's own.
        quick: Options that make the last line short.
        figures: What it remakes, as (document, figure).
    """

    id: str
    title: str
    network: str
    paper: str
    ours: str = ""
    lines: tuple[str, ...] = ()
    python: str = ""
    made_by: str = ""
    shown: list[str] | dict[str, Any] = field(default_factory=list)
    quick: str = ""
    figures: tuple[tuple[str, str], ...] = ()

    def commands(self, quick: bool = False) -> list[list[str]]:
        """Return the programs to run, as arguments."""
        if self.python:
            return [[sys.executable, "-c", self.python]]
        lines = [*self.lines[:-1], f"{self.lines[-1]} {self.quick if quick else ''}"]
        return [[sys.executable, "-m", *shlex.split(line)] for line in lines]


@dataclass(frozen=True)
class Gallery:
    """All of the TOML.

    Attributes:
        networks: How each is named on the page.
        documents: By key: the title, and the figures with an entry's name or `not: why`.
        entries: By name, in order.
    """

    networks: dict[str, str]
    documents: dict[str, dict[str, Any]]
    entries: dict[str, Entry]


def read(path: Path = TOML) -> Gallery:
    """Read the TOML.

    Raises:
        ValueError: A figure names an entry that is not there, or an entry remakes nothing.
    """
    told = tomllib.loads(path.read_text())
    remade: dict[str, list[tuple[str, str]]] = {entry["id"]: [] for entry in told["entry"]}
    for key, document in told["documents"].items():
        for figure, ids in document["figures"].items():
            for name in [] if ids.startswith("not: ") else ids.split():
                if name not in remade:
                    raise ValueError(f"{key}, {figure}: there is no entry {name!r}")
                remade[name].append((key, figure))
    if idle := [name for name, figures in remade.items() if not figures]:
        raise ValueError(f"no figure names {', '.join(idle)}")
    entries = {}
    for entry in told["entry"]:
        entry["lines"] = tuple(entry.get("lines", ()))
        entries[entry["id"]] = Entry(**entry, figures=tuple(remade[entry["id"]]))
    return Gallery(told["networks"], told["documents"], entries)

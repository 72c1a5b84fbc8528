"""Votes as the page of `studies.pairs` exports them: reading files, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.errors import FormatError, first_line

_NEEDED = ("subject", "order", "photograph", "layer", "left", "right", "winner")
_WINNERS = ("left", "right", "skip")


@dataclass(frozen=True)
class Vote:
    """One answer.

    Attributes:
        subject: Who answered.
        order: Number of the pair in the sitting, from 1.
        photograph: Of what both pictures are inversions.
        layer: From which layer.
        left: Condition of the left picture: a strength, or `none`.
        right: Condition of the right picture.
        winner: `left`, `right` or `skip`.
        seconds: How long it took; `None` where it is not said.
        seed: Of the sitting's order; empty where it is not said.
        page: Which page it was; empty where it is not said.
        depth: Place of the layer among the layers; `None` where it is not said.
    """

    subject: str
    order: int
    photograph: str
    layer: str
    left: str
    right: str
    winner: str
    seconds: float | None = None
    seed: str = ""
    page: str = ""
    depth: int | None = None

    @property
    def sitting(self) -> tuple[str, str, str]:
        """Who answered, when: two people of one name have different seeds."""
        return self.subject, self.seed, self.page


def read_votes(paths: Sequence[str | Path]) -> tuple[list[Vote], list[str]]:
    """Read vote files, each answer once.

    Args:
        paths: CSV or JSON files from the page, of one subject or several; a sitting may stand in
            more than one of them.

    Returns:
        The votes, and a sentence about each line that had to be left out.

    Raises:
        FormatError: A file cannot be read, is no vote file, or there is no vote in any.
    """
    votes: dict[tuple[Any, ...], Vote] = {}
    wrong: list[str] = []
    for path in map(Path, paths):
        for where, entry in _entries(path):
            try:
                vote = _vote(entry)
            except ValueError as error:
                wrong.append(f"{path}, {where}: {error}; left out")
                continue
            earlier = votes.setdefault((*vote.sitting, vote.order), vote)
            if earlier != vote:
                wrong.append(
                    f"{path}, {where}: {vote.subject} answered pair {vote.order} twice, "
                    "differently; the first answer read counts"
                )
    if not votes:
        raise FormatError(
            f"there are no votes in {_listed(paths)}: give the CSV or JSON files that the page "
            "of `phosphene study pairs` exports" + (f" ({wrong[0]})" if wrong else "")
        )
    return list(votes.values()), wrong


def _listed(paths: Iterable[str | Path]) -> str:
    return ", ".join(map(str, paths)) or "no file"


def _entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every answer of a file as it stands, and where it stands."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path} is no text: give the CSV or JSON of votes") from None
    if text.lstrip().startswith(("{", "[")):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path} is damaged JSON: {first_line(error)}") from None
        found = whole.get("votes") if isinstance(whole, dict) else whole
        if not isinstance(found, list):
            raise FormatError(f"{path} holds no list of votes")
        for number, entry in enumerate(found, 1):
            yield f"vote {number}", entry if isinstance(entry, dict) else {}
        return
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
        if missing:
            raise FormatError(
                f"{path} is no file of votes: its first line names no {', '.join(missing)}"
            )
        for row in rows:
            yield f"line {rows.line_num}", row
    except csv.Error as error:
        raise FormatError(f"{path}, line {rows.line_num}, is no CSV: {error}") from None


def _vote(entry: Mapping[str, Any]) -> Vote:
    """Check an answer.

    Raises:
        ValueError: Something is missing or makes no sense.
    """
    texts = {k: str(v).strip() for k, v in entry.items() if isinstance(k, str) and v is not None}
    for name in _NEEDED:
        if not texts.get(name):
            raise ValueError(f"there is no {name}")
    order = _whole(texts["order"])
    if order is None or order < 1:
        raise ValueError(f"order {texts['order'][:40]!r} is no number of a pair")
    if texts["winner"] not in _WINNERS:
        raise ValueError(f"winner {texts['winner'][:40]!r} is none of {', '.join(_WINNERS)}")
    if texts["left"] == texts["right"]:
        raise ValueError(f"both pictures are of condition {texts['left'][:40]!r}")
    return Vote(
        subject=texts["subject"],
        order=order,
        photograph=texts["photograph"],
        layer=texts["layer"],
        left=texts["left"],
        right=texts["right"],
        winner=texts["winner"],
        seconds=_seconds(texts.get("seconds", "")),
        seed=texts.get("seed", ""),
        page=texts.get("page", ""),
        depth=_whole(texts.get("depth", "")),
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None

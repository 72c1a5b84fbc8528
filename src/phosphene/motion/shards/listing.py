"""From what shards are named by to their files."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from phosphene.errors import FlowError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def shards_of(sources: str | Path | Sequence[str | Path]) -> list[Path]:
    """List shards, each once, in the order they are named in.

    Args:
        sources: Tars, folders of them (in the order of their names, not the folders in them),
            patterns (`pairs-*.tar`), and ranges (`pairs-{000000..000099}.tar`).

    Raises:
        FlowError: One does not exist, or a folder holds none.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: dict[Path, None] = {}
    for source in sources:
        for path in map(Path, _expanded(str(source))):
            if path.is_dir():
                inside = sorted(p for p in path.glob("*.tar") if not p.name.startswith("."))
                if not inside:
                    raise FlowError(f"the folder {path} holds no shards (.tar)")
                found.update(dict.fromkeys(inside))
            elif path.exists():
                found[path] = None
            else:
                raise FlowError(f"there is no shard {path}: check the path")
    if not found:
        raise FlowError("no shards were given: give a folder of them, or .tar files")
    return list(found)


def _expanded(text: str) -> Iterator[str]:
    """Write out `{000..009}` and patterns, as shells do; a file of that very name goes first."""
    if Path(text).exists():
        yield text
        return
    braces = _RANGE.search(text)
    if braces is not None:
        low, high, width = int(braces[1]), int(braces[2]), len(braces[1])
        if low > high:
            raise FlowError(f"{text} counts down: begin with the smaller number")
        for number in range(low, high + 1):
            yield from _expanded(
                text[: braces.start()] + f"{number:0{width}d}" + text[braces.end() :]
            )
        return
    yield from sorted(glob.glob(text)) or [text]

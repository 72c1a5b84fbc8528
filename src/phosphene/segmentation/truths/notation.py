"""JSON of annotations, from files one need not trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phosphene.errors import FormatError


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FormatError: The file is missing, no JSON, or too large for the memory there is.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}") from None
    except MemoryError:
        raise FormatError(f"{path} needs more memory than there is") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON, or damaged: {error}") from None


def list_of(root: Any, name: str, path: Path) -> list[Any]:
    """Return a list of COCO's file by its name.

    Raises:
        FormatError: There is none.
    """
    found = root.get(name) if isinstance(root, dict) else None
    if not isinstance(found, list):
        raise FormatError(f'{path} has no list "{name}": give an instances file of COCO')
    return found


def number_of(entry: Any, name: str, path: Path) -> int:
    """Return a whole number of an entry.

    Raises:
        FormatError: There is none.
    """
    found = entry.get(name) if isinstance(entry, dict) else None
    if type(found) is not int:
        raise FormatError(f'{path} has an entry whose "{name}" is no whole number')
    return found


def text_of(entry: Any, name: str, path: Path) -> str:
    """Return a text of an entry, which is not empty.

    Raises:
        FormatError: There is none.
    """
    found = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(found, str) or not found:
        raise FormatError(f'{path} has an entry whose "{name}" is no text')
    return found

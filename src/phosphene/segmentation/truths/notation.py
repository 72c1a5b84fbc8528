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

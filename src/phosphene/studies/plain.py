"""Plain values: what JSON can hold, always the same way.

Python's own writer lets NaN through, which is no JSON, and refuses NumPy's numbers. Here numbers
that are not finite become null, and whatever else has no plain form is an error.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


def plain(value: Any) -> JSON:
    """Turn a value into what JSON holds.

    Args:
        value: None, booleans, numbers, texts, paths, and mappings, sequences and sets (sorted) of
            them; also NumPy's and PyTorch's numbers and arrays.

    Returns:
        The same with lists for sequences, texts for the keys of mappings, and `None` for NaN and
        infinity.

    Raises:
        TypeError: It holds something else.

    >>> plain({"error": float("nan"), 3: (1, 2.5)})
    {'error': None, '3': [1, 2.5]}
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return [plain(entry) for entry in sorted(value)]
    if hasattr(value, "tolist"):  # arrays, tensors, and their single numbers
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no plain form: {value!r:.80}")


def encoded(value: Any) -> bytes:
    """Write a value as JSON, indented by one, with a final newline."""
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    return (text + "\n").encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of a value, as 64 hexadecimal digits.

    Equal numbers count as equal however they are written (20 and 20.0), and infinity is not NaN.

    >>> digest({"a": 1, "b": 20.0}) == digest({"b": 20, "a": 1})
    True
    """
    text = json.dumps(plain(_exact(value)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _exact(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"float": str(value)}
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): _exact(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(entry) for entry in value]
    return value

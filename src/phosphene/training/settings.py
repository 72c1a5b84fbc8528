"""What the settings of runs have in common: frozen dataclasses of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from phosphene.errors import SettingError


def plain(setting: Any) -> dict[str, Any]:
    """Return all fields of a dataclass, as JSON has them: tuples are lists."""
    held = {field.name: getattr(setting, field.name) for field in fields(setting)}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in held.items()}


def check_least(setting: Any, least: Mapping[str, float]) -> None:
    """Check numbers against the least they can be; fields that are `None` or not there pass.

    Raises:
        SettingError: One is less, or no number.
    """
    for name, lowest in least.items():
        value = getattr(setting, name, None)
        if value is not None and not value >= lowest:
            raise SettingError(f"{name} is {value}: give {lowest:g} or more")

"""Constants of a protocol as a person writes them: `NAME=VALUE`."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from phosphene.errors import nearest

Constants = dict[str, Any]


def read_constants(kind: Any, written: Sequence[str]) -> Constants:
    """Read what was written, by the types of a setting's fields.

    Args:
        kind: The setting's class.
        written: `NAME=VALUE` each; values of several numbers or names with commas, `none` for
            none, `yes` or `no`.

    Raises:
        typer.BadParameter: There is no such constant, or the value is none of its kind.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.name != "seed"]
    found: Constants = {}
    for each in written:
        name, equals, text = each.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise typer.BadParameter(f"--with {each!r} says no value: write {each}=VALUE")
        if name not in known:
            hint = nearest(name, known) or f": they are {', '.join(known)}"
            raise typer.BadParameter(f"the protocol has no constant {name!r}{hint}")
        try:
            found[name] = _read(hints[name], text.strip())
        except ValueError:
            raise typer.BadParameter(
                f"--with {each!r} is not as it should be: {name} is {_said(hints[name])}"
            ) from None
    return found


def listed_constants(kind: Any) -> list[tuple[str, str, str]]:
    """Say name, kind and default of every constant."""
    hints = get_type_hints(kind)
    rows = []
    for field in fields(kind):
        default = "has to be given" if field.default is MISSING else _written(field.default)
        rows.append((field.name, _said(hints[field.name]), default))
    return rows


def _read(kind: Any, text: str) -> Any:
    """Read a value; ValueError where it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", "") and type(None) in inner:
            return None
        return _read(next(each for each in inner if each is not type(None)), text)
    if origin is Literal:
        if text not in inner:
            raise ValueError
        return text
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        many = len(inner) == 2 and inner[1] is ...
        if not many and len(parts) != len(inner):
            raise ValueError
        return tuple(_read(inner[0 if many else i], part) for i, part in enumerate(parts))
    if kind is bool:
        if text.lower() not in _YES + _NO:
            raise ValueError
        return text.lower() in _YES
    return kind(text)


_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


def _said(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        told = [_said(each) for each in inner if each is not type(None)]
        return " or ".join([*told, *(["none"] if type(None) in inner else [])])
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin is tuple:
        if len(inner) == 2 and inner[1] is ...:
            return f"{_SEVERAL[inner[0]]} with commas"
        return ",".join(_said(each) for each in inner)
    return _ONE.get(kind, "a value")


_ONE = {int: "a whole number", float: "a number", str: "a text", bool: "yes or no"}
_SEVERAL = {int: "whole numbers", float: "numbers", str: "names"}


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""Options in groups: verbs that share options share a dataclass of them, and no list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the fields of its dataclass parameters as options of their own.

    Args:
        verb: A function whose parameters are options, as Typer takes them, or dataclasses whose
            fields are options.

    Returns:
        The function as Typer takes it: every field a parameter.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Loudness:
    ...     times: int = 1
    >>> @grouped
    ... def shout(word: str, *, loudness: Loudness) -> None:
    ...     print(word * loudness.times)
    >>> shout(word="ah", times=2)
    ahah
    """
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[Parameter] = []
    for parameter in signature(verb).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and is_dataclass(kind):
            groups[parameter.name] = kind
            parameters += _options(kind)
        else:
            own = parameter.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY)
            parameters.append(own)

    def flat(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{f.name: given.pop(f.name) for f in fields(kind)})
        verb(**given)

    flat.__name__, flat.__doc__, flat.__module__ = verb.__name__, verb.__doc__, verb.__module__
    flat.__annotations__ = {}
    flat.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return flat


def said(group: Any) -> list[str]:
    """Return the names of the fields of a dataclass of options that were given."""
    return [name for name, value in vars(group).items() if value is not None and value is not False]


def _options(kind: type[Any]) -> list[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]

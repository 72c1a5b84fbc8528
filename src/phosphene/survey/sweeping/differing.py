"""What tells two sweeps apart, in words: for whoever goes on with one by the wrong settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from phosphene.survey.sweeping.job import Job, differences

_MOST = 4
_WHOLE = ", whole photographs"


def told_apart(job: Job, other: Job) -> str:
    """Say what another sweep, `there`, was given that this one, `here`, is not.

    Args:
        job: This one.
        other: The other one.

    Returns:
        Such as "other layers (there relu1, here relu2) and another count of 'top patches' (there 9,
        here 4)"; empty where they are the same.
    """
    found: list[str] = []
    apart = differences(job, other)
    for what in apart:
        here, there = job.get(what, ""), other.get(what, "")
        if what in ("network", "images"):
            found.append(_named(what, here, there))
        elif what == "preprocessing":
            found.append(_preprocessing(here, there))
        elif what == "layers":
            found.append(_layers(here.split(", "), there.split(", ")))
        elif what == "collectors":
            found += _collectors(here, there, "layers" in apart)
        elif what == "details of preprocessing":
            # A line of text rounds, and leaves out the kernel and what a mean image holds.
            found += [] if "preprocessing" in apart else [f"other {what}"]
        else:
            found.append(f"another {what}")
    return " and ".join(found)


def _named(what: str, here: str, there: str) -> str:
    """Compare what has a name and, in brackets, a mark of all that is in it."""
    one, another = (text.rpartition(" (")[0] or text for text in (here, there))
    if one == another:
        network = what == "network"
        return (
            f"other weights or code of {one}"
            if network
            else f"other images ({one} has changed since)"
        )
    return f"{'another' if what == 'network' else 'other'} {what} (there {another}, here {one})"


def _preprocessing(here: str, there: str) -> str:
    if there == here + _WHOLE:
        return "whole photographs (here their centres)"
    if here == there + _WHOLE:
        return "the centres of photographs (here whole ones)"
    return f"another preprocessing (there {there}, here {here})"


def _layers(here: Sequence[str], there: Sequence[str]) -> str:
    more = [name for name in there if name not in here]
    fewer = [name for name in here if name not in there]
    if more and fewer:
        return f"other layers (there {_some(more)}, here {_some(fewer)})"
    if more:
        return f"more layers (also {_some(more)})"
    return f"fewer layers (not {_some(fewer)})" if fewer else "its layers in another order"


def _collectors(here: str, there: str, other_layers: bool) -> Iterator[str]:
    try:
        ours, theirs = json.loads(here), json.loads(there)
    except ValueError:  # of an earlier version
        yield "other collectors"
        return
    more, fewer = ([n for n in a if n not in b] for a, b in ((theirs, ours), (ours, theirs)))
    if more:
        yield f"more collectors (also {_some(more)})"
    if fewer:
        yield f"fewer collectors (not {_some(fewer)})"
    for name in (name for name in ours if name in theirs):
        (kind, own), (other_kind, others) = ours[name], theirs[name]
        if kind != other_kind:
            yield f"another {name!r} (there {other_kind}, here {kind})"
            continue
        for setting in dict.fromkeys([*own, *others]):
            if own.get(setting) != others.get(setting):
                # With other layers all that is said layer by layer is another.
                if not other_layers or not isinstance(own.get(setting), list | dict):
                    yield _setting(name, setting, own.get(setting), others.get(setting))


def _setting(name: str, setting: str, here: Any, there: Any) -> str:
    word = setting.replace("_", " ")
    if isinstance(here, bool) and isinstance(there, bool):
        return f"{name!r} {'' if there else 'not '}{word}"
    said = f"another {word} of {name!r}"
    if _is_plain(here) and _is_plain(there):
        said += f" (there {there}, here {here})"
    return said


def _is_plain(value: Any) -> bool:
    """Tell numbers and words from fingerprints and the like."""
    if isinstance(value, str):
        return len(value) <= 40 and not re.fullmatch(r"[0-9a-f]{8,}", value)
    return isinstance(value, int | float)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST
    listed = ", ".join(name or "the output" for name in names[:_MOST])
    return f"{listed} and {rest} more" if rest > 0 else listed

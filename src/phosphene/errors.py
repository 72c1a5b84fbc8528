"""Every error phosphene raises on purpose.

Each message says what was given, what was needed and what to do, in one sentence or two.

```text
PhospheneError
├── ImageError            a photograph that cannot be read or does not fit
├── FlowError             optical flow that cannot be read, or does not fit
├── FormatError           a file of weights or of a network's description that cannot be understood
├── NetworkError          a network that cannot be opened or run
│   ├── UnknownModel      no network goes by that name
│   ├── UnknownLayer      no layer goes by that name
│   ├── UnknownClass      no class goes by that name
│   ├── LayerNeverRan     the layer exists, but the forward pass never called it
│   └── NotFinite         NaN or infinity in weights or activations
├── SettingError          a constant or option that cannot be
├── UnitError             a unit that the layer does not have, or a seed of another shape
├── ReversalError         a reversed network that cannot be built
│   ├── UnknownRule       no rule goes by that name
│   ├── OpaqueGraph       a part of the tape that hides its bottlenecks
│   └── NothingToReverse  the rule changes bottlenecks of a kind that the tape does not hold
├── OutOfMemory           more images at a time than memory holds
├── UnsupportedTorch      this PyTorch records its tape in a way phosphene does not know
└── OutputError           a result that cannot be written
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhospheneError(Exception):
    """Base of all errors raised on purpose; its text is meant for the person at the keyboard."""


class ImageError(PhospheneError):
    """A photograph cannot be read, or does not fit what was asked of it."""


class FlowError(PhospheneError):
    """Optical flow cannot be read, or does not fit what was asked of it."""


class FormatError(PhospheneError):
    """A file of weights, or of a network's description, cannot be understood."""


class NetworkError(PhospheneError):
    """A network cannot be opened or run."""


class UnknownModel(NetworkError):
    """No network goes by that name."""


class UnknownLayer(NetworkError):
    """No layer of the network goes by that name."""


class UnknownClass(NetworkError):
    """No class of the network goes by that name or index."""


class LayerNeverRan(NetworkError):
    """The layer exists, but the forward pass never called it."""


class NotFinite(NetworkError):
    """NaN or infinity was found in the weights or the activations."""


class SettingError(PhospheneError):
    """A constant, or a choice among several ways, cannot be what was given."""


class UnitError(PhospheneError):
    """The layer has no such unit, or a seed has another shape than the layer."""


class ReversalError(PhospheneError):
    """The reversed network asked for cannot be built."""


class UnknownRule(ReversalError):
    """No reversal goes by that name."""


class OpaqueGraph(ReversalError):
    """A part of the tape hides its bottlenecks (compiled, scripted or checkpointed code)."""


class NothingToReverse(ReversalError):
    """The rule changes a kind of bottleneck that the tape does not hold."""


class OutOfMemory(PhospheneError):
    """More was asked for at a time than memory holds; the message says what would fit."""


class UnsupportedTorch(PhospheneError):
    """This version of PyTorch records its tape in a way phosphene does not know."""


class OutputError(PhospheneError):
    """A result cannot be written where it was asked for."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Say which known names come nearest to an unknown one.

    Args:
        name: The name that was given.
        known: The names that exist.
        count: How many to offer at most.

    Returns:
        `"; did you mean 'a', 'b' or 'c'?"`, or an empty string where nothing comes near.

    >>> nearest("conv_5", ["conv4", "conv5", "fc6"])
    "; did you mean 'conv5' or 'conv4'?"
    >>> nearest("zebra", ["conv4"])
    ''
    """
    by_folded = {entry.casefold(): entry for entry in known}
    folded = name.casefold()
    close = difflib.get_close_matches(folded, by_folded, n=count, cutoff=0.6)
    inside = [entry for entry in by_folded if folded and folded in entry and entry not in close]
    # A path that is nearly right at its beginning ("fire55" for "fire5/...").
    shared = {entry: _shared_start(entry, folded) for entry in by_folded}
    begins = sorted((e for e in shared if shared[e] > 3), key=lambda e: -shared[e])
    found = list(dict.fromkeys(close + inside + begins))
    offers = [repr(by_folded[entry]) for entry in found[:count]]
    if not offers:
        return ""
    last = offers.pop()
    return f"; did you mean {', '.join(offers)} or {last}?" if offers else f"; did you mean {last}?"


def first_line(error: BaseException, most: int = 10_000) -> str:
    """Return the first line of what an error says, or the name of its class if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip()[:most] if lines else type(error).__name__


def out_of_memory(error: BaseException) -> bool:
    """Tell exhausted memory, for which PyTorch on the CPU has no class of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return "out of memory" in text or "DefaultCPUAllocator" in text


def _shared_start(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))

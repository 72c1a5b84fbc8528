"""What a sweep is about: all that its numbers depend on, so that no other one is gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from phosphene.core.contents import sight_of, structure_of, weights_of
from phosphene.core.network import Network
from phosphene.survey.collector import Collector
from phosphene.survey.images import ImageSet

Job = dict[str, str]
"""By what it is called (network, images, ...) a text that is equal exactly where it is."""

_PLAIN = (str, int, float, bool, type(None))


def job_of(net: Network, images: ImageSet, collectors: Mapping[str, Collector], whole: bool) -> Job:
    """Describe a sweep; `differing.told_apart` says what tells it from another."""
    made = {name: (type(c).__name__, settings(c)) for name, c in collectors.items()}
    return {
        "network": f"{net.name} ({print_of(net)})",
        "preprocessing": f"{net.preprocessing}{', whole photographs' if whole else ''}",
        "details of preprocessing": sight_of(net.preprocessing)[:16],
        "images": f"{images.name} ({images.fingerprint})",
        "layers": ", ".join(dict.fromkeys(name for c in collectors.values() for name in c.layers)),
        "collectors": json.dumps(made, sort_keys=True) if made else "",
    }


def print_of(net: Network) -> str:
    """Return a hash of a network's weights and of what its modules compute from them."""
    both = weights_of(net.module) + structure_of(net.module)
    return hashlib.sha256(both.encode()).hexdigest()[:16]


def differences(job: Job, other: Job) -> list[str]:
    """Name what differs between two jobs."""
    return [name for name in dict.fromkeys([*job, *other]) if job.get(name) != other.get(name)]


def settings(collector: Collector) -> dict[str, Any]:
    """Return what a collector was made with: its public attributes that are plain values.

    A collector may say it by itself in an attribute `settings`.
    """
    own = getattr(collector, "settings", None)
    if isinstance(own, Mapping):
        return dict(own)
    names = [name for name in dir(collector) if not name.startswith("_")]
    plain = {name: _plain(getattr(collector, name)) for name in names if name in _fields(collector)}
    return {name: value for name, value in plain.items() if value is not ...}


def _fields(collector: Collector) -> set[str]:
    fields = set(getattr(type(collector), "__dataclass_fields__", {})) | set(vars(collector))
    return fields | {"layers"}


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; `...` where it does not."""
    if isinstance(value, Mapping):
        found = {str(name): _plain(inner) for name, inner in value.items()}
        return ... if ... in found.values() else found
    if isinstance(value, list | tuple):
        inner = [_plain(one) for one in value]
        return ... if ... in inner else inner
    return value if isinstance(value, _PLAIN) else ...

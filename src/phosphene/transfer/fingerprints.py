"""Short hashes of what features hang on, so that others are never taken for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from phosphene.core.network import Network
from phosphene.transfer.benchmarks.records import Sorted

_LOOKED_AT = 16


def of_network(net: Network) -> str:
    """Hash a network: its weights, how its modules are put together, and its preprocessing."""
    found = hashlib.blake2b(digest_size=8)
    found.update(f"{net.module}{net.preprocessing}".encode())
    if net.preprocessing.mean_image is not None:
        found.update(net.preprocessing.mean_image.data)
    for name, value in [*net.module.named_parameters(), *net.module.named_buffers()]:
        found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        data = value.detach().cpu().contiguous().reshape(-1)
        found.update(data.view(torch.uint8).numpy().data)
    return found.hexdigest()


def of_set(photographs: Sorted) -> str:
    """Hash a set: names, classes, and the pixels of some of its photographs.

    Names alone do not tell sets in memory apart, and the pixels of all are too many to read.
    """
    found = hashlib.blake2b(digest_size=8)
    found.update(json.dumps(photographs.classes).encode())
    found.update(np.ascontiguousarray(photographs.class_of, "<i8").tobytes())
    for index in range(len(photographs)):
        found.update(photographs.name(index).encode() + b"\0")
    places = np.linspace(0, len(photographs) - 1, min(_LOOKED_AT, len(photographs)))
    for index in places.round().astype(int).tolist():
        found.update(pixels_of(photographs, index))
    return found.hexdigest()


def pixels_of(photographs: Sorted, index: int) -> bytes:
    """Return the pixels of a photograph, and its size."""
    image = photographs.image(index).convert("RGB")
    return str(image.size).encode() + image.tobytes()


def of_facts(facts: Mapping[str, Any]) -> str:
    """Hash what JSON can say."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""With what a result was made, so that it can be made again."""

from __future__ import annotations

import functools
import platform
from importlib.metadata import PackageNotFoundError, version


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions a result depends on, by name: phosphene, torch, Python."""
    found = {}
    for package in ("phosphene", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a source tree that was never installed
            found[package] = "unknown"
    return {**found, "python": platform.python_version()}

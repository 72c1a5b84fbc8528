"""With what a result was made, so that it can be made again."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Packages lie here also where an environment was made inside the user's own folder.
_INSTALLED = ("site-packages", "dist-packages")


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


def sources(file: Path) -> dict[str, str]:
    """Return what a Python file and all that was imported from its folder hold, as hashes.

    To be asked when the file has been run: seen are the modules that are loaded by then, of the
    file's folder and the folders in it; not seen are installed packages, and what is imported or
    read later.

    Args:
        file: The file; it need not be a module itself.

    Returns:
        SHA-256 by path.
    """
    folder = file.resolve().parent
    found = {file.resolve()}
    for name, module in list(sys.modules.items()):
        at = getattr(module, "__file__", None)
        if name != "__main__" and isinstance(at, str):
            path = Path(at).resolve()
            own = path.is_relative_to(folder) and not set(_INSTALLED) & set(path.parts)
            found |= {path} if own else set()
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(found)
        if path.is_file()
    }

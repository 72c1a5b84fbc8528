"""One job at a time in a folder."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phosphene.errors import OutputError

try:
    import fcntl
except ImportError:  # pragma: no cover - another system than Unix
    fcntl = None  # type: ignore[assignment]

_NOT_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other jobs out of a folder for a `with` block; the folder is made.

    The lock is the operating system's, on a file `.lock` that says who holds it: it ends with the
    process that holds it, however that ends, so that no lock is ever left behind.

    Raises:
        OutputError: Another job works there, or the folder cannot be made.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        _take(file, folder)
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def _take(file: int, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
        raise OutputError(
            f"{folder} is being written by {holder}: wait for it, end it, or give another folder"
        ) from None
    except OSError as error:
        if error.errno not in _NOT_HERE:  # a file system without locks is used without
            raise OutputError(f"{folder} cannot be locked: {error.strerror}") from error

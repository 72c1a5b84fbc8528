"""NumPy's files: `.npz` with `flow` (h, w, 2) and `valid` (h, w), or the flow alone as `.npy`.

Others' files are understood too: the flow may be called `vectors` or be the only array of three
dimensions, and stand channels first, (2, h, w). Nothing is ever unpickled, and how much an array
takes is checked against what is there before it is allocated.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError, first_line
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.content import DEFLATED, LARGEST

ZIP = b"PK\x03\x04"
NPY = b"\x93NUMPY"

_NAMES = ("flow", "vectors")
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
    RuntimeError, MemoryError, tokenize.TokenError,
)  # fmt: skip


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def encode_npz(flow: Flow) -> bytes:
    """Write flow as a packed `.npz` of `flow`, (h, w, 2) float32, and `valid`, (h, w) bool."""
    file = io.BytesIO()
    np.savez_compressed(file, flow=flow.vectors, valid=flow.valid)
    return file.getvalue()


def decode_npz(content: bytes, name: str) -> Flow:
    """Read an `.npz`.

    Args:
        content: The whole file.
        name: What to call it in errors.

    Raises:
        FlowError: It is damaged, holds Python objects, or no flow.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive)
            solid = [key for key, (_, header) in members.items() if len(header.shape) == 3]
            only = solid[0] if len(solid) == 1 else None
            key = next((key for key in _NAMES if key in members), only)
            if key is None:
                held = ", ".join(f"{k} {header.shape}" for k, (_, header) in members.items())
                raise FlowError(
                    f"{name} holds {held or 'nothing'}, but no flow: give an array `flow` of "
                    "(height, width, 2)"
                )
            vectors = _unpacked(archive, members[key], name)
            valid = _unpacked(archive, members["valid"], name) if "valid" in members else None
    except _DAMAGE as error:
        raise _damaged(name, error) from None
    return _flow(vectors, valid, name)


def decode_npy(content: bytes, name: str) -> Flow:
    """Read an `.npy` of (h, w, 2) or (2, h, w).

    Args:
        content: The whole file.
        name: What to call it in errors.

    Raises:
        FlowError: It is damaged, holds Python objects, or no flow.
    """
    file = io.BytesIO(content)
    try:
        header = _header(file)
        vectors = _array(file, header, len(content) - file.tell(), name)
    except _DAMAGE as error:
        raise _damaged(name, error) from None
    return _flow(vectors, None, name)


def _members(archive: zipfile.ZipFile) -> dict[str, tuple[zipfile.ZipInfo, _Header]]:
    found = {}
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            with archive.open(info) as file:
                found[info.filename.removesuffix(".npy")] = info, _header(file)
    return found


def _unpacked(
    archive: zipfile.ZipFile, member: tuple[zipfile.ZipInfo, _Header], name: str
) -> NDArray[Any]:
    info, header = member
    # The archive's own claims about sizes are checked, too: deflate packs no better than this.
    there = min(info.file_size, DEFLATED * info.compress_size + 1024)
    with archive.open(info) as file:
        _header(file)
        return _array(file, header, there - file.tell(), name)


def _header(file: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of NumPy's format")
    one, two = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
    return _Header(*(one if version == (1, 0) else two)(file))


def _array(file: IO[bytes], header: _Header, there: int, name: str) -> NDArray[Any]:
    """Read what a header describes, given how many bytes can be there at most."""
    shape, fortran, dtype = header
    if dtype.hasobject or dtype.kind not in "biuf":
        what = "Python objects, which are not unpickled here" if dtype.hasobject else str(dtype)
        raise FlowError(f"{name} holds {what}: save flow as an array of floats")
    count = math.prod(shape)
    if min(shape, default=1) < 0 or count > 2 * LARGEST or count * dtype.itemsize > there:
        raise ValueError(f"an array of {shape} cannot be all there")
    content = file.read(count * dtype.itemsize)
    if len(content) < count * dtype.itemsize:
        raise ValueError(f"an array of {shape} is not all there")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _damaged(name: str, error: BaseException) -> FlowError:
    return FlowError(
        f"{name} is damaged or cut short ({first_line(error)}): fetch or save it again"
    )


def _flow(vectors: NDArray[Any], valid: NDArray[Any] | None, name: str) -> Flow:
    if vectors.ndim == 3 and vectors.shape[0] == 2 and vectors.shape[2] != 2:
        vectors = vectors.transpose(1, 2, 0)
    try:
        return Flow.of(vectors, valid)
    except FlowError as error:
        raise FlowError(f"{name}: {error}") from None

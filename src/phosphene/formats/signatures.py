"""Telling by its first bytes that a file is something else than it was given for."""

from __future__ import annotations

_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f")

# First bytes: what such a file is, and what to do instead.
_SIGNATURES = (
    (
        (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "is a PyTorch file (a zip or pickle), not a .caffemodel; open it as a PyTorch network",
    ),
    (
        (b"\x89HDF\r\n\x1a\n",),
        "is an HDF5 file, and a .caffemodel in binary protobuf is needed; save the snapshot again "
        "with `snapshot_format: BINARYPROTO`",
    ),
    ((b"MATLAB",), "is a MATLAB file, not a .caffemodel; open it as a MatConvNet network"),
    ((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"), "is compressed; unpack it, and give the .caffemodel"),
    (
        (b"version https://git-lfs",),
        "is only Git LFS's pointer to the weights; run `git lfs pull` to fetch them",
    ),
    ((b"<",), "is a web page, not a .caffemodel; the download went wrong, so fetch it again"),
)


def is_text(head: bytes) -> bool:
    """Say whether a file's first bytes look like text: UTF-8 without control characters.

    >>> is_text(b'name: "AlexNet"'), is_text(bytes([10, 3, 97, 98, 99]))
    (True, False)
    """
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character may be cut in two where the first bytes end.
        if error.start < len(head) - 3 or not head:
            return False
    return _CONTROLS.isdisjoint(head)


def not_a_caffemodel(head: bytes) -> str:
    """Return why a file cannot be a `.caffemodel`, in words that follow its name, or `""`.

    Args:
        head: The first bytes of the file, some thousand of them.
    """
    if not head:
        return "is empty, and a .caffemodel is needed; fetch the file again"
    for signatures, reason in _SIGNATURES:
        if head.startswith(signatures) and (signatures != (b"<",) or is_text(head)):
            return reason
    if is_text(head):
        return (
            "is text, and the weights of a .caffemodel are binary; give the .caffemodel first and "
            "the .prototxt second"
        )
    return ""

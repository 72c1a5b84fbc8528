"""XML of annotations, from files one need not trust.

A document type declaration could name other files, or entities that unfold to gigabytes; the
annotations of VOC and ILSVRC have none, so that any is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from phosphene.errors import FormatError
from phosphene.segmentation.truths.record import Box

_LARGEST = 16 * 2**20
_DEEPEST = 64


class _Declared(Exception):
    """The file declares a document type."""


class _TooDeep(Exception):
    """Its elements are nested without end."""


def read_xml(path: Path) -> Element:
    """Read the root element of an XML file.

    Raises:
        FormatError: The file is missing or damaged, declares a document type, is larger than
            16 MiB, or its elements are nested deeper than 64.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise FormatError(f"{path} has more than 16 MiB: that is no annotation of one image")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}") from None
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _TooDeep
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def declared(*_: object) -> None:
        raise _Declared

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(data, True)
    except _Declared:
        raise FormatError(
            f"{path} declares a document type, which annotations do not need and which can do "
            "harm: remove it"
        ) from None
    except _TooDeep:
        raise FormatError(f"{path} is nested deeper than any annotation: is it one?") from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FormatError(f"{path} is no XML, or damaged: {error}") from None
    return builder.close()


def text(element: Element, name: str) -> str:
    """Return the text of an element's child, empty if there is none."""
    return (element.findtext(name) or "").strip()


def read_boxes(root: Element, path: Path, first: int) -> tuple[Box, ...]:
    """Read the objects of a VOC or ILSVRC annotation.

    Args:
        root: The annotation.
        path: Its file, for messages.
        first: The number of the file's first pixel. Its boxes' last pixels lie inside.

    Raises:
        FormatError: An object has no name, or no box of four numbers with x0 <= x1, y0 <= y1.
    """
    return tuple(_box(entry, path, first) for entry in root.findall("object"))


def _box(entry: Element, path: Path, first: int) -> Box:
    label, bounds = text(entry, "name"), entry.find("bndbox")
    if not label:
        raise FormatError(f"{path} has an object without a name")
    if bounds is None:
        raise FormatError(f"{path} has an object {label!r} without a box (bndbox)")
    given = [text(bounds, name) for name in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x0, y0, x1, y1 = (float(number) - first for number in given)
    except ValueError:
        x0 = math.nan
    if not (math.isfinite(x0) and math.isfinite(x0 + y0 + x1 + y1) and x0 <= x1 and y0 <= y1):
        raise FormatError(f"{path} has an object {label!r} with the impossible box {given}")
    return Box(label, x0, y0, x1 + 1, y1 + 1, text(entry, "difficult") == "1")

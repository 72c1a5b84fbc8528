"""Matplotlib's SVG made fit to stand in a page beside others.

It comes with a style sheet that would reach the whole page, ids that other plots have too, fonts
that few computers have and its maker's address; it leaves without them, and with a title.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from phosphene.view import typeset

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONTS = "'DejaVu Sans', Verdana, system-ui, Arial, sans-serif"
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 has no place for these, not even escaped."""


def cleaned(text: str, title: str, description: str, prefix: str | None) -> str:
    """Rewrite an SVG.

    Args:
        text: As Matplotlib writes it.
        title: For its `<title>`.
        description: For its `<desc>`; empty for none.
        prefix: As for `plots.plot_svg`.

    Returns:
        As `plots.plot_svg`.
    """
    root = ElementTree.fromstring(_UNWRITABLE.sub("\ufffd", text))
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", text))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
        for defs in [d for d in parent if d.tag == f"{{{_SVG}}}defs" and not len(d)]:
            parent.remove(defs)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        _rewrite(element, used, prefix)
    # What the style sheet said of every element; these are inherited.
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")
    root.set("role", "img")
    root.set("aria-label", _clean(title))
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        if words:
            element = ElementTree.Element(tag)
            element.text = _clean(words)
            root.insert(place, element)
    if prefix is not None:
        for name in ("width", "height", "version"):
            root.attrib.pop(name, None)
        return ElementTree.tostring(root, "unicode")
    root.set("xmlns", _SVG)
    root.set("xmlns:xlink", _XLINK)
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return head + ElementTree.tostring(root, "unicode") + "\n"


def _rewrite(element: ElementTree.Element, used: set[str], prefix: str | None) -> None:
    """Name ids apart, drop those nobody asks for, and name fonts that every computer has."""
    start = prefix or ""
    for name, value in list(element.attrib.items()):
        if name == "id":
            del element.attrib[name]
            if value in used:
                element.set("id", start + value)
        elif name == f"{{{_XLINK}}}href":
            del element.attrib[name]
            element.set("xlink:href" if prefix is None else "href", f"#{start}{value[1:]}")
        elif name == "style" and element.tag == "text":
            element.set(name, re.sub(r"'DejaVu Sans'(, '[^']*')*", _FONTS, value))
        else:
            element.set(name, value.replace("url(#", f"url(#{start}"))


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", typeset.single_line(text))

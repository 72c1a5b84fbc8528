"""Which network a site is of, as far as that may be taken from the site itself.

A site may come from anybody. So what it names is opened only if it is a name of the catalogue that
needs no file and leads to no address of the site's choice; anything else the user has to name. And
it is told where a network has other weights than the one the site was made of.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from phosphene.atlas.plan import WORK
from phosphene.atlas.serving.site_units import SiteUnits
from phosphene.core.network import Network
from phosphene.errors import UnknownLayer
from phosphene.survey.sweeping.job import print_of
from phosphene.zoo.catalogue import NAMES

_BORROWED = re.compile(r"(torchvision|timm):[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
_LARGEST = 2**20


def recorded_model(site: SiteUnits) -> str:
    """Return the name of the network that a site is of; empty unless it may be opened."""
    name = site.facts.get("network", "")
    return name if name in NAMES or _BORROWED.fullmatch(name) else ""


def difference(site: SiteUnits, net: Network) -> str:
    """Say in a sentence how a network is another than that of a site; empty where it is not."""
    there = {layer.name: layer for layer in net.layers()}
    for name, layer in site.layers.items():
        if not name:
            continue
        try:
            own = there[str(net.address(name))]
        except (UnknownLayer, KeyError):
            return f"{net.name} has no layer {name!r}, as the site has: it is another network."
        if layer.units and own.shape and max(layer.units) >= own.shape[0]:
            return f"{net.name} has fewer units in {name} than the site: it is another network."
    recorded = _weights(site.root)
    if recorded and not recorded.endswith(f"({print_of(net)})"):
        return f"{net.name} has other weights than the network of the site: its units may differ."
    return ""


def _weights(root: Path) -> str:
    """Return what an atlas's own record says of its network; empty where there is none."""
    try:
        place = (root / WORK / "atlas.json").resolve(strict=True)
        if not place.is_relative_to(root) or place.stat().st_size > _LARGEST:
            return ""
        record = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError, RuntimeError, RecursionError):
        return ""
    said = record.get("network") if isinstance(record, dict) else None
    return said if isinstance(said, str) else ""

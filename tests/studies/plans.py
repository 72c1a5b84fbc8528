"""Plans that cost little: the demo network, its scenes, and inversions of a few steps."""

from __future__ import annotations

from functools import cache
from typing import Any

from phosphene import Network, open_network
from phosphene.preimage.invert import RECIPES as INVERSIONS
from phosphene.preimage.recipe import Recipe
from phosphene.studies.plan import Plan
from phosphene.zoo.demo import demo_scenes


@cache
def demo() -> Network:
    return open_network("demo")


@cache
def scenes() -> tuple[Any, ...]:
    return tuple(scene.image for scene in demo_scenes())


def planned(count: int = 1, **more: Any) -> Plan:
    """Plan a study of the first so many scenes; the quality `brief` has no second stage."""
    INVERSIONS.setdefault("brief", Recipe("brief", steps=40, convergence=None))
    return Plan(demo(), scenes()[:count], **{"quality": "brief", "repeats": 1, **more})

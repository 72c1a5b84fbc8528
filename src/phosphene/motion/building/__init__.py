"""From videos to shards of pairs, by any number of processes, and again from where it stopped."""

from phosphene.motion.building.job import Built as Built
from phosphene.motion.building.job import build as build
from phosphene.motion.building.job import planned as planned
from phosphene.motion.building.plan import Plan as Plan
from phosphene.motion.building.settings import Settings as Settings

__all__ = ["Built", "Plan", "Settings", "build", "planned"]

"""Boxes that may hold objects: read from files, or computed by selective search."""

from phosphene.transfer.detection.proposals.reading import read_proposals
from phosphene.transfer.detection.proposals.record import Proposals
from phosphene.transfer.detection.proposals.searching import MODES, searched, selective_search

__all__ = ["MODES", "Proposals", "read_proposals", "searched", "selective_search"]

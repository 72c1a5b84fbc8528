"""HOG and dense SIFT as differentiable networks: described, inverted, visualised."""

from phosphene.descriptors.detector import Detector, Part, visualize_parts
from phosphene.descriptors.dictionary import Dictionary
from phosphene.descriptors.dsift import DSIFT, Frames, dsift
from phosphene.descriptors.glyphs import glyphs
from phosphene.descriptors.hog import HOG, hog
from phosphene.descriptors.network import as_network
from phosphene.descriptors.template import Template
from phosphene.descriptors.visualize import visualize

__all__ = [
    "DSIFT",
    "HOG",
    "Detector",
    "Dictionary",
    "Frames",
    "Part",
    "Template",
    "as_network",
    "dsift",
    "glyphs",
    "hog",
    "visualize",
    "visualize_parts",
]

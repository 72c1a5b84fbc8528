"""HOG and dense SIFT as differentiable networks: described, inverted, visualised."""

from phosphene.descriptors.dsift import DSIFT, Frames, dsift
from phosphene.descriptors.hog import HOG, hog
from phosphene.descriptors.network import as_network

__all__ = ["DSIFT", "HOG", "Frames", "as_network", "dsift", "hog"]

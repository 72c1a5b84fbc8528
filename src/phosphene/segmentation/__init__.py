"""Masks and boxes of objects, from classifiers that were told labels alone."""

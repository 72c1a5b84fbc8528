"""Quantiles of all values of a unit over a whole image set: from a fair sample, or exact."""

from phosphene.survey.quantiles.quantiles import Quantiles

__all__ = ["Quantiles"]

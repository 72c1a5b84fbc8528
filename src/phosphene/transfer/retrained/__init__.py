"""A softmax retrained on a frozen layer, from few photographs of each class.

Zeiler & Fergus (ECCV 2014): how well what was learned from one data set serves another.
"""

from __future__ import annotations

from phosphene.transfer.retrained.result import Retrained
from phosphene.transfer.retrained.running import run
from phosphene.transfer.retrained.settings import PRESETS, RetrainedSetting

__all__ = ["PRESETS", "Retrained", "RetrainedSetting", "run"]

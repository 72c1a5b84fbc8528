"""Classification of photographs: a network fine-tuned to tell which of several classes they show.

The protocol of VOC 2007 (Kraehenbuehl et al., ICLR 2016) as the thesis follows it, section 3.3.5.
"""

from __future__ import annotations

from phosphene.transfer.classification.result import Classification
from phosphene.transfer.classification.running import run
from phosphene.transfer.classification.settings import PRESETS, ClassificationSetting

__all__ = ["PRESETS", "Classification", "ClassificationSetting", "run"]

"""Detection of objects in photographs, with Fast R-CNN on the features that are evaluated."""

from phosphene.transfer.detection.result import Detected
from phosphene.transfer.detection.running import run
from phosphene.transfer.detection.settings import DetectionSetting

__all__ = ["Detected", "DetectionSetting", "run"]

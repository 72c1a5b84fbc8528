"""Runs from start to finish: a setting, data and a backbone become a network.

setting = CrossPixel(data="pairs/", backbone="motion-alexnet")
result = run(setting, "learned/")
result.network
"""

from phosphene.pretext.pretraining.presets import preset as preset
from phosphene.pretext.pretraining.presets import run_stages as run_stages
from phosphene.pretext.pretraining.presets import sintel as sintel
from phosphene.pretext.pretraining.presets import two_stage as two_stage
from phosphene.pretext.pretraining.presets import yfcc as yfcc
from phosphene.pretext.pretraining.results import Pretrained as Pretrained
from phosphene.pretext.pretraining.results import Reopened as Reopened
from phosphene.pretext.pretraining.results import reopen as reopen
from phosphene.pretext.pretraining.running import How as How
from phosphene.pretext.pretraining.running import run as run
from phosphene.pretext.pretraining.settings import CrossPixel as CrossPixel
from phosphene.pretext.pretraining.settings import FlowClasses as FlowClasses
from phosphene.pretext.pretraining.settings import FlowRegression as FlowRegression
from phosphene.pretext.pretraining.settings import Foreground as Foreground
from phosphene.pretext.pretraining.settings import Grouping as Grouping
from phosphene.pretext.pretraining.settings import PixelSetting as PixelSetting
from phosphene.pretext.pretraining.settings import Rotation as Rotation
from phosphene.pretext.pretraining.settings import Setting as Setting
from phosphene.pretext.pretraining.settings import Supervised as Supervised
from phosphene.pretext.pretraining.settings import setting_of as setting_of
from phosphene.pretext.pretraining.several import run_with as run_with

__all__ = [
    "CrossPixel",
    "FlowClasses",
    "FlowRegression",
    "Foreground",
    "Grouping",
    "How",
    "PixelSetting",
    "Pretrained",
    "Reopened",
    "Rotation",
    "Setting",
    "Supervised",
    "preset",
    "reopen",
    "run",
    "run_stages",
    "run_with",
    "setting_of",
    "sintel",
    "two_stage",
    "yfcc",
]

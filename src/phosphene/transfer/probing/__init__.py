"""Linear probes: how well classes can be told apart from what each layer of a network puts out."""

from phosphene.transfer.probing.result import ProbingResult as ProbingResult
from phosphene.transfer.probing.running import run as run
from phosphene.transfer.probing.setting import ProbingSetting as ProbingSetting

"""Sets of pairs, and how training is fed from them.

`open_pairs` opens shards and the layouts of known data sets; `loader` reads them in workers, in an
order known in advance, augmented; every random choice depends on the seed, the epoch and the
number of the pair alone.
"""

from phosphene.motion.dataset.augmentation import Augmentation as Augmentation
from phosphene.motion.dataset.augmentation import View as View
from phosphene.motion.dataset.augmentation import augment as augment
from phosphene.motion.dataset.augmentation import seen as seen
from phosphene.motion.dataset.loading import Loader as Loader
from phosphene.motion.dataset.loading import loader as loader
from phosphene.motion.dataset.opening import open_pairs as open_pairs
from phosphene.motion.dataset.order import ShuffledOrder as ShuffledOrder
from phosphene.motion.dataset.order import Turn as Turn
from phosphene.motion.dataset.pair_sets import MemoryPairs as MemoryPairs
from phosphene.motion.dataset.pair_sets import PairSet as PairSet
from phosphene.motion.dataset.pair_sets import materialised as materialised
from phosphene.motion.dataset.resampling import Window as Window
from phosphene.motion.dataset.sample import Batch as Batch
from phosphene.motion.dataset.sample import Sample as Sample

__all__ = [
    "Augmentation",
    "Batch",
    "Loader",
    "MemoryPairs",
    "PairSet",
    "Sample",
    "ShuffledOrder",
    "Turn",
    "View",
    "Window",
    "augment",
    "loader",
    "materialised",
    "open_pairs",
    "seen",
]

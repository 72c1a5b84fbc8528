"""Sets of photographs with what is known of them, in the layouts they are published in.

`open_benchmark` opens one by a name such as `voc07:FOLDER,split=trainval`, `open_splits` what is
usually trained and tested with. What a set knows is one of the protocols of `records`.
"""

from phosphene.transfer.benchmarks.caltech import open_caltech as open_caltech
from phosphene.transfer.benchmarks.caltech import random_splits as random_splits
from phosphene.transfer.benchmarks.class_folders import open_class_folders as open_class_folders
from phosphene.transfer.benchmarks.coco import open_coco as open_coco
from phosphene.transfer.benchmarks.comparison import overlap as overlap
from phosphene.transfer.benchmarks.comparison import overlap_note as overlap_note
from phosphene.transfer.benchmarks.comparison import same_classes as same_classes
from phosphene.transfer.benchmarks.imagenet import open_imagenet as open_imagenet
from phosphene.transfer.benchmarks.opening import open_benchmark as open_benchmark
from phosphene.transfer.benchmarks.opening import open_splits as open_splits
from phosphene.transfer.benchmarks.records import UNKNOWN as UNKNOWN
from phosphene.transfer.benchmarks.records import Boxed as Boxed
from phosphene.transfer.benchmarks.records import Boxes as Boxes
from phosphene.transfer.benchmarks.records import InMemory as InMemory
from phosphene.transfer.benchmarks.records import Labelled as Labelled
from phosphene.transfer.benchmarks.records import Photographs as Photographs
from phosphene.transfer.benchmarks.records import Sorted as Sorted
from phosphene.transfer.benchmarks.records import Tagged as Tagged
from phosphene.transfer.benchmarks.selection import held_out as held_out
from phosphene.transfer.benchmarks.selection import selected as selected
from phosphene.transfer.benchmarks.tar_shards import open_tar_shards as open_tar_shards
from phosphene.transfer.benchmarks.voc_boxes import open_voc_boxes as open_voc_boxes
from phosphene.transfer.benchmarks.voc_labels import open_sbd as open_sbd
from phosphene.transfer.benchmarks.voc_labels import open_voc_labels as open_voc_labels
from phosphene.transfer.benchmarks.voc_tags import open_voc_tags as open_voc_tags

__all__ = [
    "UNKNOWN",
    "Boxed",
    "Boxes",
    "InMemory",
    "Labelled",
    "Photographs",
    "Sorted",
    "Tagged",
    "open_benchmark",
    "open_caltech",
    "open_class_folders",
    "open_coco",
    "open_imagenet",
    "open_sbd",
    "open_splits",
    "open_tar_shards",
    "open_voc_boxes",
    "open_voc_labels",
    "open_voc_tags",
    "overlap",
    "overlap_note",
    "random_splits",
    "same_classes",
    "selected",
]

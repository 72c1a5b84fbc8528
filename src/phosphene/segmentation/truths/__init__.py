"""Ground truths of many kinds, read one at a time into one kind of record."""

from phosphene.segmentation.truths.coco import read_coco as read_coco
from phosphene.segmentation.truths.davis import read_davis as read_davis
from phosphene.segmentation.truths.folder import read_folder as read_folder
from phosphene.segmentation.truths.guillaumin import read_guillaumin as read_guillaumin
from phosphene.segmentation.truths.ilsvrc import read_ilsvrc as read_ilsvrc
from phosphene.segmentation.truths.record import Box as Box
from phosphene.segmentation.truths.record import Truth as Truth
from phosphene.segmentation.truths.record import Truths as Truths
from phosphene.segmentation.truths.sample import read_boxes_json as read_boxes_json
from phosphene.segmentation.truths.voc import read_voc as read_voc

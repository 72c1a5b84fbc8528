"""Sets of images, however many and wherever: folders, lists, tar shards, videos, arrays."""

from phosphene.survey.images.image_set import ImageSet as ImageSet
from phosphene.survey.images.opening import open_images as open_images
from phosphene.survey.images.part import Entry as Entry
from phosphene.survey.images.part import Part as Part
from phosphene.survey.images.part import key as key
from phosphene.survey.images.part import place as place

__all__ = ["Entry", "ImageSet", "Part", "key", "open_images", "place"]

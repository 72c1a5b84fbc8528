"""Pictures of what is being learned, as the thesis shows it.

`pictures_of` knows which belong to a learner: embeddings in colours (figure 3.4) and rows of the
two kernels (figure 3.2), flow as it is predicted, regions over their frames with the flow that
their affine models make (figures 4.2 to 4.4), or what frames are taken for.
"""

from phosphene.pretext.pictures.classes import TakenFor as TakenFor
from phosphene.pretext.pictures.classes import taken_for as taken_for
from phosphene.pretext.pictures.embeddings import Embeddings as Embeddings
from phosphene.pretext.pictures.embeddings import embeddings as embeddings
from phosphene.pretext.pictures.embeddings import projected as projected
from phosphene.pretext.pictures.kernels import KernelRows as KernelRows
from phosphene.pretext.pictures.kernels import kernel_rows as kernel_rows
from phosphene.pretext.pictures.of_learner import pictures_of as pictures_of
from phosphene.pretext.pictures.predictions import Predictions as Predictions
from phosphene.pretext.pictures.predictions import predictions as predictions
from phosphene.pretext.pictures.regions import RegionPictures as RegionPictures
from phosphene.pretext.pictures.regions import region_pictures as region_pictures

__all__ = [
    "Embeddings",
    "KernelRows",
    "Predictions",
    "RegionPictures",
    "TakenFor",
    "embeddings",
    "kernel_rows",
    "pictures_of",
    "predictions",
    "projected",
    "region_pictures",
    "taken_for",
]

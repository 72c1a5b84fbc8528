"""Grouping by flow: regions of an image whose motion one simple model explains.

Chapter 4 of A. Mahendran's thesis (2018). A network divides an image into soft regions; a loss
says how badly the flow inside of them is explained by models of one kind, fitted to each region on
the spot. All losses take `masks`, (b, L, h, w), weights of L regions that sum to 1 at every pixel,
`flow`, (b, 2, h, w) in pixels, and `valid`, (b, h, w), the pixels that count (all if `None`); they
return a number, the mean over the images.
"""

from phosphene.pretext.grouping.affine import AffineLoss as AffineLoss
from phosphene.pretext.grouping.constant import ConstantLoss as ConstantLoss
from phosphene.pretext.grouping.entropy import EntropyLoss as EntropyLoss
from phosphene.pretext.grouping.regions import BETA as BETA
from phosphene.pretext.grouping.regions import regions as regions
from phosphene.pretext.grouping.rigid import RigidLoss as RigidLoss

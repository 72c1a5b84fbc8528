"""Classes of pixels: the thesis's protocol for VOC 2012 segmentation.

A network gets a head that tells the class of a pixel, learns on labelled photographs in two stages,
and is judged by mean intersection over union (section 3.3.5 of Mahendran's thesis, 2018, after
Larsson et al., *Colorization as a Proxy Task for Visual Understanding*, CVPR 2017).
"""

from phosphene.transfer.labelling.labeller import Labeller as Labeller
from phosphene.transfer.labelling.result import Labelling as Labelling
from phosphene.transfer.labelling.running import run as run
from phosphene.transfer.labelling.settings import LabellingSetting as LabellingSetting
from phosphene.transfer.labelling.videos import VideoFrames as VideoFrames

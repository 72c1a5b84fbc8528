"""A network that tells the classes of pixels, and learns to."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.errors import SettingError, first_line, out_of_memory
from phosphene.training.free_norm import FreeNorm
from phosphene.training.processes import shared_mean
from phosphene.transfer.benchmarks.records import UNKNOWN
from phosphene.transfer.labelling.examples import Example, canvas_of, fill_of
from phosphene.transfer.labelling.field_of_view import LAYERS, widened
from phosphene.transfer.labelling.heads import ColumnHead, FcnHead
from phosphene.transfer.labelling.settings import LabellingSetting, layers_of
from phosphene.zoo.fcn import pad_first


class Labeller(nn.Module):
    """A copy of a network, with a head that tells the classes of pixels.

    Normalization by batches stays as it is while it learns, as if it had been absorbed into the
    weights (section 4.4.3 of the thesis). A frozen network is run as for evaluation altogether.

    Attributes:
        head: What tells them.
        layers: What it reads.
        name: Of the network.
        classes: How many there are, the ground included.

    Args:
        net: The network; it is copied.
        classes: How many there are.
        setting: The protocol.

    Raises:
        SettingError: The network cannot look at such crops; or which layers are read is not known.
        UnknownLayer: A layer has no map.
        ImageError: The network takes no photographs.
    """

    def __init__(self, net: Network, classes: int, setting: LabellingSetting) -> None:
        super().__init__()
        own = copied(net)
        if setting.padding is not None:
            pad_first(own.module, setting.padding)
        own.module.requires_grad_(True)
        if setting.frozen:
            own.module.requires_grad_(False)
        layers = layers_of(setting, own)
        still = list(own.module.modules()) if setting.frozen else []
        if setting.fov:
            own = widened(own, layers[-1], setting.fov_width, setting.seed)
            layers += LAYERS
        make = ColumnHead if setting.head == "hypercolumn" else FcnHead
        self.head: ColumnHead | FcnHead = make(own, layers, classes, setting)
        self.layers = layers if setting.head == "hypercolumn" else layers[-1:]
        self.name, self.classes, self.setting = own.name, classes, setting
        self.preprocessing = own.preprocessing
        self.fill = fill_of(self.preprocessing)
        # A list, so that these are registered once, within the head.
        still += [m for m in own.module.modules() if isinstance(m, _BatchNorm | FreeNorm)]
        self._still = still
        self.to(own.device)

    def train(self, mode: bool = True) -> Labeller:
        """Switch between learning and evaluating; what is frozen evaluates always."""
        super().train(mode)
        for module in self._still:
            module.training = False
        return self

    def forward(self, batch: Example) -> Tensor:
        """Return the loss of a batch: cross entropy, the mean over pixels whose class is known."""
        scores, labels = self.scores(batch)
        total = F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="sum")
        return shared_mean(total, (labels != UNKNOWN).sum())

    def scores(self, batch: Example) -> tuple[Tensor, Tensor]:
        """Score the pixels of a batch: (b, classes, ...); and give their labels, (b, ...)."""
        image, points, labels = (each.to(self.device) for each in batch)
        scores: Tensor = self.head(self.preprocessing.normalize(image), points)
        return scores, labels

    @torch.no_grad()
    def counted(self, batch: Example) -> Tensor:
        """Return of how many pixels of a batch the class is found, and how many are known: (2,)."""
        scores, labels = self.scores(batch)
        known = labels != UNKNOWN
        return torch.stack((((scores.argmax(1) == labels) & known).sum(), known.sum())).double()

    @torch.no_grad()
    def label(self, photograph: Image.Image) -> NDArray[np.uint8]:
        """Tell the class of every pixel of an RGB photograph: (h, w)."""
        pixels = np.array(photograph)
        h, w = pixels.shape[:2]
        canvas, (top, left) = canvas_of(pixels, self.setting.crop, self.fill)
        x = self.preprocessing.normalize(canvas[None].to(self.device))
        scores = self.head.dense(x, (top, left, h, w), self.setting.stride)
        return scores.argmax(0).byte().cpu().numpy()

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.parameters()).device

    def leave_unused(self, batch: Example) -> None:
        """Leave weights out of learning that no score hangs on, as a classifier's behind fc7.

        Processes that share gradients would wait for those for ever.

        Raises:
            SettingError: The network cannot look at such crops.
        """
        mode = self.training
        self.eval()
        try:
            self(batch).backward()
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            raise SettingError(
                f"{self.name} cannot look at crops of {self.setting.crop} px "
                f"({first_line(error, 100)}): give another size"
            ) from error
        for parameter in self.parameters():
            if parameter.grad is None:
                parameter.requires_grad_(False)
        self.zero_grad()
        self.train(mode)

    @torch.no_grad()
    def standardize(self, batches: list[Example]) -> None:
        """Bring hypercolumns to mean 0 and variance 1 over the pixels of some batches."""
        if not isinstance(self.head, ColumnHead):
            raise SettingError("fcn-32s has no hypercolumn that could be standardized")
        mode = self.training
        self.eval()
        found = []
        for batch in batches:
            x = self.preprocessing.normalize(batch.image.to(self.device))
            columns = self.head.column(x, batch.points.to(self.device)).flatten(0, 1)
            found.append(columns[batch.labels.flatten().to(self.device) != UNKNOWN])
        self.head.measure(torch.cat(found))
        self.train(mode)

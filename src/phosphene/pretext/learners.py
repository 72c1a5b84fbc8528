"""What the training loop teaches: a network, what it is shown, and what it is told of it.

Each learner is called with a batch and answers with its loss, so that passes, losses and learned
constants are one module for many processes. What is random of a batch (which pixels are compared)
depends on the seed, the epoch and the pair alone, not on how many processes share the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.flow import Flow
from phosphene.motion.normalization import normalized
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.flow_targets import FlowClassLoss, FlowRegressionLoss, ForegroundLoss
from phosphene.pretext.foreground import foreground
from phosphene.pretext.grouping import BETA, regions
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.pretext.rotation import Classifier, RotationLoss, rotated
from phosphene.pretext.sampling import PIXELS, at_pixels, sample_pixels
from phosphene.training.seeds import seeded
from phosphene.zoo.fcn import Fcn


class PixelLearner(nn.Module):
    """Learns what single pixels are told of their flow: similarities, classes, or itself.

    Attributes:
        network: What learns.
        loss: What it is judged by, given outputs, (b, n, d), flow normalized by (3.8), (b, n, 2),
            and which of it is known.

    Args:
        network: What learns; its outputs must be as many as the loss needs.
        preprocessing: How images are shown to it.
        loss: What it is judged by.
        pixels: How many pixels of each image are looked at; 512 in the thesis.
        seed: Of which.
    """

    def __init__(
        self,
        network: PixelNetwork,
        preprocessing: Preprocessing,
        loss: CrossPixelLoss | FlowClassLoss | FlowRegressionLoss | ForegroundLoss,
        pixels: int = PIXELS,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.preprocessing, self.pixels, self.seed = preprocessing, pixels, seed

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        points, known = self.drawn(batch)
        outputs = self.network(self.preprocessing.normalize(batch.image), points)
        loss: Tensor = self.loss(outputs, self.target(batch, points), known)
        return loss

    def target(self, batch: Batch, points: Tensor) -> Tensor:
        """Return what pixels are told, (b, n, 2) or, of what is in front, (b, n, 1)."""
        if isinstance(self.loss, ForegroundLoss):
            front = [
                torch.from_numpy(foreground(Flow.of(flow.movedim(0, 2).numpy(), valid.numpy())))
                for flow, valid in zip(batch.flow.cpu(), batch.valid.cpu(), strict=True)
            ]
            return at_pixels(torch.stack(front)[:, None].to(points), points)
        return normalized(at_pixels(batch.flow, points).movedim(2, 1)).movedim(1, 2)

    def drawn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Draw the pixels of a batch: (b, n, 2), and whether their flow is known, (b, n)."""
        each = [
            sample_pixels(valid[None], self.pixels, self._generator(batch.epoch, int(index)))
            for valid, index in zip(batch.valid, batch.indices, strict=True)
        ]
        points, known = zip(*each, strict=True)
        return torch.cat(points), torch.cat(known)

    def _generator(self, epoch: int, index: int) -> torch.Generator:
        return seeded(self.seed, epoch, index)


class GroupingLearner(nn.Module):
    """Learns to divide images into regions whose flow a simple model explains.

    Attributes:
        network: What scores pixels, (b, L, h, w).
        loss: What regions are judged by; see `phosphene.pretext.grouping`.

    Args:
        network: What learns.
        preprocessing: How images are shown to it.
        loss: What its regions are judged by.
        beta: How sharp they are; 10 or 30 in the thesis.
    """

    def __init__(
        self, network: Fcn, preprocessing: Preprocessing, loss: nn.Module, beta: float = BETA
    ) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.preprocessing, self.beta = preprocessing, beta

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self.loss(self.masks(batch.image), batch.flow, batch.valid)
        return loss

    def masks(self, image: Tensor) -> Tensor:
        """Divide (b, 3, h, w) RGB images in [0, 1]: (b, L, h, w) weights of regions."""
        return regions(self.network(self.preprocessing.normalize(image)).float(), self.beta)


class RotationLearner(nn.Module):
    """Learns which way up frames are.

    Args:
        net: The network that learns.
        layer: Its layer that is classified by.
        seed: Of the classifier.
    """

    def __init__(self, net: Network, layer: str, seed: int = 0) -> None:
        super().__init__()
        self.network = Classifier(net, layer, 4, seed)
        self.preprocessing = net.preprocessing
        self.loss = RotationLoss()

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, of which only the frames are looked at."""
        images, turn = rotated(batch.image)
        loss: Tensor = self.loss(self.network(self.preprocessing.normalize(images)), turn)
        return loss


class SupervisedLearner(nn.Module):
    """Learns the classes of photographs.

    Args:
        net: The network that learns.
        layer: Its layer that is classified by.
        class_of: (n,) the class of every photograph of the set, by its number.
        seed: Of the classifier.

    Raises:
        SettingError: There are fewer than two classes.
    """

    def __init__(self, net: Network, layer: str, class_of: Tensor, seed: int = 0) -> None:
        super().__init__()
        classes = int(class_of.max()) + 1
        if classes < 2:
            raise SettingError(
                "photographs of one class teach nothing: give a folder of two or more classes"
            )
        self.network = Classifier(net, layer, classes, seed)
        self.preprocessing, self.class_of = net.preprocessing, class_of

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch of photographs."""
        scores = self.network(self.preprocessing.normalize(batch.image))
        label = self.class_of[batch.indices.cpu()].to(scores.device)
        return nn.functional.cross_entropy(scores.float(), label)

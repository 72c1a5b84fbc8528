"""What the layers of a frozen network make of images, all in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.recording import Recorder
from phosphene.errors import NetworkError, OutOfMemory, SettingError, out_of_memory
from phosphene.transfer.probing.grids import Grid, Resize

# AlexNet's blocks, behind their activations, as networks of its kind call them.
_BLOCKS = ("relu1", "pool1", "relu2", "pool2", "relu3", "relu4", "relu5", "pool5")


class FrozenFeatures:
    """Shows a network images, and resizes what some of its layers put out.

    Convolutions and fully connected layers are read behind a ReLU, as in Caffe's networks, where it
    works in their own place; all other layers as they are.

    Attributes:
        network: The network, in evaluation mode while it runs; never changed.
        layers: Names of the layers.
        grids: How their maps are resized.
        at_once: Images that go through it together.

    Args:
        net: The network.
        layers: Names; those of AlexNet's blocks if empty.
        resize: How; see `grids`.
        device: Where to run; a copy is run where the network is somewhere else.
        at_once: Images that go through it together; 8 on a processor and 128 elsewhere if `None`.

    Raises:
        UnknownLayer: There is no layer of a name.
        SettingError: A layer puts out no maps, or no layers are named and none are known.
    """

    def __init__(
        self,
        net: Network,
        layers: Sequence[str] = (),
        resize: Resize = "bilinear",
        *,
        device: torch.device | str = "cpu",
        at_once: int | None = None,
    ) -> None:
        self.layers = tuple(layers) or _blocks(net)
        addresses = [net.address(layer) for layer in self.layers]
        self.network = _on(net, torch.device(device))
        self.at_once = at_once or (8 if self.network.device.type == "cpu" else 128)
        known = dict(net.module.named_modules())
        weighted = [isinstance(known.get(a.path), nn.Conv2d | nn.Linear) for a in addresses]
        self._rectified = dict(zip(self.layers, weighted, strict=True))
        self._recorder = Recorder(self.network, self.layers)
        height, width = net.preprocessing.input_size
        gray = torch.full((2, height, width, 3), 128, dtype=torch.uint8)
        self._order = self._quickest(gray)
        codes = self._pass(gray)
        self.grids = tuple(Grid.of(layer, codes[layer], resize) for layer in self.layers)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the features of images.

        Args:
            images: (b, h, w, 3), uint8 RGB, of the network's input size.

        Returns:
            (b, rows, columns, channels) for each layer, float32, without gradients.

        Raises:
            OutOfMemory: As many do not go through the network together.
        """
        made = [
            torch.empty((len(images), *g.side, g.channels), device=self.network.device)
            for g in self.grids
        ]
        with torch.no_grad():
            for start in range(0, len(images), self.at_once):
                part = images[start : start + self.at_once]
                codes = self._pass(part)
                for layer, grid, kept in zip(self.layers, self.grids, made, strict=True):
                    kept[start : start + len(part)] = grid(codes[layer])
        return made

    def rectified(self, layer: str) -> bool:
        """Tell whether a layer is read behind a ReLU that is put there."""
        return self._rectified[layer]

    def _pass(self, images: Tensor) -> dict[str, Tensor]:
        image = images.to(self.network.device).permute(0, 3, 1, 2).to(self.network.dtype) / 255
        try:
            # One image passes for contiguous whatever its strides; a clone has them for sure.
            codes = self._recorder(
                image.clone(memory_format=self._order)
                if len(image) == 1
                else image.contiguous(memory_format=self._order)
            )
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise OutOfMemory(
                f"{len(image)} images at a time are more than memory holds: give a smaller at_once"
            ) from error
        return {
            name: (code.clamp(min=0) if self._rectified[name] else code)
            for name, code in codes.items()
        }

    def _quickest(self, gray: Tensor) -> torch.memory_format:
        """Find the order in memory: on processors the channels of a pixel together, if that runs.

        Convolutions take little more than half the time then. Networks that flatten maps with
        `view` run in the other order only.
        """
        self._order = torch.channels_last
        if self.network.device.type == "cpu":
            try:
                self._pass(gray)
                return torch.channels_last
            except NetworkError:
                pass
        return torch.contiguous_format


def _on(net: Network, device: torch.device) -> Network:
    """Return a network on a device: itself, or a copy of it."""
    if net.device.type == device.type and device.index in (None, net.device.index):
        return net
    moved = copied(net)
    moved.module.to(device)
    return moved


def _blocks(net: Network) -> tuple[str, ...]:
    """Return AlexNet's layers where the network has all of them."""
    known = {*dict(net.module.named_modules()), *net.aliases}
    if known >= set(_BLOCKS):
        return _BLOCKS
    raise SettingError(
        f"{net.name} has not the layers of AlexNet ({', '.join(_BLOCKS)}): name those to be probed "
        "(`phosphene layers` lists them)"
    )

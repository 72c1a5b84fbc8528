"""What shape a layer's output has for an image of a given size, without computing it."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
)

from phosphene.core.representation import Representation
from phosphene.errors import NetworkError

_NOT_FAKED = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
)


def output_shape(phi: Representation, size: tuple[int, int]) -> tuple[int, ...]:
    """Return the shape of a layer's output, batch included, for one image of a size.

    The pass is run on tensors that have a shape and no values (PyTorch's fake tensors), so that a
    deep network on a large image costs milliseconds; a network whose shapes depend on its values
    is run for real.

    Args:
        phi: The layer.
        size: (h, w) of the image.

    Raises:
        NetworkError: The layers in front do not take an image of this size.
    """
    net = phi.network
    channels = net.blank().shape[1]
    with net.running(gradients=False):
        try:
            with FakeTensorMode(allow_non_fake_inputs=True):
                image = torch.empty(1, channels, *size, device=net.device, dtype=net.dtype)
                return tuple(int(n) for n in phi(image).shape)
        except (NetworkError, *_NOT_FAKED) as error:
            if not isinstance(error.__cause__ or error, _NOT_FAKED):
                raise
            image = torch.full((1, channels, *size), 0.5, device=net.device, dtype=net.dtype)
            return tuple(int(n) for n in phi(image).shape)

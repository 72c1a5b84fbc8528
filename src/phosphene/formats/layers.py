"""The layers that other frameworks have and PyTorch lacks, as ordinary modules.

Wherever `torch.nn` has the same layer, that one is used (`nn.Conv2d`, `nn.ReLU`, `nn.MaxPool2d`,
...), so that a network from a file looks like any other. What remains is here. Values stay maps,
(b, c, h, w), throughout: a code without places is (b, c, 1, 1).

`KINDS` names all modules that a network's description may ask for.
"""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.errors import NetworkError


class FullyConnected(nn.Conv2d):
    """A layer that sees the whole map it was declared on, as a convolution with a kernel that big.

    On a larger map it slides, as in a network "applied fully convolutionally" (Long, Shelhamer &
    Darrell, CVPR 2015): the output has a place for each position of the declared map. Caffe's own
    layer refuses such an input.

    Args:
        in_channels: Channels of the map.
        out_channels: How many outputs.
        kernel_size: (h, w) of the map that it was declared on.
        bias: Whether an offset is learned.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: (b, in_channels, h, w), at least as large as the kernel.

        Returns:
            (b, out_channels, h - kernel h + 1, w - kernel w + 1).

        Raises:
            NetworkError: The map is smaller than the one that the layer was declared on.
        """
        height, width = self.kernel_size
        if x.shape[-2:] == (height, width) and x.shape[-3] == self.in_channels:
            # The common case as the matrix product that it is: several times as fast.
            return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]
        if x.shape[-2] < height or x.shape[-1] < width:
            raise NetworkError(
                f"a fully connected layer was given maps of {x.shape[-2]}x{x.shape[-1]}, but needs "
                f"the {height}x{width} that it was declared on; feed the network a larger image"
            )
        return super().forward(x)


class Concat(nn.Module):
    """Join maps along a dimension, the channels unless told otherwise."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the maps as one."""
        return torch.cat(maps, self.dim)


class Slice(nn.Module):
    """Cut a map into pieces along a dimension; the opposite of `Concat`."""

    def __init__(self, sizes: tuple[int, ...], dim: int = 1) -> None:
        super().__init__()
        self.sizes = sizes
        self.dim = dim

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the pieces, of the declared sizes."""
        return torch.split(x, list(self.sizes), self.dim)


class Eltwise(nn.Module):
    """Combine maps of the same shape place by place.

    Args:
        operation: `"sum"`, `"prod"` or `"max"`.
        coefficients: What each map is multiplied with before a sum; all 1 where empty.
    """

    def __init__(self, operation: str = "sum", coefficients: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.operation = operation
        self.coefficients = coefficients

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the combination, of the shape of each map."""
        if self.operation == "prod":
            return reduce(torch.mul, maps)
        if self.operation == "max":
            return reduce(torch.maximum, maps)
        if self.coefficients:
            pairs = zip(self.coefficients, maps, strict=True)
            maps = tuple(x if scale == 1 else scale * x for scale, x in pairs)
        return reduce(torch.add, maps)


class Scale(nn.Module):
    """Multiply each channel by a learned factor and, with `bias`, add a learned offset."""

    bias: nn.Parameter | None

    def __init__(self, channels: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        offset = nn.Parameter(torch.zeros(channels)) if bias else None
        self.register_parameter("bias", offset)

    def forward(self, x: Tensor) -> Tensor:
        """Return `weight * x + bias`, of the shape of `x`: (b, channels, h, w)."""
        y = x * self.weight[:, None, None]
        return y if self.bias is None else y + self.bias[:, None, None]


class WithinChannelLRN(nn.Module):
    """Local response normalization over a square of places of the same channel.

    `y = x * (1 + alpha * mean(x^2)) ** -beta`, the mean taken over `size` x `size` places, those
    outside of the map counting as zeros. (Across channels, it is `nn.LocalResponseNorm`.)

    Args:
        size: Side of the square in places, odd.
        alpha: Weight of the squares.
        beta: Exponent.
    """

    def __init__(self, size: int, alpha: float = 1.0, beta: float = 0.75) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized map, of the shape of `x`: (b, c, h, w)."""
        mean = F.avg_pool2d(x * x, self.size, stride=1, padding=(self.size - 1) // 2)
        return x * (1 + self.alpha * mean) ** -self.beta


class _PaddedPool2d(nn.Module):
    """Pooling with a padding of its own on each side, of which no window sees the values.

    Args:
        kernel_size: (h, w) of the windows.
        stride: (down, right) from one window to the next.
        padding: (left, right, top, bottom), each less than the window.
    """

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding


class PaddedMaxPool2d(_PaddedPool2d):
    """`nn.MaxPool2d` with a padding of its own on each side."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest number in each window."""
        padded = F.pad(x, self.padding, value=-torch.inf)
        return F.max_pool2d(padded, self.kernel_size, self.stride)


class PaddedAvgPool2d(_PaddedPool2d):
    """`nn.AvgPool2d` with a padding of its own on each side, which does not count."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over the part of each window that lies on the map."""
        return self._sum(x) / self._sum(torch.ones_like(x[:1, :1]))

    def _sum(self, x: Tensor) -> Tensor:
        padded = F.pad(x, self.padding)
        return F.avg_pool2d(padded, self.kernel_size, self.stride, divisor_override=1)


class Flatten(nn.Module):
    """Turn a map into a code without places: (b, c, h, w) -> (b, c*h*w, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the code, channel by channel."""
        return x.flatten(1)[:, :, None, None]


class Crop(nn.Module):
    """Cut a map to the height and width of another, `offset` (down, right) from its corner."""

    def __init__(self, offset: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Return the part of `x` that has the size of `like`."""
        top, left = self.offset
        return x[..., top : top + like.shape[-2], left : left + like.shape[-1]]


class Power(nn.Module):
    """`(shift + scale * x) ** power`."""

    def __init__(self, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.power = power
        self.scale = scale
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each number."""
        y = self.shift + self.scale * x
        return y if self.power == 1 else y**self.power


class Absolute(nn.Module):
    """`|x|`."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each number."""
        return x.abs()


_OWN = (
    Absolute, Concat, Crop, Eltwise, Flatten, FullyConnected, PaddedAvgPool2d, PaddedMaxPool2d,
    Power, Scale, Slice, WithinChannelLRN,
)  # fmt: skip
_TORCH = (
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.BatchNorm2d, nn.Conv2d,
    nn.ConvTranspose2d, nn.Dropout, nn.ELU, nn.Identity, nn.LeakyReLU, nn.LocalResponseNorm,
    nn.MaxPool2d, nn.PReLU, nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Softmax, nn.Softplus, nn.Tanh,
    nn.ZeroPad2d,
)  # fmt: skip

KINDS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (*_OWN, *_TORCH)}

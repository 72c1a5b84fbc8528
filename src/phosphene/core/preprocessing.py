"""What happens to a photograph before a network sees it.

Two steps, kept apart because the signals of reversed networks must be taken back through one of
them only:

1. *fit*: a photograph of any size becomes an RGB image in [0, 1] of the size the network is fed
   (resize on 8-bit pixels with an antialiased kernel, aspect kept, then centre crop);
2. *normalize*: that image becomes the network's input, per channel
   `x = (scale * image - mean) / std`, in the network's own channel order.

Step 2 is affine, so a gradient with respect to `x` becomes one with respect to the RGB image by
`scale / std` and a permutation of channels: `pull_back`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from phosphene.errors import ImageError, NetworkError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

Order = Literal["RGB", "BGR", "gray", "any"]
Resize = Literal["shorter", "stretch", "native"]
Interpolation = Literal["bilinear", "bicubic"]

# ITU-R BT.601, the luma of JPEG and of PIL's "L".
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Frame:
    """Where on a photograph the network's input lies.

    Attributes:
        photograph: (h, w) of the photograph, pixels.
        resized: (h, w) of the photograph after the resize.
        box: (top, left, height, width) of the input inside the resized photograph.
    """

    photograph: tuple[int, int]
    resized: tuple[int, int]
    box: tuple[int, int, int, int]

    def on_photograph(self) -> tuple[float, float, float, float]:
        """Return the box (top, left, height, width) in pixels of the photograph itself."""
        (ph, pw), (rh, rw), (top, left, height, width) = self.photograph, self.resized, self.box
        return top * ph / rh, left * pw / rw, height * ph / rh, width * pw / rw


@dataclass(frozen=True)
class MeanImage:
    """A mean that differs from place to place, as a value that can be compared and hashed.

    Attributes:
        shape: (c, h, w), channels in the network's order.
        data: The numbers, float32, in that order of axes.
    """

    shape: tuple[int, int, int]
    data: bytes

    @classmethod
    def of(cls, image: NDArray[Any]) -> MeanImage:
        """Make one from an array (c, h, w), in the network's scale and order of channels."""
        channels, height, width = image.shape
        return cls((channels, height, width), image.astype("<f4").tobytes())

    def __repr__(self) -> str:
        return f"MeanImage({'x'.join(map(str, self.shape))})"

    @property
    def array(self) -> NDArray[Any]:
        """The numbers, (c, h, w)."""
        import numpy as np

        return np.frombuffer(self.data, "<f4").reshape(self.shape)

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean over all places, per channel."""
        return tuple(map(float, self.array.mean((1, 2), dtype="f8")))


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its images.

    Attributes:
        input_size: (h, w) that the network is fed by default, pixels.
        mean: Subtracted per channel, in the network's channel order, after `scale`.
        std: Divided by per channel, likewise.
        scale: The range of the network's pixels: 1 for [0, 1], 255 for [0, 255].
        order: The network's channels: `"RGB"`, `"BGR"`, `"gray"` (one channel, BT.601 luma), or
            `"any"` for networks of other inputs (tensors go in as they are, photographs do not).
        resize: `"shorter"` brings the shorter side to `resize_to`, keeping the aspect, and crops
            the centre; `"stretch"` goes straight to `input_size`, or, with `resize_to`, to that
            much more than `input_size` and crops the centre; `"native"` leaves it as it is.
        resize_to: Length of the shorter side after the resize, pixels; `None` is the longer of
            `input_size`, and just `input_size` where stretched.
        interpolation: Antialiased kernel of the resize.
        mean_image: Subtracted in place of `mean` from inputs of exactly its size; its own mean
            over all places has to be what `mean` says. With another `mean` it is dropped, so that
            `replace(preprocessing, mean=...)` does what it says.

    >>> Preprocessing((227, 227), mean=(104, 117, 123), std=(1, 1, 1), scale=255, order="BGR")
    Preprocessing(227x227, BGR * 255 - (104, 117, 123), shorter side 227)
    """

    input_size: tuple[int, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    order: Order = "RGB"
    resize: Resize = "shorter"
    resize_to: int | None = None
    interpolation: Interpolation = "bilinear"
    mean_image: MeanImage | None = None

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            known = ", ".join(get_args(Order))
            raise NetworkError(f"{self.order!r} is no order of channels; choose one of {known}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels or len(values)) or not values:
                raise NetworkError(
                    f"{name} {_numbers(values)} does not fit {self.order}: give one number, or one "
                    "per channel"
                )
        if not all(self.std) or not self.scale or min(self.input_size) < 1:
            raise NetworkError(
                f"std {_numbers(self.std)}, scale {self.scale:g} and the input size "
                f"{self.input_size} must not be zero"
            )
        if self.mean_image is not None and self.mean_image.mean != self.mean:
            object.__setattr__(self, "mean_image", None)

    def __repr__(self) -> str:
        return f"Preprocessing({self})"

    def __str__(self) -> str:
        """Say it in one line, the way papers do."""
        height, width = self.input_size
        scale = f" * {self.scale:g}" if self.scale != 1 else ""
        mean = f" - {_numbers(self.mean)}" if any(self.mean) else ""
        if self.mean_image is not None:
            mean = f" - an image of mean {_numbers(self.mean)}"
        std = f" / {_numbers(self.std)}" if any(s != 1 for s in self.std) else ""
        if self.resize == "native":
            return f"{self.order}{scale}{mean}{std}, at the photograph's own size"
        resize = f"shorter side {self.shorter_side}"
        if self.resize == "stretch":
            resize = f"stretched to {self.resize_to}" if self.resize_to else "stretched"
        return f"{height}x{width}, {self.order}{scale}{mean}{std}, {resize}"

    @property
    def shorter_side(self) -> int:
        """Length of the shorter side after the resize, pixels."""
        return self.resize_to or max(self.input_size)

    @property
    def channels(self) -> int | None:
        """How many channels the network has at its input; `None` where that is not fixed."""
        return {"RGB": 3, "BGR": 3, "gray": 1, "any": None}[self.order]

    def fit(self, photograph: Image, whole: bool = False) -> tuple[Image, Frame]:
        """Bring a photograph to the size the network is fed.

        Args:
            photograph: RGB photograph of any size.
            whole: Keep the whole photograph after the resize (for fully convolutional
                application) instead of cropping its centre.

        Returns:
            The RGB image and the frame that says which part of the photograph it is.
        """
        from PIL.Image import Resampling

        kernel = Resampling.BICUBIC if self.interpolation == "bicubic" else Resampling.BILINEAR
        width, height = photograph.size
        if self.resize == "native":
            return photograph, Frame((height, width), (height, width), (0, 0, height, width))
        if self.resize == "stretch" and not whole:
            more = (self.resize_to or min(self.input_size)) / min(self.input_size)
            resized = (round(self.input_size[0] * more), round(self.input_size[1] * more))
        else:
            ratio = self.shorter_side / min(height, width)
            resized = (max(1, round(height * ratio)), max(1, round(width * ratio)))
        image = photograph
        if resized != (height, width):
            image = photograph.resize((resized[1], resized[0]), kernel)
        crop = resized if whole else self.input_size
        top, left = (resized[0] - crop[0]) // 2, (resized[1] - crop[1]) // 2
        if crop != resized:
            # A crop larger than the resized photograph pads with black, as Caffe does not: say so.
            if top < 0 or left < 0:
                raise ImageError(
                    f"an input of {crop[0]}x{crop[1]} px cannot be cropped from a photograph "
                    f"resized to {resized[0]}x{resized[1]}: raise resize_to to at least "
                    f"{max(crop)}"
                )
            image = image.crop((left, top, left + crop[1], top + crop[0]))
        return image, Frame((height, width), resized, (top, left, crop[0], crop[1]))

    def normalize(self, image: Tensor) -> Tensor:
        """Turn RGB images in [0, 1] into the network's input, differentiably.

        Args:
            image: (b, 3, h, w) RGB in [0, 1]; for `"gray"` (b, 1, h, w) passes too; for `"any"`
                whatever the network takes.

        Returns:
            (b, c, h, w), `(scale * image - mean) / std` in the network's channel order.
        """
        if self.order == "BGR":
            image = image.flip(1)
        elif self.order == "gray":
            image = self.in_own_channels(image)
        if self.scale != 1:
            image = image * self.scale
        if self.mean_image is not None or any(self.mean):
            image = image - self._mean_of(image)
        if any(s != 1 for s in self.std):
            image = image / image.new_tensor(self.std).view(1, -1, 1, 1)
        return image

    def in_own_channels(self, image: Tensor) -> Tensor:
        """Turn (b, 3, h, w) RGB images into (b, 1, h, w) luma for a gray network, only there."""
        if self.order == "gray" and image.shape[1] == 3:
            return (image * image.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        return image

    def denormalize(self, x: Tensor) -> Tensor:
        """Undo `normalize`: (b, c, h, w) network input -> RGB (gray stays gray) in [0, 1]."""
        x = x * x.new_tensor(self.std).view(1, -1, 1, 1)
        x = (x + self._mean_of(x)) / self.scale
        return x.flip(-3) if self.order == "BGR" else x

    def _mean_of(self, x: Tensor) -> Tensor:
        """Return the mean that belongs to an input, (1, c, 1, 1) or (1, c, h, w)."""
        if self.mean_image is not None and self.mean_image.shape[1:] == tuple(x.shape[-2:]):
            return x.new_tensor(self.mean_image.array)[None]
        return x.new_tensor(self.mean).view(1, -1, 1, 1)

    def pull_back(self, signal: Tensor) -> Tensor:
        """Take a signal on the network's input back to the RGB image.

        Args:
            signal: (..., c, h, w), a derivative with respect to the network's input.

        Returns:
            (..., c, h, w), the derivative with respect to the image in [0, 1], channels in RGB
            order. A gray network keeps its one channel.
        """
        gain = [self.scale / s for s in self.std]
        if any(g != 1 for g in gain):
            signal = signal * signal.new_tensor(gain).view(-1, 1, 1)
        return signal.flip(-3) if self.order == "BGR" else signal


def distortion(name: str, frame: Frame, least: float = 0.05) -> str:
    """Say that a photograph was distorted by its resize, if by more than a little.

    Args:
        name: What to call it.
        frame: Where the network's input lies on it.
        least: Change of the ratio of its sides that is not worth a word.

    Returns:
        A sentence, or nothing.
    """
    (height, width), (tall, wide) = frame.photograph, frame.resized
    change = (wide / width) / (tall / height)
    if abs(change - 1) <= least:
        return ""
    more = f"{max(change, 1 / change) - 1:.0%} too {'wide' if change > 1 else 'tall'}"
    return (
        f"{name} ({width}x{height}) was stretched to {wide}x{tall}, as the network wants it, and "
        f"is shown {more}: crop it first if that matters"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"({', '.join(f'{v:g}' for v in values)})"

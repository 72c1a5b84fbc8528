"""A MatConvNet network with the preprocessing and the labels of its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phosphene.core.network import Network
from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import FormatError
from phosphene.formats.matconvnet import load_matconvnet
from phosphene.formats.matconvnet_meta import MatMeta


def open_matconvnet(path: Path, size: tuple[int, int] | None = None) -> Network:
    """Open a MatConvNet network.

    Images are what its file says: RGB in 0..255 minus `averageImage` (one number a channel, or an
    image), resized to `imageSize + border` by its interpolation, the aspect kept unless it says
    otherwise. Networks of one input channel get luma in 0..255.

    Args:
        path: The `.mat` file.
        size: (h, w) of the input, for files that do not say it, pixels.

    Raises:
        FormatError: The file cannot be understood.
    """
    module, meta = load_matconvnet(path, size)
    preprocessing = _preprocessing(module.input_size, meta, path)
    return Network(module, preprocessing, meta.labels, path.stem, module.aliases)


def _preprocessing(size: tuple[int, int, int], meta: MatMeta, path: Path) -> Preprocessing:
    channels, height, width = size
    if channels not in (1, 3):
        return Preprocessing((height, width), order="any")
    # As much of the photograph is cut away as is said, also where the input is no square.
    more = max(meta.resized[0] / height, meta.resized[1] / width)
    shorter = max(meta.resized) if meta.keep_aspect else round(more * min(height, width))
    preprocessing = Preprocessing(
        (height, width),
        scale=255.0,
        order="RGB" if channels == 3 else "gray",
        resize="shorter" if meta.keep_aspect else "stretch",
        resize_to=shorter,
        interpolation="bicubic" if meta.interpolation == "bicubic" else "bilinear",
    )
    average = meta.average
    if average is None:
        return preprocessing
    if average.shape[0] not in (1, channels):
        raise FormatError(
            f"{path}: averageImage has {average.shape[0]} channels, where the network sees "
            f"{channels}"
        )
    if average.shape[1:] == (1, 1):
        return replace(preprocessing, mean=tuple(map(float, average.ravel())))
    image = MeanImage.of(average)
    return replace(preprocessing, mean=image.mean, mean_image=image)

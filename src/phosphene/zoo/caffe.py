"""A Caffe network with its usual preprocessing and the labels beside it."""

from __future__ import annotations

from pathlib import Path

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.formats.caffe import load_caffe
from phosphene.zoo.labels import read_labels

# The mean of ImageNet's pixels, blue, green, red, as Caffe's own models subtract it.
MEAN = (104.0, 117.0, 123.0)


def open_caffe(path: Path, prototxt: str | Path | None = None) -> Network:
    """Open a caffemodel.

    Neither of Caffe's two files says how images are prepared, so what its ImageNet models share
    is assumed: BGR in 0..255 minus (104, 117, 123), shorter side 256, centre crop. Networks of
    one input channel get luma in 0..255.

    Args:
        path: The binary file.
        prototxt: Its description; by default the file of the same name ending in `.prototxt`,
            or `deploy.prototxt`, from the same folder.

    Raises:
        FormatError: The files cannot be understood, or do not belong together.
    """
    module = load_caffe(path, prototxt)
    channels, height, width = module.input_size
    size, shorter = (height, width), max(256, height, width)
    if channels == 3:
        preprocessing = Preprocessing(
            size, MEAN, (1.0,), 255.0, "BGR", resize_to=shorter, interpolation="bilinear"
        )
    elif channels == 1:
        preprocessing = Preprocessing(size, scale=255.0, order="gray", resize_to=max(size))
    else:
        preprocessing = Preprocessing(size, order="any")
    labels = path.parent / "labels.csv"
    names = read_labels(labels) if labels.exists() else ()
    return Network(module.eval(), preprocessing, names, path.stem, module.aliases)

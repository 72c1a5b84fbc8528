"""What a MatConvNet file says about the images its network was trained on, and its classes.

`averageImage` is one number a channel (1x1x3, or three numbers in any shape) or an image of the
input's size; where none was known, converters wrote `[]` or `[0 0]`. Photographs are resized to
`imageSize + border`, the aspect kept or not, and the centre is cropped; later files say `cropSize`,
the fraction of the resized photograph that is seen.

*Reference*: `cnn_imagenet_get_batch.m`, `getImageBatch.m` and `import-caffe.py` of MatConvNet 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.formats.matconvnet_file import Struct
from phosphene.formats.matconvnet_net import MatNet

Size = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MatMeta:
    """How a network wants its images, and what it calls its classes.

    Attributes:
        average: (c, h, w), or (c, 1, 1), subtracted from pixels of 0 to 255; `None` if not said.
        resized: (h, w) that photographs are resized to before the crop.
        keep_aspect: Whether the resize keeps the aspect, the photograph then covering `resized`.
        interpolation: MATLAB's name of the resize's kernel.
        labels: Names of the classes; may be empty.
    """

    average: NDArray[Any] | None
    resized: tuple[int, int]
    keep_aspect: bool
    interpolation: str
    labels: tuple[str, ...]


def input_size(net: MatNet, given: tuple[int, int] | None = None) -> Size:
    """Find out the size of a network's input.

    Args:
        net: The network.
        given: (h, w) from whoever opens the file, in place of what it says itself.

    Returns:
        (channels, height, width).

    Raises:
        FormatError: The file does not say it.
    """
    said = _said_size(net)
    average = average_image(net.meta)
    if not said and average is not None and average.shape[1] > 1:
        said = (*average.shape[1:], average.shape[0])
    if not said and not given:
        raise net.meta.error(
            "does not say the size of the network's input (meta.normalization.imageSize); give it "
            "as input_size=(height, width)"
        )
    channels = said[2] if len(said) > 2 else _first_depth(net)
    height, width = given or said[:2]
    return channels, height, width


def read_meta(meta: Struct, size: tuple[int, int]) -> MatMeta:
    """Read how images are prepared.

    Args:
        meta: The file's `meta`.
        size: (h, w) of the network's input.

    Raises:
        FormatError: A field holds something of another kind.
    """
    normalization, classes = meta.struct("normalization"), meta.struct("classes")
    border = normalization.wholes("border", (0, 0))
    fraction = normalization.reals("cropSize", (1.0,))[0]
    resized = (size[0] + border[0], size[1] + border[-1])
    if not any(border) and 0 < fraction < 1:
        resized = (round(size[0] / fraction), round(size[1] / fraction))
    labels = classes.texts("description") if "description" in classes else ()
    return MatMeta(
        average_image(meta),
        resized,
        bool(normalization.reals("keepAspect", (1.0,))[0]),
        normalization.text("interpolation", "bilinear"),
        labels if any(labels) else classes.texts("name"),
    )


def average_image(meta: Struct) -> NDArray[Any] | None:
    """Return what is subtracted, (c, h, w) or (c, 1, 1); `None` where nothing is said."""
    normalization = meta.struct("normalization")
    average = normalization.array("averageImage")
    if not average.any():
        return None
    if average.size in (1, 3) or average.ndim > 3:
        if average.size > 3:
            raise normalization.error(f"has an averageImage of shape {average.shape}")
        return average.reshape(-1, 1, 1)
    return average.reshape(*average.shape[:2], -1).transpose(2, 0, 1)


def _said_size(net: MatNet) -> tuple[int, ...]:
    """Return (h, w) or (h, w, c, ...) as the file says it, or nothing."""
    places = [(net.meta.struct("normalization"), "imageSize"), (net.meta, "inputSize")]
    inputs = net.meta.structs("inputs") if "inputs" in net.meta else ()
    places += [(each, "size") for each in inputs if each.text("name") == net.input_blob]
    for place, name in places:
        said = place.wholes(name)
        if said and min(said[:2]) > 0:
            return said * 2 if len(said) == 1 else said
    return ()


def _first_depth(net: MatNet) -> int:
    """Return how many channels the first filters see; images come in one group."""
    for layer in net.layers:
        if layer.kind == "conv" and net.input_blob in layer.bottoms and layer.weights:
            return int(np.shape(layer.weights[0])[2]) if layer.weights[0].ndim > 2 else 1
    return 3

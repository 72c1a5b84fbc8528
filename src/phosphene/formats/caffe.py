"""Opening a Caffe network from its own two files.

The `.prototxt` says which layers there are, the `.caffemodel` holds their weights; layers find
their weights by name, as in Caffe. Nothing is changed on the way: a network trained on BGR pixels
expects them still, and the preprocessing has to bring them.

The shapes of all blobs are followed from the declared size of the input, which is how a fully
connected layer learns the size of its kernel, and how files that do not belong together are found
out before the first image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from phosphene.errors import FormatError, nearest
from phosphene.formats.caffe_net import CaffeLayer, CaffeNet, read_net
from phosphene.formats.caffe_plain import PLAIN
from phosphene.formats.caffe_weighted import WEIGHTED, Blobs
from phosphene.formats.caffemodel import read_caffemodel
from phosphene.formats.layer_graph import LayerGraph, LayerSpec
from phosphene.formats.translation import Size, Translation


def load_caffe(
    caffemodel: str | PathLike[str], prototxt: str | PathLike[str] | None = None
) -> LayerGraph:
    """Open a Caffe network.

    Args:
        caffemodel: The weights, of any generation of Caffe.
        prototxt: The description, of any generation; by default the file beside the weights with
            the same name and the ending `.prototxt`, or else `deploy.prototxt`.

    Returns:
        The network in evaluation mode, its layers under their own names. It takes (b, c, h, w) in
        the scale and the order of channels that it was trained on, usually BGR of 0 to 255 minus
        a mean, and returns what the network's last layer writes.

    Raises:
        FormatError: A file is missing, damaged or something else, the description asks for a layer
            or an option that is not supported, or the two files do not belong together.
    """
    caffemodel = Path(caffemodel)
    weights = {layer.name: layer.blobs for layer in read_caffemodel(caffemodel) if layer.blobs}
    net = read_net(_beside(caffemodel) if prototxt is None else Path(prototxt))
    _belong_together(net, weights, caffemodel)
    specs = list(_specs(net, weights, caffemodel))
    return LayerGraph(specs, net.input_blob, net.input_size).eval()


def _beside(caffemodel: Path) -> Path:
    candidates = caffemodel.with_suffix(".prototxt"), caffemodel.with_name("deploy.prototxt")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FormatError(
        f"{caffemodel} holds weights only, and neither {candidates[0]} nor {candidates[1]} is "
        f"there to describe the network; give its .prototxt as well"
    )


def _belong_together(net: CaffeNet, weights: Mapping[str, Blobs], caffemodel: Path) -> None:
    wanted = [layer for layer in net.layers if layer.kind in WEIGHTED]
    if wanted and not any(layer.name in weights for layer in wanted):
        held = ", ".join(map(repr, list(weights)[:3])) or "none at all"
        raise FormatError(
            f"{wanted[0].message.place}: no layer described here has weights in {caffemodel}, "
            f"which holds those of {held}; give the .prototxt of the same network"
        )


def _specs(net: CaffeNet, weights: Mapping[str, Blobs], caffemodel: Path) -> list[LayerSpec]:
    sizes: dict[str, Size] = {net.input_blob: net.input_size}
    specs = []
    for layer in net.layers:
        missing = [blob for blob in layer.bottoms if blob not in sizes]
        if missing or not layer.bottoms:
            raise layer.error(
                f"reads {f'the blob {missing[0]!r}' if missing else 'no blob'}, and nothing before "
                f"it writes one; a network is fed one image here, as the blob {net.input_blob!r}"
            )
        translation = _translate(layer, [sizes[b] for b in layer.bottoms], weights, caffemodel)
        if len(translation.sizes) != len(layer.tops):
            raise layer.error(
                f"writes {len(layer.tops)} blobs, where {len(translation.sizes)} can be had"
            )
        for blob, size in zip(layer.tops, translation.sizes, strict=True):
            if min(size) < 1:
                raise layer.error(
                    f"leaves no map of its input, {'x'.join(map(str, sizes[layer.bottoms[0]]))}; "
                    f"the size declared for the network's input is too small"
                )
            sizes[blob] = size
        specs.append(
            LayerSpec(
                layer.name,
                translation.kind,
                layer.bottoms,
                layer.tops,
                translation.options,
                translation.blobs,
            )
        )
    return specs


def _translate(
    layer: CaffeLayer, sizes: Sequence[Size], weights: Mapping[str, Blobs], caffemodel: Path
) -> Translation:
    if layer.kind in PLAIN:
        return PLAIN[layer.kind](layer, sizes)
    if layer.kind not in WEIGHTED:
        known = sorted({*PLAIN, *WEIGHTED})
        raise layer.error(
            f"is of a type that is not supported{nearest(layer.kind, known)}; known are "
            f"{', '.join(known)}"
        )
    if layer.name not in weights:
        raise layer.error(
            f"has no weights in {caffemodel}{nearest(layer.name, weights)}; give the .caffemodel "
            f"and the .prototxt of the same network"
        )
    return WEIGHTED[layer.kind](layer, sizes, weights[layer.name])

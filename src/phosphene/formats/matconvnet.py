"""Opening a MatConvNet network from its `.mat` file.

One file holds everything: layers, weights, how images are prepared, names of the classes. Both of
MatConvNet's structures are read, SimpleNN with its old and new field names and DagNN. Nothing is
changed on the way: the network expects RGB of 0 to 255 minus the mean, as MATLAB fed it.

The shapes of all variables are followed from the declared size of the input, which is how grouped
convolutions are recognized, and how damaged files are found out before the first image.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from phosphene.errors import nearest
from phosphene.formats.layer_graph import LayerGraph, LayerSpec
from phosphene.formats.matconvnet_meta import MatMeta, input_size, read_meta
from phosphene.formats.matconvnet_net import MatLayer, MatNet, read_matconvnet_net
from phosphene.formats.matconvnet_plain import RULES
from phosphene.formats.matconvnet_weighted import Translations
from phosphene.formats.translation import Size


def load_matconvnet(
    path: str | PathLike[str], size: tuple[int, int] | None = None
) -> tuple[LayerGraph, MatMeta]:
    """Open a MatConvNet network.

    Args:
        path: The file, of MATLAB's version 5 to 7.
        size: (h, w) of the network's input, for files that do not say it, pixels.

    Returns:
        The network in evaluation mode, its layers under their own names, and what the file says
        about images and classes. It takes (b, c, h, w), usually RGB of 0 to 255 minus a mean, and
        returns what its last layer writes.

    Raises:
        FormatError: The file is missing, damaged, of MATLAB's version 7.3 or something else, asks
            for a layer or an option that is not supported, or holds weights that do not fit.
    """
    net = read_matconvnet_net(Path(path))
    found = input_size(net, size)
    graph = LayerGraph(_specs(net, found), net.input_blob, found).eval()
    return graph, read_meta(net.meta, found[1:])


def _specs(net: MatNet, size: Size) -> list[LayerSpec]:
    sizes: dict[str, Size] = {net.input_blob: size}
    specs = []
    for layer in net.layers:
        read = [sizes[blob] for blob in layer.bottoms]
        if layer.kind not in {"concat", "sum", "crop", "scale"} and len(read) > 1:
            raise layer.error(f"reads {len(read)} variables, and can read only one")
        translations = _translate(layer, read)
        for written in (translation.sizes[0] for translation in translations):
            if min(written) < 1:
                raise layer.error(
                    f"leaves no map of its input, {'x'.join(map(str, read[0]))}; the size declared "
                    f"for the network's input is too small"
                )
        specs += _chained(layer, translations)
        sizes[layer.tops[0]] = translations[-1].sizes[0]
    return specs


def _translate(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    if layer.kind not in RULES:
        raise layer.error(
            f"is of a type that is not supported{nearest(layer.kind, RULES)}; known are "
            f"{', '.join(RULES)}"
        )
    return RULES[layer.kind](layer, sizes)


def _chained(layer: MatLayer, translations: Translations) -> list[LayerSpec]:
    """Let a layer's modules run one after the other, the weights in the one with its name."""
    specs: list[LayerSpec] = []
    bottoms = layer.bottoms
    for index, each in enumerate(translations, 1):
        aside = each.kind == "ZeroPad2d"
        name = f"{layer.name}_{'crop' if specs else 'pad'}" if aside else layer.name
        # A blank cannot be part of a variable's name in MATLAB, so this one is free.
        tops = layer.tops if index == len(translations) else (f"{layer.tops[0]} inside",)
        specs.append(LayerSpec(name, each.kind, bottoms, tops, each.options, each.blobs))
        bottoms = tops
    return specs

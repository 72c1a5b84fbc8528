"""A writer of MatConvNet's files: SimpleNN with its old and new field names, and DagNN.

Layers are given as dictionaries of MatConvNet's own fields (`layer("conv", weights=...)`), or made
from the modules of a torch network (`chain`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from torch import Tensor, nn

from phosphene.formats.layers import Concat, Eltwise, PaddedAvgPool2d, PaddedMaxPool2d, Scale

Fields = dict[str, Any]

_DAGNN = {
    "bnorm": "BatchNorm", "concat": "Concat", "conv": "Conv", "convt": "ConvTranspose",
    "dropout": "DropOut", "lrn": "LRN", "pool": "Pooling", "relu": "ReLU", "scale": "Scale",
    "sigmoid": "Sigmoid", "softmax": "SoftMax", "sum": "Sum", "crop": "Crop", "loss": "Loss",
}  # fmt: skip


def cell(items: Sequence[Any]) -> np.ndarray:
    """Make a row of MATLAB's cells."""
    written = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        written[0, index] = item
    return written


def struct_array(items: Sequence[Fields]) -> np.ndarray:
    """Make a MATLAB array of structures, which all have the same fields."""
    names = list(items[0])
    written = np.empty((1, len(items)), [(name, object) for name in names])
    for index, item in enumerate(items):
        for name in names:
            written[0, index][name] = item[name]
    return written


def layer(kind: str, name: str = "", **fields: Any) -> Fields:
    """Make a layer of SimpleNN; weights are a list of arrays."""
    return {"type": kind, **({"name": name} if name else {}), **fields}


def of(module: nn.Module, name: str = "") -> Fields:
    """Describe a torch module as a layer of SimpleNN."""
    if isinstance(module, nn.Conv2d):
        vertical, horizontal = module.padding
        weights = [array(module.weight).transpose(2, 3, 1, 0)]
        weights.append(
            np.empty((0, 0), np.float32) if module.bias is None else array(module.bias)[None]
        )
        pad = np.array([[vertical, vertical, horizontal, horizontal]], float)
        return layer(
            "conv", name, weights=weights, stride=row(module.stride), pad=pad,
            dilate=row(module.dilation), precious=0.0, learningRate=row([1, 2]),
        )  # fmt: skip
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d | PaddedMaxPool2d | PaddedAvgPool2d):
        method = "max" if isinstance(module, nn.MaxPool2d | PaddedMaxPool2d) else "avg"
        kernel, stride = both(module.kernel_size), both(module.stride)
        if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            (down, right) = both(module.padding)
            more = [s - 1 if module.ceil_mode else 0 for s in stride]
            pad = [down, down + more[0], right, right + more[1]]
        else:
            left, right, top, bottom = module.padding
            pad = [top, bottom, left, right]
        return layer(
            "pool", name, method=method, pool=row(kernel), stride=row(stride), pad=row(pad)
        )
    if isinstance(module, nn.LocalResponseNorm):
        size = module.size
        return layer("lrn", name, param=row([size, module.k, module.alpha / size, module.beta]))
    if isinstance(module, nn.BatchNorm2d):
        assert module.running_mean is not None
        assert module.running_var is not None
        sigma = np.sqrt(array(module.running_var) + module.eps)
        moments = np.stack([array(module.running_mean), sigma], 1)
        weights = [array(module.weight)[:, None], array(module.bias)[:, None], moments]
        return layer("bnorm", name, weights=weights, epsilon=1e-4)
    if isinstance(module, Scale):
        return layer("scale", name, weights=[array(p)[None, None] for p in module.parameters()])
    if isinstance(module, nn.LeakyReLU):
        return layer("relu", name, leak=module.negative_slope)
    if isinstance(module, nn.Dropout):
        return layer("dropout", name, rate=module.p)
    plain: dict[type[nn.Module], str] = {
        nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Softmax: "softmax", Concat: "concat",
        Eltwise: "sum",
    }  # fmt: skip
    return layer(plain[type(module)], name)


def chain(net: nn.Module) -> list[Fields]:
    """Describe a torch network that runs its children one after the other."""
    return [of(module, name) for name, module in net.named_children()]


def save_simplenn(
    path: Path,
    layers: Sequence[Fields],
    old: bool = False,
    normalization: Fields | None = None,
    classes: Fields | None = None,
    variable: str = "",
    **how: Any,
) -> Path:
    """Write SimpleNN.

    Args:
        path: The file.
        layers: Its layers.
        old: Whether to use the field names of 2014.
        normalization: What goes under that name.
        classes: Likewise.
        variable: Write everything as fields of this variable.
        how: Options of `savemat`.
    """
    about = {"normalization": normalization, "classes": classes}
    about = {name: fields for name, fields in about.items() if fields is not None}
    written = [_old(each) if old else _with_cell(each) for each in layers]
    net: Mapping[str, Any] = {"layers": cell(written)}
    net = net | about if old else net | {"meta": about or np.empty((0, 0))}
    savemat(path, {variable: net} if variable else net, **how)
    return path


def save_dagnn(
    path: Path,
    layers: Sequence[tuple[Fields, Sequence[str] | str, str]],
    meta: Fields | None = None,
    **more: Any,
) -> Path:
    """Write DagNN.

    Args:
        path: The file.
        layers: For each the layer, the variables that it reads, and the one that it writes.
        meta: What goes under that name.
        more: Further variables of the file.
    """
    params: list[Fields] = []
    written = []
    for fields, inputs, output in layers:
        options = dict(fields)
        kind, name = options.pop("type"), options.pop("name", "")
        names = []
        for index, weight in enumerate(options.pop("weights", [])):
            if weight.size:
                names.append(f"{name}_{index}")
                params.append({"name": names[-1], "value": weight, "learningRate": 1.0})
        if "pool" in options:
            options["poolSize"] = options.pop("pool")
        word = _DAGNN.get(kind, kind)
        written.append(
            {
                "name": name,
                "type": f"dagnn.{word}",
                "inputs": inputs if isinstance(inputs, str) else cell(inputs),
                "outputs": cell([output]),
                "params": cell(names) if names else np.empty((0, 0)),
                "block": {"opts": cell([]), **options},
            }
        )
    names = sorted({name for _, inputs, output in layers for name in (*listed(inputs), output)})
    net = {
        "vars": struct_array([{"name": name, "precious": 0.0} for name in names]),
        "params": struct_array(params) if params else np.empty((0, 0)),
        "layers": struct_array(written),
        "meta": meta or {"normalization": {}},
        "conserveMemory": 1.0,
    }
    savemat(path, net | more)
    return path


def listed(names: Sequence[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def row(numbers: Sequence[float]) -> np.ndarray:
    """Make a row of MATLAB's numbers, which are doubles."""
    return np.array([numbers], float)


def both(number: Any) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else tuple(number)


def _with_cell(fields: Fields) -> Fields:
    return fields | {"weights": cell(fields["weights"])} if "weights" in fields else fields


def _old(fields: Fields) -> Fields:
    written = dict(fields)
    if "weights" in written:
        names = ("filters", "biases", "moments")
        written |= dict(zip(names, written.pop("weights"), strict=False))
    if written["type"] == "lrn":
        written["type"] = "normalize"
    return written

"""What learns: a network to begin with, the layers that are read off it, and how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.errors import FormatError, SettingError, nearest
from phosphene.training.absorption import normalize
from phosphene.training.initial import initialize
from phosphene.zoo.blocks import build
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import DemoNet, demo
from phosphene.zoo.fcn import AT_ONCE, VGG_LAYERS, pad_first
from phosphene.zoo.motion_alexnet import motion_alexnet
from phosphene.zoo.motion_small import LAYERS as SMALL_LAYERS
from phosphene.zoo.motion_small import motion_small
from phosphene.zoo.vgg import vgg_vd_16

Use = Literal["pixels", "regions", "images"]
"""Hypercolumns of pixels, scores of all pixels, or one layer of whole images."""

# The thesis's conv1, conv3 and fc7 are maps that ReLUs have overwritten.
_COLUMN = ("relu1", "pool1", "relu3", "pool5", "relu7")
_VGG_COLUMN = ("pool1", "pool2", "pool3", "pool4", "pool5", "relu7")


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network that shall learn.

    Attributes:
        network: It, with its normalization.
        name: By which `open_network` opens the same architecture.
        layers: That are read, shallow ones first.
        hidden: Width of a perceptron behind a hypercolumn.
        narrow: Layers that are projected to fewer channels before they enter one.
        scales: What layers are multiplied with before they are scored.
        normalized: Layers with normalization.
    """

    network: Network
    name: str
    layers: tuple[str, ...]
    hidden: int = 1024
    narrow: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    normalized: tuple[str, ...] = ()


def open_backbone(
    name: str,
    use: Use = "pixels",
    *,
    layers: tuple[str, ...] = (),
    weights: str | Path = "",
    seed: int = 0,
    normalized: bool = True,
    leave: tuple[str, ...] = (),
    reset: tuple[str, ...] = (),
    rescale_by: Tensor | None = None,
) -> Backbone:
    """Open a network to learn with.

    `motion-alexnet`, `motion-small`, `vgg-vd-16` and `demo` begin with random weights, all others
    as `open_network` opens them. fc6 of the two classifiers is padded, or VGG's first layer by 100
    pixels for regions, so that fc7 has a map.

    Args:
        name: Its name.
        use: What for.
        layers: That are read; those of the thesis (or like them, of `demo`) if empty.
        weights: A file to begin with.
        seed: Of random weights.
        normalized: Whether it gets batch normalization without parameters.
        leave: Layers behind which there is none all the same.
        reset: Layers that get random weights in any case.
        rescale_by: (b, 3, h, w) RGB in [0, 1]: begin scaled so that each unit has mean 0 and
            variance 1 on these.

    Raises:
        SettingError: Layers have to be named, or a name is no layer's.
        UnknownModel: There is no such network.
        FormatError: The weights do not fit.
    """
    network, own = _opened(name, weights, seed)
    chosen = layers or own.get(use, ())
    if not chosen:
        raise SettingError(
            f"{name} has no layers of its own to read here: name them (--layers A,B,C); "
            "`phosphene layers` lists them"
        )
    module = network.module
    _mapped(module, name, use)
    if reset:
        _reset(module, _opened(name, "", seed)[0].module, reset)
    if rescale_by is not None:
        initialize(module, network.preprocessing.normalize(rescale_by), seed, smooth=False)
    known = dict(module.named_children())
    unknown = [layer for layer in leave if layer not in known]
    if unknown:
        raise SettingError(f"{name} has no layer {unknown[0]!r}{nearest(unknown[0], known)}")
    # fc8 scores classes that nobody teaches here.
    left = tuple(dict.fromkeys((*leave, *(layer for layer in ("fc8",) if layer in known))))
    done = normalize(module, left) if normalized else []
    module.eval()
    narrow = {"relu7": 256} if name == "vgg-vd-16" else {}
    scales = AT_ONCE if name == "vgg-vd-16" else {}
    hidden = 256 if name in ("demo", "motion-small") else 1024
    return Backbone(network, name, tuple(chosen), hidden, narrow, scales, tuple(done))


def _opened(
    name: str, weights: str | Path, seed: int
) -> tuple[Network, dict[Use, tuple[str, ...]]]:
    """Open a network with random or given weights; and its layers by use, where it is known."""
    given = weights or None
    if name == "motion-alexnet":
        made = motion_alexnet(given, seed=seed)
        return made, {"pixels": _COLUMN, "regions": ("relu7",), "images": ("relu7",)}
    if name == "vgg-vd-16":
        made = vgg_vd_16(given, seed=seed)
        return made, {"pixels": _VGG_COLUMN, "regions": VGG_LAYERS, "images": ("relu7",)}
    if name == "motion-small":
        made = motion_small(given, seed=seed)
        return made, {"pixels": SMALL_LAYERS, "regions": SMALL_LAYERS, "images": ("relu5_2",)}
    if name == "demo":
        made = demo()
        made.module = build(DemoNet, _he, seed, given)
        made.labels = ()
        own = {"pixels": _COLUMN, "regions": ("pool1", "pool2", "relu7"), "images": ("relu7",)}
        return made, own  # type: ignore[return-value]
    return open_network(name, weights=given), {}


@torch.no_grad()
def _he(module: nn.Module, generator: torch.Generator) -> None:
    """Fill convolutions from He's normal distribution (ICCV 2015), biases with zeros."""
    for layer in module.children():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()


def _mapped(module: nn.Module, name: str, use: Use) -> None:
    """See that fc7 has a map of the image's size over 32."""
    if name == "vgg-vd-16" and use == "regions":
        pad_first(module)
    elif name in ("vgg-vd-16", "demo") and use != "images":
        fc6 = module.get_submodule("fc6")
        assert isinstance(fc6, nn.Conv2d)
        # A plain convolution: one that is fully connected takes the map it was declared on whole.
        height, width = fc6.kernel_size
        made = nn.Conv2d(
            fc6.in_channels,
            fc6.out_channels,
            (height, width),
            padding=(height // 2, width // 2),
            device="meta",
        )
        made.weight, made.bias = fc6.weight, fc6.bias
        module.add_module("fc6", made)


@torch.no_grad()
def _reset(module: nn.Module, fresh: nn.Module, layers: tuple[str, ...]) -> None:
    """Give layers the weights of a network that has learned nothing."""
    known, new = dict(module.named_children()), dict(fresh.named_children())
    for layer in layers:
        if layer not in known or not list(known[layer].parameters()):
            raise SettingError(
                f"layer {layer!r} has no weights to begin anew with{nearest(layer, known)}"
            )
        known[layer].load_state_dict(new[layer].state_dict())


def load_head(learner: nn.Module, path: str | Path, strict: bool = False) -> list[str]:
    """Give a learner what an earlier one had behind its backbone.

    Args:
        learner: Of the same system.
        path: `head.safetensors` of the earlier run.
        strict: Whether all must fit.

    Returns:
        The names that did.

    Raises:
        FormatError: The file is damaged; or nothing fits, or not all with `strict`.
    """
    from phosphene.zoo.factory import read_state

    given, own = read_state(path), learner.state_dict()
    wanted = head_names(learner)
    fitting = [k for k in wanted if k in given and given[k].shape == own[k].shape]
    if (wanted and not fitting) or (strict and len(fitting) < len(wanted)):
        missing = next(k for k in wanted if k not in fitting)
        raise FormatError(f"{path} belongs to another learner: {missing} does not fit")
    learner.load_state_dict({**own, **{k: given[k] for k in fitting}})
    return fitting


def head_names(learner: nn.Module) -> list[str]:
    """Return the names of what a learner has beside its backbone."""
    return [name for name in learner.state_dict() if ".trunk." not in f".{name}"]

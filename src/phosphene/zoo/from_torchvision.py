"""Networks of torchvision: `torchvision:NAME[:WEIGHTS]`.

A set of weights of torchvision carries its preprocessing and its class names, which are taken as
they are. Without a name the weights are torchvision's own default.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import UnknownModel, nearest
from phosphene.zoo.borrowed import RANDOM, downloading, package, seeded

PREFIX = "torchvision:"


def open_torchvision(name: str, weights: str | Path | None = None) -> Network:
    """Open a network of torchvision.

    Args:
        name: `torchvision:resnet50`, `torchvision:resnet50:IMAGENET1K_V1`, or
            `torchvision:resnet50:random`.
        weights: A file of weights in place of the download.

    Raises:
        UnknownModel: torchvision has no such network, or no such weights for it.
        NetworkError: torchvision is missing, or the weights cannot be fetched.
        FormatError: The file of weights does not fit.
    """
    models = package("torchvision", ".models")
    model, _, wanted = name.removeprefix(PREFIX).partition(":")
    known = names()
    if model not in known:
        raise UnknownModel(
            f"torchvision has no classifier or segmenter {model!r}{nearest(model, known)} "
            "(`phosphene models torchvision:` lists them)"
        )
    entry = _weights(models, model, wanted)
    download = wanted != "random" and weights is None
    arguments: dict[str, Any] = {"weights": entry if download else None}
    if not download:
        takes = inspect.signature(models.get_model_builder(model)).parameters
        if "weights_backbone" in takes:
            arguments["weights_backbone"] = None  # or segmenters would fetch that
        if model in _WANT_INIT:
            arguments["init_weights"] = True  # said, as torchvision warns otherwise
    with seeded(), downloading(name, _place(entry), f"{PREFIX}{model}{RANDOM}"):
        module = models.get_model(model, **arguments)
    if weights is not None:
        from phosphene.zoo.factory import load_weights

        load_weights(module, weights)
    # Random weights tell no classes apart: names would only mislead.
    labels = () if wanted == "random" or entry is None else entry.meta.get("categories", ())
    preprocessing = _preprocessing(entry.transforms()) if entry is not None else None
    return Network(module.eval(), preprocessing, labels, name)


def names() -> list[str]:
    """List the classifiers and segmenters that torchvision has."""
    models = package("torchvision", ".models")
    segmentation = package("torchvision", ".models.segmentation")
    found: list[str] = [*models.list_models(models), *models.list_models(segmentation)]
    return sorted(found)


def weight_files(model: str) -> dict[str, tuple[Path, Any]]:
    """Return, by name of weights, the file that torchvision keeps them in and their entry."""
    entries = package("torchvision", ".models").get_model_weights(model)
    return {entry.name: (_file(entry), entry) for entry in entries}


_WANT_INIT = ("googlenet", "inception_v3")


def _weights(models: Any, model: str, wanted: str) -> Any:
    entries = models.get_model_weights(model)
    if wanted in ("", "random"):
        # Of a network without any weights the enumeration is empty.
        return getattr(entries, "DEFAULT", None)
    if wanted not in entries.__members__:
        offers = list(entries.__members__)
        raise UnknownModel(
            f"torchvision has no weights {wanted!r} for {model}{nearest(wanted, offers)} (it has "
            f"{', '.join([*offers, 'random'])})"
        )
    return entries[wanted]


def _file(entry: Any) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name


def _place(entry: Any) -> str:
    if entry is None:
        return "torchvision has none to offer"
    file = _file(entry)
    return f"put the file {file.name} into {file.parent} (torchvision fetches it from {entry.url})"


def _preprocessing(transforms: Any) -> Preprocessing:
    (resize,) = transforms.resize_size
    # A segmenter is shown whole photographs.
    (crop,) = getattr(transforms, "crop_size", transforms.resize_size)
    kernel = getattr(transforms.interpolation, "value", "bilinear")
    return Preprocessing(
        (crop, crop),
        tuple(transforms.mean),
        tuple(transforms.std),
        resize_to=resize,
        interpolation="bicubic" if kernel == "bicubic" else "bilinear",
    )

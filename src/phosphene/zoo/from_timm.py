"""Networks of timm: `timm:NAME`, where the name may carry the tag of its weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from phosphene.core.network import Network
from phosphene.core.preprocessing import Order, Preprocessing
from phosphene.errors import UnknownModel, nearest
from phosphene.zoo.borrowed import RANDOM, downloading, package, seeded

PREFIX = "timm:"


def open_timm(name: str, weights: str | Path | None = None) -> Network:
    """Open a network of timm.

    Args:
        name: `timm:resnet50`, `timm:resnet50.a1_in1k` or `timm:resnet50:random`.
        weights: A file of weights in place of the download.

    Raises:
        UnknownModel: timm has no such network.
        NetworkError: timm is missing, or the weights cannot be fetched.
        FormatError: The file of weights does not fit.
    """
    timm = package("timm")
    model = name.removeprefix(PREFIX).removesuffix(RANDOM)
    random = name.endswith(RANDOM)
    bare, _, tag = model.partition(".")
    known = timm.list_models() if not tag else timm.list_models(pretrained=True)
    if not timm.is_model(bare) or (tag and model not in known):
        raise UnknownModel(
            f"timm has no network {model!r}{nearest(model, known)} (`phosphene models timm:` lists "
            "them)"
        )
    with seeded(), downloading(name, _place(timm, model), f"{PREFIX}{bare}{RANDOM}"):
        module = timm.create_model(model, pretrained=not random and weights is None)
    if weights is not None:
        from phosphene.zoo.factory import load_weights

        load_weights(module, weights)
    labels = () if random else _labels(timm, module)
    return Network(module.eval(), _preprocessing(module.pretrained_cfg), labels, name)


def names() -> list[str]:
    """List the networks that timm has."""
    found: list[str] = package("timm").list_models()
    return found


def _place(timm: Any, model: str) -> str:
    config = timm.get_pretrained_cfg(model)
    if config is None or not config.has_weights:
        return "timm has no weights for it"
    if config.hf_hub_id:
        return (
            f"let `huggingface-cli download {config.hf_hub_id}` fill the cache of Hugging Face on "
            "a machine with a network and copy it here, or give its model.safetensors as --weights"
        )
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return f"put the file {Path(str(config.url)).name} into {folder}"


def _preprocessing(config: dict[str, Any]) -> Preprocessing:
    """Read timm's evaluation transform: resize by the share that is cropped, then crop."""
    channels, height, width = config["input_size"]
    orders: dict[int, Order] = {3: "RGB", 1: "gray"}
    # timm rounds down.
    shorter = math.floor(min(height, width) / (config.get("crop_pct") or 1.0))
    return Preprocessing(
        (height, width),
        tuple(config["mean"]),
        tuple(config["std"]),
        order=orders.get(channels, "any"),
        resize="stretch" if config.get("crop_mode") == "squash" else "shorter",
        resize_to=max(shorter, height, width),
        interpolation="bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
    )


def _labels(timm: Any, module: Any) -> tuple[str, ...]:
    config = module.pretrained_cfg
    if config.get("label_names"):
        said = config.get("label_descriptions") or {}
        return tuple(said.get(name, name) for name in config["label_names"])
    if config.get("num_classes") != getattr(module, "num_classes", None):
        return ()
    subset = timm.data.infer_imagenet_subset(config)
    return tuple(timm.data.ImageNetInfo(subset).label_descriptions()) if subset else ()

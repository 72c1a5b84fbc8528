"""Image classifiers of Hugging Face transformers: `hf:NAME`.

The name is a repository of the hub, a local folder that holds one, or (with `:random`) a family
of models, such as `hf:vit:random`. Code from a repository is never run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing, Resize
from phosphene.errors import NetworkError, UnknownModel, nearest
from phosphene.zoo.borrowed import RANDOM, downloading, package, seeded

PREFIX = "hf:"


def open_transformers(name: str, weights: str | Path | None = None) -> Network:
    """Open an image classifier of transformers.

    Args:
        name: `hf:microsoft/resnet-50`, `hf:FOLDER`, `hf:vit:random`.
        weights: A file of weights in place of the download.

    Raises:
        UnknownModel: It is no image classifier.
        NetworkError: transformers is missing, or the files cannot be fetched.
        FormatError: The file of weights does not fit.
    """
    transformers = package("transformers")
    model = name.removeprefix(PREFIX).removesuffix(RANDOM)
    random = name.endswith(RANDOM)
    classifier = transformers.AutoModelForImageClassification
    family = random and model in transformers.CONFIG_MAPPING
    with seeded(), downloading(name, _place(model), "a family such as hf:vit:random"):
        if family:
            config = transformers.AutoConfig.for_model(model)
        else:
            config = transformers.AutoConfig.from_pretrained(model, trust_remote_code=False)
        if type(config) not in classifier._model_mapping:
            raise UnknownModel(
                f"{model} ({config.model_type}) is no image classifier of transformers"
                f"{nearest(config.model_type, names())} (`phosphene models hf:` lists them)"
            )
        if random or weights is not None:
            module = classifier.from_config(config)
        else:
            module = classifier.from_pretrained(model, trust_remote_code=False)
        processor = {} if family else _processor(transformers, model)
    if weights is not None:
        from phosphene.zoo.factory import load_weights

        load_weights(module, weights)
    labels = () if random else _labels(config)
    return Network(module.eval(), _preprocessing(processor, config), labels, name)


def names() -> list[str]:
    """List the families of image classifiers that transformers has, for `hf:FAMILY:random`."""
    auto = package("transformers", ".models.auto.modeling_auto")
    return sorted(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)


def _processor(transformers: Any, model: str) -> dict[str, Any]:
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        if (Path(model) / "preprocessor_config.json").exists():
            raise NetworkError(f"the preprocessing of {model} cannot be read: {error}") from error
        return {}  # a repository may come without
    found: dict[str, Any] = processor.to_dict()
    return found


def _place(model: str) -> str:
    if Path(model).is_dir():
        return f"put config.json, preprocessor_config.json and model.safetensors into {model}"
    return (
        f"download config.json, preprocessor_config.json and model.safetensors of {model} on a "
        f"machine with a network into a folder, and open hf:FOLDER"
    )


def _preprocessing(said: dict[str, Any], config: Any) -> Preprocessing:
    """Read the settings of an image processor; where it does not say, the model's own size."""
    side = getattr(config, "image_size", None) or 224
    own = (side, side) if isinstance(side, int) else (int(side[-2]), int(side[-1]))
    size = said.get("size") if said.get("do_resize", True) else None
    crop = said.get("crop_size") if said.get("do_center_crop") else None
    shorter = size.get("shortest_edge") if isinstance(size, dict) else None
    resized, cropped = _pair(size), _pair(crop)
    if shorter and "crop_pct" in said and not crop:
        # ConvNeXt's own: small inputs are cut from a larger photograph, large ones are squashed.
        cropped = (shorter, shorter)
        squash = shorter >= 384
        shorter = shorter if squash else int(shorter / (said["crop_pct"] or 1.0))
        resized = cropped if squash else None
    # Two sides are stretched to, one is kept in proportion; a crop may follow either.
    resize: Resize = "stretch" if resized else "shorter"
    larger = min(resized) if resized and cropped not in (None, resized) else None
    input_size = cropped or resized or ((shorter, shorter) if shorter else own)
    normalize = said.get("do_normalize", False)
    factor = float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0
    return Preprocessing(
        input_size,
        tuple(said.get("image_mean") or (0.0,)) if normalize else (0.0,),
        tuple(said.get("image_std") or (1.0,)) if normalize else (1.0,),
        # Photographs here are in [0, 1] already: what is left of the factor on 8-bit pixels.
        scale=round(255 * factor, 6),
        resize=resize,
        resize_to=larger if resized else shorter,
        interpolation="bilinear" if said.get("resample") == _BILINEAR else "bicubic",
    )


# PIL's number for it, which is what image processors keep.
_BILINEAR = 2


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and size.get("height") and size.get("width"):
        return int(size["height"]), int(size["width"])
    return None


def _labels(config: Any) -> tuple[str, ...]:
    named = getattr(config, "id2label", None) or {}
    labels = tuple(str(named[i]) for i in sorted(named))
    # What transformers makes up where nothing is said.
    return () if all(label == f"LABEL_{i}" for i, label in enumerate(labels)) else labels

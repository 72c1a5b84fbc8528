"""What can be opened, and what of it is on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from phosphene.zoo.catalogue import NATIVE, SMALL

FILES = (
    ("FILE.caffemodel", "Caffe, with FILE.prototxt or deploy.prototxt beside it"),
    ("FILE.mat", "MatConvNet"),
    ("FILE.pt, FILE.pth", "TorchScript"),
    ("FILE.pt2", "torch.export"),
    ("FILE.safetensors", "written by phosphene convert"),
    ("FILE.py:FUNCTION", "your own code; --weights FILE loads a state dict"),
    ("NAME:random", "any of these before it learned"),
)


@dataclass(frozen=True)
class Entry:
    """One network that can be opened by name.

    Attributes:
        name: How to open it.
        weights: Where its weights come from, in a few words.
        cached: Whether they are on this machine.
        megabytes: Size of the weights, where known.
        licence: Of the weights, where known.
    """

    name: str
    weights: str
    cached: bool = False
    megabytes: float | None = None
    licence: str = ""


def installed(package: str) -> bool:
    """Whether an optional package is there."""
    return find_spec(package) is not None


def own_networks() -> list[Entry]:
    """List phosphene's own networks."""
    files = {"demo": "demo.safetensors"}
    for name in SMALL:
        files[name] = f"small_{name.partition(':')[2].replace('-', '_')}.safetensors"
    found = []
    for name, file in files.items():
        with resources.as_file(resources.files("phosphene.zoo").joinpath("data", file)) as path:
            size = path.stat().st_size / 1e6
        found.append(Entry(name, "come with phosphene", True, size, "MIT"))
    return [found[0], *(Entry(name, "random, or --weights FILE") for name in NATIVE), *found[1:]]


def networks_of(prefix: str) -> list[Entry]:
    """List the networks of another package.

    Args:
        prefix: One of `catalogue.BORROWED`.

    Raises:
        NetworkError: The package is not installed.
    """
    return list({"torchvision:": _torchvision, "timm:": _timm, "hf:": _transformers}[prefix]())


def _torchvision() -> Iterator[Entry]:
    from phosphene.zoo.from_torchvision import names, weight_files

    for model in names():
        for weights, (file, entry) in weight_files(model).items():
            yield Entry(
                f"torchvision:{model}:{weights}",
                "torchvision",
                file.exists(),
                entry.meta.get("_file_size"),
                _licence(entry.meta.get("license", "")),
            )


def _timm() -> Iterator[Entry]:
    from phosphene.zoo.borrowed import package
    from phosphene.zoo.from_timm import names

    timm = package("timm")
    cached = set(cached_repositories())
    for model in names():
        config = timm.get_pretrained_cfg(model)
        if config is None or not config.has_weights:
            yield Entry(f"timm:{model}", "random only")
            continue
        tag = f".{config.tag}" if config.tag else ""
        yield Entry(
            f"timm:{model}{tag}",
            "Hugging Face" if config.hf_hub_id else "timm",
            config.hf_hub_id in cached,
            licence=_licence(config.license),
        )


def _transformers() -> Iterator[Entry]:
    from phosphene.zoo.from_transformers import names

    for repository, size in cached_repositories().items():
        if not repository.startswith("timm/"):
            yield Entry(f"hf:{repository}", "Hugging Face", True, size)
    for family in names():
        yield Entry(f"hf:{family}:random", "random; hf:REPOSITORY for trained ones")


def cached_repositories() -> dict[str, float]:
    """Return the repositories in Hugging Face's cache that hold a model, and their megabytes."""
    folder = _hub_cache()
    found = {}
    for place in sorted(folder.glob("models--*")) if folder.is_dir() else ():
        files = [f for f in (place / "snapshots").rglob("*") if f.is_file()]
        if any(f.suffix in (".safetensors", ".bin", ".pth") for f in files):
            name = place.name.removeprefix("models--").replace("--", "/")
            # A file is kept once, whichever snapshots link to it.
            sizes = {f.resolve(): f.stat().st_size for f in files}
            found[name] = sum(sizes.values()) / 1e6
    return found


def _hub_cache() -> Path:
    """Return the folder that huggingface_hub keeps its files in, without loading it."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface"
    home = Path(os.environ.get("HF_HOME", home))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub"))


def _licence(said: Any) -> str:
    """Shorten a licence that is an address to its last part."""
    return str(said or "").rstrip("/").rpartition("/")[2]

"""Where a run stands, as one safetensors file: tensors, and the rest as JSON in its header.

Nothing is pickled, so a state from elsewhere can be opened without running what is in it. A file
is in place as a whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from phosphene.errors import FormatError
from phosphene.image import replacing

_KIND = "phosphene training"


def save_weights(module: nn.Module, path: str | Path) -> Path:
    """Write a module's weights as a safetensors file that `zoo.factory.load_weights` reads."""
    with replacing(path) as file:
        file.write(save(_plain(module.state_dict())))
    return Path(path)


def write_state(path: Path, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    """Write a state.

    Args:
        path: The file.
        tensors: Tensors by name.
        rest: Anything that JSON can say; numbers come back as they were, to the last bit.
    """
    header = {"kind": _KIND, "state": json.dumps(rest)}
    with replacing(path) as file:
        file.write(save(_plain(tensors), header))


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_state` wrote.

    Raises:
        FormatError: It is no whole state.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("kind") != _KIND:
                raise FormatError(f"{path} is no state of a training run: name another folder")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(
                header["state"]
            )
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise FormatError(
            f"{path} is damaged ({error}): remove it to begin anew, or name another folder"
        ) from None


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Clones, as tensors that share memory are refused by the format; in the plain order of memory,
    # as it knows no other.
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


def optimizer_state(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Take an optimizer's state apart into tensors and what JSON can say."""
    whole = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entry in whole["state"].items():
        for name, value in entry.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    return tensors, {"groups": whole["param_groups"], "numbers": numbers}


def restore_optimizer(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Put back what `optimizer_state` took apart."""
    state: dict[int, dict[str, Any]] = {
        int(index): dict(values) for index, values in rest["numbers"].items()
    }
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    groups = [
        {name: tuple(v) if isinstance(v, list) and name == "betas" else v for name, v in g.items()}
        for g in rest["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return where PyTorch's own generators stand."""
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def restore_random(device: torch.device, tensors: Mapping[str, Tensor]) -> None:
    """Put PyTorch's own generators where they stood; of a process that was not there, nowhere."""
    if "cpu" in tensors:
        torch.set_rng_state(tensors["cpu"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)

"""Networks that a user's own Python file makes.

The file is run, as `python file.py` would run it: only open files you trust. Weights are never
unpickled beyond tensors.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.errors import FormatError, NetworkError, UnknownModel, first_line, nearest


def open_factory(name: str, weights: str | Path | None = None) -> Network:
    """Call a factory in a Python file, and load weights into what it returns.

    Args:
        name: `path/file.py:function`; the function takes no arguments and returns an `nn.Module`
            or a `Network`.
        weights: A `.safetensors` file, or a state dict saved by `torch.save`. Preprocessing and
            labels that come with it are used, unless the function returns a `Network`.

    Raises:
        UnknownModel: There is no such file or function.
        NetworkError: The factory raised, or returned something else.
        FormatError: The weights cannot be read or do not fit.
    """
    file, _, function = name.rpartition(":")
    path = Path(file).absolute()
    if not path.is_file():
        raise UnknownModel(f"there is no file {file}: --model file.py:factory needs one")
    with _beside(path):
        made = _made(path, function, name)
    network = made if isinstance(made, Network) else Network(made, name=function)
    if weights is not None:
        load_weights(network.module, weights)
        if network is not made and Path(weights).suffix == ".safetensors":
            from phosphene.zoo.packaged import restore

            restore(network, weights)
    return network


def _made(path: Path, function: str, name: str) -> nn.Module | Network:
    try:
        module = _run(path)
    except (Exception, SystemExit) as error:
        raise NetworkError(f"{path} could not be run: {_short(error, path)}") from error
    factory = getattr(module, function, None)
    if not callable(factory):
        own = {n: v for n, v in vars(module).items() if callable(v) and not n.startswith("_")}
        names = [n for n, v in own.items() if getattr(v, "__module__", "") == module.__name__]
        offer = nearest(function, names) or f" (it has {', '.join(names) or 'none'})"
        raise UnknownModel(f"{path} has no function {function!r}{offer}")
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise NetworkError(f"{name} raised an error: {_short(error, path)}") from error
    if not isinstance(made, nn.Module | Network):
        raise NetworkError(
            f"{name} returned {type(made).__name__}, where a torch.nn.Module or a "
            "phosphene.Network is needed"
        )
    return made


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Load weights into a module, all of them and only them.

    Args:
        module: The architecture.
        path: A `.safetensors` file, or a state dict saved by `torch.save`; a checkpoint that holds
            one under `state_dict` or `model` is understood.

    Raises:
        FormatError: The file cannot be read without unpickling code, or does not fit.
    """
    state = read_state(path)
    wanted = module.state_dict()
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        says = (
            f"lacks {missing[0]!r}" if missing else f"holds {extra[0]!r}, which the network lacks"
        )
        more = len(missing) + len(extra) - 1
        raise FormatError(
            f"{path} belongs to another network: it {says}"
            f"{f' (and {more} more names differ)' if more else ''}"
        )
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            raise FormatError(
                f"{path} does not fit: {name!r} is {tuple(state[name].shape)} in the file and "
                f"{tuple(tensor.shape)} in the network"
            )
    module.load_state_dict(state)


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a dictionary of tensors from a file, unpickling nothing but tensors.

    Raises:
        FormatError: The file is missing, damaged, or holds code.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(f"there is no file of weights {path}: check the path")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise FormatError(f"{path} is no whole safetensors file ({error})") from None
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FormatError(
            f"{path} does not load without running the code in it, or is damaged "
            f"({first_line(error, 120)}): "
            "save the state dict alone, with torch.save(model.state_dict(), ...) or safetensors"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(
        isinstance(v, torch.Tensor) for v in loaded.values()
    ):
        raise FormatError(f"{path} holds {type(loaded).__name__}, where a state dict is needed")
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import what lies beside it, as a script may, for a `with` block."""
    sys.path.insert(0, str(path.parent))
    try:
        yield
    finally:
        if str(path.parent) in sys.path:
            sys.path.remove(str(path.parent))


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UnknownModel(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    known = sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if known is module:
            del sys.modules[path.stem]
        raise
    return module


# Lines of a traceback that are shown: where it began, and where it ended.
_FIRST, _LAST = 2, 3


def _short(error: BaseException, path: Path) -> str:
    """Say what went wrong and in which line of the user's file, then how it got there."""
    frames = list(traceback.extract_tb(error.__traceback__))
    first = next((i for i, frame in enumerate(frames) if Path(frame.filename) == path), None)
    if first is None:
        return f"{type(error).__name__}: {error}"
    # What leads to the user's file is our own.
    frames, own = frames[first:], [f for f in frames if Path(f.filename) == path]
    where = f" (line {own[-1].lineno}: {own[-1].line})"
    lines = [f"  {Path(f.filename).name}:{f.lineno} in {f.name}: {f.line}" for f in frames]
    if len(lines) > _FIRST + _LAST:
        left_out = len(lines) - _FIRST - _LAST
        lines[_FIRST:-_LAST] = [f"  ... {left_out} more"]
    way = "\n".join(["", *lines]) if len(lines) > 1 else ""
    return f"{type(error).__name__}: {error}{where}{way}"

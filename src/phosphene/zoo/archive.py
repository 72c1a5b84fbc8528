"""Looking through a `torch.export` archive before PyTorch loads it.

`torch.export.load` unpickles (weights of unusual kinds, example inputs), turns text into symbolic
expressions by evaluating it, and calls operators by names from the file. Each of these could run
code that came with the file, so a file is refused where

- a pickle in it holds more than tensors;
- an expression is more than arithmetic on symbols;
- a node calls anything but PyTorch's own operators and Python's arithmetic.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from phosphene.errors import FormatError

_OPERATORS = ("torch.ops.", "_operator.", "torch.sym_", "math.")
# Names in the expressions of dynamic shapes: symbols, and the functions PyTorch prints them with.
_SYMBOL = re.compile(r"[suz]\d+|[A-Za-z]\d+")
_NAMED_SYMBOL = re.compile(r"Symbol\('\w+'(?:, \w+=(?:True|False))*\)")
_FUNCTIONS = {
    "Add", "And", "CeilDiv", "CeilToInt", "CleanDiv", "Eq", "False", "FloatPow", "FloatTrueDiv",
    "FloorDiv", "FloorToInt", "Ge", "Gt", "Identity", "IntTrueDiv", "Integer", "LShift", "Le",
    "Lt", "Max", "Min", "Mod", "ModularIndexing", "Mul", "Ne", "Not", "Or", "Piecewise", "Pow",
    "PowByNatural", "PythonMod", "RShift", "Rational", "RoundDecimal", "RoundToInt", "ToFloat",
    "True", "TruncToFloat", "TruncToInt", "Where", "int_oo", "oo",
}  # fmt: skip


def check_archive(path: Path) -> None:
    """Refuse an archive that could run code of its own when it is loaded.

    Raises:
        FormatError: It is no archive, damaged, or holds code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                _check(path, archive, name)
    except FileNotFoundError:
        raise FormatError(f"there is no file {path}: check the path") from None
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise FormatError(f"{path} is no whole archive of torch.export ({error})") from None


def _check(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    place = PurePosixPath(name)
    if place.suffix == ".json":
        try:
            content = json.loads(archive.read(name))
        except ValueError as error:
            raise FormatError(f"{path}: {name} is damaged ({error})") from None
        for key, value in _entries(content):
            _check_entry(path, key, value)
            if key == "path_name" and not str(value).startswith(("weight_", "tensor_")):
                raise _refused(path, f"the object {value!r}")
        config = content.get("config") if isinstance(content, dict) else None
        for entry in config.values() if isinstance(config, dict) else ():
            if isinstance(entry, dict) and entry.get("use_pickle"):
                _check_pickle(path, archive, str(place.parent / str(entry.get("path_name"))))
    elif place.suffix in (".pt", ".pth", ".pkl", ".pickle"):
        _check_pickle(path, archive, name)
    elif place.suffix in (".so", ".py", ".cpp", ".cubin"):
        raise _refused(path, f"compiled code ({place.name})")


def _check_pickle(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    try:
        content = archive.read(name)
    except KeyError:
        raise FormatError(f"{path} lacks its own part {name}") from None
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise _refused(path, f"a pickle that is more than tensors ({name})") from error


def _check_entry(path: Path, key: str, value: Any) -> None:
    if key == "target" and isinstance(value, str) and value and not _is_operator(value):
        raise _refused(path, f"a call of {value!r}")
    if key == "expr_str" and isinstance(value, str) and not _is_arithmetic(value):
        raise _refused(path, f"the expression {value!r}")


def _is_operator(target: str) -> bool:
    plain = re.fullmatch(r"[\w.]+", target) is not None and "__" not in target
    return plain and target.startswith(_OPERATORS)


def _is_arithmetic(text: str) -> bool:
    text = _NAMED_SYMBOL.sub("s0", text)
    words = re.findall(r"[A-Za-z_]\w*", text)
    known = all(word in _FUNCTIONS or _SYMBOL.fullmatch(word) for word in words)
    return known and re.fullmatch(r"(?:[\w\s+\-*/%(),<>=!&|~]|(?<=\d)\.(?=\d))*", text) is not None


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key), value
            yield from _entries(value)
    elif isinstance(content, list):
        for value in content:
            yield from _entries(value)


def _refused(path: Path, what: str) -> FormatError:
    return FormatError(
        f"{path} holds {what}, which could run code when it is loaded: it is not opened; export "
        "the model again with torch.export.save, or give file.py:factory and its state dict"
    )

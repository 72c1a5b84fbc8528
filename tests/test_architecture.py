"""The house stays in order: who may import whom, how long a room is, where hooks may be."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "phosphene"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST = 300

# Each room, and the rooms it may import from besides itself.
BASE = {"errors", "image", "display", "panel", "provenance", "interruption"}
MAY_IMPORT = {
    "errors": set(),
    "provenance": set(),
    "interruption": set(),
    "image": {"errors"},
    "display": {"errors"},
    "panel": {"errors", "image", "view"},
    "core": BASE,
    "formats": BASE | {"core"},
    "worlds": {"errors", "image"},
    "motion": BASE | {"worlds"},
    "zoo": BASE | {"core", "formats", "worlds"},
    "saliency": BASE | {"core"},
    "preimage": BASE | {"core"},
    "segmentation": BASE | {"core", "saliency", "formats"},
    "descriptors": BASE | {"core", "formats", "preimage"},
    "view": BASE,
    "training": BASE | {"core"},
    "inverse": BASE | {"core", "training"},
    "pretext": BASE | {"core", "formats", "zoo", "training", "motion", "worlds"},
    "transfer": BASE
    | {"core", "formats", "zoo", "training", "motion", "pretext", "segmentation", "worlds"},
    "survey": BASE | {"core", "saliency", "preimage", "worlds", "zoo", "view", "training"},
    "atlas": BASE | {"core", "zoo", "saliency", "preimage", "worlds", "survey", "view"},
    "studies": BASE
    | {
        "core",
        "worlds",
        "zoo",
        "saliency",
        "segmentation",
        "preimage",
        "descriptors",
        "inverse",
        "view",
    },
    "comparison": BASE
    | {
        "core",
        "zoo",
        "saliency",
        "preimage",
        "survey",
        "worlds",
        "view",
        "training",
        "studies",
    },
    "cli": BASE
    | {
        "comparison",
        "core",
        "formats",
        "zoo",
        "saliency",
        "segmentation",
        "preimage",
        "descriptors",
        "view",
        "survey",
        "atlas",
        "studies",
        "worlds",
        "motion",
        "pretext",
        "training",
        "transfer",
    },
    "__init__": {
        "core",
        "descriptors",
        "errors",
        "preimage",
        "saliency",
        "segmentation",
        "zoo",
    },
    "__main__": {"cli"},
}
BANNED = {"utils", "util", "misc", "helpers", "helper", "common", "commons", "tools"}
# May be loaded only inside the functions that need them.
HEAVY = {
    "cv2",
    "skimage",
    "sklearn",
    "maxflow",
    "h5py",
    "scipy",
    "matplotlib",
    "torchvision",
    "timm",
    "transformers",
    "av",
    "lightning_fabric",
}


def room(path: Path) -> str:
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "phosphene"
            found |= {f"phosphene.{a.name}" for a in node.names} if whole else {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_downward(path: Path) -> None:
    own = room(path)
    assert own in MAY_IMPORT, f"{own} is a new room: give it its place in MAY_IMPORT"
    for name in imports(path):
        if not name.startswith("phosphene."):
            continue
        other = name.split(".")[1]
        assert other == own or other in MAY_IMPORT[own], f"{own} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{lines} lines: split it along its nouns"
    assert not BANNED & set(path.with_suffix("").parts[-3:])


def test_the_median_module_is_short() -> None:
    lengths = sorted(len(p.read_text().splitlines()) for p in MODULES)
    assert lengths[len(lengths) // 2] <= 150


def test_hooks_live_in_two_places() -> None:
    forward = re.compile(r"register_(module_)?forward")
    node = re.compile(r"\.register_(pre)?hook\(|register_full_backward")
    for path in MODULES:
        text, name = path.read_text(), str(path.relative_to(SOURCE))
        assert name == "core/record.py" or not forward.search(text), name
        assert name == "core/reversal.py" or not node.search(text), name


def test_node_names_live_in_core() -> None:
    for path in MODULES:
        if room(path) != "core":
            assert "_saved_" not in path.read_text(), path
            assert "Backward0" not in path.read_text(), path


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_heavy_packages_are_imported_late(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {n.split(".")[0] for n in names} & HEAVY


def test_nothing_is_unpickled() -> None:
    for path in MODULES:
        text = path.read_text()
        assert not re.search(r"^\s*(import|from) (pickle|cPickle|dill|joblib)\b", text, re.M), path
        for call in re.findall(r"(?<!safetensors\.)torch\.load\((?:[^()]|\([^()]*\))*\)", text):
            assert "weights_only=True" in call, path


def test_the_repository_names_no_machine() -> None:
    """No paths of one person's machine, no registry hosts."""
    words = re.compile(r"/(root|work)/|index[-]url|files[.]pythonhosted|pypi[.]org/simple")
    for pattern in ("src/**/*.py", "tests/**/*.py", "docs/**/*.md", "*.md", "*.toml", "Makefile"):
        for path in ROOT.glob(pattern):
            assert not words.search(path.read_text()), path

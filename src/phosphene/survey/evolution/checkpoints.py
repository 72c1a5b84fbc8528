"""A training run: one network with the weights it had at several times."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.core.network import Network
from phosphene.errors import FormatError
from phosphene.zoo.demo import EPOCHS, demo, demo_module
from phosphene.zoo.factory import load_weights

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A network at one time.

    Attributes:
        name: What to call the time: the file's name, or the epoch.
        open: Opens the network.
    """

    name: str
    open: Callable[[], Network]


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order names as people count: `epoch-9` before `epoch-10`.

    >>> sorted(["e10", "e9", "last"], key=natural)
    ['e9', 'e10', 'last']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)


def checkpoint_files(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """List the files of weights of a run, first to last.

    Args:
        source: A folder, whose files are taken in the natural order of their names (states of
            `phosphene.training` are left out), or a list of files, which keep theirs.

    Raises:
        FormatError: There is none.
    """
    if not isinstance(source, str | Path):
        return [Path(path) for path in source]
    folder = Path(source)
    if not folder.is_dir():
        return [folder]
    files = [
        path
        for path in folder.iterdir()
        if path.suffix in _SUFFIXES and path.name != "state.safetensors" and path.is_file()
    ]
    if not files:
        raise FormatError(
            f"{folder} holds no checkpoint: files of weights end in {', '.join(_SUFFIXES)}"
        )
    return sorted(files, key=lambda path: natural(path.name))


def run_of(
    make: Callable[[], Network], source: str | Path | Sequence[str | Path]
) -> list[Checkpoint]:
    """Make a run of a network and files of weights.

    Args:
        make: Makes the network; each time anew, as its weights are replaced.
        source: As for `checkpoint_files`. Files are opened without unpickling anything but
            tensors.
    """

    def opener(path: Path) -> Callable[[], Network]:
        def opened() -> Network:
            net = make()
            load_weights(net.module, path)
            return net

        return opened

    files = checkpoint_files(source)
    stems = [path.stem for path in files]
    shared = _shared_start(stems)
    return [
        Checkpoint(stem[shared:] or stem, opener(f)) for stem, f in zip(stems, files, strict=True)
    ]


def demo_run() -> list[Checkpoint]:
    """Return the run of the demo network: eight of its epochs."""

    def opener(epoch: int) -> Callable[[], Network]:
        def opened() -> Network:
            net = demo()
            return Network(demo_module(epoch), net.preprocessing, net.labels, net.name)

        return opened

    return [Checkpoint(f"epoch {epoch}", opener(epoch)) for epoch in EPOCHS]


def _shared_start(names: Sequence[str]) -> int:
    """Return how many characters all names begin with, digits at their end left to them."""
    if len(names) < 2:
        return 0
    count = 0
    for letters in zip(*names, strict=False):
        if len(set(letters)) > 1:
            break
        count += 1
    while count and (names[0][count - 1].isdigit() or names[0][count - 1] == "."):
        count -= 1
    return count

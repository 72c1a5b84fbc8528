"""Folders of photographs, as sets of pairs whose flow nobody looks at.

So photographs are read, cropped, put in order and shared among processes just as frames are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.image import SUFFIXES, read
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair

_PART = 256


class ImageFolder:
    """Photographs, of classes where each class has a folder.

    Attributes:
        files: Paths, class by class.
        classes: Names of the classes, in alphabetical order; none where photographs lie in the
            folder itself.
        class_of: (n,) int64, the class of each; 0 where there are none.
        skipped: Nothing: what cannot be read is found when it is.
    """

    def __init__(self, files: Sequence[Path], classes: Sequence[str], class_of: Tensor) -> None:
        self.files, self.classes, self.class_of = list(files), tuple(classes), class_of
        self.skipped: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: str | Path) -> ImageFolder:
        """List a folder: `FOLDER/CLASS/...` for classes, else all photographs in it.

        Raises:
            ImageError: There is no such folder, or no photograph in it; or some lie beside folders
                of others, so that it is not clear whether the folders are classes.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ImageError(f"there is no folder {folder}: check the path")
        own = sorted(path for path in folder.iterdir() if _is_photograph(path))
        inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        named = {
            place.name: sorted(path for path in place.rglob("*") if _is_photograph(path))
            for place in inside
        }
        named = {name: files for name, files in named.items() if files}
        if own and named:
            raise ImageError(
                f"{folder} holds photographs beside folders of photographs ({next(iter(named))}): "
                "give each class a folder, or put all into one"
            )
        if not own and not named:
            raise ImageError(f"the folder {folder} holds no image files")
        if own:
            return cls(own, (), torch.zeros(len(own), dtype=torch.int64))
        counts = torch.tensor([len(files) for files in named.values()])
        files = [path for some in named.values() for path in some]
        return cls(files, tuple(named), torch.arange(len(named)).repeat_interleave(counts))

    @property
    def parts(self) -> Sequence[int]:
        """How many lie together; small parts, as any file is as near as any other."""
        whole, rest = divmod(len(self.files), _PART)
        return [_PART] * whole + [rest] * bool(rest)

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:
        """Read a photograph.

        Raises:
            IndexError: There is no such number.
            ImageError: It cannot be read.
        """
        pixels = np.array(read(self.files[index]))
        flow = Flow(np.zeros((*pixels.shape[:2], 2), np.float32), np.zeros(pixels.shape[:2], bool))
        return Pair(pixels, flow, self.name(index))

    def name(self, index: int) -> str:
        """Say what to call a photograph."""
        path = self.files[index]
        return f"{path.parent.name}/{path.name}"

    def labels(self, index: int) -> Labels | None:
        """Return nothing: no pixel has a label."""
        return None

    def split(self, held_out: float, seed: int = 0) -> tuple[ImageFolder, ImageFolder]:
        """Part it: all but a share of every class, and that share, one photograph at least.

        Raises:
            ImageError: A class has a single photograph.
        """
        rng = np.random.default_rng(seed)
        kept: list[int] = []
        left: list[int] = []
        for number in range(max(1, len(self.classes))):
            members = (self.class_of == number).nonzero()[:, 0].numpy()
            if len(members) < 2:
                name = self.classes[number] if self.classes else "the folder"
                raise ImageError(f"{name} has {len(members)} photograph: two or more can be parted")
            order = rng.permutation(members)
            count = min(len(members) - 1, max(1, round(held_out * len(members))))
            left += sorted(order[:count].tolist())
            kept += sorted(order[count:].tolist())
        return self._of(kept), self._of(left)

    def _of(self, indices: list[int]) -> ImageFolder:
        chosen = torch.tensor(indices)
        return ImageFolder([self.files[i] for i in indices], self.classes, self.class_of[chosen])

    def __str__(self) -> str:
        """Describe it: how many photographs, and of how many classes."""
        counts = Counter(self.class_of.tolist())
        of = f" of {len(counts)} classes" if self.classes else ""
        return f"{len(self.files)} photographs{of}"


def _is_photograph(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    return known and path.is_file()

"""SBD, the semantic boundaries dataset: more label maps for the photographs of PASCAL VOC.

With them training sets of 10582 photographs are made for VOC 2012's segmentation task: all that SBD
and VOC's own training set label, less VOC's validation set.
"""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.transfer.benchmarks.listing import files_in, some
from phosphene.transfer.benchmarks.voc import names_of


class SbdFolder:
    """SBD's folder, `benchmark_RELEASE/dataset`, with `img`, `cls` and its lists.

    Attributes:
        root: The folder.
        maps: File of the label map of each photograph, by the photograph's name.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        names = [name for name in files_in(root / "cls") if name.endswith(".mat")]
        self.maps = {name.removesuffix(".mat"): root / "cls" / name for name in names}

    @classmethod
    def find(cls, folder: str | Path) -> SbdFolder:
        """Find it in a folder: itself, `dataset`, or `benchmark_RELEASE/dataset`.

        Raises:
            ImageError: It is not there.
        """
        for place in ("", "dataset", "benchmark_RELEASE/dataset"):
            if (Path(folder) / place / "cls").is_dir():
                return cls(Path(folder) / place)
        raise ImageError(
            f"{folder} holds no SBD: it needs cls with .mat files, in the folder itself or in "
            "benchmark_RELEASE/dataset"
        )

    def list_of(self, split: str) -> Path:
        """Return the list of one of its own splits, "train" or "val".

        Raises:
            SettingError: There is none.
        """
        path = self.root / f"{split}.txt"
        if not split or not path.is_file():
            there = sorted(each.stem for each in self.root.glob("*.txt"))
            hint = nearest(split, there) or f": there are {some(there) or 'none'}"
            raise SettingError(f"{self.root} lists no split {split!r}{hint}")
        return path

    def names(self) -> list[str]:
        """List all it labels: those of "train", then those of "val"."""
        return [name for split in ("train", "val") for name in names_of(self.list_of(split))]

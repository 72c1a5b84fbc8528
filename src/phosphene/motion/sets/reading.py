"""Sets read from disk, frame by frame as they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import FlowError, ImageError, SettingError, first_line, nearest
from phosphene.image import read
from phosphene.motion.flow_files import read_flow
from phosphene.motion.sets.writing import FACTS
from phosphene.worlds.instant import Instant


@dataclass(frozen=True)
class SetSequence:
    """A sequence of a set.

    Attributes:
        folder: Of the set.
        name: Of the sequence.
        frames: How many frames there are, one more than instants.
    """

    folder: Path
    name: str
    frames: int

    def __len__(self) -> int:
        """How many instants there are: every frame that has a flow."""
        return self.frames - 1

    def __iter__(self) -> Iterator[Instant]:
        return (self.instant(t) for t in range(len(self)))

    def instant(self, t: int) -> Instant:
        """Read a frame and what is known of it; the flow has the precision of float32.

        Args:
            t: 0 to `len(self)` - 1.

        Raises:
            SettingError: There is no such frame.
            ImageError: An image is missing or damaged.
            FlowError: The flow is missing or damaged, or of another size.
        """
        if not 0 <= t < len(self):
            raise SettingError(f"{self.name} has no flow of frame {t}: give 0 to {len(self) - 1}")
        image, path = self.image(t), self._file("flow", t, ".flo")
        flow = read_flow(path).vectors.astype(np.float64)
        occluded = _labels(self._file("occlusions", t)) > 0
        instant = Instant(image, flow, self.objects(t), self.parts(t), occluded)
        for kind in ("flow", "objects", "parts", "occluded"):
            if getattr(instant, kind).shape[:2] != image.shape[:2]:
                raise FlowError(
                    f"{path}: {kind} of {getattr(instant, kind).shape[:2]} pixels do not fit a "
                    f"frame of {image.shape[:2]}: write the set again"
                )
        return instant

    def image(self, t: int) -> NDArray[np.uint8]:
        """Read a frame, (h, w, 3); t goes to `frames` - 1."""
        return np.asarray(read(self._file("clean", t)))

    def objects(self, t: int) -> NDArray[np.int32]:
        """Read which object every pixel shows, (h, w); t goes to `frames` - 1."""
        return _labels(self._file("objects", t))

    def parts(self, t: int) -> NDArray[np.int32]:
        """Read which part every pixel shows, (h, w); t goes to `frames` - 1."""
        return _labels(self._file("parts", t))

    def _file(self, kind: str, t: int, suffix: str = ".png") -> Path:
        return self.folder / kind / self.name / f"frame_{t + 1:04d}{suffix}"


@dataclass(frozen=True, eq=False)
class WorldSet:
    """A set on disk.

    Attributes:
        folder: Where it is.
        sequences: All of them, in their order.
        facts: What `world.json` says.
    """

    folder: Path
    sequences: tuple[SetSequence, ...]
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[SetSequence]:
        return iter(self.sequences)

    def __getitem__(self, index: int) -> SetSequence:
        return self.sequences[index]

    def split(self, name: str) -> tuple[SetSequence, ...]:
        """Return the sequences of a split.

        Raises:
            SettingError: There is no such split.
        """
        splits = self.facts["splits"]
        if name not in splits:
            known = ", ".join(splits) or "none"
            offer = nearest(name, splits) or f": there are {known}"
            raise SettingError(f"{self.folder} has no split {name!r}{offer}")
        return tuple(each for each in self.sequences if each.name in set(splits[name]))


def read_set(folder: str | Path) -> WorldSet:
    """Open a set; frames are read when they are asked for.

    Args:
        folder: That `write_set` wrote, or `phosphene worlds`.

    Raises:
        FlowError: The folder holds no set, or one whose writing has not ended.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / FACTS).read_text())
        names = [str(name) for name in facts["sequences"]]
        dict(facts["splits"])
    except FileNotFoundError:
        raise FlowError(
            f"{folder} holds no {FACTS}: give a folder that `phosphene worlds` wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlowError(f"{folder / FACTS} is damaged ({first_line(error)})") from None
    counts = [len(list((folder / "clean" / name).glob("frame_*.png"))) for name in names]
    missing = [name for name, count in zip(names, counts, strict=True) if count < 2]
    if missing:
        raise FlowError(
            f"{folder} lacks {len(missing)} of its {len(names)} sequences, {missing[0]} first: run "
            "the command that writes it again, which goes on where it stopped"
        )
    each = zip(names, counts, strict=True)
    return WorldSet(folder, tuple(SetSequence(folder, *one) for one in each), facts)


def _labels(path: Path) -> NDArray[np.int32]:
    try:
        with Image.open(path) as image:
            return np.asarray(image).astype(np.int32)
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}: write the set again") from None
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(f"{path} is damaged ({first_line(error)}): write the set again") from None

"""HOG inverted by a pair of dictionaries: HOGgles.

A window x of HOG is told sparsely by the atoms of V, and painted with the same codes by U:

    a(x) = argmin_a  1/2 |x - V a|^2 + lambda |a|_1,        picture = U a(x)

Both are learned together, from windows of HOG stacked on their patches of photographs, each of
mean 0 and length 1, so that both halves weigh alike. Windows lie on every cell; their pictures are
averaged, weighted by a Gaussian about their middles.

*Reference.* Vondrick, Khosla, Malisiewicz & Torralba, HOGgles: Visualizing object detection
features, ICCV 2013; compared with in Mahendran & Vedaldi, CVPR 2015 and IJCV 2016.

*Departures from the paper.* It is learned on the signals' leading principal components. Since
codes of the HOG alone are not those of both halves, U is fitted to them once more in the end, by
least squares, in full detail. Patches are painted as contrasty as the HOG of their middle cell is
long, since sparse codes lose some contrast and cells without any should stay blank. Windows have 3
cells by default, not 5, and the Gaussian's sigma is 0.6 cells, not 9 pixels: pictures' HOG comes
nearer to the one that was inverted.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import fold

from phosphene.core.finite import all_finite
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.patches import MARGIN, leading, listed, normalized, sampled, windows
from phosphene.descriptors.sparse import Tick, fitted, lasso, learned_atoms
from phosphene.errors import FormatError, ImageError, NotFinite, SettingError, first_line
from phosphene.image import replacing

_COMPONENTS = 300
_SIGMA = 0.6
_EXTREMES = 0.005


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A pair of dictionaries, and how it was learned.

    Attributes:
        descriptor: The HOG it inverts.
        window: w, side of a window, cells.
        image: (side side, k) U, side = (w + 2) cells.
        code: (c w w, k) V, atoms of length 1.
        weight: lambda.
        photos: How many photographs it was learned from.
        patches: How many patches of them.
        seconds: How long that took.
    """

    descriptor: HOG
    window: int
    image: Tensor
    code: Tensor
    weight: float
    photos: int
    patches: int
    seconds: float

    def __post_init__(self) -> None:
        hog, w = self.descriptor, self.window
        side, atoms = (w + 2 * MARGIN) * hog.cell, self.code.shape[-1]
        wanted = (side * side, atoms), (hog.channels * w * w, atoms)
        given = tuple(self.image.shape), tuple(self.code.shape)
        if given != wanted:
            raise SettingError(
                f"dictionaries of shapes {given[0]} and {given[1]} are none of windows of {w} "
                f"cells of HOG({hog.extra_repr()}): they have {wanted[0]} and {wanted[1]}"
            )

    def __repr__(self) -> str:
        """Say what it inverts, and what it was learned from."""
        return (
            f"Dictionary({self.code.shape[1]} atoms, {self.window}x{self.window} cells of "
            f"HOG({self.descriptor.extra_repr()}), {self.patches} patches of {self.photos} photos)"
        )

    @classmethod
    def learned(
        cls,
        photos: Any,
        descriptor: HOG,
        atoms: int = 1024,
        window: int = 3,
        patches: int = 24_000,
        weight: float = 0.1,
        passes: int = 2,
        seed: int = 0,
        tick: Tick | None = None,
    ) -> Dictionary:
        """Learn a pair of dictionaries.

        Args:
            photos: A folder, or photographs: files, PIL images or arrays. Those smaller than a
                window with three cells around it are passed over.
            descriptor: The HOG that shall be inverted.
            atoms: k, how many.
            window: w, cells.
            patches: How many to learn from, at least as many as atoms; nearly flat ones are drawn
                and left out.
            weight: lambda.
            passes: How often each patch is seen.
            seed: Of the draws.
            tick: Told what is done, of how much, and of what.

        Raises:
            ImageError: Photographs cannot be read, or are too few, too small or too flat.
            SettingError: A setting cannot be.
        """
        if window < 1 or atoms < 1 or passes < 1 or not weight > 0 or patches < atoms:
            raise SettingError(
                f"{atoms} atoms of {window}x{window} cells cannot be learned from {patches} "
                f"patches in {passes} passes with lambda {weight:g}: give at least 1 cell, 1 atom, "
                "1 pass, as many patches as atoms and a positive lambda"
            )
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        files = listed(photos)
        each = -(-patches // len(files))
        pairs = list(sampled(files, each, descriptor, window, generator))
        drawn = sum(len(hog) for hog, _ in pairs)
        if drawn < atoms:
            raise ImageError(
                f"{len(files)} photographs gave {drawn} patches that are not flat, and {atoms} "
                "atoms need at least as many: give larger or more photographs, or ask for fewer"
            )
        hogs = normalized(torch.cat([hog for hog, _ in pairs]))
        images = normalized(torch.cat([patch for _, patch in pairs]))
        bases = [leading(x, min(_COMPONENTS, *x.shape)) for x in (hogs, images)]
        both = torch.cat([hogs @ bases[0], images @ bases[1]], 1)
        joint = learned_atoms(both, atoms, weight, generator, passes, tick=tick)
        code = bases[0] @ joint[: bases[0].shape[1]]
        code = code / code.norm(dim=0).clamp(min=1e-12)
        image = fitted(code, hogs, images, weight)
        seconds = time.perf_counter() - start
        return cls(descriptor, window, image, code, weight, len(pairs), drawn, seconds)

    def painted(self, codes: Tensor) -> Tensor:
        """Invert HOG, without stretching contrasts.

        Args:
            codes: (b, channels, rows, columns), also such as no image has, as of a detector.

        Returns:
            (b, 1, rows * cell, columns * cell), of mean about 0: the patch around a cell
            has the length of that cell's HOG.

        Raises:
            ImageError: The codes have another shape.
            NotFinite: Some of them are no finite numbers.
        """
        shape, hog = tuple(codes.shape), self.descriptor
        if len(shape) != 4 or shape[1] != hog.channels or 0 in shape:
            raise ImageError(
                f"codes of shape {shape} were given to a dictionary for (b, {hog.channels}, rows, "
                f"columns), HOG({hog.extra_repr()}): learn one for that descriptor"
            )
        codes = codes if codes.is_floating_point() else codes.float()
        if not all_finite(codes):
            raise NotFinite(
                "some of the codes to invert are no finite numbers: look at what made them"
            )
        return torch.cat([self._one(code) for code in codes.detach().unbind()])

    def invert(self, codes: Tensor) -> Tensor:
        """Invert HOG.

        Args:
            codes: As for `painted`.

        Returns:
            (b, 1, rows * cell, columns * cell) in [0, 1]: each picture stretched, but for half a
            percent of its pixels on either side. One without any contrast is 0.5.
        """
        pictures = self.painted(codes)
        flat = pictures.flatten(1).sort(1)[0]
        spare = int(_EXTREMES * flat.shape[1])
        low, high = flat[:, spare].view(-1, 1, 1, 1), flat[:, -1 - spare].view(-1, 1, 1, 1)
        span = high - low
        middle = torch.full_like(pictures, 0.5)
        return torch.where(span > 0, (pictures - low) / span, middle).clamp(0, 1)

    def _one(self, code: Tensor) -> Tensor:
        code = code[None]
        rows, columns = code.shape[2:]
        cell, before = self.descriptor.cell, (self.window - 1) // 2 + MARGIN
        side = (self.window + 2 * MARGIN) * cell
        signals = normalized(windows(code, self.window)[0].T)
        sparse = lasso(self.code.to(code), signals, self.weight)
        patches = sparse @ self.image.to(code).T
        contrast = code[0].norm(dim=0).view(-1, 1)
        patches = patches * (contrast / patches.norm(dim=1, keepdim=True).clamp(min=1e-6))
        place = torch.arange(side, dtype=code.dtype, device=code.device) + 0.5
        centre = (before + 0.5) * cell
        bell = (-0.5 * ((place - centre) / (_SIGMA * cell)).square()).exp()
        shares = (bell[:, None] * bell).flatten()
        size = (rows - 1) * cell + side, (columns - 1) * cell + side
        summed = fold((patches * shares).T[None], size, side, stride=cell)
        counted = fold(shares[None, :, None].expand(1, -1, len(patches)), size, side, stride=cell)
        top = before * cell
        inside = slice(top, top + rows * cell), slice(top, top + columns * cell)
        return (summed / counted.clamp(min=1e-30))[..., inside[0], inside[1]]

    def save(self, path: str | Path) -> None:
        """Write it to a `.npz`, whole or not at all.

        Raises:
            OutputError: It cannot be written there.
        """
        hog = self.descriptor
        settings = {
            "cell": hog.cell,
            "orientations": hog.orientations,
            "variant": hog.variant,
            "binning": hog.binning,
            "exact": hog.exact,
            "window": self.window,
            "weight": self.weight,
            "photos": self.photos,
            "patches": self.patches,
            "seconds": self.seconds,
        }
        image, code = self.image.cpu().numpy(), self.code.cpu().numpy()
        with replacing(path) as file:
            np.savez(file, image=image, code=code, settings=np.array(json.dumps(settings)))

    @classmethod
    def load(cls, path: str | Path) -> Dictionary:
        """Read it again.

        Raises:
            FormatError: The file is missing, damaged, or holds no pair of dictionaries.
        """
        path = Path(path)
        if not path.is_file():
            raise FormatError(f"there is no file {path}: check the path")
        try:
            # Pickled arrays would run code.
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                image, code = (_matrix(file[name]) for name in ("image", "code"))
                settings = json.loads(str(file["settings"]))
            names = ("cell", "orientations", "variant", "binning", "exact")
            hog = HOG(**{name: settings.pop(name) for name in names})
            return cls(hog, image=image, code=code, **settings)
        except Exception as error:  # a damaged archive can raise anything
            raise FormatError(
                f"{path} holds no pair of dictionaries ({first_line(error, 200)}): give a file "
                "that was written by Dictionary.save"
            ) from error


def _matrix(values: Any) -> Tensor:
    array = torch.from_numpy(np.asarray(values))
    if not array.is_floating_point() or array.dim() != 2 or not all_finite(array):
        raise FormatError(f"{array.dtype} numbers of shape {tuple(array.shape)} are no dictionary")
    return array

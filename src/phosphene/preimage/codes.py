"""Codes that come from elsewhere: from a file, from a mean over photographs, from an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from phosphene.errors import FormatError, first_line


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of a layer, to be inverted.

    Attributes:
        values: (b, ...), as the layer makes them.
        names: What to call each; numbers where there are too few.
        size: (h, w) of the images they shall become; the network's own input size if `None`.
        layer: The layer they are of; empty if that is not known.
    """

    values: Tensor
    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    layer: str = ""

    def name(self, index: int) -> str:
        """Return what a code is called."""
        return self.names[index] if index < len(self.names) else f"code {index}"

    def save(self, path: str | Path) -> Path:
        """Write the codes as a safetensors file, whole or not at all."""
        from safetensors.torch import save

        from phosphene.image import replacing

        with replacing(Path(path)) as file:
            about = {"layer": self.layer}
            file.write(save({"code": self.values.detach().cpu().contiguous()}, about))
        return Path(path)

    @classmethod
    def open(cls, path: str | Path) -> Codes:
        """Read codes from a safetensors file with one tensor (or one named `code`), or `.npy`.

        Raises:
            FormatError: It is neither, or holds no numbers.
        """
        path = Path(path)
        if not path.is_file():
            raise FormatError(f"{path} does not exist: give a .safetensors or .npy file with codes")
        try:
            values, layer = _numpy(path) if path.suffix == ".npy" else _safetensors(path)
        except FormatError:
            raise
        except Exception as error:  # each reader has its own
            raise FormatError(
                f"{path} cannot be read as codes: {first_line(error, 200)}"
            ) from error
        if not values.is_floating_point() or values.dim() < 2:
            raise FormatError(
                f"{path} holds {values.dtype} numbers of shape {tuple(values.shape)}: codes are "
                "floating point, (batch, channels, ...)"
            )
        if not torch.isfinite(values).all():
            raise FormatError(f"{path} holds NaN or infinite numbers, which no image has as a code")
        return cls(values, tuple(f"{path.stem} {i}" for i in range(len(values))), layer=layer)


def _numpy(path: Path) -> tuple[Tensor, str]:
    import numpy as np

    # Pickled arrays would run code.
    return torch.from_numpy(np.load(path, allow_pickle=False)), ""


def _safetensors(path: Path) -> tuple[Tensor, str]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        names = list(file.keys())
        if "code" in names or len(names) == 1:
            layer = (file.metadata() or {}).get("layer", "")
            return file.get_tensor("code" if "code" in names else names[0]), layer
    raise FormatError(
        f"{path} holds {len(names)} tensors ({', '.join(sorted(names)[:5])}): name the code "
        "'code', or store it alone"
    )

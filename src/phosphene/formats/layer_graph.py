"""A network as a list of layers that read and write named blobs, and the module made of it.

Files of Caffe and of MatConvNet describe the same thing: layers in the order in which they run,
each reading *blobs* (`bottoms`) and writing blobs (`tops`) by name. `LayerSpec` says this in the
vocabulary of PyTorch, `kind` and `options` being a class and its arguments, so that all formats
share what comes after. `LayerGraph` runs it.

A layer may write the blob that it reads ("in place" in the file); here that only replaces what the
name stands for, and no module changes its input.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from phosphene.errors import FormatError
from phosphene.formats.layers import KINDS


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """One layer as a file describes it.

    Attributes:
        name: The layer's own name.
        kind: The class of its module, one of `layers.KINDS`.
        bottoms: Names of the blobs that it reads.
        tops: Names of the blobs that it writes; one unless the module returns a tuple. With more
            tops than outputs (Caffe's Split) each gets the same.
        options: Keyword arguments of the class.
        blobs: Weights by the name that the module gives them (`"weight"`, `"running_mean"`, ...).
            They are copied.
    """

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One layer's turn in the forward pass.

    Attributes:
        child: Name of the child module that runs.
        bottoms: Blobs to feed it.
        tops: Blobs to keep its output as.
        stale: Blobs that nothing needs from here on.
    """

    child: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    stale: tuple[str, ...]


class LayerGraph(nn.Module):
    """A network made of layers that read and write named blobs.

    Each layer is a child module under its own name: `graph.get_submodule("fire2/conv1x1_1")`. Where
    torch forbids a name, dots become underscores, and a name that modules need for themselves
    (`"train"`) or that is taken gets an underscore behind it; `aliases` knows the original.

    Args:
        specs: The layers in the order in which they run.
        input_blob: The blob that holds the image.
        input_size: (channels, height, width) that the file declares for it.

    Attributes:
        aliases: For each blob that is not itself a layer's name, the child that writes it last.
        input_size: As given.

    Raises:
        FormatError: There is no layer, a layer reads a blob that nothing writes, or its weights do
            not fit.
    """

    def __init__(
        self, specs: Sequence[LayerSpec], input_blob: str, input_size: tuple[int, int, int]
    ) -> None:
        super().__init__()
        if not specs:
            raise FormatError("the network has no layers; give the description of a whole network")
        self.aliases: dict[str, str] = {}
        self.input_size = input_size
        self._input = input_blob
        self._output = output_blob(specs, input_blob)
        self._steps: list[Step] = []
        writers: dict[str, str] = {}
        names = []
        taken = {*dir(type(self)), *self.__dict__}
        for spec in specs:
            name = _free_name(spec.name, taken)
            taken.add(name)
            self._modules[name] = build(spec)
            names.append(name)
            writers.update(dict.fromkeys(spec.tops, name))
            if name != spec.name:
                self.aliases.setdefault(spec.name, name)
        children = set(names)
        self.aliases |= {
            blob: name
            for blob, name in writers.items()
            if blob not in children and blob not in self.aliases
        }
        self._steps = _steps(names, specs, self._output)

    def forward(self, x: Tensor) -> Tensor:
        """Run the network.

        Args:
            x: (b, c, h, w), in the scale and the order of channels that the network was trained on.

        Returns:
            The blob written last that no layer reads: (b, k, h', w'), or (b, k) for a single place.
        """
        blobs = {self._input: x}
        for step in self._steps:
            y = getattr(self, step.child)(*[blobs[name] for name in step.bottoms])
            outputs = y if isinstance(y, tuple) else (y,) * len(step.tops)
            blobs.update(zip(step.tops, outputs, strict=True))
            for name in step.stale:
                del blobs[name]
        output = blobs[self._output]
        return output.flatten(1) if output.shape[2:] == (1, 1) else output


def _free_name(name: str, taken: Container[str]) -> str:
    name = name.replace(".", "_") or "unnamed"
    while name in taken:
        name += "_"
    return name


def build(spec: LayerSpec) -> nn.Module:
    """Make a layer's module and give it its weights.

    Raises:
        FormatError: The weights have another shape than the module's.
    """
    make = KINDS[spec.kind]
    if not spec.blobs:
        return make(**spec.options)
    module = _without_initialization(spec.kind)(**spec.options)
    module.__class__ = make
    for name, array in spec.blobs.items():
        weight = getattr(module, name, None)
        shape = tuple(weight.shape) if isinstance(weight, Tensor) else None
        if not isinstance(weight, Tensor) or shape != array.shape:
            raise FormatError(
                f"layer {spec.name!r}: its {name} should be of shape {shape}, but the file holds "
                f"one of {array.shape}"
            )
        # A copy: the arrays may be views of a file that is unmapped or changes.
        weight.detach().numpy()[...] = array
    return module


@cache
def _without_initialization(kind: str) -> type[nn.Module]:
    """Return the class less its random weights: they take most of the time, to be overwritten."""
    return type(kind, (KINDS[kind],), {"reset_parameters": lambda self: None})


def output_blob(specs: Iterable[LayerSpec], input_blob: str) -> str:
    """Return the blob written last that no layer reads afterwards.

    Raises:
        FormatError: A layer reads a blob that no layer before it writes.
    """
    written, unread = {input_blob}, {input_blob: None}
    for spec in specs:
        for blob in spec.bottoms:
            if blob not in written:
                raise FormatError(
                    f"layer {spec.name!r} reads the blob {blob!r}, which nothing before it writes; "
                    f"a network is fed one image here, as the blob {input_blob!r}"
                )
            unread.pop(blob, None)
        for blob in spec.tops:
            unread.pop(blob, None)
            unread[blob] = None
        written.update(spec.tops)
    return next(reversed(unread))


def _steps(names: Sequence[str], specs: Sequence[LayerSpec], output: str) -> list[Step]:
    """Plan the pass from its end, where only the output is needed."""
    needed = {output}
    steps = []
    for name, spec in zip(reversed(names), reversed(specs), strict=True):
        touched = dict.fromkeys((*spec.bottoms, *spec.tops))
        stale = tuple(blob for blob in touched if blob not in needed)
        steps.append(Step(name, spec.bottoms, spec.tops, stale))
        needed = (needed - set(spec.tops)) | set(spec.bottoms)
    return steps[::-1]

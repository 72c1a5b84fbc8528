"""A user's network, left as it is, with what is needed to show photographs to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from phosphene.core import running
from phosphene.core.labels import class_index
from phosphene.core.layers import Address, Layer, resolve
from phosphene.core.preprocessing import Frame, Preprocessing
from phosphene.core.receptive_field import ReceptiveField, axes_by_node, field_of, receptive_field
from phosphene.core.record import output_tensor, record
from phosphene.core.representation import Representation
from phosphene.core.scores import ends_in_softmax, score_edge
from phosphene.core.tape import Tape
from phosphene.errors import ImageError
from phosphene.image import as_photograph, to_tensor


class Network:
    """Any `nn.Module` that looks at images, with its preprocessing and class labels.

    The module is never changed: not its weights, flags, hooks or training mode, also where a call
    fails. It is run in evaluation mode whatever mode it is in.

    Attributes:
        module: The model.
        preprocessing: How it wants its images. Where none is given, RGB (or gray, by the channels
            of its first convolution) in [0, 1], 224x224: say it if your network was trained on
            anything else.
        labels: Names of its classes, by index; may be empty.
        name: What to call it in results.
        aliases: Other names for layers.

    >>> import torch
    >>> net = Network(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU()))
    >>> net["1"](torch.rand(1, 3, 10, 10)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing | None = None,
        labels: Sequence[str] = (),
        name: str = "",
        aliases: Mapping[str, str] | None = None,
    ):
        # A compiled model is a shell around the eager one; passes run the eager one.
        self.module: nn.Module = getattr(module, "_orig_mod", module)
        self.preprocessing = preprocessing or Preprocessing((224, 224), order=_order(self.module))
        self.labels = tuple(labels)
        self.name = name or type(self.module).__name__
        self.aliases = dict(aliases if aliases is not None else getattr(module, "aliases", {}))
        self._compiled = running.is_compiled(self.module)

    def __repr__(self) -> str:
        return f"Network({self.name}, {self.preprocessing}, {len(self.labels)} labels)"

    # -- showing photographs -------------------------------------------------------------------

    def prepare(self, photo: Any, whole: bool = False) -> tuple[Tensor, Frame]:
        """Bring one photograph to what the network is fed.

        Args:
            photo: A file, PIL image or array of any size, which is resized and cropped; or a
                tensor (c, h, w) or (1, c, h, w) in [0, 1], which is taken as it is.
            whole: Do not crop: the network then runs fully convolutionally.

        Returns:
            (1, c, h, w) RGB image in [0, 1], and the part of the photograph it is.

        Raises:
            ImageError: It is no photograph, or not one this network can see.
        """
        if isinstance(photo, Tensor):
            image = photo if photo.dim() == 4 else photo[None]
            if image.dim() != 4 or len(image) != 1:
                shape = tuple(photo.shape)
                raise ImageError(f"one image (c, h, w) is needed, and {shape} was given")
            if not image.is_floating_point():
                image = image / 255
            size = (int(image.shape[2]), int(image.shape[3]))
            self._check_image(image)
            return image.to(self.device, self.dtype), Frame(size, size, (0, 0, *size))
        if self.preprocessing.channels is None:
            raise ImageError(
                f"{self.name} does not take photographs (its input is no RGB or gray image): give "
                "a tensor (c, h, w)"
            )
        fitted, frame = self.preprocessing.fit(as_photograph(photo), whole)
        return to_tensor(fitted)[None].to(self.device, self.dtype), frame

    def input_of(self, image: Tensor) -> Tensor:
        """Normalize (b, 3, h, w) RGB images in [0, 1] to the network's input, differentiably."""
        self._check_image(image)
        return self.preprocessing.normalize(image.to(self.device, self.dtype))

    def __call__(self, image: Tensor) -> Tensor:
        """Run the whole network on (b, 3, h, w) RGB images in [0, 1]."""
        return self.output(image)

    def classify(self, photo: Any, count: int = 5) -> list[tuple[str, float]]:
        """Return the most probable classes of a photograph, best first.

        Args:
            photo: As for `prepare`.
            count: How many classes.

        Returns:
            Pairs of label (the index, where there are no labels) and probability.
        """
        image, _ = self.prepare(photo)
        values, indices = self.probabilities(image)[0].topk(min(count, self.classes))
        return [(self.label(int(i)), float(v)) for i, v in zip(indices, values, strict=True)]

    @torch.no_grad()
    def probabilities(self, image: Tensor) -> Tensor:
        """Return (b, k) class probabilities of (b, 3, h, w) images; maps are averaged."""
        return self.as_probabilities(self.output(image))

    def as_probabilities(self, output: Tensor) -> Tensor:
        """Turn what the network puts out, (b, k) or (b, k, h, w), into (b, k) probabilities.

        A softmax is applied unless the network ends in one; maps are averaged after it.
        """
        output = output.detach().float()
        probabilities = output if self._head[1] else output.softmax(1)
        return probabilities.flatten(2).mean(2) if output.dim() > 2 else probabilities

    # -- layers --------------------------------------------------------------------------------

    def __getitem__(self, layer: str) -> Representation:
        """Cut the network at a layer.

        Raises:
            UnknownLayer: No layer goes by that name.
        """
        return Representation(self, self.address(layer))

    def address(self, layer: str) -> Address:
        """Find a layer by its name."""
        return resolve(layer, self.module, self.aliases)

    @property
    def output(self) -> Representation:
        """The uncut network."""
        return Representation(self, None)

    @property
    def scores(self) -> Representation:
        """The class scores: before a softmax, and before a final ReLU and mean over the map."""
        address = self._head[0]
        return Representation(self, address, rewind=address is None)

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return self._head[2]

    @cached_property
    def _head(self) -> tuple[Address | None, bool, int]:
        """The score layer if it is a module, whether a softmax follows, how many classes."""
        x = self._blank()
        with self.running():
            output, captures = record(self.module, x, None, values=False, run=self.run)
        tensor = output_tensor(output)
        edge = get_gradient_edge(tensor)
        scores = score_edge(edge)
        layer = next((a for a, c in captures.items() if c.edge == scores), None)
        return layer, ends_in_softmax(edge), int(tensor.shape[1])

    def layers(self, input_size: tuple[int, int] | None = None) -> list[Layer]:
        """List every layer that a pass runs, in order, with its receptive field.

        Args:
            input_size: (h, w) of the image; the preprocessing's own by default.
        """
        x = self._blank(input_size)
        with self.running():
            output, captures = record(self.module, x, None, values=False, run=self.run)
        tape = Tape(x, torch.empty(0), get_gradient_edge(output_tensor(output)))
        axes = axes_by_node(tape)
        spelled = {path: name for name, path in self.aliases.items()}
        return [
            Layer(
                str(address),
                type(capture.module).__name__,
                capture.shape[1:],
                field_of(axes.get(capture.edge.node)) if capture.edge else None,
                sum(p.numel() for p in capture.module.parameters(recurse=False)),
                spelled.get(str(address), ""),
            )
            for address, capture in captures.items()
        ]

    def receptive_field(self, layer: str) -> ReceptiveField | None:
        """Return the receptive field of a layer's units; `None` where it is not defined."""
        x = self._blank()
        with self.running():
            (tape,) = self._tapes(x, [self[layer]], [])
        return receptive_field(tape)

    def record(self, image: Tensor, layers: Iterable[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network once and note what some of its layers put out.

        Args:
            image: (b, 3, h, w) RGB in [0, 1].
            layers: Names of layers.

        Returns:
            The output, and the activations by the names given, all without gradients.
        """
        names = list(layers)
        addresses = {name: self.address(name) for name in names}
        with torch.no_grad(), self.running():
            x = self.input_of(image)
            output, captures = record(self.module, x, addresses.values(), run=self.run)
        activations = {}
        for name in names:
            value = captures[addresses[name]].value
            assert value is not None
            activations[name] = value
        return output_tensor(output), activations

    def tapes(
        self, image: Tensor, cuts: Sequence[Representation], to: Iterable[str] = ()
    ) -> list[Tape]:
        """Run the network once and keep the tape for several layers.

        Args:
            image: (b, 3, h, w) RGB in [0, 1].
            cuts: Representations of this network; nothing behind the last of them is run.
            to: Names of inner layers at which signals may be wanted.
        """
        with torch.no_grad():
            x = self.input_of(image).detach()
        with self.running():
            return self._tapes(x.requires_grad_(), cuts, to)

    def _tapes(self, x: Tensor, cuts: Sequence[Representation], to: Iterable[str]) -> list[Tape]:
        to = list(to)
        through = any(cut.address is None for cut in cuts)
        wanted = [cut.address for cut in cuts if cut.address] + [self.address(n) for n in to]
        output, captures = record(self.module, x, wanted, stop=not through, run=self.run)
        tensor = output_tensor(output) if through else None
        return [cut.on_tape(x, tensor, captures, to) for cut in cuts]

    # -- classes -------------------------------------------------------------------------------

    def label(self, index: int) -> str:
        """Return the name of a class, or its index where the network has no labels."""
        return self.labels[index] if index < len(self.labels) else str(index)

    def class_index(self, name: str | int) -> int:
        """Find a class by its name, a synonym in it, or its index.

        Raises:
            UnknownClass: There is none, or there are several; the message offers the nearest.
        """
        return class_index(name, self.labels, self.classes)

    # -- running -------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next((t.device for t in self._tensors()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The type of the network's weights."""
        floats = (t.dtype for t in self._tensors() if t.is_floating_point())
        return next(floats, torch.get_default_dtype())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the model in evaluation mode, and eager where it is compiled, for a `with` block."""
        with ExitStack() as stack:
            stack.enter_context(running.in_evaluation(self.module))
            stack.enter_context(running.eager(self._compiled))
            yield

    def run(self, module: nn.Module, x: Tensor) -> Any:
        """Call the model on its own input; errors become one sentence."""
        return running.call(module, x)

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.module.parameters()
        yield from self.module.buffers()

    def _blank(self, input_size: tuple[int, int] | None = None) -> Tensor:
        """Make a gray input of the default size, for passes whose values do not matter."""
        channels = self.preprocessing.channels or _input_channels(self.module) or 3
        size = input_size or self.preprocessing.input_size
        gray = torch.full((1, channels, *size), 0.5, device=self.device, dtype=self.dtype)
        with torch.no_grad():
            x = self.preprocessing.normalize(gray)
        return x.detach().requires_grad_()

    def _check_image(self, image: Tensor) -> None:
        wanted = self.preprocessing.channels
        given = image.shape[1] if image.dim() == 4 else None
        allowed = (1, 3) if self.preprocessing.order == "gray" else (wanted,)
        if given is None or (wanted is not None and given not in allowed):
            raise ImageError(
                f"{self.name} takes images (batch, {wanted or 'channels'}, height, width), and "
                f"{tuple(image.shape)} was given"
            )


def _input_channels(module: nn.Module) -> int | None:
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            return child.in_channels
    return None


def _order(module: nn.Module) -> Any:
    channels = _input_channels(module)
    if channels is None:
        return "RGB"
    return {1: "gray", 3: "RGB"}.get(channels, "any")

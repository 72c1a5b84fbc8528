"""A user's network, left as it is, with what is needed to show photographs to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core import running
from phosphene.core.labels import class_index, label_of, most_probable
from phosphene.core.layers import Address, Layer, resolve
from phosphene.core.listing import Head, find_head, input_channels, input_order, list_layers
from phosphene.core.looking import looking
from phosphene.core.preprocessing import Frame, Preprocessing
from phosphene.core.receptive_field import ReceptiveField, receptive_field
from phosphene.core.record import output_tensor, record
from phosphene.core.representation import Representation
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
        compiled: Whether part of it is compiled; it is run eagerly then.

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
        self.preprocessing = preprocessing or Preprocessing(
            (224, 224), order=input_order(self.module)
        )
        self.labels = tuple(labels)
        self.name = name or type(self.module).__name__
        self.aliases = dict(aliases if aliases is not None else getattr(module, "aliases", {}))
        self.compiled = running.is_compiled(self.module)

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
        return list(most_probable(self.probabilities(image), self.labels, count)[0])

    @torch.no_grad()
    def probabilities(self, image: Tensor) -> Tensor:
        """Return (b, k) class probabilities of (b, 3, h, w) images; maps are averaged."""
        return self.head.probabilities(self.output(image))

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
        address = self.head.layer
        return Representation(self, address, rewind=address is None)

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return self.head.classes

    @cached_property
    def head(self) -> Head:
        """Where the class scores are; found by one pass on a gray image."""
        return find_head(self)

    def layers(self, input_size: tuple[int, int] | None = None) -> list[Layer]:
        """List every layer that a pass runs, in order, with its receptive field.

        Args:
            input_size: (h, w) of the image; the preprocessing's own by default.
        """
        return list_layers(self, input_size)

    def receptive_field(self, layer: str) -> ReceptiveField | None:
        """Return the receptive field of a layer's units; `None` where it is not defined."""
        with looking(self, [self[layer]]) as look:
            (tape,) = look(self.blank())
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
        with self.running(gradients=False):
            x = self.input_of(image)
            output, captures = record(self.module, x, addresses.values(), run=self.run)
        values = ((name, captures[addresses[name]].value) for name in names)
        return output_tensor(output), {name: v for name, v in values if v is not None}

    def tapes(
        self, image: Tensor, cuts: Sequence[Representation], to: Iterable[str] = ()
    ) -> list[Tape]:
        """Run the network once and keep the tape for several layers.

        Args:
            image: (b, 3, h, w) RGB in [0, 1].
            cuts: Representations of this network; nothing behind the last of them is run.
            to: Names of inner layers at which signals may be wanted.
        """
        with self.running(gradients=False):
            # A clone, so that no image made in inference mode ends up on the tape.
            x = self.input_of(image).detach().clone()
        with looking(self, cuts, to) as look:
            return look(x.requires_grad_())

    # -- classes -------------------------------------------------------------------------------

    def label(self, index: int) -> str:
        """Return the name of a class, or its index where the network has no labels."""
        return label_of(index, self.labels)

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
    def running(self, gradients: bool | None = None) -> Iterator[None]:
        """Keep the model in evaluation mode, and eager where it is compiled, for a `with` block.

        Args:
            gradients: Whether a tape is kept, whatever the caller's mode; his mode if `None`.
        """
        with ExitStack() as stack:
            if gradients is not None:
                stack.enter_context(torch.inference_mode(False))
                stack.enter_context(torch.set_grad_enabled(gradients))
            stack.enter_context(running.in_evaluation(self.module))
            stack.enter_context(running.eager(self.compiled))
            yield

    def run(self, module: nn.Module, x: Tensor) -> Any:
        """Call the model on a copy of its own input; errors become one sentence."""
        # A copy, since a model may work in place on what it is given.
        return running.call(module, x.clone())

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.module.parameters()
        yield from self.module.buffers()

    def blank(self, input_size: tuple[int, int] | None = None) -> Tensor:
        """Make a gray input for passes whose values do not matter.

        Args:
            input_size: (h, w); the preprocessing's own by default.

        Returns:
            (1, c, h, w), a leaf that requires a gradient.
        """
        channels = self.preprocessing.channels or input_channels(self.module) or 3
        size = input_size or self.preprocessing.input_size
        gray = torch.full((1, channels, *size), 0.5, device=self.device, dtype=self.dtype)
        return self.preprocessing.normalize(gray).detach().requires_grad_()

    def _check_image(self, image: Tensor) -> None:
        wanted = self.preprocessing.channels
        given = image.shape[1] if image.dim() == 4 else None
        allowed = (1, 3) if self.preprocessing.order == "gray" else (wanted,)
        if given is None or (wanted is not None and given not in allowed):
            raise ImageError(
                f"{self.name} takes images (batch, {wanted or 'channels'}, height, width), and "
                f"{tuple(image.shape)} was given"
            )

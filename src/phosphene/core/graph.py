"""A clean pass as a flat list of operations, to be run again on other images.

A model is run once on one image and once on two, and what it calls of PyTorch's operators (below
autograd, where every spelling of a layer is the same few) is written down. Where the two lists
differ in a number, that number is a multiple of how many images there are; so the list can be run
on any number of them. Writing in place becomes making a new value. The model itself is only
called: weights stand in the list as the tensors they are.

What a list cannot say is found out and said in `Graph.reason`: a model that decides by values,
draws random numbers, looks at its tensors' layout in memory, or writes into a part of a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Size = tuple[int, ...]


@dataclass(frozen=True)
class Ref:
    """A value of the list, by its number; 0 is the network's input."""

    number: int


@dataclass(frozen=True)
class Times:
    """A number that grows with the images: so much for each."""

    each: int


@dataclass(frozen=True, eq=False)
class Operation:
    """One call of an operator.

    Attributes:
        function: The operator, writing nothing in place.
        arguments: What it was called with: numbers, weights, `Ref` and `Times`, in lists too.
        options: The same, by name.
        outputs: Numbers of the values it makes; -1 for what is no tensor.
        several: Whether it returns a tuple or list of them.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    outputs: tuple[int, ...]
    several: bool

    @property
    def name(self) -> str:
        """Name of the operator, as in `max_pool2d_with_indices`."""
        return str(getattr(self.function, "__name__", self.function)).partition(".")[0]

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the values it reads."""
        given = (*self.arguments, *self.options.values())
        return tuple(entry.number for entry in _flat(given) if isinstance(entry, Ref))

    def filled(self, values: Mapping[int, Any], images: int) -> tuple[list[Any], dict[str, Any]]:
        """Return arguments and options for so many images, values put in."""
        arguments = [_put(entry, values, images) for entry in self.arguments]
        return arguments, {k: _put(v, values, images) for k, v in self.options.items()}

    def run(self, values: Mapping[int, Any], images: int) -> dict[int, Tensor]:
        """Call the operator on whole values; return what it made by number."""
        arguments, options = self.filled(values, images)
        return self.named(self.function(*arguments, **options))

    def named(self, made: Any) -> dict[int, Tensor]:
        """Return what the operator has returned by the numbers of the values."""
        found = made if self.several else (made,)
        return {n: t for n, t in zip(self.outputs, found, strict=True) if n >= 0}


@dataclass(frozen=True, eq=False)
class Graph:
    """The operations between a network's input and what is wanted, in order.

    Attributes:
        operations: Only those that something wanted depends on.
        sizes: Shape of every value for one image.
        wanted: Numbers of the values that were asked for.
        constant: Numbers of those that depend neither on the image nor on how many there are.
        reason: Why the list does not stand for the model; empty if it does.
    """

    operations: tuple[Operation, ...] = ()
    sizes: Mapping[int, Size] = field(default_factory=dict)
    wanted: tuple[int, ...] = ()
    constant: frozenset[int] = frozenset()
    reason: str = ""

    @classmethod
    def of(cls, one: Recording, two: Recording) -> Graph:
        """Make the list from a pass over one image and a pass over two."""
        reason = one.reason or two.reason
        calls = [[str(operation.function) for operation in r.operations] for r in (one, two)]
        if not reason and (calls[0] != calls[1] or one.wanted != two.wanted):
            reason = "the model does something else for two images than for one"
        if not reason and -1 in one.wanted:
            reason = "a layer's output does not come from PyTorch's operators"
        if reason:
            return cls(reason=reason)
        try:
            merged = [_merge(a, b) for a, b in zip(one.operations, two.operations, strict=True)]
        except _Unlike as error:
            return cls(reason=str(error))
        varies, constant, refused = {0}, set[int](), []
        for operation in merged:
            given = (*operation.arguments, *operation.options.values())
            images = any(isinstance(entry, Times) for entry in _flat(given))
            if images or varies.intersection(operation.inputs):
                varies.update(operation.outputs)
                if torch.Tag.data_dependent_output in getattr(operation.function, "tags", ()):
                    refused.append(f"the model decides by values ({operation.name})")
            else:
                constant.update(operation.outputs)
        needed, kept = set(one.wanted), []
        for operation in reversed(merged):
            if needed.intersection(operation.outputs):
                needed.update(operation.inputs)
                kept.append(operation)
        kept.reverse()
        refused += [f"the model {why}" for operation in kept if (why := _refused(operation))]
        if constant.intersection(one.wanted):
            refused.append("what is wanted does not depend on the image by PyTorch's operators")
        sizes = {number: one.sizes[number] for number in needed if number in one.sizes}
        fixed, why = frozenset(constant - {-1}), next(iter(refused), "")
        return cls(tuple(kept), sizes, one.wanted, fixed, why)


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what is called while it is entered.

    Args:
        x: The input of the model.

    Attributes:
        operations: The calls, in order.
        sizes: Shape of every value.
        reason: Why they do not stand for the model; empty if they do.
        wanted: Numbers of the tensors that `want` was given.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.sizes: dict[int, Size] = {0: tuple(x.shape)}
        self.reason = ""
        self.wanted: tuple[int, ...] = ()
        # The tensors stay alive, so that no other gets the identity of one that is gone.
        self._alive: dict[int, tuple[Tensor, int]] = {id(x): (x, 0)}

    def want(self, tensors: Iterable[Tensor]) -> None:
        """Ask for tensors that the pass has made; the others are let go."""
        self.wanted = tuple(self._alive.get(id(t), (t, -1))[1] for t in tensors)
        self._alive.clear()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call an operator and write it down."""
        kwargs = dict(kwargs or {})
        arguments, options = self._refer(args), {k: self._refer(v) for k, v in kwargs.items()}
        made = func(*args, **kwargs)
        schema = func._schema
        written = [
            args[i] if i < len(args) else kwargs.get(a.name)
            for i, a in enumerate(schema.arguments)
            if a.alias_info is not None and a.alias_info.is_write
        ]
        several = isinstance(made, tuple | list)
        found = made if several else (made,)
        function = func
        if written:
            function = _without_writing(func)
            if function is None or len(written) > 1 or not isinstance(written[0], Tensor):
                self.reason = self.reason or f"the model writes in place by {func}"
                function = func
            else:
                self._overwrite(written[0])
        outputs = tuple(self._number(t) if isinstance(t, Tensor) else -1 for t in found)
        self.operations.append(Operation(function, arguments, options, outputs, several))
        return made

    def _refer(self, given: Any) -> Any:
        if isinstance(given, Tensor):
            _, number = self._alive.get(id(given), (given, None))
            if number == -1:
                self.reason = self.reason or "the model writes into a part of a tensor"
            return given if number is None else Ref(number)
        if isinstance(given, tuple | list):
            return tuple(self._refer(entry) for entry in given)
        return given

    def _overwrite(self, tensor: Tensor) -> None:
        if id(tensor) not in self._alive:
            self.reason = self.reason or "the model writes into tensors of its own"
        memory = tensor.untyped_storage()._cdata
        for key, (other, _) in self._alive.items():
            if other is not tensor and other.untyped_storage()._cdata == memory:
                self._alive[key] = (other, -1)  # what it held is gone; reading it would be wrong

    def _number(self, tensor: Tensor) -> int:
        number = len(self.sizes)
        self._alive[id(tensor)] = (tensor, number)
        self.sizes[number] = tuple(tensor.shape)
        return number


class _Unlike(Exception):
    """The two passes differ in more than how many images there are."""


def _without_writing(func: Any) -> Any:
    name, overload = func._schema.name, func._overloadname
    space, _, base = name.partition("::")
    if space != "aten" or not base.endswith("_"):
        return None
    packet = getattr(torch.ops.aten, base[:-1], None)
    return getattr(packet, overload, None)


_LAYOUT = ("as_strided", "set_", "resize_", "_reshape_alias", "data_ptr")


def _refused(operation: Operation) -> str:
    tags = getattr(operation.function, "tags", ())
    if torch.Tag.nondeterministic_seeded in tags:
        return f"draws random numbers ({operation.name})"
    if torch.Tag.dynamic_output_shape in tags:
        return f"decides by values ({operation.name})"
    if operation.name in _LAYOUT:
        return f"looks at the layout of its tensors ({operation.name})"
    return ""


# Channels-last values have no view of another shape; a reshape is the same numbers.
_RESHAPED = {"view": torch.ops.aten.reshape.default, "_unsafe_view": torch.ops.aten.reshape.default}


def _merge(one: Operation, two: Operation) -> Operation:
    if one.outputs != two.outputs:
        raise _Unlike("the model makes other values for two images than for one")
    try:
        arguments = _multiples(one.arguments, two.arguments)
        pairs = zip(one.options.items(), two.options.items(), strict=True)
        options = {name: _multiples(a, b) for (name, a), (_, b) in pairs}
    except (_Unlike, ValueError):
        raise _Unlike(
            f"what {one.name} is called with depends on more than how many images there are"
        ) from None
    function = _RESHAPED.get(one.name, one.function)
    return Operation(function, arguments, options, one.outputs, one.several)


def _multiples(one: Any, two: Any) -> Any:
    if isinstance(one, tuple) and isinstance(two, tuple):
        return tuple(_multiples(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        if one is not two and one.shape != two.shape:
            raise _Unlike
        return one
    if type(one) is not type(two):
        raise _Unlike
    if one == two:
        return one
    if isinstance(one, int) and not isinstance(one, bool) and two == 2 * one:
        return Times(one)
    raise _Unlike


def _put(entry: Any, values: Mapping[int, Any], images: int) -> Any:
    if isinstance(entry, Ref):
        return values[entry.number]
    if isinstance(entry, Times):
        return entry.each * images
    return [_put(e, values, images) for e in entry] if isinstance(entry, tuple) else entry


def _flat(given: Any) -> Iterable[Any]:
    if isinstance(given, tuple | list):
        for entry in given:
            yield from _flat(entry)
    else:
        yield given

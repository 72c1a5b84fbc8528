"""Recording activations: the only forward hooks of the house.

A pass is run on the user's own model with hooks on the modules asked for and on no others. Each
hook notes the value and the *edge* (tape node and output number) that the module's output had at
the moment the module returned: a later in-place layer may overwrite the value and move the tensor
to another node, but not change what was noted. Once everything asked for has been seen the pass
is ended, so that no layer behind the last one runs.

Hooks answer only in the thread that put them there, so two threads may look into one model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from phosphene.core.layers import Address, paths
from phosphene.errors import LayerNeverRan, NetworkError


@dataclass(frozen=True)
class Capture:
    """What one layer put out.

    Attributes:
        address: The module and which of its calls.
        module: The module itself.
        value: Its output, detached (unless asked for live) and safe from later in-place layers; the
            live tensor for the layer that ended the pass; `None` if not kept.
        shape: Shape of its output, batch included.
        edge: Where on the tape its output was made; `None` where no gradient flows.
        version: How often the value had been written to when the module returned; -1 where it
            cannot change any more.
    """

    address: Address
    module: nn.Module
    value: Tensor | None
    shape: tuple[int, ...]
    edge: GradientEdge | None
    version: int = -1

    @property
    def intact(self) -> bool:
        """Whether no later layer has written over the value."""
        return self.value is None or self.version < 0 or self.value._version == self.version


class _Reached(BaseException):
    """Ends a forward pass; no `Exception`, so that a model's own handlers let it through."""


def record(
    module: nn.Module,
    x: Tensor,
    wanted: Iterable[Address] | None,
    *,
    stop: bool = False,
    values: bool = True,
    live: bool = False,
    copied: Collection[Address] | None = None,
    run: Callable[[nn.Module, Tensor], Any] | None = None,
) -> tuple[Any, dict[Address, Capture]]:
    """Run a model once and note what layers put out.

    Args:
        module: The model, in the mode it should run in.
        x: Its input.
        wanted: The layers to note; `None` notes every call of every module.
        stop: End the pass as soon as all wanted layers have been seen; the output is then `None`
            (unless the model ended by itself first).
        values: Keep the layers' values, not only their shapes and edges.
        live: Keep them on their tape, so that derivatives flow through them.
        copied: The layers whose values are copied; all by default. What is not copied may have
            been overwritten by a later in-place layer when the pass is over, which `intact` tells;
            `recording.Recorder` finds out which layers that is so of.
        run: How to call the model; `module(x)` by default.

    Returns:
        The model's output, and the captures by address in the order the layers ran.

    Raises:
        LayerNeverRan: A wanted layer was not called, or not often enough.
    """
    known = paths(module)
    targets = None if wanted is None else list(dict.fromkeys(wanted))
    missing = set(targets or ())
    captured: dict[Address, Capture] = {}
    owner = threading.get_ident()
    chosen = known if targets is None else {a.path: known[a.path] for a in targets}
    calls: dict[int, int] = {}
    # One module may go by several paths; where none is asked for it goes by the first.
    spelled: dict[int, list[str]] = {}
    for path, child in chosen.items():
        spelled.setdefault(id(child), []).append(path)
    hooks = []
    own = object()  # no exception, whose traceback would hold this frame

    def note(child: nn.Module, _: Any, output: Any) -> None:
        if threading.get_ident() != owner:
            return
        call = calls[id(child)] = calls.get(id(child), -1) + 1
        addresses = [Address(path, call) for path in spelled[id(child)]]
        addresses = addresses[:1] if targets is None else [a for a in addresses if a in missing]
        tensor = first_tensor(output)
        if tensor is None or not addresses:
            return
        last = stop and missing == set(addresses)
        value, version = None, -1
        if values and last:
            value = tensor  # no layer behind it runs any more
        elif values and (
            copied is None or tensor.is_inference() or any(a in copied for a in addresses)
        ):
            value = (tensor if live else tensor.detach()).clone()  # behind it may be in place
        elif values:
            # Detached tensors count the writes to what they were detached from.
            value, version = tensor if live else tensor.detach(), tensor._version
        edge = get_gradient_edge(tensor) if tensor.requires_grad else None
        shape = tuple(tensor.shape)
        for address in addresses:
            captured[address] = Capture(address, child, value, shape, edge, version)
        missing.difference_update(addresses)
        if last:
            raise _Reached(own)

    try:
        for child in {id(child): child for child in chosen.values()}.values():
            if isinstance(child, torch.jit.ScriptModule):
                continue  # it takes no hooks
            hooks.append(child.register_forward_hook(note))
        output = run(module, x) if run else module(x)
    except _Reached as said:
        if said.args[0] is not own:
            raise  # of another recording, inside of which this one runs
        output = None
    finally:
        for hook in hooks:
            hook.remove()
    if missing:
        raise LayerNeverRan(_never_ran(sorted(map(str, missing)), known, calls))
    return output, captured


def first_tensor(output: Any) -> Tensor | None:
    """Return the tensor in a module's output: itself, or the first in a tuple, list or mapping."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict):
        output = output.values()
    if hasattr(output, "to_tuple"):
        output = output.to_tuple()
    if isinstance(output, Iterable):
        for entry in output:
            if isinstance(entry, Tensor):
                return entry
    return None


def output_tensor(output: Any) -> Tensor:
    """Return the tensor in a model's output, or raise `NetworkError`."""
    logits = getattr(output, "logits", None)
    tensor = logits if isinstance(logits, Tensor) else first_tensor(output)
    if tensor is None:
        raise NetworkError(
            f"the network returned {type(output).__name__}, which holds no tensor: wrap it so "
            "that it returns its class scores or maps"
        )
    return tensor


def _never_ran(names: list[str], known: dict[str, nn.Module], calls: dict[int, int]) -> str:
    name = names[0]
    base = name if name in known else name.rpartition("_")[0]
    count = calls.get(id(known.get(base)), -1) + 1
    if count:
        return f"layer {name!r} never ran: {base!r} is called {count} time(s) in one pass"
    child = known.get(base)
    script = isinstance(child, torch.jit.ScriptModule)
    why = (
        "it is part of a scripted model, whose inside cannot be recorded; open the eager model"
        if script
        else "the forward pass does not call it as a module; choose a layer that it does call"
    )
    return f"layer {name!r} never ran: {why}"

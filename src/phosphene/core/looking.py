"""Running a network for its tapes: once, or many times over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from phosphene.core.record import output_tensor, record
from phosphene.core.representation import Representation
from phosphene.core.tape import Tape

if TYPE_CHECKING:
    from phosphene.core.network import Network

Look = Callable[[Tensor], list[Tape]]


@contextmanager
def looking(net: Network, cuts: Sequence[Representation], to: Iterable[str] = ()) -> Iterator[Look]:
    """Keep a network ready for passes: a `with` block yields the function that runs one.

    Args:
        net: The network.
        cuts: Representations of it; nothing behind the last of them is run.
        to: Names of inner layers at which signals may be wanted.

    Yields:
        From (b, c, h, w), the network's own input, a leaf that requires a gradient, to a tape for
        each cut. Backward passes belong into the block, too.
    """
    inner = {name: net.address(name) for name in to}
    through = any(cut.address is None for cut in cuts)
    wanted = [*(cut.address for cut in cuts if cut.address), *inner.values()]
    walked = net.compiled
    ready = net.compiled

    def run(x: Tensor) -> list[Tape]:
        output, captures = record(net.module, x, wanted, stop=not through, run=net.run)
        tensor = output_tensor(output) if through else None
        return [cut.on_tape(x, tensor, captures, inner) for cut in cuts]

    def look(x: Tensor) -> list[Tape]:
        nonlocal walked
        if net.compiled and not ready:
            with net.running(gradients=True):
                return run(x)
        tapes = run(x)
        # A compiled function that no module tells of shows on the tape, which is walked once.
        if walked or not any(tape.compiled for tape in tapes):
            walked = True
            return tapes
        net.compiled = True
        return look(x)

    with net.running(gradients=True):
        yield look

"""Which reversed networks the units of a layer can be sent back by, and why not by others.

A rule that changes ReLUs has nothing to change below the first of them. There every such rule is
the derivative, and "saliency" may stand in for it; what `explain` does with its own rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from phosphene.core.network import Network
from phosphene.core.reversal import backward
from phosphene.core.rules import SALIENCY, Reversal
from phosphene.errors import NothingToReverse, ReversalError

Refusals = dict[Reversal, ReversalError]


def refusals(net: Network, layers: Iterable[str], rules: Sequence[Reversal]) -> dict[str, Refusals]:
    """Find out which rules do not work for which layers, by one pass on a gray image.

    Args:
        net: The network.
        layers: Names of layers; `""` is the output.
        rules: The rules.

    Returns:
        For each layer the rules that its units cannot be sent back by, with the reason: no entry
        for those that work.

    Raises:
        UnknownLayer: There is no such layer.
    """
    names = list(dict.fromkeys(layers))
    if not names or not rules:
        return {name: {} for name in names}
    found: dict[str, Refusals] = {name: {} for name in names}
    gray = torch.full((1, net.preprocessing.channels or 3, *net.preprocessing.input_size), 0.5)
    with net.running(gradients=False):
        tapes = net.tapes(gray, [net[name] if name else net.output for name in names])
        for name, tape in zip(names, tapes, strict=True):
            for rule in rules:
                try:
                    backward(tape, torch.zeros_like(tape.activation), rule)
                except ReversalError as error:
                    found[name][rule] = error
    return found


def reversible(net: Network, layers: Iterable[str], rule: Reversal) -> dict[str, Reversal]:
    """Choose for each layer the rule, or "saliency" where there is nothing that the rule changes.

    Raises:
        OpaqueGraph: The rule cannot look into a part of the network.
    """
    chosen: dict[str, Reversal] = {}
    for layer, refused in refusals(net, layers, [rule]).items():
        error = refused.get(rule)
        if error is not None and not isinstance(error, NothingToReverse):
            raise error
        chosen[layer] = SALIENCY if error is not None else rule
    return chosen

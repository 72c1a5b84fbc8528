"""Recognising local response normalisation on the tape.

PyTorch has no node of its own for it: `y = x / (k + alpha/n * sum x**2) ** beta` leaves a division
(or a multiplication with a negative power) with two branches back to the same `x`:

```text
            +--------------------------------- x
Div --------+
            +-- Pow -- Add -- Mul -- pool/sum/conv/cat ... -- x * x
```

The branch of the power must hold a power, a sum and a square, must consist of linear and
elementwise nodes only, and must end at the very tensor that the direct branch brings.
"""

from __future__ import annotations

from torch.autograd.graph import Node

from phosphene.core.nodes import saved

# What may stand between the power and the square.
_WINDOWS = frozenset(
    "Add AsStrided AvgPool2D AvgPool3D Cat Clone ConstantPadNd Convolution Cumsum Div Expand Mean "
    "Mul Narrow Permute ReshapeAlias Select Slice Squeeze Stack Sub Sum Transpose Unbind Unfold "
    "UnsafeView Unsqueeze View".split()
)
# A branch longer than this is no normalisation (a window written by hand takes about 5 n nodes).
_LONGEST = 400


def direct_branch(node: Node) -> int | None:
    """Return which input of a division or multiplication is the x of a normalisation.

    Args:
        node: Any node of the tape.

    Returns:
        0 or 1, or `None` if the node does not end a local response normalisation.
    """
    name = node.name()
    if name not in ("DivBackward0", "MulBackward0") or len(node.next_functions) != 2:
        return None
    for direct in (0,) if name == "DivBackward0" else (0, 1):
        source = node.next_functions[direct]
        power = node.next_functions[1 - direct][0]
        if source[0] is None or power is None or power.name() != "PowBackward0":
            continue
        exponent = float(saved(power, "exponent"))
        falls = exponent > 0 if name == "DivBackward0" else exponent < 0
        if falls and abs(exponent) != 2 and _is_window(power, source):
            return direct
    return None


def _is_window(power: Node, source: tuple[Node | None, int]) -> bool:
    stack = [entry for entry in power.next_functions if entry[0] is not None]
    seen: set[Node] = set()
    squares = sums = 0
    while stack:
        if len(seen) > _LONGEST:
            return False
        node, output = stack.pop()
        if node is None or node in seen:
            continue
        if (node, output) == source:
            return False  # x itself enters the sum: something else than a square of it
        inputs = [entry for entry in node.next_functions if entry[0] is not None]
        square = node.name() == "MulBackward0" and inputs == [source, source]
        square |= node.name() == "PowBackward0" and inputs == [source]
        if square:
            squares += 1
            continue
        operation = node.name().partition("Backward")[0]
        if operation not in _WINDOWS:
            return False
        sums += operation == "Add"
        seen.add(node)
        stack.extend(inputs)
    return squares > 0 and sums > 0

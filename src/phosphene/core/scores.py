"""Where a network's class scores are.

Reversed networks start from scores, not from probabilities (Simonyan et al. 2014, section 2), and
in networks that end in a ReLU and a mean over the map (SqueezeNet) from the map before both: the
mean of a rectified map spreads a class over every position, and a DeConvNet loses it there.

The output's tape tells: from its end go back through softmax, dropout and reshapes; then, if a
mean over whole maps and a ReLU follow, through these too. What is reached is the score layer.
"""

from __future__ import annotations

from collections.abc import Callable

from torch.autograd.graph import GradientEdge

from phosphene.core.nodes import kind_of, reduced_sizes

# Nodes that change the shape of a tensor and none of its values.
RESHAPES = frozenset(
    {
        "AliasBackward0", "CloneBackward0", "ReshapeAliasBackward0", "SqueezeBackward0",
        "SqueezeBackward1", "SqueezeBackward2", "UnsafeViewBackward0", "UnsqueezeBackward0",
        "ViewBackward0",
    }
)  # fmt: skip
_SOFTMAX = ("SoftmaxBackward0", "LogSoftmaxBackward0")


def ends_in_softmax(edge: GradientEdge) -> bool:
    """Whether the output at an edge is probabilities (their logarithms want a softmax still)."""
    return back_through(edge, RESHAPES.__contains__).node.name() == _SOFTMAX[0]


def score_edge(output: GradientEdge) -> GradientEdge:
    """Go back from a network's output to its class scores.

    Args:
        output: Where on the tape the output was made.

    Returns:
        The edge of the scores: before a softmax, and before a final ReLU and mean.
    """
    edge = back_through(output, lambda name: name in RESHAPES or name in _SOFTMAX)
    behind = edge
    while behind.node.name() in _MEANS and _is_whole(behind):
        behind = back_through(_step(behind), RESHAPES.__contains__)
    if behind != edge and kind_of(behind.node) == "relu":
        return _step(behind)
    return edge


_MEANS = ("MeanBackward1", "AvgPool2DBackward0", "AdaptiveAvgPool2DBackward0")


def _is_whole(edge: GradientEdge) -> bool:
    if edge.node.name() == "MeanBackward1":
        return min(reduced_sizes(edge.node)) >= -2
    return all(int(n) == 1 for n in edge.node._input_metadata[0].shape[-2:])


def _step(edge: GradientEdge) -> GradientEdge:
    node, output = edge.node.next_functions[0]
    assert node is not None
    return GradientEdge(node, output)


def back_through(edge: GradientEdge, passes: Callable[[str], bool]) -> GradientEdge:
    """Go back from an edge past all nodes whose name passes."""
    while passes(edge.node.name()) and edge.node.next_functions[0][0] is not None:
        edge = _step(edge)
    return edge

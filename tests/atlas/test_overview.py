"""The drawing of a network: what is on the tape, what makes a box, where it stands."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from phosphene.atlas import layout as laying
from phosphene.atlas.boxes import boxes
from phosphene.atlas.layout import BETWEEN_ROWS, layout
from phosphene.atlas.model import Node
from phosphene.atlas.overview import PLAIN, SHOWN, draw, nodes_of, representatives
from phosphene.core.network import Network
from phosphene.errors import UnknownLayer
from phosphene.zoo.catalogue import open_network
from tests.atlas.atlases import NASTY, atlas, fire


class Block(nn.Module):
    """A residual block with an in-place ReLU that is used twice, and a pool that is a function."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.relu(self.first(x)))
        return torch.max_pool2d(self.relu(y + x), 2)


def by_name(nodes):
    found = {node.name: node for node in nodes}
    assert len(found) == len(nodes)
    return found


def test_a_residual_network_is_read_from_its_tape():
    head = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * 8 * 8, 4))
    net = Network(nn.Sequential(Block(), Block(), head))
    net.preprocessing = type(net.preprocessing)((32, 32))
    nodes = nodes_of(net, ["0", "1.second", "2"])
    found = by_name(nodes)
    assert [node.name for node in nodes] == [
        "image", "0.first", "0.relu", "0.second", "sum 1", "0.relu_1", "0",
        "1.first", "1.relu", "1.second", "sum 2", "1.relu_1", "1", "2.0", "2.1", "2.2",
    ]  # fmt: skip
    assert found["sum 1"].inputs == ("0.second", "image")
    assert found["sum 2"].inputs == ("1.second", "0")
    assert found["image"].shape == (3, 32, 32)
    assert found["0"].shape == (3, 16, 16)
    assert found["2.1"].inputs == ("2.0",)
    assert {node.name: node.layer for node in nodes if node.layer} == {
        "0": "0", "1.second": "1.second", "2.2": "2",
    }  # fmt: skip


def test_inputs_come_before_what_takes_them():
    net = open_network("demo")
    seen = set()
    for node in nodes_of(net):
        assert set(node.inputs) <= seen
        seen.add(node.name)


def test_an_unknown_layer_is_named():
    with pytest.raises(UnknownLayer, match="nothing"):
        nodes_of(open_network("demo"), ["nothing"])


def test_squeezenet_is_eight_fire_modules(shared):
    net = open_network(str(shared / "data" / "squeezenet" / "squeezenet.caffemodel"))
    names = ["conv1", *(f"fire{k}/concat" for k in range(2, 10)), "conv_final"]
    nodes = nodes_of(net, names)
    assert [node.layer for node in nodes if node.layer] == names
    found = by_name(nodes)
    for k in range(2, 10):
        assert len(found[f"fire{k}/concat"].inputs) == 2
    assert len(nodes) == len(net.layers()) + 1
    drawings = draw(nodes, {})
    assert len(drawings) == 3
    # Columns end where modules do.
    before = [drawing.before for drawing in drawings]
    assert before[0] is None
    assert [b.name for b in before[1:]] == [d.boxes[-1].name for d in drawings[:-1]]
    assert all(b.name.endswith("/concat") for b in before[1:])
    assert sum(len(d.boxes) for d in drawings) == len(boxes(nodes))


def test_what_has_no_place_of_its_own_joins_another():
    nodes = [
        Node("conv", "Conv2d", (), (8, 4, 4)),
        Node("norm", "BatchNorm2d", ("conv",), (8, 4, 4)),
        Node("relu", "ReLU", ("norm",), (8, 4, 4), "relu"),
        Node("pool", "MaxPool2d", ("relu",), (8, 2, 2)),
        Node("left", "ReLU", ("pool",), (8, 2, 2)),
        Node("right", "Conv2d", ("pool",), (8, 2, 2)),
        Node("join", "sum", ("left", "right"), (8, 2, 2)),
    ]
    found = boxes(nodes)
    assert [box.names for box in found] == [
        ("conv", "norm", "relu"), ("pool",), ("left",), ("right",), ("join",),
    ]  # fmt: skip
    assert found[0].layer == "relu"
    assert found[-1].inputs == (2, 3)


def test_hostile_graphs_are_drawn():
    nodes = [
        Node("a", "x", ("b", "a", "nowhere"), ()),
        Node("a", NASTY, ("a",), (1,)),
        Node(NASTY * 50, "ReLU", ("a", "a"), (1, 2, 3)),
        Node("", "", (), ()),
    ]
    (drawing,) = draw(nodes, {})
    assert len(drawing.boxes) == len(boxes(nodes))
    assert draw([], {}) == ()


def residual(blocks):
    nodes = [Node("x", "Conv2d", (), (8,))]
    for k in range(blocks):
        before = nodes[-1].name
        nodes += [
            Node(f"a{k}", "Conv2d", (before,), (8,)),
            Node(f"b{k}", "Conv2d", (f"a{k}",), (8,)),
            Node(f"s{k}", "sum", (f"b{k}", before), (8,)),
        ]
    return nodes


def dense(count):
    return [Node(f"d{k}", "Conv2d", tuple(f"d{j}" for j in range(k)), (8,)) for k in range(count)]


def inception(count):
    nodes = [Node("x", "Conv2d", (), (8,))]
    for k in range(count):
        before, arms = nodes[-1].name, []
        for arm in range(4):
            last = before
            for step in range(arm + 1):
                nodes.append(Node(f"{k}/{arm}/{step}", "Conv2d", (last,), (8,)))
                last = nodes[-1].name
            arms.append(last)
        nodes.append(Node(f"{k}/cat", "concatenation", tuple(arms), (8,)))
    return nodes


def chain(count):
    return [
        Node(f"c{k}", "Conv2d", (f"c{k - 1}",) if k else (), (8,), f"c{k}") for k in range(count)
    ]


NETWORKS = {
    "chain": chain(60),
    "fire": [Node("x", "Conv2d", (), (8,)), *fire(2, "x"), *fire(3, "fire2/concat")],
    "residual": residual(20),
    "dense": dense(12),
    "inception": inception(5),
    "one": chain(1),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


def test_boxes_do_not_touch_and_edges_lead_down(network):
    found = boxes(network)
    sizes = [SHOWN if box.layer else PLAIN for box in found]
    columns = layout([box.inputs for box in found], sizes)
    placed = [place.number for column in columns for place in column.boxes]
    assert sorted(placed) == list(range(len(found)))
    for column in columns:
        assert min(p.x for p in column.boxes) >= -1e-6
        assert max(p.x + p.width for p in column.boxes) <= column.width + 1e-6
        assert max(p.y + p.height for p in column.boxes) <= column.height + 1e-6
        repeated = [column.before] if column.before else []
        for a, b in combinations([*repeated, *column.boxes], 2):
            apart = a.x + a.width < b.x or b.x + b.width < a.x
            assert apart or a.y + a.height < b.y or b.y + b.height < a.y
        ends = {(round(p.x + p.width / 2, 3), round(p.y, 3)) for p in column.boxes}
        starts = {
            (round(p.x + p.width / 2, 3), round(p.y + p.height, 3))
            for p in [*repeated, *column.boxes]
        }
        for edge in column.edges:
            assert len(edge) % 2 == 0
            assert (round(edge[0][0], 3), round(edge[0][1], 3)) in starts
            assert (round(edge[-1][0], 3), round(edge[-1][1], 3)) in ends
            assert all(a[1] <= b[1] + 1e-6 for a, b in pairwise(edge))


def test_lanes_go_around_boxes(network):
    found = boxes(network)
    for column in layout([box.inputs for box in found], [PLAIN] * len(found)):
        for edge in column.edges:
            for (x, top), (_, bottom) in zip(edge[1:-1:2], edge[2:-1:2], strict=True):
                for p in column.boxes:
                    beside = x < p.x or x > p.x + p.width
                    assert beside or bottom <= p.y or top >= p.y + p.height


def test_every_edge_is_drawn_in_one_column(network):
    found = boxes(network)
    columns = layout([box.inputs for box in found], [PLAIN] * len(found))
    assert sum(len(column.edges) for column in columns) == sum(len(b.inputs) for b in found)
    # Each column goes on from the last box of the one before, and from no other.
    for earlier, column in pairwise(columns):
        assert column.before.number == earlier.boxes[-1].number
        here = {place.number for place in (column.before, *column.boxes)}
        assert all(here.issuperset(found[p.number].inputs) for p in column.boxes)


def test_branches_stand_symmetrically_below_what_feeds_them():
    found = boxes(fire(2, "x"))
    (column,) = layout([box.inputs for box in found], [PLAIN] * len(found))
    x = [place.x + place.width / 2 for place in column.boxes]
    assert x[0] == pytest.approx((x[1] + x[2]) / 2, abs=0.5)
    assert x[3] == pytest.approx(x[0], abs=0.5)


def test_a_long_chain_is_folded_into_columns_of_like_height():
    columns = layout([box.inputs for box in boxes(chain(60))], [PLAIN] * 60)
    heights = [column.height for column in columns]
    assert len(columns) > 1
    assert max(heights) <= 1.5 * laying.TALLEST
    assert max(heights) - min(heights) <= 3 * (PLAIN[1] + BETWEEN_ROWS)


def test_rows_keep_the_longest_way_short():
    """A shortcut does not make its blocks stand aside: they stay in one line."""
    found = boxes(residual(3))
    (column,) = layout([box.inputs for box in found], [PLAIN] * len(found))
    middles = [p.x + p.width / 2 for p in column.boxes]
    assert max(middles) - min(middles) < PLAIN[0]


def test_pictures_that_stand_for_a_layer_are_of_its_best_detectors(tmp_path):
    layer = atlas(tmp_path).layers[0]
    chosen = representatives(layer)
    # Units 11, 10, 8, 7: 9 is dead.
    assert [p.file for p in chosen] == [f"pictures/m{k}.png" for k in (11, 10, 8, 7)]

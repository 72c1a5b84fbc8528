"""What results depend on: whatever changes one has to be told by its hash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import ImageError
from phosphene.studies.identity import identity, photo_id
from phosphene.studies.plan import Plan
from phosphene.zoo.catalogue import open_network
from tests.cli import nets


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)


def test_photographs_go_by_their_contents(tmp_path: Path) -> None:
    for name, seed in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        Image.fromarray(noise(seed)).save(tmp_path / name)
    a, b, c = (photo_id(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    assert a == b != c
    assert len(a) == 32
    assert photo_id(noise()) == photo_id(Image.fromarray(noise())) != photo_id(noise(1))
    assert photo_id(torch.zeros(3, 4, 4)) != photo_id(torch.zeros(3, 2, 8))
    with pytest.raises(ImageError, match="cannot be read"):
        photo_id(tmp_path / "nix.png")


def test_a_network_goes_by_its_contents() -> None:
    first = identity(nets.net())
    assert first == identity(nets.net())
    trained = nets.net()
    with torch.no_grad():
        next(trained.module.parameters())[0] += 1e-6
    assert identity(trained)["weights"] != first["weights"]
    resized = nets.net()
    resized.preprocessing = Preprocessing((20, 20))
    assert identity(resized) != first
    assert identity(nets.smooth())["structure"] != first["structure"]
    half = Network(nets.tiny().to(torch.bfloat16))
    assert len(identity(half)["weights"]) == 64


def test_what_a_network_sees_is_told_to_the_last_digit() -> None:
    def seen(**more: object) -> str:
        net = nets.net()
        net.preprocessing = replace(net.preprocessing, **more)
        return str(identity(net)["sees"])

    images = [np.full((3, 16, 16), value, np.float32) for value in (1, 1)]
    images[1][0, 0, 0], images[1][0, 0, 1] = 2, 0  # the same mean
    one, two = map(MeanImage.of, images)
    ways: list[dict[str, object]] = [
        {}, {"interpolation": "bicubic"}, {"mean": (0.5,)}, {"mean": (0.5000001,)},
        {"resize": "native"}, {"resize": "native", "input_size": (20, 20)},
        {"mean": (1.0,) * 3, "mean_image": one}, {"mean": (1.0,) * 3, "mean_image": two},
    ]  # fmt: skip
    assert len({seen(**way) for way in ways}) == len(ways)


def test_what_a_network_computes_is_told_by_its_code(tmp_path: Path) -> None:
    text = "from torch import nn\nclass N(nn.Conv2d):\n    def forward(self, x):\n"
    text += "        return super().forward(x){}\nnet = lambda: N(3, 2, 3)\n"
    found = []
    for name, end in (("a", ""), ("b", ".relu()")):
        (tmp_path / f"{name}.py").write_text(text.format(end))
        found.append(open_network(f"{tmp_path / name}.py:net"))
    for net in found:
        with torch.no_grad():
            for value in net.module.parameters():
                value.fill_(0.1)
        net.name = "net"
    one, two = map(identity, found)
    assert one["weights"] == two["weights"]
    assert one["structure"] != two["structure"]
    # What is not saved with the weights is told, too.
    kept = nets.net()
    kept.module.register_buffer("shift", torch.zeros(1), persistent=False)
    before = identity(kept)["weights"]
    kept.module.get_buffer("shift").fill_(1)
    assert identity(kept)["weights"] != before
    traced = Network(torch.fx.symbolic_trace(nets.tiny()))
    other = torch.fx.symbolic_trace(nets.tiny())
    node = list(other.graph.nodes)[-1]
    with other.graph.inserting_before(node):
        new = other.graph.call_function(torch.relu, (node.args[0],))
    node.args = (new,)
    other.recompile()
    assert identity(traced)["structure"] != identity(Network(other))["structure"]


def test_a_photograph_has_one_seed_in_whatever_company() -> None:
    a, b = noise(0), noise(1)
    assert Plan(nets.net(), (a, b)).seed_of(1) == Plan(nets.net(), (b,)).seed_of(0)
    assert Plan(nets.net(), (a, b)).seed_of(0) != Plan(nets.net(), (a, b)).seed_of(1)
    assert Plan(nets.net(), (a,)).seed_of(0) != Plan(nets.net(), (a,), seed=1).seed_of(0)
    assert photo_id(torch.ones(3, 4, 4)) != photo_id(torch.ones(3, 4, 4, dtype=torch.uint8))

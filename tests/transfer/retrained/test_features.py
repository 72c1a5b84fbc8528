from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NotFinite, UnknownLayer
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.retrained.features import features_of


def photographs(count: int = 40) -> InMemory:
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (30, 36, 3), np.uint8)) for _ in range(count)]
    return InMemory(images, ("a",), class_of=[0] * count)


def net() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 5, 4), torch.nn.ReLU(inplace=True), torch.nn.Flatten(2),
        )  # fmt: skip
    return Network(module.eval(), Preprocessing((24, 24)))


ROWS = np.array([1, 3, 4, 7, 11, 39])


def test_rows_are_what_the_layer_says(tmp_path: Path) -> None:
    own, photos = net(), photographs()
    for layer in ("0", "1"):
        found = features_of(own, layer, photos, ROWS)
        means = features_of(own, layer, photos, ROWS, reading="mean")
        for place, index in enumerate(ROWS):
            code = own[layer](own.prepare(photos.image(index))[0]).detach()
            assert np.allclose(found.values[place], code.flatten().numpy(), atol=1e-6)
            assert np.allclose(means.values[place], code.mean((2, 3))[0].numpy(), atol=1e-6)
    assert found.places(np.array([7, 1, 39])).tolist() == [3, 0, 5]
    read = features_of(own, "0", photos, ROWS, loaders=2)
    assert np.array_equal(read.values, features_of(own, "0", photos, ROWS).values)


def test_what_does_not_fit_lies_in_a_file() -> None:
    own, photos = net(), photographs()
    small = features_of(own, "1", photos, ROWS)
    mapped = features_of(own, "1", photos, ROWS, memory=100)
    assert not isinstance(small.values, np.memmap)
    assert isinstance(mapped.values, np.memmap)
    assert np.array_equal(mapped.values, small.values)
    assert not Path(str(mapped.values.filename)).exists()


class Counting(InMemory):
    seen = 0

    def image(self, index: int) -> Image.Image:
        type(self).seen += 1
        return super().image(index)


def test_a_file_is_used_again_where_it_says_the_same(tmp_path: Path) -> None:
    plain = photographs()
    photos = Counting([plain.image(i) for i in range(40)], ("a",), class_of=[0] * 40)
    at = tmp_path / "kept" / "train.npy"
    first = features_of(net(), "1", photos, ROWS, at=at, about="x")
    seen = Counting.seen
    again = features_of(net(), "1", photos, ROWS, at=at, about="x")
    assert Counting.seen == seen
    assert np.array_equal(first.values, again.values)
    torch.from_numpy(again.values)  # without a warning
    for other in ({"about": "y"}, {"about": "x", "reading": "mean"}):
        features_of(net(), "1", photos, ROWS, at=at, **other)  # type: ignore[arg-type]
        assert Counting.seen > seen
        seen = Counting.seen
    features_of(net(), "1", photos, ROWS[:3], at=at, about="x")
    assert sorted(p.name for p in at.parent.iterdir()) == ["train.json", "train.npy"]
    assert json.loads(at.with_suffix(".json").read_text())["rows"] == [1, 3, 4]
    at.write_bytes(b"no array")
    assert len(features_of(net(), "1", photos, ROWS[:3], at=at, about="x").values) == 3


def test_bad_layers_are_one_sentence(tmp_path: Path) -> None:
    own, photos = net(), photographs()
    with pytest.raises(UnknownLayer, match="neither maps nor a vector"):
        features_of(own, "2", photos, ROWS, at=tmp_path / "a.npy")
    assert not list(tmp_path.iterdir())
    with torch.no_grad():
        own.module[0].bias.fill_(float("inf"))
    with pytest.raises(NotFinite, match="layer '0'"):
        features_of(own, "0", photos, ROWS, at=tmp_path / "a.npy")
    assert not list(tmp_path.iterdir())

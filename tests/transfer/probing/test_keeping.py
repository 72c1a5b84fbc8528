from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.core.network import Network
from phosphene.errors import FormatError, NotFinite, OutputError
from phosphene.transfer.probing import keeping, kept
from phosphene.transfer.probing.crops import Crops
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.keeping import facts_of, keep
from phosphene.transfer.probing.kept import KeptFeatures
from phosphene.transfer.probing.sources import FromKept
from phosphene.zoo.catalogue import open_network
from tests.transfer.drawn import drawn_sorted

LAYERS = ["relu2", "pool5"]


@pytest.fixture(scope="module")
def frozen() -> FrozenFeatures:
    return FrozenFeatures(open_network("demo"), LAYERS, at_once=4)


@pytest.fixture(scope="module")
def crops() -> Crops:
    return Crops(drawn_sorted(2, 5), (96, 96), 96, "stretch")


def opened(folder: Path, crops: Crops) -> KeptFeatures:
    return KeptFeatures.opened(folder, crops.photographs.class_of.tolist())


def test_what_is_kept_is_what_the_network_makes(tmp_path, frozen, crops) -> None:
    said: list[str] = []
    folder = keep(frozen, crops, tmp_path, name="train", say=said.append)
    assert folder is not None
    assert "features of 2 layers of 12 photographs take 0.00025" in said[0]
    features = opened(folder, crops)
    images = torch.stack([crops.middle(i)[0] for i in (7, 1, 4)])
    read, labels = features.together([7, 1, 4])
    for values, expected in zip(read, frozen(images), strict=True):
        # In ascending order, and to ten bits and a half.
        torch.testing.assert_close(values[[2, 0, 1]], expected, rtol=2**-10, atol=1e-5)
    assert labels.tolist() == [crops.photographs.class_of[i] for i in (1, 4, 7)]
    assert not features.mapped
    assert sorted(p.name for p in tmp_path.iterdir()) == [folder.name]
    again = keep(frozen, crops, tmp_path, name="train", say=said.append)
    assert again == folder
    assert len(said) == 1


def test_features_are_read_into_what_earlier_ones_were_read_into(tmp_path, frozen, crops) -> None:
    folder = keep(frozen, crops, tmp_path, name="train")
    assert folder is not None
    train = opened(folder, crops)
    source = FromKept(train, train)
    first, _ = source.features(torch.tensor([7, 1, 4]))
    places = [values.data_ptr() for values in first]
    again, labels = source.features(torch.tensor([2, 11, 0]))
    assert [values.data_ptr() for values in again] == places
    expected, same = train.together([2, 11, 0])
    assert all(torch.equal(a, b) for a, b in zip(again, expected, strict=True))
    assert torch.equal(labels, same)
    fewer, _ = source.features(torch.tensor([3]))
    assert [len(values) for values in fewer] == [1, 1]


def test_what_was_stopped_goes_on(tmp_path, frozen, crops, monkeypatch) -> None:
    whole = keep(frozen, crops, tmp_path / "whole", name="train")
    asked = iter([False, True])

    class Stopping:
        def __enter__(self):
            return lambda: next(asked)

        def __exit__(self, *error):
            return None

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "interruptible", Stopping)
        assert keep(frozen, crops, tmp_path / "parts", name="train") is None
    (part,) = (tmp_path / "parts").iterdir()
    assert json.loads((part / "index.json").read_text())["done"] == 8
    # What was written behind the last note is written again.
    with open(part / "01-pool5.npy", "ab") as file:
        file.write(b"xyz")
    seen: list[int] = []
    ended = keep(
        frozen, crops, tmp_path / "parts", name="train", tick=lambda done, *_: seen.append(done)
    )
    assert ended is not None
    assert seen == [12]
    for name in ("00-relu2.npy", "01-pool5.npy"):
        assert (ended / name).read_bytes() == (whole / name).read_bytes()


def test_other_networks_layers_sets_and_crops_are_kept_apart(frozen, crops) -> None:
    base = facts_of(frozen, crops)
    other = open_network("demo")
    with torch.no_grad():
        other.module.conv1.weight[0, 0, 0, 0] += 1
    names = {json.dumps(base)}
    names.add(json.dumps(facts_of(FrozenFeatures(other, LAYERS), crops)))
    names.add(json.dumps(facts_of(FrozenFeatures(frozen.network, LAYERS[:1]), crops)))
    names.add(json.dumps(facts_of(FrozenFeatures(frozen.network, LAYERS, "average"), crops)))
    names.add(json.dumps(facts_of(frozen, Crops(drawn_sorted(2, 6), (96, 96), 96, "stretch"))))
    names.add(json.dumps(facts_of(frozen, Crops(crops.photographs, (96, 96), 99, "stretch"))))
    assert len(names) == 6
    assert facts_of(FrozenFeatures(open_network("demo"), LAYERS), crops) == base


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    tmp_path, frozen, crops, monkeypatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(keeping.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match=r"take 0.0\d+ GB in .* where 1e-06 GB are free: name"):
        keep(frozen, crops, tmp_path, name="train")
    assert not list(tmp_path.rglob("*.npy"))


def test_features_that_do_not_fit_into_memory_are_mapped(
    tmp_path, frozen, crops, monkeypatch
) -> None:
    folder = keep(frozen, crops, tmp_path, name="train")
    plain = opened(folder, crops)
    monkeypatch.setattr(kept, "free_memory", lambda: 1000)
    mapped = opened(folder, crops)
    assert mapped.mapped
    for one, other in zip(plain.between(2, 99)[0], mapped.between(2, 99)[0], strict=True):
        assert len(one) == 10
        assert torch.equal(one, other)


def test_large_and_small_numbers_keep_their_bits(tmp_path, crops) -> None:
    net = open_network("demo")
    frozen = FrozenFeatures(net, LAYERS)
    for factor in (1e9, 1e-9):
        scaled = torch.nn.Sequential(net.module.conv1, net.module.relu1, _Times(factor))
        large = FrozenFeatures(Network(scaled, net.preprocessing), ["2"])
        folder = keep(large, crops, tmp_path, name=f"times {factor}")
        expected = large(torch.stack([crops.middle(i)[0] for i in range(12)]))[0]
        read = opened(folder, crops).between(0, 12)[0][0]
        torch.testing.assert_close(read, expected, rtol=2**-10, atol=1e-7 * float(expected.max()))
    assert frozen.grids


class _Times(torch.nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def test_a_number_that_does_not_fit_is_no_infinity(tmp_path, crops) -> None:
    class Growing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.rate if hasattr(self, "rate") else x

    growing = Growing()
    net = Network(torch.nn.Sequential(growing), open_network("demo").preprocessing)
    frozen = FrozenFeatures(net, ["0"], at_once=4)

    def grow(done: int, *_: object) -> None:
        growing.rate = 1e6

    with pytest.raises(NotFinite, match=r"layer '0' puts out .* cannot be kept in 16 bits"):
        keep(frozen, crops, tmp_path, name="train", tick=grow)


def test_two_processes_do_not_write_to_one_folder(tmp_path, frozen, crops) -> None:
    def second(done: int, *_: object) -> None:
        with pytest.raises(OutputError, match="another process is making"):
            keep(frozen, crops, tmp_path, name="train")

    assert keep(frozen, crops, tmp_path, name="train", tick=second) is not None


def test_damaged_features(tmp_path, frozen, crops) -> None:
    folder = keep(frozen, crops, tmp_path, name="train")
    with pytest.raises(FormatError, match="of another size"):
        KeptFeatures.opened(folder, [0, 1])
    np.save(folder / "01-pool5.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"damaged features .*: remove it"):
        opened(folder, crops)
    (folder / "index.json").write_text("[]")
    with pytest.raises(FormatError, match="damaged features"):
        opened(folder, crops)

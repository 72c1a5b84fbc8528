"""Data: what is held out, so that nothing alike is on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset import open_pairs
from phosphene.pretext.pretraining.opening import Selected, held_out, open_data
from phosphene.pretext.pretraining.settings import CrossPixel, Supervised
from tests.motion.dataset import sets_on_disk


def names(pairs) -> list[str]:
    return [pairs.name(i) for i in range(len(pairs))]


def test_whole_sequences_are_held_out(cubes: str):
    pairs = open_pairs(cubes)
    kept, left, said = held_out(pairs, 0.1)
    assert {len(kept), len(left)} == {8, 4}
    assert said == "4 of 12 pairs are held out, by sequences"
    assert not {n.split("/")[0] for n in names(kept)} & {n.split("/")[0] for n in names(left)}
    assert sorted(names(kept) + names(left)) == sorted(names(pairs))
    assert names(held_out(pairs, 0.1)[1]) == names(left)
    assert kept.labels(0) is not None
    assert kept[0].name == kept.name(0)
    others = {tuple(names(held_out(pairs, 0.1, seed)[1])) for seed in range(8)}
    assert len(others) == 3
    # Something is left to learn from, however much is asked for.
    assert len(held_out(pairs, 0.99)[0]) == 4


def test_whole_shards_are_held_out(tmp_path: Path):
    sets_on_disk.shards(tmp_path, (5, 3, 4))
    pairs = open_pairs(str(tmp_path))
    kept, left, said = held_out(pairs, 0.1, seed=1)
    assert "by shards" in said
    assert len(left.parts) == 1
    assert len(kept.parts) == 2
    assert sum(kept.parts) + sum(left.parts) == 12


def test_of_one_sequence_the_end_is_held_out(cubes: str):
    one = Selected(open_pairs(cubes), range(4))
    kept, left, said = held_out(one, 0.3)
    assert names(left) == names(one)[3:]
    assert len(kept) == 3
    assert "of one sequence" in said
    with pytest.raises(SettingError, match="single pair"):
        held_out(Selected(one, [0]), 0.1)


def test_a_selection_knows_its_parts(tmp_path: Path):
    sets_on_disk.shards(tmp_path, (5, 3, 4))
    pairs = open_pairs(str(tmp_path))
    some = Selected(pairs, [11, 0, 6, 1])
    assert some.indices == [0, 1, 6, 11]
    assert some.parts == (2, 1, 1)
    np.testing.assert_array_equal(some[2].first, pairs[6].first)


def test_what_a_person_should_know_is_noted(cubes: str):
    data = open_data(CrossPixel(data=cubes, batch=4, validate_on=2), 96)
    assert data.validation is not None
    assert len(data.validation) == 2
    assert "frames of 40x40 pixels are smaller than crops of 96: they are enlarged" in data.notes
    given = open_data(
        CrossPixel(data=f"worlds:{cubes},split=train",
                   validation=f"worlds:{cubes},split=test", batch=4), 32,
    )  # fmt: skip
    assert given.notes == ()
    assert open_data(CrossPixel(data=cubes, batch=4, held_out=0), 32).validation is None
    with pytest.raises(SettingError, match=r"8 pairs of .* fewer than a batch of 96"):
        open_data(CrossPixel(data=cubes), 32)
    with pytest.raises(FlowError, match="no folder"):
        open_data(CrossPixel(data="nowhere"), 32)


def test_photographs_are_parted_by_class(tmp_path: Path):
    for of_class in ("cat", "dog"):
        (tmp_path / of_class).mkdir()
        for i in range(4):
            Image.new("RGB", (40, 40)).save(tmp_path / of_class / f"{i}.png")
    data = open_data(Supervised(data=str(tmp_path), batch=2, held_out=0.5, validate_on=3), 32)
    assert data.classes == ("cat", "dog")
    assert data.class_of is not None
    assert data.validation_class_of is not None
    assert data.class_of.tolist() == [0, 0, 1, 1]
    for i, label in enumerate(data.validation_class_of.tolist()):
        assert data.validation is not None
        assert data.validation.name(i).startswith(data.classes[label])
    (tmp_path / "val" / "cat").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "val" / "cat" / "0.png")
    with pytest.raises(SettingError, match="other classes"):
        open_data(Supervised(data=str(tmp_path), validation=str(tmp_path / "val"), batch=2), 32)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.motion.dataset.augmentation import Augmentation
from phosphene.pretext.image_folder import ImageFolder
from phosphene.pretext.pair_batches import PairBatches


def fill(folder: Path, count: int, value: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (30 + number, 40), (value, number, 0)).save(folder / f"{number}.png")


def test_classes_are_folders(tmp_path: Path) -> None:
    fill(tmp_path / "dog" / "deep", 3, 200)
    fill(tmp_path / "cat", 2, 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("x")
    folder = ImageFolder.open(tmp_path)
    assert folder.classes == ("cat", "dog")
    assert folder.class_of.tolist() == [0, 0, 1, 1, 1]
    assert sum(folder.parts) == len(folder) == 5
    assert str(folder) == "5 photographs of 2 classes"
    assert folder[3].first[0, 0].tolist() == [200, 1, 0]
    assert not folder[3].flow.valid.any()
    assert folder.name(0) == "cat/0.png"
    assert folder.labels(0) is None


def test_batches_tell_whose_photographs_they_hold(tmp_path: Path) -> None:
    fill(tmp_path / "a", 4, 100)
    fill(tmp_path / "b", 4, 200)
    folder = ImageFolder.open(tmp_path)
    plain = Augmentation(size=16, hue=0, contrast=(1, 1), brightness=0)
    for batch in PairBatches(folder, plain, 4).epoch(0):
        red = batch.image[:, 0].mean((1, 2)) * 255
        assert np.allclose(red, 100 + 100 * folder.class_of[batch.indices], atol=1)


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, 3, 10)
    folder = ImageFolder.open(tmp_path)
    assert folder.classes == ()
    assert str(folder) == "3 photographs"


def test_every_class_is_parted(tmp_path: Path) -> None:
    fill(tmp_path / "a", 10, 100)
    fill(tmp_path / "b", 3, 200)
    kept, left = ImageFolder.open(tmp_path).split(0.2, seed=1)
    assert np.bincount(kept.class_of).tolist() == [8, 2]
    assert np.bincount(left.class_of).tolist() == [2, 1]
    assert not set(kept.files) & set(left.files)
    again, _ = ImageFolder.open(tmp_path).split(0.2, seed=1)
    assert again.files == kept.files
    fill(tmp_path / "c", 1, 50)
    with pytest.raises(ImageError, match="c has 1 photograph"):
        ImageFolder.open(tmp_path).split(0.2)


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no folder"):
        ImageFolder.open(tmp_path / "x")
    with pytest.raises(ImageError, match="no image files"):
        ImageFolder.open(tmp_path)
    fill(tmp_path / "a", 1, 100)
    fill(tmp_path, 1, 100)
    with pytest.raises(ImageError, match="beside folders"):
        ImageFolder.open(tmp_path)
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    (tmp_path / "0.png").unlink()
    with pytest.raises(ImageError):
        ImageFolder.open(tmp_path)[0]

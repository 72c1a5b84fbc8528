from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.descriptors.dictionary import Dictionary
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.patches import gray, normalized, sampled, windows
from phosphene.descriptors.sparse import fitted, lasso, learned_atoms
from phosphene.errors import FormatError, ImageError, NotFinite, OutputError, SettingError


def blobs(seed: int) -> NDArray[np.uint8]:
    """Dark and light blobs of many sizes, with edges of all directions everywhere."""
    rng = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(160)[None, :]
    smooth = np.exp(-((x * x + y * y) / (2 * 0.04**2)))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((128, 160))) * smooth).real
    soft = 1 / (1 + np.exp(-field / field.std() * 6))
    return (soft * 255).astype(np.uint8)


SCENES = [blobs(seed) for seed in range(16)]
HELD = [blobs(100 + seed) for seed in range(4)]


@pytest.fixture(scope="module")
def learned() -> Dictionary:
    return Dictionary.learned(SCENES, HOG(8), atoms=96, window=3, patches=1600, passes=1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal_lasso(atoms: Tensor, signal: Tensor, weight: float) -> Tensor:
    """ISTA from the definition, for one signal, until it stands still."""
    code = torch.zeros(atoms.shape[1], dtype=atoms.dtype)
    step = 1 / float(torch.linalg.matrix_norm(atoms, 2)) ** 2
    for _ in range(20_000):
        towards = code - step * (atoms.T @ (atoms @ code - signal))
        new = towards.sign() * (towards.abs() - step * weight).clamp(min=0)
        if float((new - code).abs().max()) < 1e-11:
            break
        code = new
    return code


def error(codes: Tensor, wanted: Tensor) -> float:
    return float((codes - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("lengths", [1.0, 0.3])
def test_the_lasso_agrees_with_its_definition(lengths: float) -> None:
    atoms = random(20, 45)
    atoms = atoms / atoms.norm(dim=0) * lengths
    atoms[:, 7] = 0
    signals = normalized(random(6, 20, seed=1))
    codes = lasso(atoms, signals, 0.05, sweeps=1000, tolerance=1e-11)
    for code, signal in zip(codes, signals, strict=True):
        torch.testing.assert_close(code, literal_lasso(atoms, signal, 0.05), atol=1e-7, rtol=0)
    assert (codes[:, 7] == 0).all()
    assert 0 < int((codes != 0).sum()) < codes.numel() / 2


def test_the_lasso_agrees_with_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    atoms = random(20, 45)
    atoms = atoms / atoms.norm(dim=0)
    signals = normalized(random(6, 20, seed=1))
    wanted = decomposition.sparse_encode(
        signals.numpy(), atoms.T.numpy(), algorithm="lasso_lars", alpha=0.1
    )
    codes = lasso(atoms, signals, 0.1, sweeps=1000, tolerance=1e-11)
    np.testing.assert_allclose(codes.numpy(), wanted, atol=1e-7)


def test_atoms_that_made_the_signals_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    true = random(16, 24, seed=3)
    true = true / true.norm(dim=0)
    codes = torch.zeros(4000, 24, dtype=torch.float64)
    chosen = torch.rand(4000, 24, generator=generator).argsort(1)[:, :2]
    codes.scatter_(1, chosen, random(4000, 2, seed=4))
    ticks: list[tuple[int, int]] = []
    atoms = learned_atoms(
        codes @ true.T, 24, 0.2, generator, 10, 200, tick=lambda i, n, _: ticks.append((i, n))
    )
    assert (atoms.norm(dim=0) <= 1 + 1e-9).all()
    likeness = (true.T @ (atoms / atoms.norm(dim=0))).abs().amax(1)
    # Learning may end with two atoms on one truth; signals as atoms, or noise, find none.
    assert int((likeness > 0.95).sum()) >= 20
    assert float(likeness.median()) > 0.99
    assert ticks == [(i + 1, 200) for i in range(200)]


def test_the_second_dictionary_is_a_least_squares_fit() -> None:
    atoms = random(12, 30)
    atoms = atoms / atoms.norm(dim=0)
    signals, second = random(400, 12, seed=1), random(7, 30, seed=2)
    codes = lasso(atoms, signals, 0.1)
    found = fitted(atoms, signals, codes @ second.T, 0.1)
    assert error(found, second) < 0.1
    ridge = 1e-3 * float((codes.T @ codes).diagonal().mean())
    matrix = codes.T @ codes + ridge * torch.eye(30)
    wanted = (torch.linalg.inv(matrix) @ codes.T @ codes @ second.T).T
    torch.testing.assert_close(found, wanted)


def test_windows_and_patches_belong_together() -> None:
    hog, generator = HOG(8, variant="network"), torch.Generator().manual_seed(0)
    codes, patches = next(sampled([SCENES[0]], 5, hog, 3, generator))
    image = gray(SCENES[0])
    every = windows(hog(image), 3)[0].T
    for code, patch in zip(codes, patches, strict=True):
        place = int((every - code).abs().sum(1).argmin())
        torch.testing.assert_close(every[place], code)
        top, left = (int(i) - 2 for i in divmod(place, 20))
        wanted = image[0, 0, 8 * top : 8 * top + 40, 8 * left : 8 * left + 40]
        torch.testing.assert_close(patch, (wanted - wanted.mean()).flatten(), atol=1e-3, rtol=0)


def test_overlapping_patches_are_averaged_as_said(learned: Dictionary) -> None:
    """Against loops over windows and pixels, in the words of the module."""
    codes = learned.descriptor(gray(HELD[0])[..., :32, :40])
    found = learned.painted(codes)[0, 0]
    rows, columns = codes.shape[2:]
    summed, counted = torch.zeros(2, rows * 8, columns * 8, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            cells = [
                codes[0, :, min(max(row + i, 0), rows - 1), min(max(column + j, 0), columns - 1)]
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
            ]
            x = torch.stack(cells, 1).flatten()
            x = (x - x.mean()) / (x - x.mean()).norm()
            patch = (learned.image @ lasso(learned.code, x[None], learned.weight)[0]).view(40, 40)
            patch = patch / patch.norm() * codes[0, :, row, column].norm()
            for y in range(max(0, 8 * row - 16), min(rows * 8, 8 * row + 24)):
                for z in range(max(0, 8 * column - 16), min(columns * 8, 8 * column + 24)):
                    far = (y - 8 * row - 3.5) ** 2 + (z - 8 * column - 3.5) ** 2
                    share = np.exp(-0.5 * far / 4.8**2)
                    summed[y, z] += share * patch[y - 8 * row + 16, z - 8 * column + 16]
                    counted[y, z] += share
    torch.testing.assert_close(found, (summed / counted).float(), atol=1e-5, rtol=1e-4)


def test_a_learned_dictionary_inverts(learned: Dictionary) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(learned.image.shape, generator=generator)
    meaningless = replace(learned, image=noise)
    for photo in HELD:
        codes = learned.descriptor(gray(photo))
        picture = learned.invert(codes)
        assert picture.shape == (1, 1, 128, 160)
        assert picture.min() == 0
        assert picture.max() == 1
        own = error(learned.descriptor(picture * 255), codes)
        other = error(learned.descriptor(meaningless.invert(codes) * 255), codes)
        assert own < 0.75
        assert own < 0.8 * other
        true, seen = gray(photo).flatten(), picture.flatten()
        assert float(torch.corrcoef(torch.stack([true, seen]))[0, 1]) > 0.7


def test_images_of_a_batch_are_inverted_each_by_itself(learned: Dictionary) -> None:
    codes = torch.cat([learned.descriptor(gray(photo)) for photo in HELD[:2]])
    both = learned.invert(codes)
    torch.testing.assert_close(both[1:], learned.invert(codes[1:]), atol=1e-4, rtol=0)


def test_templates_that_no_image_has_are_inverted_too(learned: Dictionary) -> None:
    template = random(1, 31, 2, 5).float().clamp(min=0)
    assert learned.invert(template).shape == (1, 1, 16, 40)
    blank = learned.invert(torch.zeros(1, 31, 4, 4))
    assert (blank == 0.5).all()


def test_learning_repeats_and_leaves_the_random_state_alone(learned: Dictionary) -> None:
    before = torch.random.get_rng_state()
    again = Dictionary.learned(SCENES, HOG(8), atoms=96, window=3, patches=1600, passes=1)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.testing.assert_close(again.code, learned.code, atol=1e-4, rtol=0)
    assert again.photos == 16
    assert 1000 < again.patches <= 1600


def test_it_is_read_as_it_was_written(learned: Dictionary, tmp_path: Path) -> None:
    learned.save(tmp_path / "new" / "pair.npz")
    read = Dictionary.load(tmp_path / "new" / "pair.npz")
    assert repr(read) == repr(learned)
    assert (read.weight, read.seconds) == (learned.weight, learned.seconds)
    codes = learned.descriptor(gray(HELD[0]))
    assert torch.equal(read.invert(codes), learned.invert(codes))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["pair.npz"]


def test_other_files_are_refused(learned: Dictionary, tmp_path: Path) -> None:
    path = tmp_path / "pair.npz"
    with pytest.raises(FormatError, match="there is no file"):
        Dictionary.load(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(FormatError, match="holds no pair"):
        Dictionary.load(path)
    np.savez(path, image=np.zeros((2, 2)))
    with pytest.raises(FormatError, match="code"):
        Dictionary.load(path)
    np.savez(path, image=np.array([{}], dtype=object), code=np.zeros((2, 2)), settings=np.array(""))
    with pytest.raises(FormatError, match="holds no pair"):
        Dictionary.load(path)
    learned.save(path)
    with np.load(path) as file:
        good = dict(file)
    for change in (
        {"code": good["code"][:, :5]},
        {"image": good["image"] * np.nan},
        {"settings": np.array("[]")},
        {"settings": np.array(json.dumps({**json.loads(str(good["settings"])), "cell": 1}))},
    ):
        np.savez(path, **{**good, **change})
        with pytest.raises(FormatError, match="holds no pair"):
            Dictionary.load(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        learned.save(tmp_path / "file" / "pair.npz")


def test_what_cannot_be_is_refused(learned: Dictionary) -> None:
    with pytest.raises(ImageError, match=r"\(b, 31, rows"):
        learned.invert(torch.zeros(1, 27, 4, 4))
    with pytest.raises(NotFinite, match="no finite numbers"):
        learned.invert(torch.full((1, 31, 4, 4), torch.inf))
    with pytest.raises(SettingError, match="positive lambda"):
        Dictionary.learned(SCENES, HOG(8), atoms=10, patches=5)
    with pytest.raises(ImageError, match="not flat"):
        Dictionary.learned([np.zeros((128, 128), np.uint8)], HOG(8), atoms=10, patches=50)
    with pytest.raises(ImageError, match="0 patches"):
        Dictionary.learned([SCENES[0][:50, :50]], HOG(8), atoms=10, patches=50)
    with pytest.raises(ImageError, match="no photographs"):
        Dictionary.learned([], HOG(8))
    with pytest.raises(SettingError, match="none of windows of 2"):
        replace(learned, window=2)

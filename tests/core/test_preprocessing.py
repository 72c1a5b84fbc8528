"""From photographs to what a network is fed, and signals back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from phosphene.core.preprocessing import LUMA, Frame, Preprocessing
from phosphene.errors import ImageError, NetworkError
from phosphene.image import to_tensor

CAFFE = Preprocessing((227, 227), (104, 117, 123), (1,), 255, "BGR", resize_to=256)
TORCH = Preprocessing((224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resize_to=256)
GRAY = Preprocessing((28, 28), (0.13,), (0.3,), order="gray")
EVERY = [CAFFE, TORCH, GRAY, Preprocessing((8, 8)), Preprocessing((8, 8), (0.5,), (0.5,), 2.0)]


def photograph(width: int, height: int) -> Image.Image:
    draw = np.random.default_rng((width, height))
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_normalize_by_hand() -> None:
    image = torch.tensor([0.2, 0.4, 0.8], dtype=torch.float64).view(1, 3, 1, 1)
    bgr = [0.8 * 255 - 104, 0.4 * 255 - 117, 0.2 * 255 - 123]
    assert CAFFE.normalize(image).flatten().tolist() == pytest.approx(bgr)
    rgb = [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.8 - 0.406) / 0.225]
    assert TORCH.normalize(image).flatten().tolist() == pytest.approx(rgb)
    luma = 0.2 * 0.299 + 0.4 * 0.587 + 0.8 * 0.114
    assert GRAY.normalize(image).flatten().tolist() == pytest.approx([(luma - 0.13) / 0.3])
    assert GRAY.normalize(image[:, :1]).flatten().tolist() == pytest.approx([(0.2 - 0.13) / 0.3])
    assert sum(LUMA) == pytest.approx(1)
    six = Preprocessing((4, 4), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), order="any")
    assert six.normalize(torch.zeros(1, 6, 1, 1)).flatten().tolist() == [0, -1, -2, -3, -4, -5]


@pytest.mark.parametrize("preprocessing", EVERY, ids=str)
def test_normalizing_is_undone(preprocessing: Preprocessing) -> None:
    image = torch.rand(2, preprocessing.channels or 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(preprocessing.denormalize(preprocessing.normalize(image)), image)


@pytest.mark.parametrize("preprocessing", EVERY, ids=str)
@pytest.mark.parametrize("lead", [(), (2,), (7, 2)])
def test_pulling_back_is_the_transpose_of_normalizing(
    preprocessing: Preprocessing, lead: tuple[int, ...]
) -> None:
    channels = preprocessing.channels or 3
    image = torch.rand(*lead, channels, 5, 4, dtype=torch.float64, requires_grad=True)
    p = torch.randn(*lead, channels, 5, 4, dtype=torch.float64)
    x = preprocessing.normalize(image.reshape(-1, channels, 5, 4)).reshape(p.shape)
    (wanted,) = torch.autograd.grad(x, image, p)
    torch.testing.assert_close(preprocessing.pull_back(p), wanted)


@pytest.mark.parametrize("preprocessing", EVERY, ids=str)
def test_nothing_given_is_changed(preprocessing: Preprocessing) -> None:
    image = torch.rand(1, preprocessing.channels or 3, 5, 4)
    copy = image.clone()
    preprocessing.normalize(image)
    preprocessing.denormalize(image)
    preprocessing.pull_back(image)
    assert torch.equal(image, copy)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.tuples(st.integers(5, 200), st.integers(5, 200)),
    st.tuples(st.integers(4, 32), st.integers(4, 32)),
    st.integers(32, 48),
    st.booleans(),
)
def test_frames(size: tuple[int, int], wanted: tuple[int, int], shorter: int, whole: bool) -> None:
    preprocessing = Preprocessing(wanted, resize_to=shorter)
    image, frame = preprocessing.fit(photograph(*size), whole)
    assert frame.photograph == (size[1], size[0])
    assert min(frame.resized) == shorter
    top, left, height, width = frame.box
    assert (image.height, image.width) == (height, width) == (frame.resized if whole else wanted)
    # In the middle, to a pixel.
    assert abs((frame.resized[0] - height) - 2 * top) <= 1
    assert abs((frame.resized[1] - width) - 2 * left) <= 1
    # The aspect is kept, to a pixel.
    ratio = shorter / min(size)
    assert abs(frame.resized[0] - size[1] * ratio) <= 0.5
    assert abs(frame.resized[1] - size[0] * ratio) <= 0.5
    y, x, h, w = frame.on_photograph()
    assert -1e-9 <= y <= y + h <= size[1] + 1e-9
    assert -1e-9 <= x <= x + w <= size[0] + 1e-9


def test_what_fits_already_is_not_resampled() -> None:
    photo = photograph(40, 32)
    image, frame = Preprocessing((32, 32)).fit(photo)
    assert frame == Frame((32, 40), (32, 40), (0, 4, 32, 32))
    assert np.array_equal(np.asarray(image), np.asarray(photo)[:, 4:36])
    assert image.mode == "RGB"


def test_stretching_keeps_no_aspect() -> None:
    preprocessing = Preprocessing((20, 30), resize="stretch")
    image, frame = preprocessing.fit(photograph(50, 90))
    assert (image.height, image.width) == (20, 30)
    assert frame == Frame((90, 50), (20, 30), (0, 0, 20, 30))
    _, whole = preprocessing.fit(photograph(50, 90), whole=True)
    assert whole.resized == (54, 30)


def test_resizing_is_antialiased() -> None:
    """A fine checkerboard becomes gray, not stripes."""
    board = np.indices((160, 160)).sum(0) % 2 * 255
    photo = Image.fromarray(board.astype(np.uint8)).convert("RGB")
    for interpolation in ("bilinear", "bicubic"):
        image, _ = Preprocessing((20, 20), interpolation=interpolation).fit(photo)  # type: ignore[arg-type]
        inside = to_tensor(image)[:, 2:-2, 2:-2]
        assert (inside - 0.5).abs().max() < 0.03
    smooth = Preprocessing((20, 20)).fit(photograph(160, 160))[0]
    sharp = Preprocessing((20, 20), interpolation="bicubic").fit(photograph(160, 160))[0]
    assert not np.array_equal(np.asarray(smooth), np.asarray(sharp))


def test_crops_larger_than_the_photograph_are_refused() -> None:
    with pytest.raises(ImageError, match=r"32x32 px cannot be cropped.*resize_to to at least 32"):
        Preprocessing((32, 32), resize_to=20).fit(photograph(60, 50))
    assert Preprocessing((32, 48)).shorter_side == 48


def test_in_words() -> None:
    assert str(CAFFE) == "227x227, BGR * 255 - (104, 117, 123), shorter side 256"
    assert str(TORCH) == (
        "224x224, RGB - (0.485, 0.456, 0.406) / (0.229, 0.224, 0.225), shorter side 256"
    )
    assert str(Preprocessing((8, 9), (0.5,), resize="stretch")) == "8x9, RGB - 0.5, stretched"
    assert [p.channels for p in EVERY] == [3, 3, 1, 3, 3]
    assert Preprocessing((8, 8), order="any").channels is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": "RBG"}, "'RBG' is no order of channels"), ({"mean": (1.0, 2.0)}, "mean"),
        ({"std": (1.0, 2.0), "order": "BGR"}, "std"),
        ({"mean": (0.1,) * 3, "order": "gray"}, "mean"),
        ({"std": (0.2, 0.0, 0.2)}, "zero"), ({"scale": 0.0}, "zero"), ({"mean": ()}, "mean"),
        ({"input_size": (0, 8)}, "zero"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_once(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Preprocessing(**{"input_size": (8, 8), **wrong})

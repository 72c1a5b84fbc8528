"""Dense SIFT is what the literal loops and VLFeat say, and can be differentiated everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.descriptors import DSIFT, as_network, dsift
from phosphene.descriptors.network import NAMED
from phosphene.errors import ImageError, NotFinite, SettingError
from tests.descriptors.derivatives import assert_differences
from tests.descriptors.test_hog import REFERENCES, arrays, coarse, furthest, photograph
from tests.reference.dsift import network_dsift, vlfeat_normalized, vlfeat_raw

EVERY = [DSIFT(8, 5), DSIFT(5, 5), DSIFT(8, 4, "flat"), DSIFT(5, 3, "flat", 1.5)]
EVERY.append(DSIFT(8, window="network"))
VLFEAT = EVERY[:4]


# -- the literal references --------------------------------------------------------------------


@pytest.mark.parametrize("window", ["gaussian", "flat"])
@pytest.mark.parametrize(
    ("bin", "step", "size", "bounds", "shape"),
    [
        (4, 4, 2.0, None, (24, 27)),
        (5, 3, 1.5, None, (24, 25)),
        (3, 2, 2.0, (3, 2, 20, 17), (25, 24)),
        (2, 3, 1.0, (1, 0, 15, 9), (10, 16)),
        (8, 8, 2.0, None, (33, 25)),
    ],
)
def test_agrees_with_the_loops(
    window: Any, bin: int, step: int, size: float, bounds: Any, shape: tuple[int, int]
) -> None:
    image = coarse(*shape)
    raw = vlfeat_raw(image, bin, step, window, size, bounds)
    wanted = vlfeat_normalized(raw)
    net = DSIFT(bin, step, window, size, bounds)
    for dtype, tolerance in ((torch.float64, 1e-7), (torch.float32, 5e-7)):
        pixels = torch.from_numpy(image).to(dtype)
        assert furthest(net(pixels), wanted) < tolerance
        assert furthest(net.raw(pixels), raw) < tolerance * raw.max()
        norms = net.norms(pixels)[0].numpy()
        assert norms == pytest.approx(raw.sum(0) / (3 * bin + 1) ** 2, rel=1e-6)
    assert wanted.max() > 0.2


@pytest.mark.parametrize(("bin", "shape"), [(4, (34, 22)), (4, (37, 36)), (8, (45, 42))])
def test_the_network_agrees_with_the_loops(bin: int, shape: tuple[int, int]) -> None:
    image = coarse(*shape)
    wanted = network_dsift(image, bin)
    net = DSIFT(bin, window="network")
    assert furthest(net(torch.from_numpy(image)), wanted) < 1e-7
    assert furthest(net(torch.from_numpy(image).float()), wanted) < 5e-7
    assert wanted.max() > 0.15


# -- VLFeat itself -----------------------------------------------------------------------------


def set_up(settings: dict[str, Any]) -> DSIFT:
    return DSIFT(
        settings["bin_size"],
        settings["step"],
        "flat" if settings["flat_window"] else "gaussian",
        settings["window_size"],
        tuple(settings["bounds"]),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", REFERENCES)
def test_equals_vlfeat(shared: Path, name: str, dtype: torch.dtype) -> None:
    data = arrays(shared, name)
    every = json.loads(str(data["params_json"]))
    ours = {key: settings for key, settings in every.items() if settings["kind"] == "dsift"}
    assert len(ours) >= 9
    image = torch.from_numpy(data["gray"]).to(dtype)
    for key, settings in ours.items():
        wanted, frames = data[key], data[f"{key}_frames"]
        net, flat = set_up(settings), settings["flat_window"]
        if not wanted.size:
            with pytest.raises(ImageError, match="no descriptor of bins of 8 pixels fits between"):
                net(image)
            continue
        apart = np.abs(net(image)[0].numpy().transpose(1, 2, 0) - wanted)
        seen = frames[..., 2] > 0.05
        assert apart[seen].max() < (5e-5 if flat else 1e-6), (key, apart[seen].max())
        # Where hardly anything is to be seen, VLFeat's flat window is its rounding.
        assert apart.max() < (1e-2 if flat else 1e-6), (key, apart.max())
        places = net.frames(*image.shape)
        assert np.array_equal(frames[..., 0], np.tile(places.x, (len(places.y), 1)))
        assert np.array_equal(frames[..., 1].T, np.tile(places.y, (len(places.x), 1)))
        norms = net.norms(image)[0].numpy()[seen]
        assert norms == pytest.approx(frames[seen][:, 2], rel=2e-5 if flat else 5e-6), key


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_vlfeat_in_matlab(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    keys = [key for key in data if key.startswith("mex_dsift") and "_descrs" in key]
    assert keys
    for key in keys:
        image, wanted, flat = torch.from_numpy(data["gray"]), data[key], "flat" in key
        net = DSIFT(8, 8, "flat" if flat else "gaussian")
        if min(image.shape) < net.least:
            assert wanted.shape == (128, 0)
            continue
        # Columns: x slowly, y quickly.
        scaled = np.minimum(512 * net(image)[0].numpy().transpose(0, 2, 1).reshape(128, -1), 255)
        if key.endswith("_u8"):
            # Truncated, not rounded; a number at the edge of the next may fall on either side.
            edge = (np.abs(scaled - np.rint(scaled)) < 512 * 1e-6) & (scaled > 0.5)
            assert edge.mean() < 0.05
            assert np.array_equal(scaled.astype(np.uint8)[~edge], wanted[~edge])
            assert not np.array_equal(np.rint(scaled)[~edge], wanted[~edge])
            continue
        x, y, norm = data[key.replace("descrs", "frames")]
        places = net.frames(*image.shape)
        assert [*zip(x, y, strict=True)] == [(u + 1, v + 1) for u in places.x for v in places.y]
        apart, seen = np.abs(scaled - wanted), norm > 0.05
        assert apart[:, seen].max() < 512 * (5e-5 if flat else 1e-6)
        assert apart.max() < 512 * (1e-2 if flat else 1e-6)
        norms = net.norms(image)[0].numpy().T.reshape(-1)
        assert norms[seen] == pytest.approx(norm[seen], rel=2e-5 if flat else 5e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_the_authors_network(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    if "net_dsift_b8" not in data:
        with pytest.raises(ImageError, match="at least 42x42 pixels, and 16x16 was given"):
            dsift(torch.from_numpy(data["gray"]), window="network")
        return
    net = as_network("dsift")
    assert net.module is NAMED["dsift"]
    gray = torch.from_numpy(data["gray"])
    assert furthest(net.module(gray), data["net_dsift_b8"]) < 1.5e-5
    assert furthest(net(gray[None, None] / 255), data["net_dsift_b8"]) < 1.5e-5


def test_the_network_is_near_vlfeat_but_not_equal() -> None:
    image = photograph("chelsea.png")
    theirs = dsift(image, window="network")
    height, width = image.shape[2:]
    ours = dsift(image, 8, 24, window_size=1.5, bounds=(8, 8, width - 1, height - 1))
    ours = ours[..., : theirs.shape[2], : theirs.shape[3]]
    cosine = torch.nn.functional.cosine_similarity(ours, theirs, dim=1)
    assert cosine.mean() > 0.98
    assert cosine.max() < 0.9999


# -- derivatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_derivatives_are_finite(net: DSIFT) -> None:
    flat = torch.full((1, 1, 48, 48), 128.0)
    step = flat.clone()
    step[..., 24:] = 7
    coarse_one = torch.from_numpy(coarse(1, 1, 48, 48)).float()
    for image in (flat, flat * 0, step, coarse_one, photograph("chelsea.png")[..., :64, :64]):
        leaf = image.clone().requires_grad_()
        found = net(leaf)
        signal = torch.randn(found.shape, generator=torch.Generator().manual_seed(0))
        (slope,) = torch.autograd.grad((found * signal).sum(), leaf)
        assert found.isfinite().all()
        assert slope.isfinite().all()
    assert slope.abs().max() > 0


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_what_is_flat_is_zero(net: DSIFT) -> None:
    leaf = torch.full((1, 1, 48, 48), 128.0).requires_grad_()
    found = net(leaf)
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    assert not found.any()
    assert not slope.any()


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_derivatives_are_right(net: DSIFT) -> None:
    assert_differences(net, (1, 1, 50, 43))


# -- what must not change it, and what must ----------------------------------------------------


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_mirrored_images_have_mirrored_descriptors(net: DSIFT) -> None:
    least = net.least + 2 * net.step
    image = photograph("chelsea.png")[..., 100 : 100 + least, 160 : 160 + least]
    found, mirrored = net(image), net(image.flip(-1))
    # Bins from the right, and angles a become 180 degrees - a.
    flip = [(4 - o) % 8 + 8 * (3 - bx) + 32 * by for by in range(4) for bx in range(4)
            for o in range(8)]  # fmt: skip
    assert found.shape[3] == 3
    # The quick arc tangent is 2e-6 off at gy = 0.
    assert (mirrored - found[:, flip].flip(-1)).abs().max() < 1e-5
    assert (mirrored - found.flip(-1)).abs().max() > 0.1
    assert (mirrored - found[:, flip]).abs().max() > 0.1


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_brightness_does_not_matter(net: DSIFT) -> None:
    image = photograph("chelsea.png")[..., :80, :80]
    assert torch.equal(net(image), net(image + 32))
    assert torch.equal(net.norms(image), net.norms(image + 32))


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_contrast_hardly_matters(net: DSIFT) -> None:
    image = photograph("chelsea.png")[..., :80, :80]
    apart = (net(image) - net(image / 4)).abs().max()
    # The quick arc tangent adds 2**-23; the network adds 1e-6 to what is far more.
    assert apart < 2e-5
    assert (apart > 0) == (net.window != "network")
    assert (net(image) - net(image / 4e5)).abs().max() > 1e-3
    assert torch.allclose(net.norms(image / 4) * 4, net.norms(image), rtol=1e-5)


@pytest.mark.parametrize("net", VLFEAT, ids=str)
def test_bounds_only_leave_frames_out(net: DSIFT) -> None:
    image = photograph("chelsea.png")[..., :90, :100]
    left, top = 2 * net.step, 3 * net.step
    inner = DSIFT(net.bin, net.step, net.window, net.window_size, (left, top, 99, 89))
    whole, some = net(image), inner(image)
    assert (whole[..., 3:, 2:] - some).abs().max() < 1e-6
    assert net.frames(90, 100).x[2:] == inner.frames(90, 100).x
    assert net.frames(90, 100).y[3:] == inner.frames(90, 100).y


# -- how it is called --------------------------------------------------------------------------


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_images_of_a_batch_keep_apart(net: DSIFT) -> None:
    images = torch.stack([photograph("chelsea.png")[0, :, y : y + 50, 40:99] for y in (0, 90, 200)])
    together = net(images)
    places = net.frames(50, 59)
    assert together.shape == (3, 128, len(places.y), len(places.x))
    for image, found, norm in zip(images, together, net.norms(images), strict=True):
        assert (net(image)[0] - found).abs().max() < 1e-6
        assert torch.allclose(net.norms(image)[0], norm, rtol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_the_function_is_the_module() -> None:
    image = photograph("chelsea.png")[..., :50, :59]
    for net in (*EVERY, DSIFT(4, 3, "flat", 1.0, (2, 1, 40, 30))):
        settings = (net.bin, net.step, net.window, net.window_size, net.bounds)
        assert torch.equal(dsift(image, *settings), net(image))
    assert torch.equal(dsift(image), DSIFT(8, 8, "gaussian", 2.0)(image))


def test_images_come_in_several_shapes() -> None:
    image = photograph("chelsea.png")[..., :50, :59]
    found = dsift(image)
    for same in (image[0], image[0, 0], image.byte()):
        assert torch.equal(dsift(same), found)
    assert dsift(image.double()).dtype == torch.float64


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_strides_do_not_matter(net: DSIFT) -> None:
    image = torch.from_numpy(coarse(50, 59, 3)).float()
    for view in (image[..., 1], image[..., 0].T, image.expand(50, 59, 3)[:, ::1, 2]):
        assert torch.equal(net(view), net(view.contiguous()))


@pytest.mark.parametrize(
    "net", [DSIFT(7, 6), DSIFT(9, 2, "flat"), DSIFT(10, window="network")], ids=str
)
def test_inference_leaves_derivatives_possible(net: DSIFT) -> None:
    """Tables are kept; these sizes are used here alone, so that inference makes them."""
    image = photograph("chelsea.png")[..., :61, :67]
    with torch.inference_mode():
        found = net(image)
    leaf = image.clone().requires_grad_()
    slope, *_ = torch.autograd.grad(net(leaf)[:, :9].sum(), leaf)
    assert slope.any()
    assert torch.equal(net(image), found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": "round"}, "'round' is no window of SIFT: choose gaussian, flat, network"),
        ({"bin": 1}, "bins of 1 pixels .* give at least 2, 1, and a positive number"),
        ({"step": 0}, "at steps of 0 "),
        ({"step": -1}, "at steps of -1 "),
        ({"window_size": 0.0}, "with a window of 0 bins"),
        ({"window_size": float("nan")}, "with a window of nan bins"),
        ({"window": "network", "step": 8}, "a step of three bins and no bounds; 8, 8 and None"),
        ({"window": "network", "bin": 5}, "has even bins"),
        ({"window": "network", "bounds": (0, 0, 50, 50)}, "no bounds; 8, 24 and "),
    ],
)
def test_what_cannot_be_set(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        DSIFT(**settings)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((24, 60), {}, "needs an image of at least 25x25 pixels, and 24x60 was given: enlarge"),
        ((41, 60), {"window": "network"}, "at least 42x42 pixels, and 41x60 was given"),
        ((3, 60, 60), {}, "needs images of 1 channel, and 3 came"),
        ((2, 60, 60), {}, "needs images of 1 channel, and 2 came"),
        ((60, 60), {"bounds": (0, 0, 60, 59)}, "reach beyond the image of 60x60 pixels"),
        ((60, 60), {"bounds": (-1, 0, 59, 59)}, "reach beyond the image of 60x60 pixels"),
        ((60, 60), {"bounds": (9, 9, 32, 40)}, "no descriptor of bins of 8 pixels fits between"),
        ((60, 60), {"bounds": (50, 50, 9, 9)}, "no descriptor of bins of 8 pixels fits between"),
    ],
)
def test_what_cannot_be_described(
    shape: tuple[int, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        dsift(torch.zeros(shape), **settings)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_pixels_are_numbers(odd: float) -> None:
    image = torch.zeros(40, 40)
    image[3, 4] = odd
    with pytest.raises(NotFinite, match="pixels that are no finite numbers"):
        dsift(image)


@pytest.mark.parametrize("window", ["gaussian", "network"])
def test_there_are_no_frames_on_small_images(window: Any) -> None:
    with pytest.raises(ImageError):
        DSIFT(8, window=window).frames(10, 10)


def test_sift_sees_no_colours() -> None:
    with pytest.raises(SettingError, match="sees no colours: leave them out"):
        as_network(DSIFT(), color=True)
    image: Tensor = torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(0))
    gray = (image * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert (as_network(DSIFT())(image) - dsift(gray * 255)).abs().max() < 1e-5

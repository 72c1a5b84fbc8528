"""HOG is what the literal loops say, what VLFeat says, and can be differentiated everywhere."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from torch import Tensor

from phosphene.descriptors import HOG, as_network, hog
from phosphene.descriptors.network import NAMED
from phosphene.descriptors.orientations import votes
from phosphene.errors import ImageError, NotFinite, SettingError
from tests.descriptors.derivatives import assert_differences
from tests.reference.hog import network_hog, vlfeat_hog

REFERENCES = ("nat128", "nat227", "noise96", "odd131x97", "panels64x96", "small16")
EVERY = [
    HOG(variant=variant, binning=binning, exact=exact)  # type: ignore[arg-type]
    for variant in ("uoctti", "dalal-triggs", "network")
    for binning in ("hard", "bilinear", "relu")
    for exact in ((False, True) if binning == "bilinear" else (False,))
]

# Hard in their values, partly bilinear in their derivatives.
BENT = [HOG(surrogate=0.5), HOG(6, 5, "network", surrogate=1)]


def coarse(*shape: int, seed: int = 0) -> np.ndarray:
    """Pixels of few levels: ties between orientations and between channels are everywhere."""
    return np.random.default_rng(seed).integers(0, 12, shape).astype(np.float64) * 20


def photograph(name: str) -> Tensor:
    """(1, 1, h, w), gray, 0..255, in whole numbers."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        return torch.from_numpy(np.array(image.convert("L"), np.float32))[None, None]


def furthest(found: Tensor, wanted: np.ndarray) -> float:
    assert found.shape[1:] == wanted.shape
    return float(np.abs(found[0].detach().numpy() - wanted).max(initial=0))


# -- the literal references --------------------------------------------------------------------

GRAY, COLOUR = (1, 32, 40), (3, 29, 35)


@pytest.mark.parametrize("variant", ["uoctti", "dalal-triggs"])
@pytest.mark.parametrize("binning", ["hard", "bilinear", "relu"])
@pytest.mark.parametrize(
    ("cell", "orientations", "shape"),
    [(8, 9, GRAY), (8, 9, COLOUR), (5, 9, (1, 33, 27)), (8, 6, GRAY), (4, 4, (3, 21, 19))],
)
def test_agrees_with_the_loops(
    variant: Any, binning: Any, cell: int, orientations: int, shape: tuple[int, int, int]
) -> None:
    image = coarse(*shape)
    wanted = vlfeat_hog(image, cell, orientations, variant, binning)
    net = HOG(cell, orientations, variant, binning)
    # The library's directions are VLFeat's, in single precision; the loops' shares are exact.
    tolerance = 5e-8 if binning == "bilinear" else 3e-7 if binning == "relu" else 2e-8
    assert furthest(net(torch.from_numpy(image)), wanted) < tolerance
    assert furthest(net(torch.from_numpy(image).float()), wanted) < 5e-7
    assert wanted.max() >= 0.2


@pytest.mark.parametrize("binning", ["hard", "bilinear"])
@pytest.mark.parametrize(
    ("cell", "orientations", "shape"), [(8, 9, (34, 41)), (4, 9, (17, 16)), (4, 6, (19, 24))]
)
def test_the_network_agrees_with_the_loops(
    binning: Any, cell: int, orientations: int, shape: tuple[int, int]
) -> None:
    image = coarse(*shape)
    wanted = network_hog(image, cell, binning, orientations)
    net = HOG(cell, orientations, "network", binning)
    # The arc cosine of the loops is not well known where a gradient lies on a bin's centre.
    tolerance = 2e-8 if binning == "hard" else 2e-5
    assert furthest(net(torch.from_numpy(image)), wanted) < tolerance
    assert furthest(net(torch.from_numpy(image).float()), wanted) < tolerance + 2e-7


def test_of_equal_channels_the_first_counts() -> None:
    first, second = coarse(2, 32, 32)
    opposite = np.stack([first, 255 - first, np.zeros_like(first)])
    net = HOG(binning="bilinear")
    both = net(torch.from_numpy(opposite))
    assert torch.equal(both, net(torch.from_numpy(first)))
    assert (both - net(torch.from_numpy(255 - first))).abs().max() > 0.1
    other = net(torch.from_numpy(np.stack([first, second, second])))
    assert (both - other).abs().max() > 0.1


def test_a_tie_at_ninety_degrees_goes_to_the_lower_bin() -> None:
    ramp = torch.arange(32.0)[:, None].expand(32, 32) * 3
    for image, bin in ((ramp, 4), (-ramp, 13)):
        for dtype in (torch.float32, torch.float64):
            found = hog(image.to(dtype))[0, :18]
            assert (found[bin] > 0.1).all()
            assert found.sum(0).eq(found[bin]).all()
    shared = hog(ramp, binning="bilinear")[0]
    assert torch.allclose(shared[4], shared[5], atol=1e-6)
    assert (shared[4] > 0.1).all()


# -- VLFeat itself -----------------------------------------------------------------------------


@cache
def arrays(shared: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(shared / "reference" / "vlfeat" / f"{name}.npz") as data:
        return dict(data)


def described(
    data: dict[str, np.ndarray], settings: dict[str, Any], exact: bool, dtype: torch.dtype
) -> Tensor:
    gray = data["gray"][None]
    image = {"gray": gray, "rgb": data["rgb"], "gray_unit": gray / np.float32(255)}
    net = HOG(
        settings["cell_size"],
        settings["num_orientations"],
        "uoctti" if settings["variant"] == "uoctti" else "dalal-triggs",
        "bilinear" if settings["bilinear"] else "hard",
        exact,
    )
    return net(torch.from_numpy(image[settings["input"]]).to(dtype))


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_vlfeat(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    every = json.loads(str(data["params_json"]))
    ours = {key: settings for key, settings in every.items() if settings["kind"] == "hog"}
    assert len(ours) == 16
    for key, settings in ours.items():
        for dtype in (torch.float32, torch.float64):
            error = furthest(described(data, settings, False, dtype), data[key])
            assert error < (2.5e-4 if settings["bilinear"] else 2e-7), (key, dtype, error)
        error = furthest(described(data, settings, True, torch.float32), data[key])
        assert error < (5e-7 if settings["bilinear"] else 2e-7), (key, "exact", error)


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_vlfeat_in_matlab(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    for key, image, variant, binning in (
        ("mex_hog_uoctti_c8_hard_gray", data["gray"], "uoctti", "hard"),
        ("mex_hog_uoctti_c8_bilinear_rgb", data["rgb"], "uoctti", "bilinear"),
        ("mex_hog_dalaltriggs_c8_hard_gray", data["gray"], "dalal-triggs", "hard"),
    ):
        found = hog(torch.from_numpy(image), 8, 9, variant, binning, exact=True)  # type: ignore[arg-type]
        error = furthest(found, data[key].transpose(2, 0, 1))
        assert error < 4e-7, (key, error)


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_the_authors_network(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    seen = 0
    for binning, tolerance in (("hard", 1e-6), ("bilinear", 3e-4)):
        for cell in (8, 4):
            key = f"net_hog_b{cell}_{binning}"
            if key in data:
                seen += 1
                net = HOG(cell, variant="network", binning=binning)  # type: ignore[arg-type]
                error = furthest(net(torch.from_numpy(data["gray"])), data[key])
                assert error < tolerance, (key, error)
    assert seen >= 2


@pytest.mark.parametrize("name", REFERENCES)
def test_the_papers_names_are_the_authors_networks(shared: Path, name: str) -> None:
    data = arrays(shared, name)
    gray = torch.from_numpy(data["gray"])[None, None] / 255
    for called, binning, tolerance in (("hog", "hard", 1e-6), ("hogb", "bilinear", 3e-4)):
        net = as_network(called)
        assert net.module is NAMED[called]
        # 255 * (x / 255) is not x, but equal neighbours stay equal, and so do ties.
        assert furthest(net(gray), data[f"net_hog_b8_{binning}"]) < tolerance


def test_two_cells_inside_the_network_is_vlfeat() -> None:
    image = photograph("chelsea.png")
    for binning, tolerance in (("hard", 1e-6), ("bilinear", 1e-6), ("relu", 1e-6)):
        ours = hog(image, binning=binning)[:, :27]  # type: ignore[arg-type]
        theirs = hog(image, variant="network", binning=binning)  # type: ignore[arg-type]
        rows, columns = theirs.shape[2:]
        apart = (ours[..., :rows, :columns] - theirs).abs()
        assert apart[..., 2:-2, 2:-2].max() < tolerance
        assert apart.max() > 0.1


# -- ReLU in place of the arc cosine -----------------------------------------------------------


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
@pytest.mark.parametrize("variant", ["uoctti", "network"])
def test_rectified_shares_come_near_bilinear_ones(name: str, variant: Any) -> None:
    image = photograph(name)
    bilinear, relu, hard = (
        hog(image, variant=variant, binning=binning)[0]  # type: ignore[arg-type]
        for binning in ("bilinear", "relu", "hard")
    )
    groups = [(slice(0, 18), 0.06, 0.006), (slice(18, 27), 0.05, 0.007)]
    if variant == "uoctti":
        groups.append((slice(27, 31), 0.025, 0.005))
    for channels, relative, mean in groups:
        length = bilinear[channels].norm()
        off = relu[channels] - bilinear[channels]
        assert 1e-3 < off.norm() / length < relative
        assert off.abs().mean() < mean
        assert (hard[channels] - bilinear[channels]).norm() > 2 * off.norm()


# -- derivatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [*EVERY, *BENT], ids=str)
def test_derivatives_are_finite(net: HOG) -> None:
    flat = torch.full((1, 1, 40, 40), 128.0)
    step = flat.clone()
    step[..., 20:] = 7
    coarse_one = torch.from_numpy(coarse(1, 1, 40, 40)).float()
    for image in (flat, flat * 0, step, coarse_one, photograph("chelsea.png")[..., :64, :64]):
        leaf = image.clone().requires_grad_()
        found = net(leaf)
        (slope,) = torch.autograd.grad(found.sum(), leaf)
        assert found.isfinite().all()
        assert slope.isfinite().all()
    assert slope.abs().max() > 0


@pytest.mark.parametrize("net", [*EVERY, *BENT], ids=str)
def test_what_is_flat_is_zero(net: HOG) -> None:
    leaf = torch.full((1, 1, 64, 64), 128.0).requires_grad_()
    # The network sees black around the image; its inner cells do not.
    found = net(leaf)[..., 2:-2, 2:-2]
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    assert not found.any()
    assert not slope.any()


@pytest.mark.parametrize(
    "net",
    [
        *(net for net in EVERY if not net.exact),
        HOG(5, 6, "dalal-triggs", "bilinear"),
        HOG(5, 6, "uoctti", "relu"),
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_derivatives_are_right(net: HOG, channels: int) -> None:
    if net.variant == "network" and channels == 3:
        channels = 1
    assert_differences(net, (1, channels, 40, 33))


def test_exact_shares_have_the_others_derivatives() -> None:
    slopes = []
    for exact in (False, True):
        leaf = photograph("chelsea.png")[..., :96, :96].clone().requires_grad_()
        net = HOG(binning="bilinear", exact=exact)
        signal = torch.randn(net(leaf).shape, generator=torch.Generator().manual_seed(0))
        slopes += torch.autograd.grad((net(leaf) * signal).sum(), leaf)
    assert (slopes[0] - slopes[1]).norm() < 1e-3 * slopes[0].norm()


@pytest.mark.parametrize("net", BENT, ids=str)
def test_a_surrogate_changes_no_value(net: HOG) -> None:
    plain = HOG(net.cell, net.orientations, net.variant)
    image = photograph("chelsea.png")[..., :64, :64]
    slopes = []
    for one in (net, plain):
        leaf = image.clone().requires_grad_()
        assert torch.equal(one(leaf), plain(image))
        assert torch.equal(one(image), plain(image))
        signal = torch.randn(one(leaf).shape, generator=torch.Generator().manual_seed(0))
        slopes += torch.autograd.grad((one(leaf) * signal).sum(), leaf)
    assert (slopes[0] - slopes[1]).norm() > 0.1 * slopes[1].norm()


@pytest.mark.parametrize("part", [0.25, 1.0])
def test_a_surrogate_is_a_mixture_of_derivatives(part: float) -> None:
    generator = torch.Generator().manual_seed(1)
    gx, gy, *signals = torch.randn(4, 40, 50, dtype=torch.float64, generator=generator)

    def slope(binning: Any, surrogate: float) -> Tensor:
        leaves = [gx.clone().requires_grad_(), gy.clone().requires_grad_()]
        shared = votes(*leaves, 9, binning, False, surrogate)
        total = sum((s * given).sum() for s, (given, _) in zip(signals, shared, strict=False))
        assert isinstance(total, Tensor)
        return torch.stack(torch.autograd.grad(total, leaves))

    hard, bilinear = slope("hard", 0.0), slope("bilinear", 0.0)
    mixed = (1 - part) * hard + part * bilinear
    assert (slope("hard", part) - mixed).abs().max() < 1e-12
    assert (hard - bilinear).abs().max() > 1


# -- what must not change it, and what must ----------------------------------------------------


def flip(net: HOG) -> list[int]:
    """Where channels go when left and right are exchanged: angles a become 180 degrees - a."""
    n = net.orientations
    undirected = [(n - k) % n for k in range(n)]
    if net.variant == "dalal-triggs":
        return [q * n + k for q in (1, 0, 3, 2) for k in undirected]
    directed = [(n - k) % (2 * n) for k in range(2 * n)]
    texture = [3 * n + q for q in (1, 0, 3, 2)] if net.variant == "uoctti" else []
    return [*directed, *(2 * n + k for k in undirected), *texture]


@pytest.mark.parametrize(
    "net", [net for net in EVERY if net.binning != "hard"] + [HOG(8, 6, "uoctti", "bilinear")],
    ids=str,
)  # fmt: skip
def test_mirrored_images_have_mirrored_descriptors(net: HOG) -> None:
    image = photograph("chelsea.png")[..., 100:180, 160:240]
    found, mirrored = net(image), net(image.flip(-1))
    # The arc cosine's noise differs on either side.
    tolerance = 5e-4 if net.exact else 2e-6
    assert (mirrored - found[:, flip(net)].flip(-1)).abs().max() < tolerance
    assert (mirrored - found.flip(-1)).abs().max() > 0.1
    assert (mirrored - found[:, flip(net)]).abs().max() > 0.1


def test_vlfeat_exchanges_the_same_channels(shared: Path) -> None:
    for name in REFERENCES:
        data = arrays(shared, name)
        assert flip(HOG()) == data["flip_uoctti"].tolist()
        assert flip(HOG(variant="dalal-triggs")) == data["flip_dt"].tolist()


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_brightness_does_not_matter(net: HOG) -> None:
    image = photograph("chelsea.png")[..., :80, :80]
    same = slice(2, -2) if net.variant == "network" else slice(None)
    found, brighter = net(image), net(image + 32)
    assert torch.equal(found[..., same, same], brighter[..., same, same])
    if net.variant == "network":
        assert not torch.equal(found, brighter)


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_contrast_hardly_matters(net: HOG) -> None:
    image = photograph("chelsea.png")[..., :80, :80]
    apart = (net(image) - net(image / 4)).abs().max()
    # 1e-4 are added to the blocks' energies; the network has a floor that no photograph reaches.
    assert apart < 1e-5
    assert (apart > 0) == (net.variant != "network")
    assert (net(image) - net(image / 4000)).abs().max() > 100 * apart or net.variant == "network"


# -- how it is called --------------------------------------------------------------------------


@pytest.mark.parametrize("net", EVERY, ids=str)
def test_images_of_a_batch_keep_apart(net: HOG) -> None:
    images = torch.stack([photograph("chelsea.png")[0, :, y : y + 50, 40:99] for y in (0, 90, 200)])
    together = net(images)
    assert together.shape == (3, net.channels, *net.cells(50, 59))
    for image, found in zip(images, together, strict=True):
        assert (net(image)[0] - found).abs().max() < 1e-6
    assert (together[0] - together[1]).abs().max() > 0.1


def test_the_function_is_the_module() -> None:
    image = photograph("chelsea.png")[..., :50, :59]
    for net in (*EVERY, HOG(5, 6, "dalal-triggs", "bilinear", True)):
        settings = (net.cell, net.orientations, net.variant, net.binning, net.exact)
        assert torch.equal(hog(image, *settings), net(image))
    assert torch.equal(hog(image), HOG()(image))


def test_images_come_in_several_shapes() -> None:
    image = photograph("chelsea.png")[..., :50, :59]
    found = hog(image)
    for same in (image[0], image[0, 0], image.byte(), image.expand(1, 3, -1, -1)):
        assert torch.equal(hog(same), found)
    assert hog(image.double()).dtype == torch.float64
    assert not hog(image.requires_grad_()).isnan().any()


def test_strides_do_not_matter() -> None:
    image = torch.from_numpy(coarse(50, 59, 3)).float()
    for view in (
        image.permute(2, 0, 1),
        image.permute(2, 1, 0),
        image[..., 0].T,
        image[::2, ::3, 1],
    ):
        assert torch.equal(hog(view), hog(view.contiguous()))


@pytest.mark.parametrize(
    "net", [HOG(7, 10), HOG(9, 11, binning="bilinear"), HOG(10, 13, "network", "relu")], ids=str
)
def test_inference_leaves_derivatives_possible(net: HOG) -> None:
    """Tables are kept; these sizes are used here alone, so that inference makes them."""
    image = photograph("chelsea.png")[..., :61, :67]
    with torch.inference_mode():
        found = net(image)
    leaf = image.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(leaf).sum(), leaf)
    assert slope.any()
    assert torch.equal(net(image), found)


def test_sizes_are_foreseen() -> None:
    for net in (HOG(), HOG(5), HOG(4, variant="dalal-triggs"), HOG(6, variant="network")):
        for side in range(net.least, net.least + 20):
            found = net(torch.zeros(side, 2 * side))
            assert found.shape == (1, net.channels, *net.cells(side, 2 * side))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "felzenszwalb"}, "'felzenszwalb' is no variant of HOG: choose uoctti, dalal"),
        ({"binning": "soft"}, "'soft' is no binning of HOG: choose hard, bilinear, relu"),
        ({"cell": 1}, "in cells of 1 pixels says nothing: give at least 3 and 2"),
        ({"orientations": 2}, "HOG of 2 orientations .* give at least 3"),
        ({"cell": 5, "variant": "network"}, "has even cells only, and 5 was given"),
        ({"surrogate": 1.5}, "1.5 .*: give a number from 0 to 1"),
    ],
)
def test_what_cannot_be_set(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        HOG(**settings)


@pytest.mark.parametrize(
    ("variant", "shape", "message"),
    [
        ("uoctti", (3, 40), "needs an image of at least 4x4 pixels, and 3x40 was given: enlarge"),
        ("network", (40, 15), "at least 16x16 pixels, and 40x15 was given"),
        ("uoctti", (2, 40, 40), "needs images of 1 or 3 channels, and 2 came"),
        ("network", (3, 40, 40), "needs images of 1 channel, and 3 came"),
        ("uoctti", (40,), r"needs images \(b, c, h, w\), .* and \(40,\) was given"),
    ],
)
def test_what_cannot_be_described(variant: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        hog(torch.zeros(shape), variant=variant)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_pixels_are_numbers(odd: float) -> None:
    image = torch.zeros(40, 40)
    image[3, 4] = odd
    with pytest.raises(NotFinite, match="pixels that are no finite numbers"):
        hog(image)


def test_the_papers_names() -> None:
    with pytest.raises(SettingError, match="'hgo' is no descriptor; did you mean 'hog'"):
        as_network("hgo")
    with pytest.raises(SettingError, match="sees no colours: leave them out"):
        as_network("hog", color=True)
    image = torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(0))
    net = as_network(HOG(), color=True)
    assert torch.equal(net(image), hog(image * 255))
    assert (net(image) - as_network(HOG())(image)).abs().max() > 0.1

"""A template scores as the inner product says, and what is found for it scores highest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from phosphene.descriptors.detector import Detector, Part, visualize_parts
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.template import Template
from phosphene.descriptors.visualize import visualize
from phosphene.errors import ImageError, NotFinite, SettingError, UnitError
from phosphene.formats.dpm import DpmComponent, DpmModel, DpmPart
from phosphene.preimage.watch import Watch
from tests.reference.hog import network_hog, vlfeat_hog

ROWS, COLUMNS = 4, 3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def picture(height: int, width: int) -> Tensor:
    """(1, 1, h, w), RGB in [0, 1], 8-bit."""
    drawn = np.random.default_rng(1).integers(0, 256, (height, width))
    return torch.from_numpy(drawn / 255).float()[None, None]


def score(scorer: Any, image: Tensor) -> float:
    with torch.no_grad():
        found: Tensor = scorer.network()(image)
    assert found.shape == (1, 1, 1, 1)
    return float(found)


# -- what is computed --------------------------------------------------------------------------


@pytest.mark.parametrize("binning", ["hard", "bilinear"])
@pytest.mark.parametrize("depth", [27, 31, 36])
def test_the_score_is_the_literal_inner_product(depth: int, binning: Any) -> None:
    template = Template(normal(ROWS, COLUMNS, depth), binning=binning)
    assert template.size == (48, 40)
    image = picture(*template.size)
    pixels = image[0].double().numpy() * 255
    if depth == 27:
        # Beyond the border the authors' network has zeros: gray, once the middle gray is taken off.
        cells = network_hog(pixels[0] - 127.5, binning=binning)
    else:
        kind = {31: "uoctti", 36: "dalal-triggs"}[depth]
        cells = vlfeat_hog(pixels, variant=kind, binning=binning)
    wanted = 0.0
    for row in range(ROWS):
        for column in range(COLUMNS):
            for channel in range(depth):
                weight = float(template.weights[row, column, channel])
                wanted += weight * cells[channel, row + 1, column + 1]
    assert score(template, image) == pytest.approx(wanted, abs=2e-4)
    assert abs(wanted) > 0.1


def test_scores_are_those_of_vlfeats_own_numbers(shared: Path) -> None:
    arrays = np.load(shared / "reference" / "vlfeat" / "nat128.npz")
    cells = torch.from_numpy(arrays["hog_uoctti_c8_hard_gray"])[:, 1:-1, 1:-1]
    weights = normal(*cells.shape[1:], len(cells))
    image = torch.from_numpy(arrays["gray"])[None, None] / 255
    wanted = float((weights.double() * cells.permute(1, 2, 0)).sum())
    assert score(Template(weights, binning="hard"), image) == pytest.approx(wanted, abs=2e-3)


def test_larger_images_have_a_score_at_every_place() -> None:
    template = Template(normal(ROWS, COLUMNS, 31))
    image = picture(64, 72)
    with torch.no_grad():
        scores = template.network()(image)
    assert scores.shape == (1, 1, 3, 5)
    cells = HOG(binning="bilinear")(image * 255)[0, :, 2 : 2 + ROWS, 4 : 4 + COLUMNS]
    wanted = (cells.permute(1, 2, 0) * template.weights).sum()
    assert float(scores[0, 0, 1, 3]) == pytest.approx(float(wanted), abs=1e-3)
    with pytest.raises(ImageError, match=r"4x3 cells needs an image of 48x40 .* 48x32 were given"):
        template.network()(picture(48, 32))


@pytest.mark.parametrize("depth", [27, 31])
def test_m_is_what_the_magnitudes_make_of_noise(depth: int) -> None:
    template = Template(normal(ROWS, COLUMNS, depth))
    before = template.weights.clone()
    noise = 160 * normal(1, 1, 48, 40, seed=5)
    cells = template.hog(noise)[0, :, 1:-1, 1:-1]
    wanted = sum(
        float(abs(template.weights[y, x, k]) * cells[k, y, x])
        for y in range(ROWS)
        for x in range(COLUMNS)
        for k in range(depth)
    )
    assert template.maximum(seed=5) == pytest.approx(wanted, rel=1e-5)
    assert template.maximum(seed=5) != template.maximum(seed=6)
    assert torch.equal(template.weights, before)


def test_filters_of_32_weights_are_those_of_parts_models() -> None:
    """The first 27 as the authors take them; or 31, whose textures stand the other way round."""
    weights = normal(2, 2, 32)
    paper = Template(weights)
    assert paper.hog.variant == "network"
    assert torch.equal(paper.weights, weights[..., :27])
    for dpm, vlfeat in ((27, 30), (28, 28), (29, 29), (30, 27)):
        one = torch.zeros(1, 1, 32)
        one[0, 0, dpm] = 1
        assert int(Template(one, variant="uoctti").weights[0, 0].argmax()) == vlfeat
    assert torch.equal(Template(weights, variant="uoctti").weights[..., :27], weights[..., :27])


def test_cells_of_other_sizes() -> None:
    template = Template(np.ones((3, 5, 27)), cell=4)
    assert template.size == (20, 28)
    assert template.weights.dtype == torch.float32
    assert score(template, picture(20, 28)) > 0


def test_weights_are_copied_however_they_lie() -> None:
    filters = np.random.default_rng(0).normal(size=(3, 4, 27))
    given = np.asfortranarray(filters)[:, ::-1]
    given.flags.writeable = False
    template = Template(given)
    assert np.array_equal(template.weights, given.astype(np.float32))
    own = torch.ones(2, 2, 27)
    template = Template(own)
    own[:] = 0
    assert float(template.weights.min()) == 1


def test_the_positive_part_is_a_code() -> None:
    template = Template(normal(ROWS, COLUMNS, 27))
    codes = template.rectified()
    assert codes.shape == (1, 27, ROWS, COLUMNS)
    assert float(codes.min()) == 0
    assert float(codes[0, 5, 2, 1]) == max(0.0, float(template.weights[2, 1, 5]))


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "how", "error", "message"),
    [
        (torch.ones(4, 4, 30), {}, SettingError, "has 30 weights a cell.* needs 27 or 31 or 32"),
        (torch.ones(4, 4, 27), {"variant": "uoctti"}, SettingError, "has 27 .* needs 31 or 32"),
        (torch.ones(4, 4, 32), {"variant": "dalal-triggs"}, SettingError, "needs 36"),
        (torch.ones(4, 27), {}, SettingError, r"shape \(4, 27\).* channels last"),
        (torch.ones(0, 4, 27), {}, SettingError, r"shape \(0, 4, 27\)"),
        (torch.full((2, 2, 27), torch.nan), {}, NotFinite, "not finite numbers"),
        (torch.zeros(2, 2, 27), {}, UnitError, "are 0: there is nothing"),
        ([[[1.0], [2.0, 3.0]]], {}, SettingError, "is no array of numbers"),
        (np.full((2, 2, 27), 1e300), {}, NotFinite, "not finite numbers"),
        (torch.ones(2, 2, 27), {"binning": "soft"}, SettingError, "'soft' is no binning"),
        (torch.ones(2, 2, 27), {"cell": 7}, SettingError, "even cells"),
    ],
)
def test_weights_that_are_no_template(
    weights: Tensor, how: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        Template(weights, **how)
    assert "\n" not in str(caught.value)


# -- scikit-learn ------------------------------------------------------------------------------


def test_weights_of_a_linear_model() -> None:
    cells = normal(1, 31, ROWS, COLUMNS)
    svm = SimpleNamespace(coef_=cells.flatten(1).numpy(), classes_=np.array(["no", "yes"]))
    template = Template.of_svm(svm, (ROWS, COLUMNS), name="yes")
    assert torch.equal(template.weights, cells[0].permute(1, 2, 0))
    assert template.hog.variant == "uoctti"
    other = Template.of_svm(svm, (ROWS, COLUMNS), label="no")
    assert torch.equal(other.weights, -template.weights)
    row = SimpleNamespace(coef_=cells[0].permute(1, 2, 0).flatten().numpy())
    last = Template.of_svm(row, (ROWS, COLUMNS), layout="channels last")
    assert torch.equal(last.weights, template.weights)


def test_weights_of_a_class_among_many() -> None:
    rows = normal(3, 27 * 4)
    svm = SimpleNamespace(coef_=rows.numpy(), classes_=np.array([4, 7, 9]))
    found = Template.of_svm(svm, (2, 2), label=7)
    assert torch.equal(found.weights, rows[1].view(27, 2, 2).permute(1, 2, 0))
    with pytest.raises(SettingError, match="knows 3 classes: give a label of 4, 7, 9"):
        Template.of_svm(svm, (2, 2))
    with pytest.raises(SettingError, match="5 is no class of this model: choose one of 4, 7, 9"):
        Template.of_svm(svm, (2, 2), label=5)
    with pytest.raises(SettingError, match="108 weights do not fit a window of 5x2 cells"):
        Template.of_svm(svm, (5, 2), label=7)
    with pytest.raises(SettingError, match="is no layout"):
        Template.of_svm(svm, (2, 2), label=7, layout="hwc")  # type: ignore[arg-type]
    pairs = SimpleNamespace(coef_=normal(6, 108).numpy(), classes_=np.arange(4))
    with pytest.raises(SettingError, match="6 rows of weights for 4 classes"):
        Template.of_svm(pairs, (2, 2), label=1)
    with pytest.raises(SettingError, match="SimpleNamespace without coef_ is no fitted linear"):
        Template.of_svm(SimpleNamespace(), (2, 2))


def discs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images 64 x 64 in 0..255 of noise, half of them with a disc about the middle."""
    draw = np.random.default_rng(seed)
    images = draw.integers(90, 110, (count, 1, 64, 64)).astype(np.float32)
    y, x = np.mgrid[:64, :64]
    for image in images[: count // 2, 0]:
        inside = np.hypot(y - 32 - draw.normal(), x - 32 - draw.normal()) < 16
        image[inside] += draw.choice([-60, 60])
    labels = torch.arange(count) < count // 2
    return torch.from_numpy(images), labels.float() * 2 - 1


def trained(variant: Any) -> Template:
    """Weights by ridge regression."""
    images, labels = discs(60, 0)
    cells = HOG(variant=variant)(images - 127.5)[..., 1:-1, 1:-1]
    x = cells.flatten(1) - cells.flatten(1).mean(0)
    weights = x.T @ torch.linalg.solve(x @ x.T + 5 * torch.eye(len(x)), labels)
    return Template(weights.view(cells.shape[1:]).permute(1, 2, 0), name="disc")


def test_a_real_svm_is_taken() -> None:
    svm = pytest.importorskip("sklearn.svm")
    images, labels = discs(40, 0)
    cells = HOG()(images)[..., 1:-1, 1:-1]
    fitted = svm.LinearSVC(C=0.1).fit(cells.flatten(1).numpy(), labels.numpy())
    template = Template.of_svm(fitted, (6, 6), binning="hard")
    with torch.no_grad():
        scores = template.network()(images / 255)[:, 0, 0, 0] + float(fitted.intercept_[0])
    wanted = fitted.decision_function(cells.flatten(1).numpy())
    assert np.abs(scores.numpy() - wanted).max() < 1e-3


# -- what is found -----------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["network", "uoctti"])
def test_what_is_found_scores_above_all_that_was_shown(variant: str) -> None:
    template = trained(variant)
    found = visualize(template, steps=80, repeats=2)
    assert found.image.shape == (2, 1, 64, 64)
    assert found.names == ("disc", "disc")
    assert not torch.equal(found.image[0], found.image[1])
    images, _ = discs(60, 0)
    best = max(score(template, image[None] / 255) for image in images)
    mean = score(template, images[:30].mean(0, keepdim=True) / 255)
    noise = score(template, picture(64, 64))
    least = min(score(template, image[None]) for image in found.image)
    assert least > 2 * max(best, mean, noise)
    # Bilinear bins are for the descent only: hard ones agree.
    hard = Template(template.weights, variant=template.variant, binning="hard")
    assert score(hard, found.image[:1]) > 2 * max(best, mean, noise)
    assert float(found.facts["M"]) == pytest.approx(template.maximum(), rel=1e-3)
    assert found.facts["jitter"] == "1"
    assert torch.equal(visualize(template, steps=80, repeats=2).image, found.image)
    alone = visualize(template, steps=80, seed=1)
    assert float((alone.image[0] - found.image[1]).abs().max()) < 0.02


def test_the_objective_is_weighed_by_m_and_the_longer_side() -> None:
    template = Template(normal(2, 4, 27))
    found = visualize(template, steps=2, strength=3)
    start = found.trace.objective[0]
    assert template.size == (32, 48)
    bound = 3 * 1e4 / 48**2
    # |score| is no more than about M.
    assert 0 < float(start.abs()) < 1.5 * bound
    double = visualize(Template(2 * template.weights), steps=2, strength=3)
    assert float(double.trace.objective[0]) == pytest.approx(float(start), rel=1e-4)


def test_fewer_than_one_image() -> None:
    with pytest.raises(SettingError, match="0 images were asked for"):
        visualize(Template(normal(2, 2, 27)), repeats=0)


# -- root and parts ----------------------------------------------------------------------------


def composed(**how: Any) -> Detector:
    root = Template(normal(3, 4, 27), name="root")
    parts = (
        Part(Template(normal(2, 3, 27, seed=1), name="one"), (1, 2)),
        Part(Template(normal(3, 2, 27, seed=2), name="two"), (5, 0)),
    )
    return Detector(root, parts, bias=-1.5, name="both", **how)


def test_a_detectors_score_is_the_sum_of_root_and_parts() -> None:
    both = composed()
    assert both.margin == 2
    assert both.size == (80, 96)
    image = picture(80, 96)
    pixels = image[0, 0].double().numpy() * 255 - 127.5
    coarse = avg_pool2d(torch.from_numpy(pixels)[None, None], 2)[0, 0].numpy()
    low, high = (network_hog(x, binning="bilinear") for x in (coarse, pixels))
    wanted = -1.5
    for weights, cells, (y, x) in (
        (both.root.weights, low, (1, 1)),
        (both.parts[0].template.weights, high, (4, 3)),
        (both.parts[1].template.weights, high, (2, 7)),
    ):
        h, w = weights.shape[:2]
        wanted += float((weights.numpy().transpose(2, 0, 1) * cells[:, y : y + h, x : x + w]).sum())
    assert score(both, image) == pytest.approx(wanted, abs=1e-3)
    alone = Detector(both.root).maximum()
    assert both.maximum() > alone > 0
    with pytest.raises(ImageError, match="scores images of 80x96 pixels, and 96x96 were given"):
        both.network()(picture(96, 96))


def test_parts_may_reach_beyond_the_root() -> None:
    root = Template(normal(3, 3, 27))
    part = Template(normal(2, 2, 27))
    assert Detector(root, (Part(part, (-1, 0)),)).margin == 2
    wide = Detector(root, (Part(part, (-2, 0)),))
    assert (wide.margin, wide.size) == (4, (112, 112))
    assert Detector(root, (Part(part, (0, 5)),)).margin == 2
    assert Detector(root, (Part(part, (0, 6)),)).margin == 4
    assert visualize_parts(wide, steps=2).image.shape == (1, 1, 112, 112)


def test_apart_every_part_lies_at_its_anchor() -> None:
    both = composed()
    ticks: list[tuple[int, int]] = []
    watch = Watch(tick=lambda done, total: ticks.append((done, total)))
    found = visualize_parts(both, steps=5, repeats=2, watch=watch)
    assert found.image.shape == (2, 1, 80, 96)
    assert found.names == ("both", "both")
    one = visualize(both.parts[0].template, steps=5, repeats=2).stretched().image
    top, left = 8 * (2 + 2), 8 * (2 + 1)
    assert torch.equal(found.image[..., top : top + 16, left : left + 24], one[..., 8:-8, 8:-8])
    assert found.facts["parts"] == "2 of 2, each by itself"
    assert found.trace.objective.shape == (5, 6)
    assert ticks[-1] == (15, 15)
    assert 0 <= float(found.image.min()) <= float(found.image.max()) <= 1


def test_jointly_the_parts_score_higher_than_apart() -> None:
    both = composed()
    apart = visualize_parts(both, steps=100)
    joint = visualize_parts(both, parts="joint", steps=100)
    assert joint.image.shape == apart.image.shape
    assert score(both, joint.image) > 1.1 * score(both, apart.image) > 0


def test_detectors_that_cannot_be() -> None:
    other = Part(Template(normal(2, 2, 31), name="other"), (0, 0))
    with pytest.raises(SettingError, match=r"its part other of HOG\(8, 9, uoctti, bilinear\)"):
        Detector(Template(normal(3, 3, 27)), (other,))
    with pytest.raises(SettingError, match="'apar' is no way to show parts"):
        visualize_parts(composed(), parts="apar")  # type: ignore[arg-type]


@pytest.mark.parametrize(("variant", "depth"), [(None, 27), ("uoctti", 31)])
def test_a_component_of_a_parts_model(variant: Any, depth: int) -> None:
    root, part = (normal(3, 4, 32, seed=s).numpy() for s in (0, 1))
    component = DpmComponent(root, (DpmPart(part, (2, 1)),), 0.5)
    model = DpmModel("cup", (component,), 8)
    found = Detector.of_dpm(model, variant=variant)
    assert found.root.weights.shape == (3, 4, depth)
    assert np.array_equal(found.root.weights[..., :27], root[..., :27])
    assert (found.parts[0].anchor, found.bias, found.name) == ((2, 1), 0.5, "cup, component 0")
    with pytest.raises(SettingError, match="component 1 of cup was asked for, and it has 1"):
        Detector.of_dpm(model, 1)

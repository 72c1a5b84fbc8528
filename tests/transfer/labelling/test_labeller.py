"""What tells the classes of pixels: sparsely and densely alike, from copies, frozen or not."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, SettingError, UnknownLayer
from phosphene.pretext.hypercolumn import pixel_grid
from phosphene.transfer.benchmarks.records import UNKNOWN
from phosphene.transfer.labelling import heads
from phosphene.transfer.labelling.examples import Example
from phosphene.transfer.labelling.field_of_view import widened
from phosphene.transfer.labelling.heads import ColumnHead
from phosphene.transfer.labelling.labeller import Labeller
from phosphene.transfer.labelling.settings import LabellingSetting, layers_of
from phosphene.zoo.demo import demo
from phosphene.zoo.motion_alexnet import motion_alexnet
from phosphene.zoo.motion_small import LAYERS, motion_small
from tests.reference import readout as literal

SMALL = LabellingSetting(crop=32, buffer=2, points=12, hidden=20, deviation=0.1)


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 30, 5, stride=2),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.LazyLinear(7),
    )
    module(torch.rand(4, 3, 32, 32))
    return Network(module.eval(), Preprocessing((32, 32), mean=(0.4,), std=(0.3,)))


def setting(**told: object) -> LabellingSetting:
    plain = {name: getattr(SMALL, name) for name in SMALL.facts()}
    return LabellingSetting(**{**plain, "layers": ("2", "5"), **told})  # type: ignore[arg-type]


def batch(count: int = 2, side: int = 32, seed: int = 0) -> Example:
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (count, 12), generator=g)
    labels[0, :5] = UNKNOWN
    points = torch.randint(2, side - 2, (count, 12, 2), generator=g).float()
    return Example(torch.rand(count, 3, side, side, generator=g), points, labels)


@pytest.mark.parametrize("offset", ["centre", "zero"])
@pytest.mark.parametrize("standardize", [False, True])
def test_all_pixels_at_once_are_each_of_them(
    offset: str, standardize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller = Labeller(network(), 3, setting(offset=offset, standardize=standardize)).eval()
    if standardize:
        labeller.standardize([batch(4)])
    assert isinstance(labeller.head, ColumnHead)
    assert labeller.head.column.offset == offset
    x = torch.randn(1, 3, 40, 37, generator=torch.Generator().manual_seed(1))
    sparse = labeller.head(x, pixel_grid((40, 37))[None]).reshape(3, 40, 37)
    box = (3, 6, 30, 27)
    torch.testing.assert_close(
        labeller.head.dense(x, box, 1), sparse[:, 3:33, 6:33], atol=2e-5, rtol=1e-4
    )
    whole = labeller.head.dense(x, box, 4)
    with monkeypatch.context() as patch:
        patch.setattr(heads, "_AT_ONCE", 20 * 8 * 3)  # three rows at a time
        torch.testing.assert_close(labeller.head.dense(x, box, 4), whole)
    # Of every fourth pixel, the scores between them on straight lines.
    at = [sparse[:, 3 + 4 * i, 6 + 4 * j] for i in range(8) for j in range(7)]
    sites = torch.stack(at, 1).reshape(3, 8, 7).double().tolist()
    for y, x_ in ((0, 0), (1, 2), (13, 7), (27, 23)):
        assert whole[:, y, x_].tolist() == pytest.approx(
            [literal.bilinear(each, x_ / 4, y / 4) for each in sites], abs=1e-4
        )


def test_a_photograph_is_labelled_at_its_own_size() -> None:
    labeller = Labeller(network(), 3, setting(stride=1)).eval()
    rng = np.random.default_rng(0)
    for h, w in ((45, 51), (20, 51), (9, 5)):
        pixels = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
        found = labeller.label(Image.fromarray(pixels))
        assert (found.shape, found.dtype) == ((h, w), np.uint8)
        # On a canvas of the network's mean color, as large as a crop, in its middle.
        top, left = max(0, 32 - h) // 2, max(0, 32 - w) // 2
        x = torch.zeros(1, 3, max(h, 32), max(w, 32))
        own = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        x[:, :, top : top + h, left : left + w] = (own - 0.4) / 0.3
        points = pixel_grid((h, w)) + torch.tensor([left, top])
        wanted = labeller.head(x, points[None])[0].argmax(0).reshape(h, w)
        assert (found == wanted.numpy()).mean() > 0.99  # but for ties


def test_the_loss_is_over_pixels_whose_class_is_known() -> None:
    labeller = Labeller(network(), 3, setting()).eval()
    given = batch()
    scores, labels = labeller.scores(given)
    terms = []
    for image, truth in zip(scores.mT.tolist(), labels.tolist(), strict=True):
        for row, label in zip(image, truth, strict=True):
            if label != UNKNOWN:
                terms.append(math.log(sum(map(math.exp, row))) - row[label])
    assert len(terms) == 19
    assert labeller(given).item() == pytest.approx(sum(terms) / 19, abs=1e-5)
    hits = (scores.argmax(1) == labels)[labels != UNKNOWN].sum()
    assert labeller.counted(given).tolist() == [int(hits), 19]
    nothing = given._replace(labels=torch.full_like(labels, UNKNOWN))
    assert labeller(nothing).item() == 0


def test_the_given_network_stays_as_it_is() -> None:
    net = network()
    before = copy.deepcopy(net.module.state_dict())
    labeller = Labeller(net, 3, setting()).train()
    labeller(batch()).backward()
    torch.optim.SGD(labeller.parameters(), 0.1).step()
    assert all(torch.equal(v, before[k]) for k, v in net.module.state_dict().items())
    assert all(p.grad is None for p in net.module.parameters())
    assert not net.module.training


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_or_end_to_end(frozen: bool) -> None:
    labeller = Labeller(network(), 3, setting(frozen=frozen))
    labeller.leave_unused(batch(1))
    before = {k: v.clone() for k, v in labeller.state_dict().items()}
    labeller.train()
    own = [m for m in labeller.modules() if isinstance(m, nn.Dropout)]
    assert [m.training for m in own] == ([False, True] if frozen else [True, True])
    learned = [p for p in labeller.parameters() if p.requires_grad]
    stepper = torch.optim.SGD(learned, 0.5)
    for _ in range(3):
        stepper.zero_grad()
        labeller(batch()).backward()
        assert all(p.grad is not None for p in learned)
        stepper.step()
    changed = {k for k, v in labeller.state_dict().items() if not torch.equal(v, before[k])}
    head = {f"head.{k}.{w}" for k in ("hidden", "scores") for w in ("weight", "bias")}
    trunk = {f"head.column.trunk.{k}.{w}" for k in (0, 1, 4) for w in ("weight", "bias")}
    # Never what lies behind the last layer, nor the statistics of normalization.
    assert changed == (head if frozen else head | trunk)


def test_a_unit_that_was_nearly_silent_is_not_multiplied_without_bounds() -> None:
    head = Labeller(network(), 3, setting(standardize=True)).head
    assert isinstance(head, ColumnHead)
    columns = torch.randn(200, head.column.channels, generator=torch.Generator().manual_seed(0))
    columns[:, 1] *= 1e-5
    columns[:, 2] = 0
    head.measure(columns)
    width = head.column.widths[0]
    usual = columns[:, :width].std(0, correction=0).square().mean().sqrt()
    torch.testing.assert_close(head.scale[1], 10 / usual)
    assert head.scale[2] == 0
    torch.testing.assert_close(head.scale[0], 1 / columns[:, 0].std(correction=0))


def test_standardized_hypercolumns_have_mean_0_and_variance_1() -> None:
    labeller = Labeller(network(), 3, setting(standardize=True))
    head = labeller.head
    assert isinstance(head, ColumnHead)
    some = [batch(3), batch(2, seed=1)]
    labeller.standardize(some)
    columns = []
    for each in some:
        read = head.column(labeller.preprocessing.normalize(each.image), each.points)
        columns.append(read[each.labels != UNKNOWN])
    made = (torch.cat(columns) - head.mean) * head.scale
    alive = head.scale > 0
    assert made.mean(0).abs().max() < 1e-4
    deviation = torch.cat(columns).std(0, correction=0)
    usual = torch.cat(
        [
            part.square().mean().sqrt().expand(len(part))
            for part in deviation.split(head.column.widths)
        ]
    )
    plain = alive & (deviation > 0.1 * usual)
    assert plain.sum() > 5
    torch.testing.assert_close(made.std(0, correction=0)[plain], torch.ones(int(plain.sum())))
    with pytest.raises(SettingError, match="no hypercolumn"):
        Labeller(network(), 3, setting(head="fcn-32s")).standardize(some)


def test_the_first_weights_are_the_protocols() -> None:
    labeller = Labeller(motion_small(), 21, LabellingSetting(crop=96))
    head = labeller.head
    assert isinstance(head, ColumnHead)
    assert head.hidden.weight.shape == (1024, 24 + 48 + 64 + 96 + 96)
    assert head.hidden.weight.std().item() == pytest.approx(1e-4, rel=0.01)
    assert head.scores.weight.std().item() == pytest.approx((2 / 1024) ** 0.5, rel=0.02)
    assert not head.hidden.bias.any()
    assert head.dropout.p == 0.5
    again = Labeller(motion_small(seed=5), 21, LabellingSetting(crop=96)).head
    assert isinstance(again, ColumnHead)
    assert torch.equal(head.hidden.weight, again.hidden.weight)


def test_a_larger_field_of_view_joins_the_hypercolumn() -> None:
    net = network()
    wide = widened(net, "5", 11, seed=2)
    x = torch.rand(1, 3, 32, 32)
    code = net["5"](x)
    assert torch.equal(wide["5"](x), code)
    module = wide.module
    maps = [code]
    for name in ("8", "9"):
        pool, convolution = (getattr(module, f"{kind}{name}") for kind in ("pool", "conv"))
        maps.append(convolution(pool(maps[-1])).relu())
    torch.testing.assert_close(wide["relu8"](x), maps[1])
    torch.testing.assert_close(wide["relu9"](x), maps[2])
    inner, outer = net.receptive_field("5"), wide.receptive_field("relu9")
    assert inner is not None
    assert outer is not None
    assert outer.stride == tuple(4 * s for s in inner.stride)
    labeller = Labeller(net, 3, setting(fov=True, fov_width=11))
    assert labeller.layers == ("2", "5", "relu8", "relu9")
    assert labeller.head.hidden.weight.shape == (20, 5 + 30 + 11 + 11)  # type: ignore[union-attr]
    labeller.leave_unused(batch(1))
    labeller.train()(batch()).backward()
    learned = {name for name, p in labeller.named_parameters() if p.grad is not None}
    assert {"head.column.trunk.0.weight", "head.column.trunk.conv9.weight"} <= learned
    frozen = Labeller(net, 3, setting(fov=True, fov_width=11, frozen=True)).train()
    frozen(batch()).backward()
    learned = {name for name, p in frozen.named_parameters() if p.grad is not None}
    assert "head.column.trunk.conv8.weight" in learned  # the new blocks must learn
    assert {name for name in learned if "trunk" in name} == {
        f"head.column.trunk.conv{n}.{what}" for n in (8, 9) for what in ("weight", "bias")
    }


def test_fcn_32s_scores_all_pixels_of_the_last_layer() -> None:
    labeller = Labeller(network(), 3, setting(head="fcn-32s")).eval()
    assert labeller.layers == ("5",)
    image = batch().image
    labels = torch.randint(0, 3, (2, 32, 32))
    labels[0, :9] = UNKNOWN
    given = Example(image, torch.zeros(2, 0, 2), labels)
    assert labeller(given).item() == pytest.approx(math.log(3), abs=1e-5)  # they begin at 0
    for p in labeller.head.parameters():
        nn.init.normal_(p, std=0.1, generator=torch.Generator().manual_seed(0))
    scores, _ = labeller.scores(given)
    assert scores.shape == (2, 3, 32, 32)
    x = labeller.preprocessing.normalize(image[:1])
    part = labeller.head.dense(x, (4, 5, 20, 10), 4)
    torch.testing.assert_close(part, scores[0, :, 4:24, 5:15])


def test_layers_are_known_of_the_houses_networks() -> None:
    assert layers_of(SMALL, motion_small()) == LAYERS
    alexnet = tuple(f"relu{n}" for n in range(1, 8))
    assert layers_of(SMALL, demo()) == layers_of(SMALL, motion_alexnet()) == alexnet
    with pytest.raises(SettingError, match="name them"):
        layers_of(SMALL, network())
    with pytest.raises(UnknownLayer):
        layers_of(setting(layers=("conv77",)), network())


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(SettingError, match="cannot look at crops of 32 px"):
        Labeller(demo(), 3, SMALL).leave_unused(batch(1))
    plain = Network(network().module, Preprocessing((32, 32), order="any"))
    with pytest.raises(ImageError, match="takes no photographs"):
        Labeller(plain, 3, setting())
    with pytest.raises(UnknownLayer):
        Labeller(network(), 3, setting(layers=("7",)))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"crop": 2}, "crop is 2"),
        ({"buffer": 15}, "12 pixels cannot be drawn"),
        ({"head": "fcn-8s"}, "none of hypercolumn, fcn-32s"),
        ({"head": "fcn-32s", "fov": True}, "joins a hypercolumn"),
        ({"rate": 0.0}, "learn nothing"),
        ({"dropout": 1.0}, "below 1"),
        ({"held_out": 0.0}, "held out"),
        ({"falls": (5, 3)}, "in their order"),
        ({"falls": (0,)}, "in their order"),
    ],
)
def test_settings_that_cannot_be_are_said(told: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        setting(**told)


def test_the_defaults_are_the_protocols() -> None:
    facts = LabellingSetting().facts()
    wanted = {
        "head": "hypercolumn", "frozen": False, "hidden": 1024, "deviation": 1e-4, "dropout": 0.5,
        "crop": 448, "batch": 10, "points": 128, "buffer": 32, "mirror": True, "rate": 1e-3,
        "momentum": 0.9, "decay": 5e-4, "held_out": 0.1, "window": 5000, "first": 35_000,
        "levels": 3, "stride": 4, "fov_width": 1024, "offset": "centre", "standardize": False,
    }  # fmt: skip
    assert wanted.items() <= facts.items()


def test_a_larger_field_of_view_needs_a_chain() -> None:
    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) + self.b(x)  # type: ignore[no-any-return]

    net = Network(Branched().eval(), Preprocessing((32, 32)))
    with pytest.raises(SettingError, match="do not run one after another"):
        widened(net, "b")


@pytest.mark.parametrize("head", ["hypercolumn", "fcn-32s"])
def test_the_first_convolution_may_be_padded(head: str) -> None:
    """As in networks of chapter 4, whose fc6 is not: its map covers the photograph then."""
    whole = network()
    net = Network(whole.module[:6], whole.preprocessing)  # type: ignore[index]
    told = {"head": head, "crop": 32, "batch": 2}
    plain = Labeller(net, 3, setting(**told)).eval()
    padded = Labeller(net, 3, setting(**told, padding=21)).eval()
    assert net.module[0].padding == (1, 1)
    for p in padded.head.parameters():
        nn.init.normal_(p, std=0.1, generator=torch.Generator().manual_seed(0))
    plain.load_state_dict(padded.state_dict())
    # What is padded by 20 more sees what stands in the middle of 40 more, 20 px further on.
    x = torch.rand(1, 3, 32, 32)
    wide = nn.functional.pad(x, (20,) * 4)
    trunks = (padded.head.fcn if head == "fcn-32s" else padded.head.column).trunk  # type: ignore
    own = (plain.head.fcn if head == "fcn-32s" else plain.head.column).trunk  # type: ignore
    assert torch.allclose(trunks[:6](x), own[:6](wide), atol=1e-6)
    found = padded.head.dense(x, (0, 0, 32, 32), 1)
    wanted = plain.head.dense(wide, (20, 20, 32, 32), 1)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    padded.leave_unused(batch(1) if head == "hypercolumn" else dense())
    padded.train()(batch() if head == "hypercolumn" else dense()).backward()
    assert trunks[0].weight.grad.abs().sum() > 0


def dense() -> Example:
    g = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 3, (2, 32, 32), generator=g)
    return Example(torch.rand(2, 3, 32, 32, generator=g), torch.zeros(2, 0, 2), labels)

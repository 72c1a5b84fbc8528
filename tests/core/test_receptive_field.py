"""Receptive fields: the papers' tables, and experiments on networks drawn at random."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.receptive_field import ReceptiveField
from tests.reference.receptive_field import Seen, seen_by

# The tables of FACTS: AlexNet at 227, VGG-M and VGG-16 at 224


def chain(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def conv(kernel: int, stride: int = 1, pad: int = 0, **more: Any) -> nn.Conv2d:
    # One channel: geometry does not depend on how many there are.
    return nn.Conv2d(1, 1, kernel, stride, pad, **more)


def pool(kernel: int = 3, stride: int = 2, **more: Any) -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel, stride, **more)


def alexnet() -> nn.Sequential:
    norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1)
    return chain(
        conv1=conv(11, 4), relu1=nn.ReLU(), norm1=norm, pool1=pool(),
        conv2=conv(5, 1, 2), relu2=nn.ReLU(inplace=True), norm2=norm, pool2=pool(),
        conv3=conv(3, 1, 1), conv4=conv(3, 1, 1), conv5=conv(3, 1, 1), pool5=pool(),
        flat=nn.Flatten(), fc6=nn.Linear(36, 4), drop6=nn.Dropout(), fc7=nn.Linear(4, 4),
    )  # fmt: skip


def caffenet() -> nn.Sequential:
    layers = dict(alexnet().named_children())
    order = [
        *("conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"),
        *("conv3", "conv4", "conv5", "pool5", "flat", "fc6", "fc7"),
    ]
    layers["norm1"], layers["norm2"] = nn.Identity(), nn.Identity()
    return chain(**{name: layers[name] for name in order})


def vgg_m() -> nn.Sequential:
    return chain(
        conv1=conv(7, 2), pool1=pool(), conv2=conv(5, 2, 1), pool2=pool(ceil_mode=True),
        conv3=conv(3, 1, 1), conv4=conv(3, 1, 1), conv5=conv(3, 1, 1), pool5=pool(),
        flat=nn.Flatten(), fc6=nn.Linear(36, 4),
    )  # fmt: skip


def vgg_16() -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = conv(3, 1, 1)
            layers[f"relu{block}_{i}"] = nn.ReLU()
        layers[f"pool{block}"] = pool(2, 2)
    # The last as the convolution that MatConvNet has there.
    return chain(**layers, fc6=conv(7), fc7=conv(1))


Table = dict[str, tuple[float, float, float]]
TABLES: dict[str, tuple[Callable[[], nn.Sequential], int, Table]] = {
    "AlexNet": (alexnet, 227, {
        "conv1": (11, 4, 5), "relu1": (11, 4, 5), "norm1": (11, 4, 5), "pool1": (19, 8, 9),
        "conv2": (51, 8, 9), "pool2": (67, 16, 17), "conv3": (99, 16, 17),
        "conv4": (131, 16, 17), "conv5": (163, 16, 17), "pool5": (195, 32, 33),
        "fc6": (355, 32, 113), "fc7": (355, 32, 113),
    }),
    "CaffeNet": (caffenet, 227, {
        "conv1": (11, 4, 5), "pool1": (19, 8, 9), "conv2": (51, 8, 9), "pool2": (67, 16, 17),
        "conv5": (163, 16, 17), "pool5": (195, 32, 33), "fc6": (355, 32, 113),
    }),
    "VGG-M": (vgg_m, 224, {
        "conv1": (7, 2, 3), "pool1": (11, 4, 5), "conv2": (27, 8, 9), "pool2": (43, 16, 17),
        "conv3": (75, 16, 17), "conv4": (107, 16, 17), "conv5": (139, 16, 17),
        "pool5": (171, 32, 33), "fc6": (331, 32, 113),
    }),
    "VGG-16": (vgg_16, 224, {
        "conv1_2": (5, 1, 0), "pool1": (6, 2, 0.5), "conv2_2": (14, 2, 0.5), "pool2": (16, 4, 1.5),
        "conv3_3": (40, 4, 1.5), "pool3": (44, 8, 3.5), "conv4_3": (92, 8, 3.5),
        "pool4": (100, 16, 7.5), "conv5_1": (132, 16, 7.5), "conv5_2": (164, 16, 7.5),
        "conv5_3": (196, 16, 7.5), "pool5": (212, 32, 15.5), "fc6": (404, 32, 111.5),
        "fc7": (404, 32, 111.5),
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_papers(name: str) -> None:
    build, side, table = TABLES[name]
    net = Network(build(), Preprocessing((side, side), order="gray"))
    fields = {layer.name: layer.field for layer in net.layers()}
    for layer, (size, stride, centre) in table.items():
        field = ReceptiveField((size, size), (stride, stride), (centre, centre))
        assert net.receptive_field(layer) == field, layer
        assert fields[layer] == field, layer


def test_maps_have_the_sizes_of_the_papers() -> None:
    for build, side, wanted in (
        (alexnet, 227, [55, 27, 13, 6]), (vgg_m, 224, [109, 54, 26, 13, 6])
    ):  # fmt: skip
        layers = Network(build(), Preprocessing((side, side), order="gray")).layers()
        sides = [layer.shape[1] for layer in layers if len(layer.shape) == 3]
        assert list(dict.fromkeys(sides)) == wanted


def test_the_first_unit_of_fc6_sees_the_whole_of_pool5() -> None:
    net = Network(alexnet(), Preprocessing((227, 227), order="gray"))
    field = net.receptive_field("fc6")
    assert field is not None
    # From the first pixel of pool5's unit (0, 0) to the last of (5, 5).
    pool5 = net.receptive_field("pool5")
    assert pool5 is not None
    first, last = pool5.box((0, 0)), pool5.box((5, 5))
    assert field.box((0, 0)) == (first[0], first[1], last[0] + 195 - first[0], 355)
    assert str(field) == "size 355, stride 32, centre 113"


# Against experiment


def field_of(module: nn.Module, size: tuple[int, int], channels: int = 1) -> ReceptiveField | None:
    # The image as it is, of any number of channels.
    net = Network(nn.Sequential(OrderedDict(net=module)), Preprocessing(size, order="any"))
    net.module.double().eval()
    net.blank = lambda input_size=None: (  # type: ignore[method-assign]
        torch.full((1, channels, *size), 0.5, dtype=torch.float64, requires_grad=True)
    )
    return net.receptive_field("net")


def check_axis(seen: Seen, low: float, high: float, stride: float) -> None:
    """Every unit sees only what it should; some of them see up to either end, if any may."""
    inside, touch_low, touch_high = 0, False, False
    for i, row in enumerate(seen):
        first, last = low + i * stride, high + i * stride
        places = np.flatnonzero(row)
        whole = first >= 0 and last <= len(row) - 1
        inside += whole
        if not len(places):
            assert last < 0 or first > len(row) - 1 or not whole
            continue
        assert places[0] >= first - 1e-9
        assert places[-1] <= last + 1e-9
        touch_low |= whole and abs(places[0] - first) < 1e-9
        touch_high |= whole and abs(places[-1] - last) < 1e-9
        if whole and float(stride).is_integer() and float(low).is_integer():
            assert (places[0], places[-1]) == (first, last)
    if inside > 2 * Fraction(stride).limit_denominator(1000).denominator:  # every phase
        assert touch_low
        assert touch_high


def check(module: nn.Module, size: tuple[int, int], channels: int = 1) -> ReceptiveField:
    module.double().eval()
    field = field_of(module, size, channels)
    assert field is not None
    for axis, seen in enumerate(seen_by(module, size, channels)):
        low = field.centre[axis] - (field.size[axis] - 1) / 2
        check_axis(seen, low, low + field.size[axis] - 1, field.stride[axis])
    return field


class Call(nn.Module):
    """A function, and the modules it is made of."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def inception() -> nn.Module:
    def branches(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module, join: nn.Module) -> Tensor:
        out: Tensor = join(torch.cat([a(x), b(x), c(x)], 1))
        return out

    return Call(
        branches, conv(1), conv(5, 1, 2), nn.MaxPool2d(3, 1, 1), nn.Conv2d(3, 1, (1, 3), 1, (0, 1))
    )


def gate() -> nn.Module:
    """Squeeze-and-excitation: sees everything, and is left out."""

    def gated(x: Tensor, body: nn.Module, one: nn.Module, two: nn.Module) -> Tensor:
        x = body(x)
        s = two(F.relu(one(x.mean((2, 3)))))[:, :, None, None]
        return x * torch.sigmoid(s) + x.mean((-2, -1), keepdim=True)

    return Call(gated, conv(3, 2, 1), nn.Linear(1, 2), nn.Linear(2, 1))


class ConvNeXtBlock(nn.Module):
    """Channels last between two permutations, and a residual."""

    def __init__(self, channels: int, frozen: bool, bias: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = (
            nn.Linear(channels, 4 * channels, bias=bias),
            nn.Linear(4 * channels, channels, bias=bias),
        )
        self.requires_grad_(not frozen)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.down(F.gelu(self.up(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


EXACT: dict[str, tuple[Callable[[], nn.Module], tuple[float, float, float] | None]] = {
    "residual": (
        lambda: Call(lambda x, a, b: x + b(a(x)), conv(3, 1, 1), conv(5, 1, 2)), (7, 1, 0)
    ),
    "residual in place": (
        lambda: Call(lambda x, a, b: F.relu_(b(a(x)).add_(a(x))), conv(3, 1, 1), conv(5, 1, 2)),
        (7, 1, 0),
    ),
    "strided residual": (
        lambda: Call(lambda x, a, b: a(x) + b(x), conv(1, 2), conv(3, 2, 1)), (3, 2, 0)
    ),
    "dilation": (lambda: nn.Sequential(conv(3, 1, 2, dilation=2), conv(3, 1, 0, dilation=3)),
                 (11, 1, 3)),
    "dilated pool": (lambda: nn.MaxPool2d(2, 1, dilation=3), (4, 1, 1.5)),
    "even kernel": (lambda: conv(4, 2, 1), (4, 2, 0.5)),
    "average pool": (lambda: nn.AvgPool2d(3, 2), (3, 2, 1)),
    "ceil mode": (lambda: nn.Sequential(pool(ceil_mode=True), pool(ceil_mode=True)), (7, 4, 3)),
    "asymmetric padding": (
        lambda: nn.Sequential(nn.ZeroPad2d((3, 0, 3, 0)), conv(3), conv(5)), (7, 1, 0)
    ),
    "constant padding": (lambda: Call(lambda x, a: a(F.pad(x, (1, 2, 1, 2), value=0)), conv(5)),
                         (5, 1, 1)),
    "negative padding": (lambda: Call(lambda x, a: a(F.pad(x, (-2, -1, -2, -1))), conv(3)),
                         (3, 1, 3)),
    "crop": (lambda: Call(lambda x, a: a(x[:, :, 4:-3, 4:]), conv(3, 2)), (3, 2, 5)),
    "crop from the end": (lambda: Call(lambda x, a: a(x[..., -20:, -20:]), conv(3)), (3, 1, 13)),
    "every other site": (lambda: Call(lambda x, a: a(x[:, :, 1::2, 1::2]), conv(3)), (5, 2, 3)),
    "slice of channels": (lambda: Call(lambda x, a: a(x)[:, :2], nn.Conv2d(1, 3, 3)), (3, 1, 1)),
    "focus": (
        lambda: Call(
            lambda x, a: a(torch.cat([x[..., ::2, ::2], x[..., 1::2, 1::2]], 1)),
            nn.Conv2d(2, 1, 3),
        ),
        (6, 2, 2.5),
    ),
    "adaptive, even": (lambda: nn.AdaptiveAvgPool2d(8), (4, 4, 1.5)),
    "adaptive, identity": (lambda: nn.Sequential(conv(3), nn.AdaptiveAvgPool2d(30)), (3, 1, 1)),
    "adaptive maximum": (lambda: nn.AdaptiveMaxPool2d(16), (2, 2, 0.5)),
    "depthwise": (lambda: nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, groups=4)),
                  (3, 1, 1)),
    "inception": (inception, (5, 1, 0)),
    "pixel unshuffle": (
        lambda: Call(lambda x, a: a(F.pixel_unshuffle(x, 2)), nn.Conv2d(4, 1, 3)), (6, 2, 2.5)
    ),
    "batch norm": (lambda: nn.Sequential(conv(3), nn.BatchNorm2d(1), nn.ReLU()), (3, 1, 1)),
    "upsampling, nearest": (lambda: nn.Sequential(conv(3), nn.Upsample(scale_factor=2)),
                            (3.5, 0.5, 0.75)),
    "upsampling, bilinear": (
        lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), conv(3)), None
    ),
    "transposed": (lambda: nn.ConvTranspose2d(1, 1, 4, 2, 1), (2.5, 0.5, -0.25)),
    "transposed, size kept": (lambda: nn.ConvTranspose2d(1, 1, 3, 1, 1), (3, 1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_every_kind_of_layer(name: str) -> None:
    build, wanted = EXACT[name]
    field = check(build(), (32, 32))
    if wanted and name != "inception":
        size, stride, centre = wanted
        assert field == ReceptiveField((size, size), (stride, stride), (centre, centre))
    if name == "inception":
        assert field == ReceptiveField((5, 7), (1, 1), (0, 0))


def test_gates_are_left_out() -> None:
    field = field_of(gate(), (32, 32))
    assert field == ReceptiveField((3, 3), (2, 2), (0, 0))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (12, 20), (4, 4)])
def test_channels_last(size: tuple[int, int], frozen: bool, bias: bool) -> None:
    """Also where there happen to be as many channels as sites, and for two images at once."""
    net = Network(
        nn.Sequential(nn.Conv2d(3, 16, 1), ConvNeXtBlock(16, frozen, bias)), Preprocessing(size)
    )
    wanted = ReceptiveField((7, 7), (1, 1), (0, 0))
    assert net.receptive_field("1") == wanted
    from phosphene.core.receptive_field import receptive_field

    for batch in (1, 2, 3):
        assert receptive_field(net["1"].tape(torch.rand(batch, 3, *size))) == wanted


def test_channels_last_pools_crops_and_pads() -> None:
    def last(x: Tensor, a: nn.Module) -> Tensor:
        y = a(x).permute(0, 2, 3, 1)
        y = F.pad(y, (0, 0, 2, 1, 3, 1))  # channels; columns; rows
        y = y[:, 1:, ::2]
        return y.permute(0, 3, 1, 2)

    field = check(Call(last, nn.Conv2d(1, 5, 3)), (24, 30))
    assert field == ReceptiveField((3, 3), (1, 2), (-1, -1))

    def mean(x: Tensor, a: nn.Module) -> Tensor:
        return a(x).permute(0, 2, 3, 1).mean((1, 2))

    assert field_of(Call(mean, nn.Conv2d(1, 5, 3, 2)), (33, 33)) == ReceptiveField(
        (33, 33), (2, 2), (16, 16)
    )


class Tokens(nn.Module):
    """A small vision transformer."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.patches, self.fused = nn.Conv2d(3, 8, 4, 4), fused
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        q, k, v = self.qkv(self.norm(x)).view(len(x), -1, 3, 2, 4).permute(2, 0, 3, 1, 4)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).flatten(2))
        x = x + self.mlp(x)
        return self.head(x[:, 0])


@pytest.mark.parametrize("fused", [False, True])
def test_attention_sees_the_whole_image(fused: bool) -> None:
    net = Network(Tokens(fused), Preprocessing((24, 32)))
    assert net.receptive_field("patches") == ReceptiveField((4, 4), (4, 4), (1.5, 1.5))
    assert net.receptive_field("qkv") == ReceptiveField((4, 4), (4, 4), (1.5, 1.5))
    whole = ReceptiveField((24, 32), (0, 0), (11.5, 15.5))
    for layer in ("out", "mlp", "mlp.0", "head"):
        assert net.receptive_field(layer) == whole, layer
    assert whole.box((3, 2)) == (0, 0, 24, 32)


@pytest.mark.parametrize("width", [5, 8, 70])
def test_mixers_see_the_whole_image(width: int) -> None:
    def mix(x: Tensor, patches: nn.Module, tokens: nn.Module) -> Tensor:
        x = patches(x).flatten(2)
        out: Tensor = x + tokens(x)
        return out

    module = Call(mix, nn.Conv2d(1, width, 4, 4), nn.Linear(16, 16))
    assert field_of(module, (16, 16)) == ReceptiveField((16, 16), (0, 0), (7.5, 7.5))


def test_a_column_gate_by_convolution() -> None:
    """ECA: a one-dimensional convolution over the channels of a mean."""

    def gated(x: Tensor, body: nn.Module, over: nn.Module) -> Tensor:
        x = body(x)
        y = over(x.mean((2, 3), keepdim=True).squeeze(-1).transpose(-1, -2))
        return x * y.transpose(-1, -2).unsqueeze(-1).sigmoid()

    module = Call(gated, nn.Conv2d(1, 4, 3), nn.Conv1d(1, 1, 3, padding=1))
    assert field_of(module, (16, 16)) == ReceptiveField((3, 3), (1, 1), (1, 1))


def test_an_encoder_and_decoder_of_odd_size() -> None:
    """Where branches drift apart, the field holds both at every unit."""

    def unet(x: Tensor, down: nn.Module, join: nn.Module) -> Tensor:
        y = F.interpolate(down(x), size=x.shape[-2:])
        out: Tensor = join(torch.cat([x, y], 1))
        return out

    contained(Call(unet, conv(3, 2, 1), nn.Conv2d(2, 1, 3, 1, 1)), (33, 27))
    even = Call(unet, conv(3, 2, 1), nn.Conv2d(2, 1, 3, 1, 1))
    contained(even, (32, 32))
    # Its units see five pixels, to one side or the other by turns.
    assert field_of(even, (32, 32)) == ReceptiveField((6, 6), (1, 1), (-0.5, -0.5))


UNKNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "adaptive, uneven": lambda x: F.adaptive_avg_pool2d(x, 5),
    "grid sample": lambda x: F.grid_sample(x, torch.zeros(1, 4, 4, 2).to(x), align_corners=False),
    "unfold": lambda x: F.unfold(x, 2),
    "flip": lambda x: x.flip(-1),
    "one row": lambda x: x[:, :, 3],
    "halves": lambda x: x.chunk(2, 2)[1] + x.chunk(2, 2)[0],
    "sum with an unknown": lambda x: x + x.flip(-1),
    "fractional": lambda x: F.fractional_max_pool2d(
        x, 2, output_size=4, _random_samples=torch.full((1, 1, 2), 0.5).to(x)
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert field_of(Call(lambda x, a: UNKNOWN[name](a(x)), conv(3)), (18, 18)) is None


RESIZES: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest"},
    "exact": {"mode": "nearest-exact"},
    "bilinear": {"mode": "bilinear"},
    "corners": {"mode": "bilinear", "align_corners": True},
}


@pytest.mark.parametrize("mode", RESIZES)
@pytest.mark.parametrize("sites", [13, 26, 39, 52, 20, 7])
def test_interpolation_to_any_size(mode: str, sites: int) -> None:
    options = RESIZES[mode]
    check(Call(lambda x: F.interpolate(x, size=(sites, sites + 3), **options)), (13, 13))


# Drawn at random


class Crop(nn.Module):
    def __init__(self, start: int, pad: int, step: int) -> None:
        super().__init__()
        self.start, self.pad, self.step = start, pad, step

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, self.start :: self.step, max(self.start, 0) :], (self.pad, 0, 0, -1))


SAMPLED: dict[str, st.SearchStrategy[nn.Module]] = {
    "conv": st.builds(
        lambda k, s, p, d: conv(k, s, min(p, k), dilation=d),
        st.integers(1, 5), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2),
    ),
    "max": st.builds(
        lambda k, s, c: pool(k, s, padding=k // 2, ceil_mode=c),
        st.integers(2, 4), st.integers(1, 2), st.booleans(),
    ),
    "mean": st.builds(lambda k, s: nn.AvgPool2d(k, s), st.integers(2, 3), st.integers(1, 2)),
    "pad": st.builds(
        lambda p: nn.ZeroPad2d(p), st.tuples(*[st.integers(0, 3)] * 4)
    ),
    "crop": st.builds(Crop, st.integers(-12, 3), st.integers(-2, 3), st.integers(1, 2)),
    "residual": st.builds(
        lambda k: Call(lambda x, a: F.relu(x + a(x)), conv(2 * k + 1, 1, k)), st.integers(0, 2)
    ),
    "branches": st.builds(
        lambda k, s: Call(
            lambda x, a, b: a(x) + b(x), conv(1, s), conv(2 * k + 1, s, k)
        ),
        st.integers(1, 2), st.integers(1, 2),
    ),
}  # fmt: skip
FINER: dict[str, st.SearchStrategy[nn.Module]] = {
    "transposed": st.builds(
        lambda k, s: nn.ConvTranspose2d(1, 1, k, s, k // 2), st.integers(2, 5), st.integers(1, 3)
    ),
    "up": st.builds(
        lambda m: nn.Upsample(scale_factor=2, mode=m), st.sampled_from(["nearest", "bilinear"])
    ),
}  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.one_of(*SAMPLED.values()), min_size=1, max_size=5), st.integers(20, 40))
def test_networks_drawn_at_random(layers: list[nn.Module], side: int) -> None:
    module = nn.Sequential(*layers).double()
    try:
        outputs = module(torch.zeros(1, 1, side, side + 3, dtype=torch.float64)).shape[2:]
    except RuntimeError:
        return  # more layers than pixels
    # Padding behind a crop stands where the image still has pixels.
    cropped = any(isinstance(layer, Crop) for layer in layers)
    if min(outputs) > 1:
        (contained if cropped else check)(module, (side, side + 3))


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.one_of(*SAMPLED.values()), max_size=2),
    st.one_of(*FINER.values()),
    st.lists(st.one_of(*SAMPLED.values()), max_size=1),
)
def test_networks_with_upsampling(
    before: list[nn.Module], up: nn.Module, after: list[nn.Module]
) -> None:
    module = nn.Sequential(*before, up, *after).double()
    try:
        outputs = module(torch.zeros(1, 1, 24, 27, dtype=torch.float64)).shape[2:]
    except RuntimeError:
        return
    if min(outputs) > 1:
        contained(module, (24, 27))


def contained(module: nn.Module, size: tuple[int, int]) -> None:
    field = field_of(module, size)
    assert field is not None
    for axis, seen in enumerate(seen_by(module.eval(), size)):
        low = field.centre[axis] - (field.size[axis] - 1) / 2
        for i, row in enumerate(seen):
            places = np.flatnonzero(row) - low - i * field.stride[axis]
            assert (places > -1e-9).all()
            assert (places < field.size[axis] - 1 + 1e-9).all()

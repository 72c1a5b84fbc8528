from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import SettingError, UnknownLayer
from phosphene.pretext.hypercolumn import Hypercolumn, lookup, pixel_grid
from phosphene.zoo.motion_alexnet import motion_alexnet

LAYERS = ("conv1", "pool1", "conv3", "pool5", "fc7")


def literal(values: Tensor, x: float, y: float, field: ReceptiveField, shifted: bool) -> Tensor:
    """One layer at one pixel: (k,) of (k, h, w)."""
    h, w = values.shape[1:]
    i = (y - (field.centre[0] if shifted else 0)) / field.stride[0]
    j = (x - (field.centre[1] if shifted else 0)) / field.stride[1]
    i, j = min(max(i, 0), h - 1), min(max(j, 0), w - 1)
    top, left = math.floor(i), math.floor(j)
    found = torch.zeros(len(values), dtype=values.dtype)
    for row, a in ((top, 1 - (i - top)), (top + 1, i - top)):
        for column, b in ((left, 1 - (j - left)), (left + 1, j - left)):
            if a * b:
                found += a * b * values[:, row, column]
    return found


def small(*layers: nn.Module) -> Network:
    torch.manual_seed(0)
    return Network(nn.Sequential(*layers), Preprocessing((40, 36)))


def chain() -> Network:
    return small(
        nn.Conv2d(3, 4, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
    )


@pytest.mark.parametrize("offset", ["centre", "zero"])
def test_a_hypercolumn_is_read_position_by_position(offset):
    net = chain()
    column = Hypercolumn(net, ["0", "2", "4"], offset)
    assert column.widths == (4, 4, 6)
    x = torch.randn(2, 3, 40, 36)
    points = torch.rand(2, 7, 2) * torch.tensor([40.0, 44.0]) - 3  # some off the image
    found = column(x, points).detach()
    assert found.shape == (2, 7, 14)
    fields = [net.receptive_field(name) for name in ("0", "2", "4")]
    conv = net.module[0](x)
    pool = net.module[2](conv.relu())
    last = net.module[3](pool).relu()
    for b in range(2):
        for n in range(7):
            px, py = points[b, n].tolist()
            wanted = torch.cat(
                [
                    literal(values[b].detach(), px, py, field, offset == "centre")
                    for values, field in zip((conv, pool, last), fields, strict=True)
                ]
            )
            torch.testing.assert_close(found[b, n], wanted, rtol=1e-4, atol=1e-5)


def test_the_pixel_in_the_middle_of_a_field_reads_that_position():
    values = torch.randn(1, 3, 7, 7)
    field = ReceptiveField((195.0, 195.0), (32.0, 32.0), (30.0, 30.0))
    points = torch.tensor([[[30 + 32 * 2.0, 30 + 32 * 5.0]]])
    torch.testing.assert_close(lookup(values, points, field)[0, 0], values[0, :, 5, 2])


def test_the_motion_alexnet_has_the_thesis_s_hypercolumn():
    column = Hypercolumn(motion_alexnet(), LAYERS)
    assert column.channels == 96 + 96 + 384 + 256 + 256 == 1088
    assert [field.centre[0] for field in column._fields] == [2, 6, 14, 30, 30]


def test_it_learns_through_every_layer_that_is_read():
    net = chain()
    column = Hypercolumn(net, ["0", "4"])
    column(torch.randn(1, 3, 40, 36), torch.rand(1, 5, 2) * 30).square().sum().backward()
    for parameter in net.module.parameters():
        assert float(parameter.grad.abs().sum()) > 0


def test_what_is_overwritten_in_place_is_read_before():
    net = chain()  # its second layer overwrites its first
    x = torch.randn(1, 3, 40, 36)
    read = Hypercolumn(net, ["0", "4"])(x, pixel_grid((40, 36))[None]).detach()
    assert float(read[:, :, :4].min()) < 0


def test_layers_behind_the_last_one_are_not_run():
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.requires_grad:
                raise AssertionError("it ran")
            return x

    net = small(nn.Conv2d(3, 4, 3), nn.ReLU(), Fails())
    Hypercolumn(net, ["0", "1"])(torch.randn(1, 3, 9, 9), torch.zeros(1, 1, 2))


def test_maps_of_a_single_position_are_read_everywhere():
    values = torch.randn(1, 3, 1, 1)
    field = ReceptiveField((9.0, 9.0), (4.0, 4.0), (4.0, 4.0))
    read = lookup(values, torch.rand(1, 6, 2) * 50, field)
    assert bool((read == values[:, :, 0, 0][:, None]).all())


def test_what_cannot_be_read_is_refused():
    net = small(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 38 * 34, 5))
    with pytest.raises(UnknownLayer):
        Hypercolumn(net, ["2"])
    with pytest.raises(SettingError, match="no layers"):
        Hypercolumn(chain(), [])
    with pytest.raises(SettingError, match="centre, zero"):
        Hypercolumn(chain(), ["0"], "middle")  # type: ignore[arg-type]
    with pytest.raises(UnknownLayer):
        Hypercolumn(chain(), ["conv9"])

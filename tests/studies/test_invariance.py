"""Invariance to translation, scale and rotation."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from phosphene.errors import ImageError
from phosphene.studies.findings import Findings
from phosphene.studies.invariance import invariance
from phosphene.studies.plan import Plan
from phosphene.studies.warped import AMOUNTS, View
from phosphene.worlds.shapes import scene
from tests.studies.plans import demo, planned


@pytest.fixture(scope="module")
def found() -> Findings:
    return invariance(planned(4, layers=("conv1", "fc7")))


def curve(found: Findings, change: str, what: str) -> dict[float, float]:
    return {
        point["amount"]: point["mean"]
        for point in found.data["curves"]
        if point["change"] == change and point["what"] == what
    }


def test_early_layers_mind_more_and_all_are_alike_at_nothing(found: Findings) -> None:
    early, late = (curve(found, "translation", layer) for layer in ("conv1", "fc7"))
    assert early[0.0] == pytest.approx(0, abs=1e-5)
    assert late[0.0] == pytest.approx(0, abs=1e-5)
    assert early[0.05] > 1.5 * late[0.05] > 0
    assert late[0.25] > late[0.05]
    for change, nothing in (("scale", 1.0), ("rotation", 0.0)):
        assert curve(found, change, "fc7")[nothing] == pytest.approx(0, abs=1e-5)
    assert curve(found, "rotation", "P")[0.0] > curve(found, "rotation", "P")[90.0]
    assert "twentieth of its height" in found.data["verdict"]


def test_a_sheet(found: Findings) -> None:
    assert [plot.title for plot in found.plots] == list(AMOUNTS)
    assert found.picture().size[0] > 100
    assert found.tables[0].rows[0][0] == "translation 0.025"


def test_changes_are_what_they_say() -> None:
    net = demo()
    wide = Image.fromarray(scene(3, size=(96, 160)).image)
    view = View.of(net, wide)
    plain = net.prepare(wide)[0]
    torch.testing.assert_close(view.changed("scale", 1.0), plain, atol=1e-5, rtol=0)
    down = view.changed("translation", 0.25)
    torch.testing.assert_close(down[:, :, 24:], plain[:, :, :-24], atol=1e-5, rtol=0)
    assert torch.allclose(down[:, :, 0], view.outside[:, :, 0], atol=1e-5)
    # A quarter turn clockwise brings the left column to the top.
    square = View.of(net, plain[0])
    turned = square.changed("rotation", 90.0)
    torch.testing.assert_close(turned, plain.rot90(-1, (2, 3)), atol=1e-4, rtol=0)
    twice = square.changed("scale", 2.0)
    assert torch.allclose(
        twice[..., 47:49, 47:49].mean(), plain[..., 47:49, 47:49].mean(), atol=0.02
    )
    # The photograph goes on beyond the crop.
    assert not torch.allclose(view.changed("rotation", 45.0)[..., 0, 0], view.outside[..., 0, 0])


def test_without_photographs() -> None:
    with pytest.raises(ImageError, match="the study invariance needs photographs"):
        invariance(Plan(demo()))

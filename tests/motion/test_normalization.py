"""Both logarithmic normalisations against the equations, and their inverses."""

import math

import pytest
import torch

from phosphene.errors import FlowError, SettingError
from phosphene.motion.normalization import (
    denormalized,
    denormalized_magnitude,
    normalized,
    normalized_magnitude,
)
from tests.reference import flow_normalization as literal


def some_flow() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 2, 5, 7, generator=generator, dtype=torch.float64) * 40


@pytest.mark.parametrize("m", [56.0, 3.0])
def test_eq_3_8_agrees_with_the_reference(m: float) -> None:
    flow = some_flow()
    found = normalized(flow, m)
    for f, g in zip(flow.flatten().tolist(), found.flatten().tolist(), strict=True):
        assert g == pytest.approx(literal.component(f, m), abs=1e-14)


@pytest.mark.parametrize("m", [50.0, 3.0])
def test_eq_4_10_agrees_with_the_reference(m: float) -> None:
    flow = some_flow()
    found = normalized_magnitude(flow, m)
    assert found.shape == (3, 5, 7)
    x, y = flow[:, 0].flatten().tolist(), flow[:, 1].flatten().tolist()
    for a, b, g in zip(x, y, found.flatten().tolist(), strict=True):
        assert g == pytest.approx(literal.magnitude(a, b, m), abs=1e-14)


def test_the_papers_constants() -> None:
    values = torch.tensor([0.0, 1.0, -1.0, 56.0, 57.0, -1e9], dtype=torch.float64)
    one = math.log(2) / math.log(57)
    assert normalized(values).tolist() == pytest.approx([0, one, -one, 1, 1, -1])
    flow = torch.tensor([30.0, 40.0], dtype=torch.float64).view(2, 1, 1)
    assert normalized_magnitude(flow).item() == pytest.approx(1)
    assert normalized_magnitude(flow / 50).item() == pytest.approx(math.log(2) / math.log(51))


def test_inverses_up_to_the_clipping() -> None:
    flow = some_flow().clamp(-56, 56)
    torch.testing.assert_close(denormalized(normalized(flow)), flow)
    assert denormalized(normalized(torch.tensor([300.0, -300.0]))).tolist() == [56, -56]
    length = torch.hypot(flow[:, 0], flow[:, 1]).clamp(max=50)
    torch.testing.assert_close(denormalized_magnitude(normalized_magnitude(flow)), length)
    assert denormalized_magnitude(torch.tensor([-0.1, 2.0])).tolist() == pytest.approx([0, 50])


def test_float32_stays_float32_and_is_close() -> None:
    flow = some_flow().float().clamp(-50, 50)
    back = denormalized(normalized(flow))
    assert back.dtype == torch.float32
    torch.testing.assert_close(back, flow, rtol=1e-5, atol=1e-5)


def test_the_unknown_stays_unknown_and_the_endless_is_one() -> None:
    found = normalized(torch.tensor([math.nan, math.inf, -math.inf]))
    assert found[0].isnan()
    assert found[1:].tolist() == [1, -1]
    huge = torch.full((2, 1, 1), 3e38)
    assert normalized_magnitude(huge).item() == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(FlowError, match=r"\(3, 5, 7\) is no flow: give \(\.\.\., 2, h, w\)"):
        normalized_magnitude(torch.zeros(3, 5, 7))
    for limit in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SettingError, match="give a number of pixels"):
            normalized(torch.zeros(2, 3, 3), limit)

"""Dropout on a CPU: its shares, its mean, its gradient and its seed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.models.layers.attention import PackedAttention
from affuse.models.layers.dropout import dropout


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(0, 1),
    shape=st.lists(st.integers(0, 7), min_size=0, max_size=4),
    dtype=st.sampled_from((torch.float32, torch.bfloat16, torch.float64)),
    seed=st.integers(0, 99),
)
def test_a_value_is_zero_or_larger_and_the_gradient_too(
    rate: float, shape: list[int], dtype: torch.dtype, seed: int
) -> None:
    x = torch.ones(shape, dtype=dtype, requires_grad=True)
    torch.manual_seed(seed)
    y = dropout(x, rate)
    assert y.shape == x.shape and y.dtype == dtype
    factor = 1 / (1 - rate) if rate < 1 else 0.0
    kept = y[y != 0].double()
    if rate < 0.99:
        torch.testing.assert_close(kept, torch.full_like(kept, factor), rtol=1e-2, atol=0)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    torch.manual_seed(seed)
    assert torch.equal(dropout(x, rate), y)
    assert dropout(x, rate, training=False) is x


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.25, 0.5, 0.9])
def test_shares_and_mean(rate: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, 2003)
    y = dropout(x, rate)
    deviation = (rate * (1 - rate) / x.numel()) ** 0.5
    assert abs(float((y == 0).double().mean()) - rate) < 5 * deviation + 1 / 65_536
    assert abs(float(y.double().mean()) - 1) < 5 * deviation / (1 - rate)
    # Neighbours, rows and columns are dropped independently of one another.
    lost = (y == 0).double() - rate
    for other in (lost.roll(1, 0), lost.roll(1, 1), lost.roll(4, 1)):
        assert abs(float((lost * other).mean())) < 5 * rate * (1 - rate) / x.numel() ** 0.5
    for along in (0, 1):
        share = (y == 0).double().mean(along)
        assert share.std() < 1.2 * (rate * (1 - rate) / x.shape[along]) ** 0.5
    assert not torch.equal(dropout(x, rate), y), "every call draws anew"


def test_attention_with_dropout_has_the_mean_of_the_one_without() -> None:
    torch.manual_seed(0)
    attention = PackedAttention(12, 3, dropout=0.3).double()
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    allowed = torch.rand(2, 9, 9) > 0.4
    allowed[1, 3] = False
    with torch.no_grad():
        wanted = attention.eval()(x, x, x, allowed)
        attention.train()
        drawn = torch.stack([attention(x, x, x, allowed) for _ in range(4000)])
        error = (drawn.mean(0) - wanted).abs() / (drawn.std(0) / 4000**0.5).clamp(min=1e-12)
        assert error.max() < 5.5 and drawn.std(0)[0].min() > 0
        assert torch.equal(drawn[:, 1, 3], torch.zeros(4000, 12)), "a query without any key"
        attention.dropout = 1e-9
        torch.testing.assert_close(attention(x, x, x, allowed), wanted, rtol=1e-12, atol=1e-12)

"""CCC: the published losses against their values, the sound ones against what they should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from affuse.metrics.concordance import (
    ccc,
    ccc_loss,
    ccc_window_loss,
    masked_ccc_loss,
    pearson,
    published_ccc,
    rmse,
)
from affuse.verification.parity import load_fill


@pytest.fixture(scope="module")
def content(parity_cases: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((parity_cases / "data_ccc.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def vectors(content: dict[str, Any], parity_cases: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """The pairs (values, targets) that the case describes in words."""
    fill = load_fill(parity_cases.parent / "fill.py")
    n, seed = content["n"], content["seed"]
    x = 0.4 * fill.tensor("x", (n,), seed, "normal")
    y = np.clip(0.6 * x + 0.3 * fill.tensor("y", (n,), seed, "normal"), -1, 1)
    given, wanted = (
        np.full(n, content["constant_prediction"]),
        np.full(n, content["constant_target"]),
    )
    pairs = {
        "random": (x, y),
        "perfect": (y, y),
        "opposite": (-y, y),
        "constant_prediction": (given, y),
        "constant_target": (x, wanted),
        "both_constant_different": (given, wanted),
        "scaled": (content["scale"] * y, y),
        "shifted": (y + content["shift"], y),
    }
    return {
        name: (torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32))
        for name, (a, b) in pairs.items()
    }


NAMES = (
    "random",
    "perfect",
    "opposite",
    "constant_prediction",
    "constant_target",
    "scaled",
    "shifted",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["flat", "window"])
def test_loss_and_gradient(
    vectors: dict[str, tuple[Tensor, Tensor]], content: dict[str, Any], name: str, kind: str
) -> None:
    values, targets = vectors[name]
    values = values.clone().requires_grad_()
    if kind == "flat":
        loss = ccc_loss(values, targets)
    else:
        loss = ccc_window_loss(values[None, :, None], targets[None, :, None])
    loss.backward()
    expected = content["cases"][name]
    assert loss.item() == pytest.approx(expected[f"{kind}_loss"], abs=1e-5)
    assert values.grad is not None
    assert values.grad.norm().item() == pytest.approx(
        expected[f"{kind}_grad_l2"], rel=1e-3, abs=1e-5
    )


def test_weights_of_dimensions(content: dict[str, Any], parity_cases: Path) -> None:
    case = content["windowed"]
    fill = load_fill(parity_cases.parent / "fill.py")
    drawn = [
        fill.tensor(n, case["shape"], content["seed"], "normal") for n in ("prediction", "target")
    ]
    values = torch.from_numpy(drawn[0])
    targets = 0.5 * values + 0.2 * torch.from_numpy(drawn[1])
    assert ccc_window_loss(values, targets).item() == pytest.approx(case["loss"], abs=1e-5)
    weighted = ccc_window_loss(values, targets, torch.tensor([10.0, 1.0])).item()
    assert weighted == pytest.approx(case["weighted_loss"], abs=1e-5)


def test_perfect_agreement_of_a_window_of_t_frames_costs_one_t_th() -> None:
    x = torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(0))
    assert ccc_window_loss(x, x).item() == pytest.approx(1 / 50, abs=1e-6)
    assert ccc_loss(x, x).item() == pytest.approx(0, abs=1e-6)


def noisy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, 0.6 * x + 0.3 * rng.normal(size=n) + 0.1


@given(st.integers(3, 200), st.integers(0, 1000))
def test_ccc_is_pearson_times_what_level_and_spread_cost(n: int, seed: int) -> None:
    x, y = noisy(n, seed)
    r = stats.pearsonr(x, y).statistic
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    assert ccc(x, y) == pytest.approx(r * 2 * x.std() * y.std() / spread, abs=1e-12)
    assert pearson(x, y) == pytest.approx(r, abs=1e-12)
    assert rmse(x, y) == pytest.approx(np.linalg.norm(x - y) / np.sqrt(n))
    assert ccc(x, y) == ccc(y, x) and abs(published_ccc(x, y)) < abs(ccc(x, y))


@given(st.integers(2, 100), st.integers(0, 1000), st.floats(-3, 3), st.floats(0.1, 10))
def test_ccc_has_no_unit(n: int, seed: int, shift: float, scale: float) -> None:
    x, y = noisy(n, seed)
    assert ccc(scale * x + shift, scale * y + shift) == pytest.approx(ccc(x, y), abs=1e-9)
    assert ccc(x, x) == pytest.approx(1) and ccc(x - x.mean(), x.mean() - x) == pytest.approx(-1)
    assert published_ccc(x, x) == pytest.approx((n - 1) / n)


@pytest.mark.parametrize("score", [ccc, published_ccc, pearson])
def test_what_is_constant_or_empty_scores_zero(score: Any) -> None:
    constant, x = np.full(7, 0.1), np.arange(7) / 7
    pairs = [(constant, x), (x, constant), (constant, constant), ([], []), ([1.0], [1.0])]
    for a, b in [*pairs, (1e-200 * x, 1e-200 * x)]:
        assert score(a, b) == 0.0
    assert rmse(constant, constant) == 0.0 and np.isnan(rmse([], []))


@pytest.mark.parametrize("score", [ccc, published_ccc, pearson, rmse])
def test_series_of_two_lengths_are_refused(score: Any) -> None:
    for shapes in ((3, 4), (3, 1), ((3, 1), (3, 1))):
        with pytest.raises(ValueError, match="shapes"):
            score(*(np.zeros(shape) for shape in shapes))


def batch(seed: int, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Values, targets and a mask of (4, 30, 2)."""
    g = torch.Generator().manual_seed(seed)
    values = torch.randn(4, 30, 2, generator=g)
    targets = 0.5 * values + 0.3 * torch.randn(4, 30, 2, generator=g)
    return values, targets, torch.rand(4, 30, generator=g) < share


@given(st.integers(0, 100), st.floats(0.1, 1))
def test_the_masked_loss_is_one_minus_the_ccc_of_present_frames(seed: int, share: float) -> None:
    values, targets, mask = batch(seed, share)
    each = [1 - ccc(values[mask][:, d].numpy(), targets[mask][:, d].numpy()) for d in range(2)]
    found = masked_ccc_loss(values, targets, mask)
    assert found.ndim == 0 and found.item() == pytest.approx(np.mean(each), abs=1e-6)


def test_absent_frames_have_no_part_in_the_masked_loss() -> None:
    values, targets, mask = batch(0, 0.5)
    loss = masked_ccc_loss(values, targets, mask)
    values[~mask], targets[~mask] = torch.nan, torch.inf
    values.requires_grad_()
    again = masked_ccc_loss(values, targets, mask)
    again.backward()
    assert again == loss and values.grad is not None
    assert values.grad[~mask].eq(0).all() and values.grad[mask].ne(0).all()
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("given_frames", [0, 1, 120])
@pytest.mark.parametrize("targets_vary", [False, True])
def test_the_masked_loss_of_a_constant_is_one(given_frames: int, targets_vary: bool) -> None:
    _, targets, _ = batch(1, 1)
    mask = (torch.arange(120) < given_frames).reshape(4, 30)
    values = torch.full((4, 30, 2), 0.1, requires_grad=True)
    loss = masked_ccc_loss(values, targets if targets_vary else torch.full_like(targets, 0.1), mask)
    loss.backward()
    assert loss.item() == 1 and values.grad is not None and values.grad.isfinite().all()
    assert values.grad.any() == (targets_vary and given_frames > 1)


def test_the_masked_loss_does_not_lose_small_agreement_in_large_levels() -> None:
    values, targets, mask = batch(2, 1)
    far = masked_ccc_loss(values.double() + 1e6, targets.double() + 1e6, mask)
    assert far.item() == pytest.approx(masked_ccc_loss(values, targets, mask).item(), abs=1e-6)


def test_gradients_of_the_masked_loss() -> None:
    values, targets, mask = (x[:2, :5] for x in batch(3, 0.7))
    values = values.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: masked_ccc_loss(x, targets, mask), values)

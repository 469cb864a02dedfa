"""The published CCC losses, against their values on ordinary and degenerate vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.metrics.concordance import ccc_loss, ccc_window_loss
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

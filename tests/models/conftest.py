"""Weights of published systems, filled by rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from tests.models.published import filled


@pytest.fixture(scope="module")
def faces(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "efficientface")


@pytest.fixture(scope="module")
def fusion(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "ia")

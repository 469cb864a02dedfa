"""The contract of a voice and a face model in one; what it says is tested with `affuse combine`."""

from __future__ import annotations

from typing import ClassVar

from affuse.models.base import Head
from affuse.verification.contracts.model import ModelContract


class TestCombined(ModelContract):
    name = "combined"
    heads: ClassVar[tuple[Head, ...]] = ("classes",)

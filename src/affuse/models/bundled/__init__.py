"""The bundled model file; its card, `day-one.md`, lies beside it."""

from __future__ import annotations

from pathlib import Path

DAY_ONE = Path(__file__).parent / "day-one.safetensors"
CARD = DAY_ONE.with_suffix(".md")

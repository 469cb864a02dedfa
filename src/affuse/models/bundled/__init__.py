"""The bundled model file; its card, `day-one.md`, lies beside it."""

from __future__ import annotations

from pathlib import Path

BUNDLED = Path(__file__).parent / "day-one.safetensors"
CARD = BUNDLED.with_suffix(".md")

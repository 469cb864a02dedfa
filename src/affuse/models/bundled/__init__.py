"""The bundled model file; its card, `bundled.md`, lies beside it."""

from __future__ import annotations

from pathlib import Path

BUNDLED = Path(__file__).parent / "bundled.safetensors"
CARD = BUNDLED.with_suffix(".md")

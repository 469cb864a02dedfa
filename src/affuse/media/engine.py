"""What computes the networks of face detectors: torch, or onnxruntime beside an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Engine = Literal["torch", "onnxruntime"]

_ENGINE: ContextVar[Engine] = ContextVar("engine", default="torch")


def engine() -> Engine:
    """What detectors that are made now are computed by."""
    return _ENGINE.get()


@contextmanager
def computed_by(chosen: Engine) -> Iterator[None]:
    """A block in which detectors are made that one of them computes.

    Args:
        chosen: With `onnxruntime` torch is not imported.
    """
    token = _ENGINE.set(chosen)
    try:
        yield
    finally:
        _ENGINE.reset(token)

"""Sessions of onnxruntime: how many threads they have, and what is said where it is missing."""

from __future__ import annotations

import os
from typing import Any

from affuse.extras import need


def session_of(model: bytes) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    It has as many threads as `OMP_NUM_THREADS` says, as torch has, and they do not spin while they
    wait (`affuse.execution.threads`).

    Args:
        model: A serialised `ModelProto`.

    Raises:
        AffuseError: onnxruntime is not installed.
    """
    need("export", "an ONNX file", ["onnxruntime"])
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; warnings are about graphs, not about recordings
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def import_onnx() -> Any:
    """The module `onnx`; an `AffuseError` where it is not installed."""
    need("export", "an ONNX file", ["onnx"])
    import onnx

    return onnx


def _threads() -> int:
    """As the environment says, or 0 for as many as onnxruntime chooses."""
    word = os.environ.get("OMP_NUM_THREADS", "")
    return int(word) if word.isdigit() else 0

"""Dense layers of a graph in 8 bits: a quarter of their size."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx

#: What becomes of 8 bits. Convolutions stay: of 8 bits they take longer on a CPU.
_LAYERS = ["MatMul", "Gemm"]


def in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph whose dense layers have int8 weights, one scale per column.

    What comes into such a layer is rounded to 8 bits too, by its own smallest and largest value
    (dynamic quantisation).

    Args:
        model: The graph, with float32 weights.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises to optimise first, which would rename values
    try:
        with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
            out = Path(folder) / "int8.onnx"
            quantize_dynamic(
                model,
                out,
                op_types_to_quantize=_LAYERS,
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
            return onnx.load(out)
    finally:
        logging.disable(logging.NOTSET)

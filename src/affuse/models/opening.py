"""A file with a model, opened to be applied: by torch, or an ONNX file by onnxruntime."""

from __future__ import annotations

from pathlib import Path

from affuse.models.applied import Applied
from affuse.models.onnx_metadata import is_onnx


def open_model(path: Path, device: str = "cpu") -> Applied:
    """The model in a file.

    Args:
        path: What `save_model` wrote; or an ONNX file that `affuse export` wrote, which is applied
            without torch.
        device: Torch device; `cpu` for an ONNX file.

    Raises:
        BadInput: See `affuse.models.modelfile.load_model`.
        AffuseError: There is no such device here, or onnxruntime is not installed.
    """
    path = Path(path)
    if is_onnx(path):
        from affuse.models.onnx_model import OnnxModel

        return OnnxModel(path, device)
    from affuse.models.modelfile import load_model, move_to
    from affuse.models.sliding import WindowModel

    model, spec = load_model(path)
    move_to(model, device)
    return WindowModel(model, spec)

"""Every registered model, with every head, as an ONNX file; `tsav` alone cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.inference.attribution.test_every_model import CONTRACTS

from affuse.errors import AffuseError
from affuse.export.export import export_onnx
from affuse.features.batch import Normalisation
from affuse.models.modelfile import ModelSpec, save_model

#: Series of equal length pass its networks together, and which these are, no graph can know.
NO_GRAPH = {"tsav"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTRACTS)
def test_a_model_is_exported(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    contract = CONTRACTS[name]()
    for head in contract.heads:
        torch.manual_seed(0)
        model = contract.build(head=head).eval()
        streams = {n: contract.streams[n] for n in model.streams}
        spec = ModelSpec(
            name,
            contract.options | {"head": head},
            streams,
            {n: Normalisation((128.0,), (64.0,)) for n, x in streams.items() if x.is_picture},
            [f"output {k}" for k in range(model.outputs)],
            task="classification" if head == "classes" else "valence-arousal",
            window=0.5,
        )
        file, out = tmp_path / "m.safetensors", tmp_path / "m.onnx"
        save_model(file, model, spec)
        if name in NO_GRAPH:
            with pytest.raises(AffuseError, match="cannot be exported"):
                export_onnx(file, out)
        else:
            assert export_onnx(file, out).difference.equal

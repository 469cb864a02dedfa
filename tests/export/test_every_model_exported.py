"""Every registered model, with every head, as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.inference.attribution.test_every_model import CONTRACTS

from affuse.export.export import export_onnx
from affuse.features.batch import Normalisation
from affuse.models.modelfile import ModelSpec, save_model


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
        assert export_onnx(file, out).difference.equal

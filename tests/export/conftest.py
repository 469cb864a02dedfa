"""Small model files with arbitrary weights, and ONNX files of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import affuse
from affuse.export.export import export_onnx
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.models.calibration import MaskCalibration, ModelCalibration
from affuse.models.modelfile import ModelSpec, save_model

STREAMS = ("audio/mfcc10", "video/faces48")
CALIBRATION = {
    "av": MaskCalibration(1.5, [0.1, 0.0, -0.1], [0.8], 100, 10),
    "audio": MaskCalibration(2.0, [], [0.9], 100, 10),
    "video": MaskCalibration(0.8, [0.0, 0.2, 0.0], [0.9], 100, 10),
}


@pytest.fixture(scope="session")
def classes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated model of classes from sound and face images."""
    torch.manual_seed(0)
    statistics = {
        STREAMS[0]: Normalisation((-20.0,) * 10, (30.0,) * 10),
        STREAMS[1]: Normalisation((120.0,), (60.0,)),
    }
    spec = ModelSpec(
        "late",
        {},
        {name: stream_spec(name) for name in STREAMS},
        statistics,
        ["neutral", "happy", "sad"],
        window=2.0,
        calibration=ModelCalibration(0.9, CALIBRATION),
        training={"corpus": "nothing", "licence": "CC0-1.0 (nothing)"},
    )
    path = tmp_path_factory.mktemp("classes") / "late.safetensors"
    save_model(path, affuse.create_model("late", list(STREAMS), 3), spec)
    return path


@pytest.fixture(scope="session")
def classes_onnx(classes_file: Path) -> Path:
    """The same as an ONNX file."""
    return exported(classes_file)


@pytest.fixture(scope="session")
def values_file(both: Path) -> Path:
    """A model of valence and arousal."""
    return both


@pytest.fixture(scope="session")
def values_onnx(values_file: Path) -> Path:
    """The same as an ONNX file."""
    return exported(values_file)


def exported(file: Path) -> Path:
    """An ONNX file beside a model file."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = file.with_suffix(".onnx")
    export_onnx(file, out)
    return out

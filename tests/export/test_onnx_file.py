"""An ONNX file says what its model file says, tells what it is, and is not written otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run

import affuse
from affuse.errors import AffuseError, BadInput
from affuse.export.export import export_onnx
from affuse.export.gate import compare, synthetic
from affuse.features.batch import Batch
from affuse.features.catalogue import stream_spec
from affuse.models.base import Output
from affuse.models.baselines.late import LateFusion
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.models.onnx_metadata import onnx_metadata
from affuse.models.onnx_model import OnnxModel
from affuse.models.opening import open_model
from affuse.models.registry import MODELS, ModelEntry
from affuse.models.sliding import WindowModel
from affuse.models.spec_files import read_digest, read_spec


@pytest.mark.parametrize("kind", ["classes", pytest.param("values", marks=pytest.mark.slow)])
def test_both_files_say_the_same_whatever_is_missing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    ours, theirs = (open_model(request.getfixturevalue(f"{kind}_{x}")) for x in ("file", "onnx"))
    difference = compare(ours, theirs, synthetic(ours.spec, count=5))
    assert difference.equal and difference.worst < 1e-5
    assert difference.windows == 2 * 5 * 6  # alone and together, six ways to leave something out
    assert theirs.leader == ours.leader and {*theirs.embedded} == {*ours.embedded}


def test_it_tells_what_the_model_file_tells(classes_file: Path, classes_onnx: Path) -> None:
    assert read_spec(classes_onnx) == read_spec(classes_file)
    assert read_digest(classes_onnx) not in (None, read_digest(classes_file))
    assert onnx_metadata(classes_onnx)["licence"] == "CC0-1.0 (nothing)"


def test_the_card_of_both_is_the_same(
    classes_file: Path, classes_onnx: Path, tmp_path: Path
) -> None:
    cards = [tmp_path / "a.md", tmp_path / "b.md"]
    for file, card in zip((classes_file, classes_onnx), cards, strict=True):
        assert run("card", file, "--out", card) == 0
    first, second = (
        [line for line in card.read_text().splitlines() if "SHA-256" not in line] for card in cards
    )
    assert [x.replace(".onnx", ".safetensors") for x in second] == first


def test_any_runtime_can_run_it_on_windows_of_any_number_and_length(classes_onnx: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(classes_onnx, providers=["CPUExecutionProvider"])
    assert {x.name: x.type for x in session.get_inputs()} == {
        "audio/mfcc10": "tensor(float)",
        "audio/mfcc10.present": "tensor(bool)",
        "video/faces48": "tensor(uint8)",
        "video/faces48.present": "tensor(bool)",
    }
    generator = np.random.default_rng(0)
    for rows, frames in ((1, 1), (2, 30), (5, 7)):
        feeds = {
            "audio/mfcc10": generator.standard_normal((rows, 3 * frames, 10)).astype(np.float32),
            "audio/mfcc10.present": np.ones((rows, 3 * frames), bool),
            "video/faces48": generator.integers(0, 256, (rows, frames, 48, 48, 3), np.uint8),
            "video/faces48.present": np.ones((rows, frames), bool),
        }
        (scores,) = session.run(None, feeds)
        assert scores.shape == (rows, 3) and np.isfinite(scores).all()
        alone = session.run(None, {name: x[:1] for name, x in feeds.items()})[0]
        np.testing.assert_allclose(alone, scores[:1], atol=1e-5)


def test_what_does_not_say_the_same_is_found(classes_onnx: Path, classes_file: Path) -> None:
    model, spec = load_model(classes_file)
    theirs = OnnxModel(classes_onnx)
    for parameter in model.audio.parameters():
        parameter.requires_grad_(False).mul_(1.5)
    difference = compare(WindowModel(model, spec), theirs, synthetic(spec))
    assert not difference.equal and difference.worst > 1e-3


def test_a_damaged_file_is_one_line(classes_onnx: Path, tmp_path: Path) -> None:
    data = classes_onnx.read_bytes()
    damaged = tmp_path / "damaged.onnx"
    middle = len(data) // 2
    for content in (
        data[:middle],
        data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        b"",
        b"text, no model",
    ):
        damaged.write_bytes(content)
        with pytest.raises(BadInput) as refusal:
            open_model(damaged)
        assert "\n" not in str(refusal.value)
    with pytest.raises(BadInput, match="no such file"):
        open_model(tmp_path / "none.onnx")


def test_commands_that_cannot_be_done(
    classes_file: Path, classes_onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    assert "ends in .onnx" in refused(capsys, "export", classes_file, "--out", tmp_path / "m.bin")
    assert "already" in refused(capsys, "export", classes_onnx, "--out", out)
    assert "--clips" in refused(capsys, "export", classes_file, "--out", out, "--int8")
    assert "no such file" in refused(capsys, "export", tmp_path / "none", "--out", out)
    with pytest.raises(BadInput, match="only predict"):
        load_model(classes_onnx)
    assert not out.exists()


def test_a_device_that_it_does_not_have(classes_onnx: Path) -> None:
    with pytest.raises(AffuseError, match="applied on the CPU"):
        open_model(classes_onnx, "cuda")


class Undecided(LateFusion):
    """What it does depends on what it sees."""

    def forward(self, batch: Batch) -> Output:
        if batch.streams["audio/mfcc10"].mean() > 0:
            batch = batch.without("audio")
        return super().forward(batch)


def test_a_model_that_no_graph_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    entry = ModelEntry(f"{__name__}:Undecided", modalities=("audio", "video"))
    monkeypatch.setitem(MODELS._own, "undecided", entry)
    streams = {name: stream_spec(name) for name in ("audio/mfcc10", "video/faces48")}
    spec = ModelSpec("undecided", {}, streams, {}, ["a", "b"], window=1.0)
    file, out = tmp_path / "undecided.safetensors", tmp_path / "undecided.onnx"
    save_model(file, affuse.create_model("undecided", list(streams), 2), spec)
    with pytest.raises(AffuseError, match="undecided cannot be exported"):
        export_onnx(file, out)
    assert {path.name for path in tmp_path.iterdir()} == {"undecided.safetensors"}


def test_check_opens_it(classes_onnx: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--model", classes_onnx) == 0
    said = capsys.readouterr().out
    assert "late on audio/mfcc10 and video/faces48" in said and "as its digest says" in said


@pytest.mark.slow
def test_in_8_bits_it_is_kept_where_it_is_nearly_as_good(
    classes_file: Path, varying: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
    assert run("export", classes_file, "--out", whole, "--clips", varying) == 0
    assert "on 1 recording" in capsys.readouterr().out
    assert run("export", classes_file, "--out", small, "--int8", "--clips", varying) == 0
    assert small.stat().st_size < whole.stat().st_size
    ours, theirs = open_model(classes_file), open_model(small)
    difference = compare(ours, theirs, synthetic(ours.spec))
    assert 0 < difference.mean < 0.02

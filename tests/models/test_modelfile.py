"""Model files that cannot be used say why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.models.bundled import BUNDLED
from affuse.models.entries import content_digest
from affuse.models.modelfile import DIGEST, KEY, ModelSpec, load_model, read_spec, save_model
from affuse.verification.contracts.model import MFCC, random_batch


@pytest.fixture
def spec() -> ModelSpec:
    return ModelSpec(
        model="audio-only",
        options={"audio": {"name": "mfcc-conv", "width": 4}},
        streams={MFCC.name: MFCC},
        normalisation={MFCC.name: Normalisation((0.5,) * 10, (2.0,) * 10)},
        outputs=["calm", "fröhlich"],
        window=3.6,
        training={"data": "ravdess", "licence": "CC BY-NC-SA 4.0", "fold": 2},
    )


@pytest.fixture
def path(spec: ModelSpec, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, spec.build(), spec)
    return path


def rewrite(path: Path, drop: str = "", add: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write a model file again with another description or other weights."""
    state = load_file(path)
    with safe_open(path, "pt") as file:
        value = json.loads(file.metadata()[KEY]) | changes
    state.pop(drop, None)
    save_file(state | (add or {}), path, {KEY: json.dumps(value)})


def test_the_spec_can_be_read_alone(path: Path, spec: ModelSpec) -> None:
    assert read_spec(path) == spec
    assert spec.version
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_loading_draws_no_random_numbers(path: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_model(path)
    assert torch.rand(1) == expected


def test_loaded_weights_can_be_trained(path: Path) -> None:
    model, _ = load_model(path)
    assert all(p.requires_grad and not p.is_meta for p in model.parameters())


def test_an_interrupted_save_leaves_the_old_file(path: Path, spec: ModelSpec) -> None:
    before = path.read_bytes()
    spec.training["loss"] = float("nan")
    with pytest.raises(BadInput, match=r"not written: training\.loss is nan"):
        save_model(path, spec.build(), spec)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\xff" * 64])
def test_not_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not a model file"):
        load_model(path)


def test_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="damaged"):
        load_model(path)


def test_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(BadInput, match="not a model file of affuse"):
        load_model(path)


def test_of_a_newer_version(path: Path) -> None:
    rewrite(path, format=99, version="9.0", surprise=1)
    with pytest.raises(BadInput, match=r"newer affuse \(9.0\)"):
        load_model(path)


@pytest.mark.parametrize(
    "changes",
    [{"streams": None}, {"streams": {"audio/mfcc10": {"rate": 3}}}, {"format": "x"}, {"new": 1}],
)
def test_damaged_description(path: Path, changes: dict[str, Any]) -> None:
    rewrite(path, **changes)
    with pytest.raises(BadInput, match="description is damaged"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "unheard-of"}, "cannot be built: no model named"),
        ({"options": {"audio": {"wide": 4}}}, "cannot be built: .* no option 'wide'"),
        ({"options": {"audio": {"width": "4"}}}, "cannot be built"),
        ({"outputs": ["one"]}, "another shape: audio.classifier.weight, audio.classifier.bias"),
        ({"drop": "audio.classifier.bias"}, "lacks weights: audio.classifier.bias"),
        ({"add": {"extra": torch.zeros(1)}}, "unknown weights: extra"),
    ],
)
def test_description_and_weights_disagree(
    path: Path, changes: dict[str, Any], message: str
) -> None:
    rewrite(path, **changes)
    with pytest.raises(BadInput, match=message):
        load_model(path)


def test_a_file_of_format_1_opens_with_the_same_answers(path: Path, spec: ModelSpec) -> None:
    """It names its outputs `classes`; its digest is that of the description as it stands."""
    batch = random_batch({MFCC.name: MFCC}, {MFCC.name: [40, 31]}, seed=1)
    model, _ = load_model(path)
    expected = model(batch).logits
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()[KEY])
    told = {{"outputs": "classes"}.get(name, name): x for name, x in told.items()}
    del told[DIGEST]
    told["format"] = 1
    told[DIGEST] = content_digest(told, load_file(path))
    save_file(load_file(path), path, {KEY: json.dumps(told)})
    model, found = load_model(path)
    assert found == spec
    assert torch.equal(model(batch).logits, expected)


def test_the_bundled_model_opens() -> None:
    model, spec = load_model(BUNDLED)
    assert len(spec.outputs) == model.outputs and "happy" in spec.outputs


def test_a_model_that_knows_people_is_of_a_format_of_its_own(path: Path, spec: ModelSpec) -> None:
    with safe_open(path, "pt") as file:
        plain = json.loads(file.metadata()[KEY])
    assert plain["format"] == 2 and "shrinkage" not in plain
    known = replace(spec, shrinkage=3.0)
    save_model(path, known.build(), known)
    assert read_spec(path) == known
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()[KEY])["format"] == 3, "earlier versions refuse it"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"shrinkage": None},
        {"shrinkage": 0},
        {"shrinkage": "3"},
        {"normalisation": {}},
    ],
    ids=str,
)
def test_people_are_never_silently_standardised_by_the_corpus_alone(
    path: Path, spec: ModelSpec, changes: dict[str, Any]
) -> None:
    known = replace(spec, shrinkage=3.0)
    save_model(path, known.build(), known)
    rewrite(path, **changes)
    with pytest.raises(BadInput, match="description is damaged"):
        read_spec(path)

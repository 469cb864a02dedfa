"""TSAV: contract, what padding and images do, checkpoints there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model
from affuse.models.checkpoints import import_state, published_state_dict
from affuse.models.registry import create_model
from affuse.models.systems.tsav.model import TwoStreamAuralVisual
from affuse.models.systems.tsav.published import TASKS
from affuse.verification.contracts.model import ModelContract, random_batch
from tests.models.published import filled

SOUND = StreamSpec("audio/logmel64-tsav", 100.0, (64,))
FACES = StreamSpec("video/faces32", 5.0, (32, 32, 3), "uint8")
STREAMS = {s.name: s for s in (SOUND, FACES)}
EXPRESSIONS = ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"]


class TestTwoStreamAuralVisual(ModelContract):
    name = "tsav"
    heads: ClassVar[tuple[Head, ...]] = ("classes",)  # one answer per clip
    streams: ClassVar[dict[str, StreamSpec]] = STREAMS
    # Equal, so that the statistics of batch normalisation come from all three clips.
    lengths: ClassVar[dict[str, list[int]]] = {SOUND.name: [40, 40, 40], FACES.name: [2, 2, 2]}
    overfits_in = 5
    learning_rate = 1e-3
    examples = 1


def build(**options: Any) -> TwoStreamAuralVisual:
    torch.manual_seed(0)
    model = create_model("tsav", STREAMS, 7, **options).eval()
    assert isinstance(model, TwoStreamAuralVisual)
    return model


@pytest.fixture(scope="module")
def model() -> TwoStreamAuralVisual:
    return build(channels=4, auxiliary=TASKS)


@pytest.fixture
def batch() -> Batch:
    return random_batch(STREAMS, {SOUND.name: [30, 30], FACES.name: [4, 4]}, seed=0)


@torch.no_grad()
def test_both_networks_read_what_the_published_ones_do(
    model: TwoStreamAuralVisual, batch: Batch
) -> None:
    levels = batch.streams[SOUND.name].transpose(1, 2).unsqueeze(1)  # (frequency, time)
    clip = batch.streams[FACES.name].transpose(1, 2)
    face = torch.full((2, 1, 4, 32, 32), (1.0 - 0.5) / 0.225)
    features = model.audio(levels), model.video(torch.cat((clip, face), 1))
    answers = model.classifier(torch.cat(features, 1))
    output = model(batch)
    found = torch.cat((output.logits, *output.auxiliary.values()), 1)
    torch.testing.assert_close(found, answers)
    assert {name: x.shape[1] for name, x in output.auxiliary.items()} == TASKS
    assert list(output.auxiliary) == ["valence-arousal", "action-units"]


@torch.no_grad()
def test_face_mask_matters_to_four_channels_alone(batch: Batch) -> None:
    for channels in (3, 4):
        face, none = (build(channels=channels, face_mask=value) for value in (1.0, 0.0))
        change = (face(batch).logits - none(batch).logits).abs().max()
        assert (change > 0) == (channels == 4)


@torch.no_grad()
def test_pictures_outside_the_choice_do_not_matter(
    model: TwoStreamAuralVisual, batch: Batch
) -> None:
    some = build(pictures=[1, 3])
    changed = {name: x.clone() for name, x in batch.streams.items()}
    changed[FACES.name][:, [0, 3]] += 1.0
    after = Batch(changed, batch.masks)
    assert torch.equal(some(batch).logits, some(after).logits)
    everything = build()
    assert (everything(batch).logits - everything(after).logits).abs().max() > 0
    short = random_batch(STREAMS, {SOUND.name: [30], FACES.name: [1]}, seed=0)
    torch.testing.assert_close(some(short).logits, some(short.without("video")).logits)


@torch.no_grad()
def test_an_absent_modality_adds_nothing(model: TwoStreamAuralVisual, batch: Batch) -> None:
    heard = model.audio(batch.streams[SOUND.name].transpose(1, 2).unsqueeze(1))
    alone = heard @ model.classifier.weight[:7, :512].T + model.classifier.bias[:7]
    torch.testing.assert_close(model(batch.without("video")).logits, alone)
    nothing = model(batch.without("video").without("audio")).logits
    torch.testing.assert_close(nothing, model.classifier.bias[:7].expand(2, -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "frames"}, "tsav answers once per clip; use head='classes'"),
        ({"channels": 5}, "channels=5"),
        ({"pictures": [3, 3]}, r"pictures=\[3, 3\]"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with torch.device("meta"), pytest.raises(AffuseError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ([StreamSpec("audio/x", 50.0, (40,)), FACES], r"64 log-mel bands; audio/x has .*\(40,\)"),
        ([SOUND, StreamSpec("video/openface", 30.0, (12,))], "sees images; video/openface"),
    ],
)
def test_streams_of_another_kind(streams: list[StreamSpec], message: str) -> None:
    with torch.device("meta"), pytest.raises(AffuseError, match=message):
        create_model("tsav", {s.name: s for s in streams}, 7)


@pytest.fixture(scope="module")
def published(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "tsav")


def test_there_and_back(published: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "TSAV_Sub4_544k.pth.tar"
    torch.save({"state_dict": published, "best": np.float64(0.5)}, path)
    state = read_checkpoint(path)
    model, spec = import_state("tsav", path, state, classes=EXPRESSIONS)
    back = published_state_dict(model)
    assert back.keys() == published.keys()
    assert all(back[name].equal(published[name]) for name in published)
    assert spec.outputs == EXPRESSIONS and spec.window == 10.0
    assert spec.options["channels"] == 4 and spec.options["auxiliary"] == TASKS
    assert {name: s.rate for name, s in spec.streams.items()} == {
        "audio/logmel64-tsav": 100.0,
        "video/aligned112": 30.0,
    }
    silence = (-100.0 - spec.normalisation["audio/logmel64-tsav"].mean[0]) / 19.895
    assert silence == pytest.approx(-4.28248, abs=1e-5)


def test_classes_without_names(published: dict[str, Tensor]) -> None:
    with pytest.raises(BadInput, match="7 classes of unknown meaning"):
        import_state("tsav", Path("x"), published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.1.bias": None}, "lacks weights: fc.1.bias"),
        ({"video_model.r2plus1d.stem.0.weight": None}, r"lacks weights: \S*stem.0.weight"),
        ({"audio_model.resnet.bn1.bias": None}, "lacks weights: audio_model.resnet.bn1.bias$"),
        ({"fc.1.bias": 2}, "answers 2 values; expected classes and 10 more"),
        ({"extra": 1}, "unknown weights: extra"),
        ({"fc.1.weight": 3}, "another shape: fc.1.weight"),
    ],
)
def test_missing_and_left_over(
    published: dict[str, Tensor], change: dict[str, int | None], message: str
) -> None:
    state = dict(published)
    for name, size in change.items():
        state.pop(name, None)
        if size is not None:
            state[name] = torch.zeros(size)
    with pytest.raises(BadInput, match=message):
        import_state("tsav", Path("x"), state, classes=EXPRESSIONS)


def test_another_system(published: dict[str, Tensor]) -> None:
    with pytest.raises(BadInput, match="weights of tsav, not of rjca"):
        import_state("rjca", Path("x"), published)


def test_no_published_names_without_the_published_tasks() -> None:
    with torch.device("meta"):
        other: Model = create_model("tsav", STREAMS, 7)
    assert isinstance(other, nn.Module)
    with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
        published_state_dict(other)

"""The contract of a voice and a face model in one; what it says is tested with `affuse combine`."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.models.applied import LEAST_VOICE
from affuse.models.base import Head, Output
from affuse.models.baselines.combined import Combined
from affuse.verification.contracts.model import MFCC, OPENFACE, ModelContract, random_batch

STREAMS = {spec.name: spec for spec in (MFCC, OPENFACE)}


class TestCombined(ModelContract):
    name = "combined"
    heads: ClassVar[tuple[Head, ...]] = ("classes",)


class TestCombinedWithVoice(TestCombined):
    options: ClassVar[dict[str, Any]] = {"voice": True}
    unused: ClassVar[tuple[str, ...]] = ("voice.",)


def built(voice: bool, bias: float | None = None) -> Combined:
    """The same model but for whether it tells voices; with a bias, everywhere or nowhere."""
    torch.manual_seed(0)
    model = Combined(STREAMS, 4, voice=voice, prior=[0.4, 0.3, 0.2, 0.1]).eval()
    if model.voice is not None and bias is not None:
        with torch.no_grad():
            model.voice.score.weight.zero_()
            model.voice.score.bias.fill_(bias)
    return model


def said(model: Combined, batch: Batch) -> Output:
    with torch.no_grad():
        return model(batch)


def probabilities(model: Combined, batch: Batch) -> Tensor:
    return said(model, batch).logits.softmax(-1)


@pytest.fixture
def batch() -> Batch:
    """Eight clips, of which the last has no sound."""
    lengths = {MFCC.name: [40, 31, 22, 60, 25, 80, 30, 0], OPENFACE.name: [9] * 8}
    return random_batch(STREAMS, lengths, seed=3)


def test_where_a_voice_is_heard_it_is_the_model_without_that(batch: Batch) -> None:
    output = said(built(True, 1.0), batch)
    assert output.voice is not None and output.voice[:7].eq(1).all() and output.voice[7].isnan()
    plain = said(built(False), batch)
    assert plain.voice is None and torch.equal(output.logits, plain.logits)


def test_sound_without_a_voice_counts_as_absent(batch: Batch) -> None:
    model, faces = built(True, -1.0), built(False)
    output = said(model, batch)
    assert output.voice is not None and output.voice[:7].eq(0).all() and output.voice[7].isnan()
    torch.testing.assert_close(
        probabilities(model, batch), probabilities(faces, batch.without("audio"))
    )
    alone = probabilities(model, batch.without("video"))
    torch.testing.assert_close(alone, torch.full_like(alone, 0.25))
    heard = probabilities(faces, batch.without("video"))
    assert (heard[0] - 0.25).abs().max() > 1e-3, "which it does not say of a voice"


def test_each_clip_of_a_batch_is_told_for_itself(batch: Batch) -> None:
    batch.streams[MFCC.name][::2] += 3.0 * batch.masks[MFCC.name][::2].unsqueeze(-1)
    model, plain = built(True), built(False)
    assert model.voice is not None
    with torch.no_grad():
        x, mask = model.audio.frontend(batch.streams[MFCC.name], batch.masks[MFCC.name])
        means = (x * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        other, own = means[1:6:2].mean(0), means[:7:2].mean(0)
        model.voice.score.weight.copy_((own - other).unsqueeze(0))
        model.voice.score.bias.copy_(-(own - other) @ (own + other) / 2)
    output = said(model, batch)
    assert output.voice is not None
    heard = output.voice >= LEAST_VOICE
    assert heard.tolist() == [True, False, True, False, True, False, True, False]
    both, faces = probabilities(plain, batch), probabilities(plain, batch.without("audio"))
    torch.testing.assert_close(
        output.logits.softmax(-1), torch.where(heard.unsqueeze(1), both, faces)
    )

"""What late fusion and concatenation make of modalities that are there and that are not."""

from __future__ import annotations

import pytest
import torch

from affuse.features.batch import Batch
from affuse.models.base import Model
from affuse.models.baselines.concatenation import Concatenation
from affuse.models.registry import create_model
from affuse.verification.contracts.model import CLASSES, MFCC, OPENFACE, random_batch, settle

STREAMS = {spec.name: spec for spec in (MFCC, OPENFACE)}


def batch(audio: list[int]) -> Batch:
    """Clips with so many frames of sound, and images each."""
    video = [6, 8, 5][: len(audio)]
    return random_batch(STREAMS, {MFCC.name: audio, OPENFACE.name: video}, seed=0)


def fusion(name: str, pooling: str) -> Model:
    torch.manual_seed(0)
    return settle(create_model(name, STREAMS, CLASSES, pooling=pooling), batch([40, 31, 22]))


@pytest.fixture(params=["mean", "attention-max"])
def late(request: pytest.FixtureRequest) -> Model:
    return fusion("late", request.param)


@pytest.fixture(params=["mean", "attention-max"])
def concat(request: pytest.FixtureRequest) -> Concatenation:
    model = fusion("concat", request.param)
    assert isinstance(model, Concatenation)
    return model


class TestLateFusion:
    def test_decisions_are_multiplied(self, late: Model) -> None:
        output = late(batch([40, 31, 22]))
        product = output.auxiliary["audio"].softmax(1) * output.auxiliary["video"].softmax(1)
        torch.testing.assert_close(output.logits.exp(), product)

    @pytest.mark.parametrize(("gone", "left"), [("audio", "video"), ("video", "audio")])
    def test_what_is_left_decides_alone(self, late: Model, gone: str, left: str) -> None:
        output = late(batch([40, 31, 22]).without(gone))
        torch.testing.assert_close(output.logits.exp(), output.auxiliary[left].softmax(1))

    def test_nothing_present_says_nothing(self, late: Model) -> None:
        output = late(batch([40, 31]).without("audio").without("video"))
        assert output.logits.eq(0).all()

    def test_sound_too_short_for_its_front_end_says_nothing(self, late: Model) -> None:
        output = late(batch([40, 12]))
        alone = output.auxiliary["video"].softmax(1)
        torch.testing.assert_close(output.logits[1].exp(), alone[1])
        assert (output.logits[0].exp() - alone[0]).abs().max() > 1e-3

    def test_each_head_is_the_model_of_its_modality(self, late: Model) -> None:
        pooling = "mean" if late.audio.width == late.audio.frontend.channels[1] else "attention-max"
        alone = create_model("audio-only", STREAMS, CLASSES, pooling=pooling).eval()
        alone.audio.load_state_dict(late.audio.state_dict())
        clips = batch([40, 31, 22])
        torch.testing.assert_close(alone(clips).logits, late(clips).auxiliary["audio"])


class TestConcatenation:
    @pytest.mark.parametrize("gone", ["audio", "video"])
    def test_learned_features_stand_for_what_is_absent(
        self, concat: Concatenation, gone: str
    ) -> None:
        clips = batch([40, 31, 22])
        present, absent = concat(clips).logits, concat(clips.without(gone)).logits
        with torch.no_grad():
            concat.get_parameter(f"no_{gone}").normal_()
        assert concat(clips).logits.equal(present)
        assert (concat(clips.without(gone)).logits - absent).abs().max(1).values.min() > 1e-3

    def test_sound_too_short_for_its_front_end_is_absent(self, concat: Concatenation) -> None:
        with torch.no_grad():
            concat.no_audio.normal_()
        short, gone = concat(batch([40, 12])), concat(batch([40, 12]).without("audio"))
        torch.testing.assert_close(short.logits[1], gone.logits[1])

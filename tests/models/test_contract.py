"""Every registered model keeps the contract."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model
from affuse.models.systems.chumachenko.model import IntermediateAttention, LateTransformer
from affuse.verification.contracts.model import FACES224, MFCC, OPENFACE, ModelContract
from tests.models.base import uncovered

FACES48 = StreamSpec("video/faces48", 12.5, (48, 48, 3), "uint8")


def test_every_registered_model_has_a_test_class() -> None:
    assert uncovered() == set()


class TestAudioOnly(ModelContract):
    name = "audio-only"


class TestVideoOnly(ModelContract):
    name = "video-only"


class TestLateFusion(ModelContract):
    name = "late"


class TestConcatenation(ModelContract):
    name = "concat"


class TestEarlyFusion(ModelContract):
    name = "early"


class TestGatedFusion(ModelContract):
    name = "gated"


class TestCrossModal(ModelContract):
    name = "crossmodal"
    learning_rate = 3e-3


class TestAVTCA(ModelContract):
    name = "avtca"


class TestAVTCAPaper(ModelContract):
    name = "avtca-paper"
    learning_rate = 3e-3


class TestLateTransformer(ModelContract):
    name = "chumachenko-lt"


class TestIntermediateTransformer(ModelContract):
    name = "chumachenko-it"
    options: ClassVar[dict[str, Any]] = {"heads": 4}


class TestIntermediateAttention(ModelContract):
    name = "chumachenko-ia"


class TestEfficientFace(ModelContract):
    name = "efficientface"
    streams: ClassVar[dict[str, StreamSpec]] = {FACES224.name: FACES224}
    lengths: ClassVar[dict[str, list[int]]] = {FACES224.name: [1, 2, 1]}
    overfits_in = 12
    learning_rate = 1e-3
    examples = 2


class TestEfficientFaceOnSmallPictures(ModelContract):
    """The same network on images that it scales to another size."""

    name = "efficientface"
    options: ClassVar[dict[str, Any]] = {"size": 112}
    streams: ClassVar[dict[str, StreamSpec]] = {FACES48.name: FACES48}
    lengths: ClassVar[dict[str, list[int]]] = {FACES48.name: [4, 6, 5]}
    learned_lengths: ClassVar[dict[str, list[int]]] = {FACES48.name: [20, 20, 20]}
    overfits_in = 15
    learning_rate = 1e-3
    examples = 2


class TestFaceResNet(ModelContract):
    """The front-end of the small face model."""

    name = "video-only"
    options: ClassVar[dict[str, Any]] = {"video": {"name": "face-resnet", "width": 4}}
    streams: ClassVar[dict[str, StreamSpec]] = {FACES48.name: FACES48}
    lengths: ClassVar[dict[str, list[int]]] = {FACES48.name: [1, 3, 2]}


class TestPublishedWeights(ModelContract):
    """The published tensors in sound use, dead ones included."""

    name = "chumachenko-ia"
    options: ClassVar[dict[str, Any]] = {"dead_weights": True, "audio": "mfcc-conv"}
    unused = ("dead.", "to_audio.proj", "to_video.proj")


class TestLogMelAndClipMeans(ModelContract):
    """Decisions of a spectrogram and of one row per clip, pooled by attention and maximum."""

    name = "late"
    heads = ("classes",)  # a head per frame pools nothing
    unused = ("video.pool.score",)  # one row leaves attention no choice
    options: ClassVar[dict[str, Any]] = {"video": "dense", "pooling": "attention-max"}
    streams: ClassVar[dict[str, StreamSpec]] = {
        spec.name: spec
        for spec in (
            StreamSpec("audio/logmel32-16k", 50.0, (32,)),
            StreamSpec("video/openface", 0.0, (12,)),
        )
    }
    lengths: ClassVar[dict[str, list[int]]] = {
        "audio/logmel32-16k": [40, 31, 50],
        "video/openface": [1, 1, 1],
    }


class TestRecordedSpeechAndFaces(ModelContract):
    """Other front-ends under the same fusion."""

    name = "chumachenko-it"
    streams: ClassVar[dict[str, StreamSpec]] = {
        spec.name: spec
        for spec in (
            StreamSpec("audio/logmel32-16k", 50.0, (32,)),
            FACES48,
        )
    }
    lengths: ClassVar[dict[str, list[int]]] = {
        "audio/logmel32-16k": [40, 31, 50],
        FACES48.name: [3, 6, 4],
    }


def test_published_options_are_options() -> None:
    assert LateTransformer.published_options()["query_residual"] is False
    assert IntermediateAttention.published_options()["normalise_weights"] is False
    assert MFCC.modality == "audio" and OPENFACE.modality == "video"


class ClipMeans:
    """One row per clip beside a spectrogram: the row holds as long as the sound does."""

    streams = TestLogMelAndClipMeans.streams
    lengths = TestLogMelAndClipMeans.lengths


class TestEarlyClipMeans(ClipMeans, ModelContract):
    name = "early"


class TestLeaderFollowerClipMeans(ClipMeans, ModelContract):
    name = "leader-follower"


SCORED = {
    spec.name: spec
    for spec in (
        StreamSpec("audio/scores-a", 0.0, (4,), recipe={"classes": list("abcd")}, kind="scores"),
        MFCC,
        OPENFACE,
        StreamSpec("video/scores-b", 0.0, (4,), recipe={"classes": list("abcd")}, kind="scores"),
    )
}


LOUD = StreamSpec("audio/loud", 20.0, (1,))


class TestVoiceWithoutPauses(ModelContract):
    name = "audio-only"
    heads = ("classes",)
    streams: ClassVar[dict[str, StreamSpec]] = {spec.name: spec for spec in (MFCC, LOUD)}
    options: ClassVar[dict[str, Any]] = {"audio": "vectors", "where": LOUD.name}
    lengths: ClassVar[dict[str, list[int]]] = {MFCC.name: [40, 31, 22], LOUD.name: [18, 14, 10]}


class TestDoubtingProduct(ModelContract):
    """Streams weighed by how good their modality is, by weights that were learned."""

    name = "product"
    heads = ("classes",)
    streams: ClassVar[dict[str, StreamSpec]] = {
        spec.name: spec for spec in (MFCC, OPENFACE, StreamSpec("audio/level", 20.0, (1,)))
    }
    options: ClassVar[dict[str, Any]] = {"reliability": ["audio/level"]}
    lengths: ClassVar[dict[str, list[int]]] = ModelContract.lengths | {"audio/level": [40, 28, 36]}

    def build(self, seed: int = 0, head: Head | None = None) -> Model:
        model = super().build(seed, head)
        for name, parameter in model.named_parameters():
            if name.startswith("weights."):
                nn.init.normal_(parameter)
        return model


class TestProduct(ModelContract):
    """Scores of other models and branches of its own, two streams of either modality."""

    name = "product"
    heads = ("classes",)
    streams: ClassVar[dict[str, StreamSpec]] = SCORED
    options: ClassVar[dict[str, Any]] = {"prior": [0.1, 0.2, 0.3, 0.4], "dropout": 0.2}
    lengths: ClassVar[dict[str, list[int]]] = ModelContract.lengths | {
        "audio/scores-a": [1, 1, 1],
        "video/scores-b": [1, 1, 1],
    }

"""Sound that is pooled without its pauses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.registry import create_model
from affuse.verification.contracts.model import OPENFACE, random_batch

VOICE = StreamSpec("audio/vectors", 50.0, (6,))
LOUD = StreamSpec("audio/loud", 20.0, (1,))
STREAMS = {spec.name: spec for spec in (LOUD, VOICE, OPENFACE)}
FRONTENDS = {VOICE.name: "vectors", OPENFACE.name: "vectors"}
MODELS: dict[str, dict[str, Any]] = {
    "audio-only": {"audio": "vectors", "pooling": "statistics"},
    "product": {"frontends": FRONTENDS, "pooling": "statistics"},
    "combined": {
        "audio": {"frontend": "vectors", "pooling": "statistics"},
        "video": {"frontend": "vectors"},
    },
}


def built(name: str, where: str = LOUD.name) -> Model:
    streams = {key: spec for key, spec in STREAMS.items() if where or spec is not LOUD}
    torch.manual_seed(0)
    return create_model(name, streams, 4, where=where, **MODELS[name]).eval()


@pytest.fixture
def batch() -> Batch:
    """Two clips of two seconds and one of one, of which the middle second is a pause."""
    lengths = {VOICE.name: [100, 100, 50], LOUD.name: [40, 40, 20], OPENFACE.name: [50, 50, 25]}
    batch = random_batch(STREAMS, lengths, seed=1)
    loud = torch.ones(3, 40, 1)
    loud[0, 10:30] = -0.2  # as it is when it was normalised
    batch.streams[LOUD.name] = loud * batch.masks[LOUD.name].unsqueeze(-1)
    return batch


def said(model: Model, batch: Batch) -> Tensor:
    with torch.no_grad():
        return model(batch).logits


@pytest.mark.parametrize("name", MODELS)
def test_what_is_in_a_pause_says_nothing(name: str, batch: Batch) -> None:
    model = built(name)
    before = said(model, batch)
    batch.streams[VOICE.name][0, 25:75] += 5.0
    torch.testing.assert_close(said(model, batch), before)
    batch.streams[VOICE.name][0, 24] += 5.0
    assert not torch.allclose(said(model, batch)[0], before[0])


@pytest.mark.parametrize("name", MODELS)
def test_without_pauses_it_is_the_model_without_that(name: str, batch: Batch) -> None:
    told, plain = said(built(name), batch), said(built(name, ""), batch)
    torch.testing.assert_close(told[1:], plain[1:])
    assert not torch.allclose(told[0], plain[0])


def test_pauses_leave_the_face_alone(batch: Batch) -> None:
    model = built("product")
    with torch.no_grad():
        output = model(batch)
        plain = built("product", "")(batch)
    face, voice = OPENFACE.name, VOICE.name
    assert list(output.auxiliary) == [voice, face]
    torch.testing.assert_close(output.auxiliary[face], plain.auxiliary[face])


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("audio/lout", "audio/loud"),
        (OPENFACE.name, "expected a stream of one number over time"),
    ],
)
def test_another_stream_is_refused(where: str, said: str) -> None:
    with pytest.raises(AffuseError, match=said):
        built("audio-only", where)


def test_values_over_time_pool_nothing() -> None:
    with pytest.raises(AffuseError, match="a head per frame pools nothing"):
        create_model("audio-only", STREAMS, 2, head="frames", where=LOUD.name)

"""Models by name."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.registry import MODELS, create_model, list_models
from affuse.verification.contracts.model import MFCC, OPENFACE

STREAMS = {s.name: s for s in (MFCC, OPENFACE)}
TASKS = ("classification", "valence-arousal", "embedding")


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; from affuse.models.registry import list_models; list_models(); "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_entry_is_a_documented_model() -> None:
    assert list_models() == MODELS
    for name, entry in MODELS.items():
        build = entry.load()
        assert issubclass(build, Model) and f"`{name}`" in (build.__doc__ or "")
        assert entry.summary and entry.modalities and entry.task in TASKS
        assert entry.paper or not entry.licence
        assert entry.parameters or not entry.paper


#: Streams of published systems that are imported, or computed by a network.
IMPORTED = {
    spec.name: spec
    for spec in (
        StreamSpec("audio/tsav", 30 / 32, (512,)),
        StreamSpec("video/tsav", 30 / 32, (512, 7, 7)),
        StreamSpec("video/tsav-pooled", 30 / 32, (512,)),
        StreamSpec("audio/wav2vec2", 50.0, (1024,)),
        StreamSpec("video/emoca50", 30.0, (50,)),
        StreamSpec("audio/opensmile130", 100.0, (130,)),
        StreamSpec("video/vggface", 30.0, (4096,)),
        StreamSpec("audio/vggish", 30.0, (128,)),
        StreamSpec("audio/logmel64-tsav", 100.0, (64,)),
        StreamSpec("audio/logmel64-vggish", 30.0, (96, 64)),
    )
}
OUTPUTS = {"classification": 8, "valence-arousal": 2, "embedding": 128}


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_parameters_is_that_of_the_listed_streams(name: str) -> None:
    entry = MODELS[name]
    streams = {n: IMPORTED[n] if n in IMPORTED else stream_spec(n) for n in entry.streams}
    with torch.device("meta"):
        model = create_model(name, streams, OUTPUTS[entry.task])
    assert list(model.streams) == list(entry.streams)
    assert entry.parameters in (None, sum(p.numel() for p in model.parameters()))
    assert model.head == ("frames" if entry.task in ("valence-arousal", "embedding") else "classes")


@pytest.mark.parametrize(
    ("name", "streams", "options", "message"),
    [
        ("chumachenko-la", STREAMS, {}, r"did you mean 'chumachenko-"),
        ("xyz", STREAMS, {}, "there are: audio-only, video-only, early, concat"),
        (
            "concat",
            STREAMS,
            {"hiden": 3},
            "no option 'hiden'; did you mean 'hidden'",
        ),
        ("efficientface", STREAMS, {"width": 3}, "no option 'width'; there are: head"),
        ("chumachenko-it", STREAMS, {"masking": "none"}, "expected 'exclude' or 'published'"),
        ("chumachenko-it", STREAMS, {"heads": 5}, "heads=5 does not divide"),
        ("chumachenko-it", STREAMS, {"audio": {"width": 64, "depth": 2}}, "no option 'depth'"),
        ("chumachenko-it", STREAMS, {"heads": "abc"}, "heads=abc does not divide"),
        ("auxformer", STREAMS, {"layers": "x"}, "auxformer cannot be built with these options"),
        ("gated", STREAMS, {"hidden": -1}, "gated cannot be built with these options"),
        ("concat", {MFCC.name: MFCC}, {}, "needs a stream of video; given: audio/mfcc10"),
        ("audio-only", {}, {}, "needs a stream of audio; given: none"),
        ("efficientface", STREAMS, {}, "reads square images"),
        ("late", STREAMS, {"pooling": "max"}, "no pooling named 'max'; .*attention-max"),
    ],
)
def test_refusals(name: str, streams: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        create_model(name, streams, 4, **options)


def test_a_model_holds_the_streams_that_it_reads() -> None:
    assert list(create_model("audio-only", STREAMS, 4).streams) == [MFCC.name]
    assert list(create_model("concat", STREAMS, 4).streams) == list(STREAMS)


def test_options_of_a_front_end_are_passed_on() -> None:
    model = create_model("concat", STREAMS, 4, audio={"name": "sequence", "width": 5})
    assert model.audio.frontend.channels == (5, 10)

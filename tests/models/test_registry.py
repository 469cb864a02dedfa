"""Models by name."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from affuse.errors import AffuseError
from affuse.models.base import Model
from affuse.models.registry import MODELS, create_model, list_models
from tests.models.base import MFCC, OPENFACE

STREAMS = {s.name: s for s in (MFCC, OPENFACE)}


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
        assert entry.summary and entry.modalities and entry.task == "classification"
        assert bool(entry.paper) == bool(entry.licence)


@pytest.mark.parametrize(
    ("name", "streams", "options", "message"),
    [
        ("chumachenko-la", STREAMS, {}, r"did you mean 'chumachenko-"),
        ("xyz", STREAMS, {}, "there are: audio-only, video-only, late, concat"),
        ("concat", STREAMS, {"hiden": 3}, "no option 'hiden'; its options: .*hidden.*dropout"),
        ("efficientface", STREAMS, {"width": 3}, "no option 'width'; its options: none"),
        ("chumachenko-it", STREAMS, {"masking": "none"}, "expected 'sound' or 'reference'"),
        ("chumachenko-it", STREAMS, {"heads": 5}, "heads=5 does not divide"),
        ("chumachenko-it", STREAMS, {"audio": {"width": 64, "depth": 2}}, "no option 'depth'"),
        ("concat", {MFCC.name: MFCC}, {}, "needs a stream of video; given: audio/mfcc10"),
        ("audio-only", {}, {}, "needs a stream of audio; given: none"),
        ("efficientface", STREAMS, {}, "224 x 224"),
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

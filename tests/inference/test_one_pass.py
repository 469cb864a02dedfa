"""Whatever a model reads, a recording is decoded once to predict it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.features.catalogue import stream_spec
from affuse.inference.predictor import Predictor
from affuse.media.audio import survey
from affuse.media.video import read_frames
from affuse.models.bundled import BUNDLED
from affuse.models.modelfile import ModelSpec, save_model
from affuse.tasks.timeline import Timeline

STREAMS = {
    "rows": ("audio/mfcc10", "video/faces48"),
    "windows": ("audio/mfcc10-published", "video/faces224-published"),
}


def model_of(path: Path, streams: tuple[str, ...]) -> Path:
    """A model file; what it says is arbitrary."""
    network = affuse.create_model("chumachenko-it", list(streams), 3)
    specs = {name: stream_spec(name) for name in streams}
    save_model(path, network, ModelSpec("chumachenko-it", {}, specs, {}, ["a", "b", "c"], window=3))
    return path


@pytest.mark.parametrize("reads", ["bundled", *STREAMS])
def test_a_recording_is_decoded_once(
    varying: Path, tmp_path: Path, decoded: list[str], reads: str
) -> None:
    model = BUNDLED if reads == "bundled" else model_of(tmp_path / "m.safetensors", STREAMS[reads])
    predictor = Predictor(model, 0.9)
    frames = sum(1 for _ in read_frames(varying))
    decoded.clear()
    survey(varying)
    sounds = decoded.count("audio")
    decoded.clear()
    timeline = predictor.predict(varying)
    # and the first of each before, to know whether they can be decoded at all
    assert decoded.count("video") == frames + 1
    assert decoded.count("audio") == sounds + 1
    assert isinstance(timeline, Timeline)
    assert len(timeline.starts) > 3 and np.isfinite(timeline.probabilities).all()

"""What live says about a window is what predict says about the same window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.faults.sounds import voice, write_wav
from tests.inference.recordings import rewrite, values_model

import affuse
from affuse.errors import AffuseError
from affuse.features.blocks import joined
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.stream import window_of
from affuse.inference.live import KEPT, Line, follow
from affuse.inference.predictor import Predictor
from affuse.inference.sliding import slide
from affuse.media.live import Live
from affuse.media.probe import probe
from affuse.media.source import open_source
from affuse.models.bundled import BUNDLED
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from affuse.models.sliding import WindowModel
from affuse.tasks.timeline import Timeline


def replayed(
    path: Path, model: Path, hop: float, delay: float = 0.0, past: bool = True
) -> list[Line]:
    """The lines of a recording that is read as a live source, as fast as possible."""
    predictor = Predictor(model)
    with open_source(str(path), {x.modality for x in predictor.spec.streams.values()}) as packets:
        live = Live(packets, predictor.window + KEPT)
        return [*follow(predictor, live, hop, delay, past=past)]


def assert_same_windows(path: Path, model: Path, hop: float, least: int) -> None:
    """Every window of classes that lies on the grid of both and ends within the recording."""
    timeline = Predictor(model, hop).predict(path, thumbnails=False)
    assert isinstance(timeline, Timeline)
    said = {round(line.time, 3): line for line in replayed(path, model, hop, past=False)}
    compared = 0
    window = Predictor(model).window
    for k, start in enumerate(timeline.starts):
        line = said.get(round(float(start) + window, 3))
        if line is None or start + window > timeline.duration:
            continue
        expected = timeline.probabilities[k]
        values = np.full_like(expected, np.nan) if line.values is None else line.values
        np.testing.assert_allclose(values, expected, atol=1e-4, err_msg=f"at {line.time} s")
        compared += 1
    assert compared >= least


@pytest.mark.parametrize(
    ("name", "hop", "least"),
    [
        pytest.param("expressive_d18.mp4", 0.1, 40, marks=pytest.mark.slow),
        ("face_noface.mov", 0.25, 12),
        pytest.param("no_face.mp4", 0.5, 1, marks=pytest.mark.slow),
    ],
)
def test_classes_of_real_recordings(shared_data: Path, name: str, hop: float, least: int) -> None:
    assert_same_windows(shared_data / "videos" / name, BUNDLED, hop, least)


def test_classes_where_the_frame_rate_varies(varying: Path) -> None:
    assert_same_windows(varying, BUNDLED, 0.25, 12)


def test_classes_where_a_face_goes_and_comes_back(varying: Path, tmp_path: Path) -> None:
    path = rewrite(varying, tmp_path / "a.mkv", hidden=(1.6, 3.3), silent=2.5, codec="mjpeg")
    assert_same_windows(path, BUNDLED, 0.25, 12)


def test_values_over_time(both: Path, varying: Path) -> None:
    """The window is cut out of the streams of the whole recording."""
    predictor, info = Predictor(both), probe(varying)
    found = predictor.streams.read(info)
    parts: dict[str, list] = {name: [] for name in predictor.spec.streams}
    for name, part in found.parts(info.duration):
        if part is not None:
            parts[name].append(part)
    streams = {name: joined(blocks) for name, blocks in parts.items()}
    rate, seconds = predictor.applied.leader.rate, round(2.0 * predictor.applied.leader.rate)
    compared = 0
    for line in replayed(varying, both, 0.48):
        frames = int(np.ceil(line.time * rate - 1e-6))
        begin = (frames - seconds) / rate
        if begin <= 0 or line.time > info.duration - 0.3:
            continue
        own = window_of(streams, predictor.spec.streams, begin, 2.0)
        for name, stream in own.items():
            stream.start = 0.0 if name.startswith("audio") else 0.5 / rate
        assert isinstance(predictor.applied, WindowModel)
        said = slide(predictor.applied.model, predictor.spec, own, seconds / rate)
        assert line.values is not None
        np.testing.assert_allclose(
            line.values, said.clipped().at([line.time - begin])[0], atol=1e-4
        )
        compared += 1
    assert compared >= 5


def model_of(path: Path, stream: str, window: float) -> Path:
    name = "audio-only" if stream.startswith("audio") else "video-only"
    network = affuse.create_model(name, [stream], 3)
    spec = ModelSpec(name, {}, {stream: stream_spec(stream)}, {}, ["a", "b", "c"], window=window)
    save_model(path, network, spec)
    return path


def test_a_stream_of_a_fixed_span_of_sound_is_computed_of_each_window(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.safetensors", "audio/mfcc10-published", 3.6)
    path = write_wav(tmp_path / "a.wav", voice(8.0), 16000)
    assert_same_windows(path, model, 0.4, 8)


def test_sound_that_is_not_made_row_by_row_is_computed_of_each_window(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.safetensors", "audio/mfcc39", 2.0)
    path = write_wav(tmp_path / "a.wav", voice(5.0), 16000)
    timeline = Predictor(model, 0.5).predict(path)
    assert isinstance(timeline, Timeline)
    said = replayed(path, model, 0.5)
    assert len(said) == 10 and all(line.present == {"audio": True} for line in said)
    (line,) = (line for line in said if line.time == 4.0)
    row = timeline.probabilities[4]
    np.testing.assert_allclose(line.values, row, atol=0.02)  # the edges of the window differ


def test_frames_that_are_counted_cannot_be_followed(tmp_path: Path, varying: Path) -> None:
    model = model_of(tmp_path / "m.safetensors", "video/faces224-published", 3.6)
    with pytest.raises(AffuseError, match="video/faces224-published, which is made of many frames"):
        replayed(varying, model, 0.5)


def test_a_line_rests_on_nothing_later(tmp_path: Path) -> None:
    model = values_model(tmp_path / "m.safetensors", ("audio/logmel64-16k",), "audio-only")
    sound = voice(4.0)
    one = replayed(write_wav(tmp_path / "a.wav", sound, 16000), model, 0.1)
    two = replayed(write_wav(tmp_path / "b.wav", sound[: 16000 * 2], 16000), model, 0.1)
    for a, b in zip(one, two, strict=False):
        if a.time < 1.95:
            np.testing.assert_allclose(a.values, b.values, atol=1e-5)
    assert len(two) == 16


def test_what_a_frozen_front_end_makes_of_faces_is_computed_of_each_window(
    tmp_path: Path, varying: Path
) -> None:
    source = values_model(tmp_path / "face.safetensors", ("video/faces48",), "video-only")
    extractor = create_extractor("video/frozen-face", source)
    network = create_model("video-only", {extractor.spec.name: extractor.spec}, 3)
    spec = ModelSpec(
        "video-only", {}, {extractor.spec.name: extractor.spec}, {}, ["a", "b", "c"], window=2.0
    )
    save_model(tmp_path / "m.safetensors", network, spec)
    predictor = Predictor(tmp_path / "m.safetensors", source=source)
    with open_source(str(varying)) as packets:
        lines = [*follow(predictor, Live(packets, 4.0), 0.5, 0.0)]
    said = {line.time: line.values for line in lines}
    timeline = Predictor(tmp_path / "m.safetensors", 0.5, source=source).predict(varying)
    assert isinstance(timeline, Timeline)
    differences = [
        np.abs(said[start + 2.0] - row).max()
        for start, row in zip(timeline.starts, timeline.probabilities, strict=True)
        if start + 2.0 in said
    ]
    assert len(differences) >= 8 and np.mean(differences) < 0.02

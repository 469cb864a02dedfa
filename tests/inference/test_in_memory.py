"""Recordings as bytes, file objects and arrays: read as the file is, refused in one line."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.inference.recordings import rewrite, values_model

import affuse
from affuse.errors import AffuseError, BadInput
from affuse.inference.predictor import Predictor
from affuse.media.memory import _held
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

IMAGES = np.zeros((3, 8, 8, 3), np.uint8)
TIMES = np.array([0.0, 0.04, 0.08])
SOUND = np.zeros(16000, np.float32)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(low_quality="keep")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """A file whose header says of its length what is in it."""
    path = tmp_path_factory.mktemp("lossless") / "talk.mkv"
    return rewrite(examples / "talk.mp4", path, codec="ffv1")


def arrays_of(path: Path) -> affuse.InMemory:
    """What PyAV decodes."""
    images, times, sound, begins, rate = [], [], [], [], None
    container: Any
    with av.open(str(path)) as container:
        streams = [*container.streams.video[:1], *container.streams.audio[:1]]
        for frame in container.decode(*streams):
            if isinstance(frame, av.VideoFrame):
                images.append(frame.to_ndarray(format="rgb24"))
                times.append(frame.time)
            else:
                sound.append(frame.to_ndarray())
                begins.append(frame.time)
                rate = frame.sample_rate
    return affuse.InMemory(
        np.stack(images) if images else None,
        np.array(times) if images else None,
        np.concatenate(sound, 1) if sound else None,
        rate,
        begins[0] if begins else 0.0,
        name=path.name,
    )


def same(one: Any, other: Any, within: float = 0.0) -> None:
    """Both say exactly the same, or differ that little."""
    assert type(one) is type(other) and one.duration == pytest.approx(other.duration, abs=1e-3)
    for name, values in vars(one).items():
        if isinstance(values, np.ndarray) and name not in ("starts", "ends", "times"):
            if within and values.dtype.kind == "f":
                np.testing.assert_allclose(values, getattr(other, name), rtol=0, atol=within)
            else:
                np.testing.assert_array_equal(values, getattr(other, name))
    assert one.presence.keys() == other.presence.keys()
    for modality, presence in one.presence.items():
        assert presence.share == pytest.approx(other.presence[modality].share, abs=1e-3)


def test_arrays_say_what_their_file_says(predictor: Predictor, talk: Path) -> None:
    file = predictor.predict(talk)
    arrays = predictor.predict(arrays_of(talk))
    same(arrays, file)
    assert arrays.source == Path("talk.mkv") and arrays.in_memory and not file.in_memory
    assert len(arrays.key_frames) == len(file.key_frames) > 0
    assert _held == {}  # nothing of it stays


@pytest.mark.parametrize(
    "name", ["single_face.mp4", pytest.param("expressive_d0.mp4", marks=pytest.mark.slow)]
)
def test_arrays_of_real_recordings(predictor: Predictor, shared_data: Path, name: str) -> None:
    path = shared_data / "videos" / name
    same(predictor.predict(arrays_of(path)), predictor.predict(path))


def test_continuous_values_of_arrays(tmp_path: Path, talk: Path) -> None:
    predictor = Predictor(values_model(tmp_path / "m.safetensors"))
    file = predictor.predict(talk)
    arrays = predictor.predict(arrays_of(talk))
    assert isinstance(file, ValuesTimeline) and file.known.any()
    # Read between frames at times that differ in the 17th digit: 1.15 s and 1.1500000000000001 s.
    same(arrays, file, within=1e-7)
    assert isinstance(arrays, ValuesTimeline)
    np.testing.assert_allclose(arrays.times, file.times, atol=1e-6)


def test_bytes_and_file_objects_are_the_file(predictor: Predictor, examples: Path) -> None:
    path = examples / "recordings" / "p1-happy.wav"
    file = predictor.predict(path)
    for given in (path.read_bytes(), memoryview(path.read_bytes()), io.BytesIO(path.read_bytes())):
        found = predictor.predict(given)
        same(found, file)
        assert found.source == Path("recording") and found.in_memory
    with path.open("rb") as opened:
        assert predictor.predict(opened).source == Path("p1-happy.wav")


def test_one_image_is_an_image(predictor: Predictor, examples: Path, tmp_path: Path) -> None:
    import cv2

    image = arrays_of(examples / "talk.mp4").images[5]
    cv2.imwrite(str(tmp_path / "face.png"), image[..., ::-1])
    same(
        predictor.predict(affuse.InMemory(image[None], [0.0])),
        predictor.predict(tmp_path / "face.png"),
    )


def test_whole_numbers_and_channels(predictor: Predictor, examples: Path) -> None:
    talk = arrays_of(examples / "recordings" / "p1-happy.wav")
    whole = talk.sound if talk.sound.dtype == np.int16 else (talk.sound * 32767).astype(np.int16)
    mono: Timeline = predictor.predict(affuse.InMemory(sound=whole[0], rate=talk.rate))
    floats = whole[0].astype(np.float64) / 32768
    for sound in (floats, floats.astype(np.float32), np.stack([whole[0]] * 3)):
        found: Timeline = predictor.predict(affuse.InMemory(sound=sound, rate=talk.rate))
        np.testing.assert_allclose(found.probabilities, mono.probabilities, atol=1e-5)


def test_sound_that_begins_later(predictor: Predictor, examples: Path) -> None:
    talk = arrays_of(examples / "talk.mp4")
    late = affuse.InMemory(
        talk.images, talk.times + 7.0, talk.sound[:, : int(0.6 * talk.rate)], talk.rate, 7.6
    )
    found = predictor.predict(late)
    assert found.duration == pytest.approx(1.2, abs=0.03)  # time 0 is the first image
    assert found.presence["audio"].share == pytest.approx(0.5, abs=0.05)


def test_samples_that_are_no_numbers_are_told(predictor: Predictor, examples: Path) -> None:
    talk = arrays_of(examples / "recordings" / "p1-happy.wav")
    sound = talk.sound[0].astype(np.float32) / 32768
    sound[100] = np.nan
    found = predictor.predict(affuse.InMemory(sound=sound, rate=talk.rate))
    assert any("not a number" in note for note in found.notes)
    sound[:5000] = np.nan
    with pytest.raises(BadInput, match=r"^mine: \d+% of its sound"):
        predictor.predict(affuse.InMemory(sound=sound, rate=talk.rate, name="mine"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "has neither images nor sound"),
        ({"images": IMAGES}, "images and times go together"),
        ({"sound": SOUND}, "sound and rate go together"),
        ({"images": IMAGES[..., 0], "times": TIMES}, r"images are \(3, 8, 8\) uint8; expected"),
        ({"images": IMAGES / 255, "times": TIMES}, "images are .* float64; expected"),
        ({"images": IMAGES[:0], "times": TIMES[:0]}, "images are .*; expected"),
        ({"images": IMAGES, "times": TIMES[:2]}, r"times are \(2,\) float64; expected \(3,\)"),
        (
            {"images": IMAGES, "times": [0, 0.1, 0.1]},
            r"times do not rise: 0\.1 s is followed by 0\.1 s",
        ),
        ({"images": IMAGES, "times": [0, np.nan, 1]}, r"times\[1\] is nan"),
        ({"sound": SOUND.astype(np.float16), "rate": 16000}, "sound is .* float16; expected"),
        ({"sound": SOUND[:0], "rate": 16000}, "sound is"),
        ({"sound": SOUND.reshape(-1, 2), "rate": 16000}, r"sound has 8,000 channels; .* sound\.T"),
        ({"sound": SOUND, "rate": "cd"}, "rate is cd; expected"),
        ({"images": [IMAGES[0], IMAGES[0, 1:]], "times": [0, 1]}, "images differ in their sizes"),
        ({"sound": SOUND, "rate": 0}, "rate is 0; expected 1,000 to 1,000,000 Hz"),
        ({"sound": SOUND, "rate": 16000, "sound_start": np.inf}, "sound_start is inf"),
    ],
)
def test_wrong_arrays_are_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=f"^talk: {said}") as raised:
        affuse.InMemory(**given, name="talk")
    assert "\n" not in str(raised.value)


def test_what_cannot_be_used_is_called_by_its_name(predictor: Predictor) -> None:
    with pytest.raises(BadInput, match=r"^recording: not a recording that can be decoded"):
        predictor.predict(b"no recording, " * 9)
    with pytest.raises(BadInput, match=r"^recording: is empty"):
        predictor.predict(b"")
    with pytest.raises(BadInput, match=r"^tone/1: is only 0\.10 s long"):
        predictor.predict(affuse.InMemory(sound=SOUND[:1600], rate=16000, name="tone/1"))
    with pytest.raises(AffuseError, match="file object of text; open it with mode 'rb'"):
        predictor.predict(io.StringIO("text"))
    with pytest.raises(AffuseError, match="a float is no recording; expected a path, bytes"):
        predictor.predict(1.0)


def test_arrays_are_not_copied_nor_changed(examples: Path) -> None:
    talk = arrays_of(examples / "talk.mp4")
    images = talk.images.copy()
    images.flags.writeable = talk.sound.flags.writeable = False
    again = affuse.InMemory(images[:, :, ::-1], talk.times, talk.sound, talk.rate)
    assert np.shares_memory(again.images, images)
    affuse.predict(again, low_quality="keep")

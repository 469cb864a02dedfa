"""Of several tracks, the one that the file marks is read, or the first with content."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Tracks
from affuse.errors import BadInput
from affuse.media.audio import read_sound
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.media.tracks import Track
from affuse.media.video import read_frames
from tests.faults.stamps import clicking
from tests.media.faces import crop_faces
from tests.media.recordings import grey, read_audio

SECONDS, RATE = 1.0, 16000


def tone(hertz: float, level: float = 0.5) -> np.ndarray:
    moments = np.arange(round(SECONDS * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * moments)).astype(np.float32)[None]


def heard(path: Path, tracks: Tracks | None = None) -> float:
    """Hz of what is loudest in a recording; 0 for silence."""
    sound = read_audio(path, RATE, tracks=tracks)
    assert sound is not None
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return 0.0 if power.max() < 1 else round(float(power.argmax()) / len(sound) * RATE, -1)


def level(path: Path, tracks: Tracks | None = None) -> float:
    """Mean grey level of the first image of a recording."""
    return float(next(read_frames(path, tracks=tracks)).rgb().mean())


def recording(
    path: Path,
    sounds: list[np.ndarray],
    pictures: list[list[int]],
    marked: dict[str, set[int]] | None = None,
    still: Collection[int] = (),
) -> Path:
    """Tracks of sound, and of images by their grey levels, of which some are marked as default.

    Args:
        path: Where it goes.
        sounds: (1, N) each.
        pictures: Grey levels, 25 per second.
        marked: Kind -> numbers of the default tracks; by default none is.
        still: Numbers of tracks of images that are marked as covers.
    """
    marked = marked or {}
    container: Any
    with av.open(str(path), "w") as container:
        made: list[tuple[Any, Any]] = []
        for number, levels in enumerate(pictures):
            video = container.add_stream("mjpeg" if number in still else "mpeg4", rate=25)
            video.width, video.height = 64, 48
            video.pix_fmt = "yuvj420p" if number in still else "yuv420p"
            video.disposition = _marks(number in marked.get("video", set()), number in still)
            made.append((video, levels))
        for number, sound in enumerate(sounds):
            audio = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
            audio.disposition = _marks(number in marked.get("audio", set()), False)
            made.append((audio, sound))
        for stream, content in made:
            if stream.type == "video":
                for k, grey_level in enumerate(content):
                    image = grey(grey_level)
                    image[:24] //= 2
                    frame: Any = av.VideoFrame.from_ndarray(image, format="rgb24")
                    frame.pts = k
                    container.mux(stream.encode(frame))
            else:
                samples = (content * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate = RATE
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def _marks(default: bool, cover: bool) -> Disposition:
    if cover:
        return Disposition.attached_pic
    return Disposition.default if default else Disposition(0)


SILENCE = np.zeros((1, round(SECONDS * RATE)), np.float32)
FADING = list(range(200, 100, -4))


@pytest.mark.parametrize(
    ("sounds", "marked", "expected"),
    [
        ([SILENCE, tone(440)], {1}, 1),
        ([tone(440), SILENCE], {1}, 1),
        ([tone(440), tone(880)], {1}, 1),
        ([tone(440), tone(880)], set(), 0),
        ([SILENCE, tone(880)], set(), 1),
        ([SILENCE, SILENCE, tone(220)], {0, 1, 2}, 2),
        ([SILENCE, tone(440), tone(880)], {0, 2}, 2),
        ([tone(440, 0.05), tone(880, 0.9)], set(), 0),
        ([SILENCE, SILENCE], set(), 0),
    ],
)
def test_the_track_of_sound(
    tmp_path: Path, sounds: list[np.ndarray], marked: set[int], expected: int
) -> None:
    path = recording(tmp_path / "tracks.mkv", sounds, [FADING], {"audio": marked})
    info = probe(path)
    assert (info.tracks.audio, info.audio_tracks) == (expected, len(sounds))
    plain = recording(tmp_path / "plain.mkv", [sounds[expected]], [FADING])
    assert heard(path) == heard(plain)
    assert info.duration == probe(plain).duration


@pytest.mark.parametrize(
    ("pictures", "marked", "still", "expected"),
    [
        ([FADING, FADING[::-1]], {1}, set(), 1),
        ([FADING, FADING[::-1]], set(), set(), 0),
        ([[200], FADING], set(), set(), 1),
        ([[200], FADING], {0}, {0}, 1),
        ([[0] * 25, FADING], set(), set(), 1),
        ([FADING, [200]], {1}, {1}, 0),
    ],
)
def test_the_track_of_pictures(
    tmp_path: Path, pictures: list[list[int]], marked: set[int], still: set[int], expected: int
) -> None:
    # Matroska keeps covers as attachments; MP4 marks the tracks
    path = tmp_path / ("tracks.mp4" if still else "tracks.mkv")
    recording(path, [], pictures, {"video": marked}, still)
    info = probe(path)
    plain = recording(tmp_path / "plain.mkv", [], [pictures[expected]])
    assert info.duration == pytest.approx(probe(plain).duration, abs=0.04)
    assert level(path) == pytest.approx(level(plain), abs=3)
    if not still:
        assert (info.tracks.video, info.video_tracks) == (expected, len(pictures))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    marked = {"audio": {0}, "video": {0}}
    sounds, pictures = [tone(440), tone(880)], [FADING, FADING[::-1]]
    return recording(tmp_path / "two.mkv", sounds, pictures, marked)


def test_any_track_can_be_asked_for(two: Path) -> None:
    assert [heard(two, Tracks(audio=n)) for n in (None, 0, 1)] == [440, 440, 880]
    levels = [level(two, Tracks(video=n)) for n in (None, 0, 1)]
    assert levels == pytest.approx([150, 150, 78], abs=3)
    assert probe(two, Tracks(1, 1)).tracks == Tracks(1, 1)
    assert len(picture_times(two, Tracks(video=1))) == 25


def test_every_reader_of_a_clip_reads_the_same_track(two: Path) -> None:
    clip = Clip("one", video=two, audio=two, tracks=Tracks(1, 1))
    sound = read_sound(clip.audio, RATE, tracks=clip.tracks)
    assert sound is not None
    np.testing.assert_array_equal(sound.samples, read_audio(two, RATE, tracks=Tracks(audio=1)))
    box = np.array([[10.0, 10, 40, 40]] * 2)
    track = Track(np.array([0.0, 1.0]), box, np.ones(2), None, 1.0, np.zeros(2, int))
    bright = [
        crop_faces(two, np.array([0.0]), track, 16, tracks=tracks)[0].mean()
        for tracks in (None, Tracks(video=1))
    ]
    assert bright[0] > bright[1] + 30


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Tracks(audio=2), r"has no track 2 of sound; it has 2 \(0 to 1\)"),
        (Tracks(video=7), r"has no track 7 of images; it has 2 \(0 to 1\)"),
        (Tracks(audio=-1), r"has no track -1 of sound"),
    ],
)
def test_a_track_that_is_not_there_is_one_line(two: Path, asked: Tracks, reason: str) -> None:
    for read in (
        lambda: probe(two, asked),
        lambda: read_audio(two, RATE, tracks=asked),
        lambda: next(read_frames(two, tracks=asked)),
    ):
        with pytest.raises(BadInput, match=reason):
            read()


def test_predict_reads_and_tells_the_track(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = clicking(SECONDS, RATE) + tone(150, 0.2)
    path = recording(tmp_path / "voices.mkv", [SILENCE, voice], [], {"audio": {0}})
    only = recording(tmp_path / "voice.mkv", [voice], [])
    answers = {}
    for recorded, words in ((path, ["--audio-track", "1"]), (only, []), (path, [])):
        main(["predict", str(recorded), "--out", str(tmp_path / "out"), *words])
        written = tmp_path / "out" / f"{recorded.stem}.json"
        answers[recorded.stem, *words] = json.loads(written.read_text()) if written.exists() else {}
        written.unlink(missing_ok=True)
    one, two = answers["voices", "--audio-track", "1"], answers[("voice",)]
    assert one["tracks"] == {"audio": 1, "video": None}
    assert two["tracks"] == {"audio": 0, "video": None}
    assert one["probabilities"] == two["probabilities"]
    capsys.readouterr()
    assert main(["predict", str(path), "--out", str(tmp_path / "o"), "--audio-track", "2"]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "track" in x]
    assert line.endswith("voices.mkv: has no track 2 of sound; it has 2 (0 to 1)")

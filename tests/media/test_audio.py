from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.media.video import read_frames
from tests.media.recordings import beep, counting, grey, onset, read_audio, write_recording


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sample_formats_and_layouts(tmp_path: Path, codec: str, channels: int) -> None:
    import soundfile

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 16000)
    sound = tone * np.linspace(0.2, 1.0, channels)[:, None]
    subtype = {"u8": "PCM_U8", "s1": "PCM_16", "s2": "PCM_24", "s3": "PCM_32", "f3": "FLOAT"}
    path = tmp_path / "a.wav"
    soundfile.write(path, sound.T, 16000, subtype[codec[4:6]])
    samples = read_audio(path, 16000)
    assert samples is not None
    assert samples.dtype == np.float32
    assert samples == pytest.approx(sound.mean(0), abs=1e-2 if codec == "pcm_u8" else 1e-4)


@pytest.mark.parametrize("native", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_rates(tmp_path: Path, native: int, rate: int) -> None:
    import soundfile

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(native) / native)
    soundfile.write(tmp_path / "a.wav", tone, native, "FLOAT")
    samples = read_audio(tmp_path / "a.wav", rate)
    assert samples is not None
    assert len(samples) == pytest.approx(rate, abs=1)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / rate)
    inner = slice(rate // 10, -rate // 10)  # without the edges, where the tone begins at once
    assert samples[inner] == pytest.approx(expected[inner], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.mkv", "libmp3lame"), ("a.webm", "libopus"), ("a.ogg", "libopus"),
     ("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.m4a", "aac")],
)  # fmt: skip
def test_a_beep_sounds_when_it_should(tmp_path: Path, name: str, codec: str) -> None:
    sound = beep(1.0, 0.5, 48000, channels=2)
    path = write_recording(tmp_path / name, sound=sound, audio_codec=codec)
    samples = read_audio(path, 48000)
    assert samples is not None
    assert onset(samples, 48000) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_beep_and_flash_share_a_clock(tmp_path: Path, name: str, delay: float) -> None:
    pictures = [(i / 25, grey(230 if i == 20 else 20)) for i in range(30)]
    path = write_recording(
        tmp_path / name, pictures, beep(1.2 - delay, 0.8 - delay, 48000), sound_start=delay
    )
    flash = max(read_frames(path), key=lambda frame: frame.rgb().mean())
    samples = read_audio(path, 16000)
    assert samples is not None
    assert flash.time == pytest.approx(0.8, abs=0.02)
    assert onset(samples, 16000) == pytest.approx(0.8, abs=1e-3)
    if delay:
        assert np.abs(samples[: round(0.35 * 16000)]).max() < 1e-6


def test_a_recording_without_sound(tmp_path: Path) -> None:
    assert read_audio(write_recording(tmp_path / "v.mp4", counting(5)), 16000) is None


def test_a_pause_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "pause.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000)
        stream.layout = "mono"
        tone = (8000 * np.cos(np.arange(8000) / 5)).astype(np.int16)[None]
        for start in (0.0, 0.8):
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = 16000, Fraction(1, 16000)
            frame.pts = round(start * 16000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    samples = read_audio(path, 16000)
    assert samples is not None
    assert len(samples) / 16000 == pytest.approx(1.3, abs=0.02)
    assert samples[: 16000 // 2 - 400].any()
    assert not samples[round(0.55 * 16000) : round(0.75 * 16000)].any()
    assert onset(samples[round(0.6 * 16000) :], 16000) == pytest.approx(0.2, abs=2e-3)


@pytest.fixture(scope="module", params=["mkv", "mp4", "flac"])
def noisy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sound = np.random.default_rng(0).normal(0, 0.2, (1, 10 * 44100))
    path = tmp_path_factory.mktemp("sound") / f"noise.{request.param}"
    return write_recording(path, sound=sound, rate=44100, audio_codec="flac")


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_window_is_a_part_of_the_whole(noisy: Path, rate: int) -> None:
    whole = read_audio(noisy, rate)
    assert whole is not None

    @settings(max_examples=10, deadline=None)
    @given(first=st.integers(0, 90), length=st.integers(1, 300))
    def check(first: int, length: int) -> None:
        start, end = first / 10, first / 10 + length / 100
        part = read_audio(noisy, rate, start, end)
        assert part is not None
        expected = whole[round(start * rate) : round(start * rate) + round((end - start) * rate)]
        assert len(part) == len(expected)
        assert np.abs(part - expected).max(initial=0) < 1e-4

    check()


def test_a_jump_in_lossy_sound_keeps_the_time(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "long.mp4", counting(250), beep(10.0, 8.0, 44100), 44100)
    samples = read_audio(path, 16000, 7.5, 9.0)
    assert samples is not None
    assert len(samples) == 24000
    assert onset(samples, 16000) == pytest.approx(0.5, abs=1e-3)


def test_a_window_after_the_end_is_empty(noisy: Path) -> None:
    samples = read_audio(noisy, 16000, 30.0, 31.0)
    assert samples is not None
    assert len(samples) == 0


def test_real_sound_that_begins_late(shared_data: Path) -> None:
    samples = read_audio(shared_data / "videos" / "face_noface.mov", 16000)
    assert samples is not None
    begin = round(2.43 * 16000)
    assert np.abs(samples[: begin - 200]).max() < 1e-6
    assert np.abs(samples[begin:]).max() > 0.1


def test_real_speech_equals_that_of_another_reader(shared_data: Path) -> None:
    import soundfile

    path = shared_data / "ravdess_speech" / "Actor_01" / "03-01-01-01-01-01-01.flac"
    expected, rate = soundfile.read(path, dtype="float32")
    samples = read_audio(path, rate)
    assert samples == pytest.approx(expected, abs=1e-6)

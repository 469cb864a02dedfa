"""Fingerprints: what changes them, what does not, and which part of a file they are of."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from affuse.corpora.clip import Clip
from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.errors import BadInput
from affuse.features.fingerprint import AudioFingerprint, ContentHash, VideoFingerprint
from affuse.features.stream import Stream

RATE = 16000
Extractors = AudioFingerprint | ContentHash | VideoFingerprint


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """Harmonics under moving formants, in syllables: (N,) float32."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    phases = random.uniform(0, 2 * np.pi, 3)
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.6 * time + phases[0])
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formant = 900 + 700 * np.sin(2 * np.pi * 1.7 * time + phases[1])
    tones = [
        np.exp(-(((k * pitch - formant) / 300) ** 2)) * np.sin(k * phase) for k in range(1, 20)
    ]
    swell = np.clip(np.sin(2 * np.pi * 2.3 * time + phases[2]), 0, 1)
    return (0.3 * swell * sum(tones) + random.normal(0, 1e-3, len(time))).astype(np.float32)


def moving(count: int, fps: float) -> Iterator[np.ndarray]:
    """A bright square that wanders over a gradient: `count` images (96, 128, 3)."""
    across = np.linspace(40, 120, 128, dtype=np.float32)[None].repeat(96, 0)
    for number in range(count):
        time = number / fps
        picture = across.copy()
        x, y = 50 + 40 * np.sin(2.1 * time), 35 + 25 * np.sin(3.3 * time + 1)
        picture[round(y) : round(y) + 24, round(x) : round(x) + 24] = 220
        yield np.repeat(picture[..., None], 3, 2).astype(np.uint8)


def write_moving(path: Path, seconds: float, fps: int, audio: np.ndarray | None = None) -> Path:
    write_video(path, moving(round(seconds * fps), fps), (96, 128), Fraction(fps), audio, RATE)
    return path


def extract(extractor: Extractors, **clip: object) -> Stream:
    stream = extractor.extract(Clip("x", **clip))
    assert stream is not None
    assert stream.values.shape[1:] == extractor.spec.shape
    assert stream.values.dtype == np.uint8
    assert len(stream.mask) == len(stream.values)
    return stream


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of what varies over time."""
    a, b = (x[: min(len(a), len(b))].astype(float) for x in (a, b))
    return float(np.corrcoef((a - a.mean(0)).ravel(), (b - b.mean(0)).ravel())[0, 1])


@pytest.mark.parametrize("make", [AudioFingerprint, ContentHash, VideoFingerprint])
def test_extractors_survive_pickling_and_need_a_modality(make: Callable[[], Extractors]) -> None:
    extractor = pickle.loads(pickle.dumps(make()))
    assert extractor.spec == make().spec
    assert extractor.extract(Clip("nothing")) is None
    assert extractor.sources(Clip("nothing")) == []


def test_digests_are_of_the_files_whatever_part_the_clip_is(tmp_path: Path) -> None:
    one, other = tmp_path / "one.mp4", tmp_path / "two.wav"
    one.write_bytes(b"pictures" * 1000)
    other.write_bytes(b"sound" * 1000)
    rows = extract(ContentHash(), video=one, audio=other).values[0]
    assert rows[0].tobytes() == hashlib.sha256(one.read_bytes()).digest()
    assert rows[1].tobytes() == hashlib.sha256(other.read_bytes()).digest()
    part = extract(ContentHash(), video=one, audio=one, start=3.0, end=4.0).values[0]
    assert (part == rows[0]).all()
    assert not extract(ContentHash(), audio=other).values[0, 0].any()


def test_a_file_that_changed_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"first")
    before = extract(ContentHash(), audio=path).values
    path.write_bytes(b"later")
    os.utime(path, ns=(1, 1))
    assert (extract(ContentHash(), audio=path).values != before).any()


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.wav"):
        ContentHash().extract(Clip("x", audio=tmp_path / "gone.wav"))


def test_gain_does_not_change_the_sound(tmp_path: Path) -> None:
    sound = voice(2.0)
    write_wav(tmp_path / "loud.wav", sound, RATE)
    write_wav(tmp_path / "soft.wav", sound / 8, RATE)
    loud, soft = (
        extract(AudioFingerprint(), audio=tmp_path / f"{name}.wav") for name in ("loud", "soft")
    )
    assert loud.values.shape == (101, 24)
    assert np.abs(loud.values.astype(int) - soft.values).mean() < 1
    assert loud.values.std() > 30


def test_a_window_of_sound_is_the_same_as_a_cut_file(tmp_path: Path) -> None:
    sound = voice(6.0)
    write_wav(tmp_path / "whole.wav", sound, RATE)
    write_wav(tmp_path / "cut.wav", sound[2 * RATE : 4 * RATE], RATE)
    window = extract(AudioFingerprint(), audio=tmp_path / "whole.wav", start=2.0, end=4.0).values
    cut = extract(AudioFingerprint(), audio=tmp_path / "cut.wav").values
    assert window.shape == cut.shape
    assert np.abs(window.astype(int) - cut)[3:-3].max() <= 6  # half a decibel


def test_digital_silence_is_zeros(tmp_path: Path) -> None:
    write_wav(tmp_path / "silence.wav", np.zeros(RATE, np.float32), RATE)
    assert not extract(AudioFingerprint(), audio=tmp_path / "silence.wav").values.any()


def test_pictures_do_not_depend_on_the_frame_rate(tmp_path: Path) -> None:
    slow, fast = (
        extract(VideoFingerprint(), video=write_moving(tmp_path / f"{fps}.mp4", 3.0, fps)).values
        for fps in (24, 60)
    )
    assert abs(len(slow) - len(fast)) <= 1
    assert len(slow) in (15, 16)
    assert alike(slow, fast) > 0.98


def test_a_window_of_pictures_is_of_that_time(tmp_path: Path) -> None:
    video = write_moving(tmp_path / "x.mp4", 6.0, 30)
    whole = extract(VideoFingerprint(), video=video).values
    window = extract(VideoFingerprint(), video=video, start=2.0, end=4.0).values
    assert len(window) in (10, 11)
    assert alike(window[1:-1], whole[11:]) > 0.98
    assert alike(window[1:-1], whole[1:]) < 0.6


def test_a_recording_without_pictures_has_none(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", voice(1.0), RATE)
    assert VideoFingerprint().extract(Clip("x", video=tmp_path / "x.wav")) is None


def test_a_clip_beyond_the_end_is_refused(tmp_path: Path) -> None:
    video = write_moving(tmp_path / "x.mp4", 1.0, 30)
    with pytest.raises(BadInput, match="no image from 2 s"):
        VideoFingerprint().extract(Clip("x", video=video, start=2.0))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three seconds of images at 30 per second, numbered from 1."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, rgb in enumerate(moving(90, 30), 1):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), rgb)
    return folder


def test_a_folder_of_pictures_stands_in_for_the_video(images: Path, tmp_path: Path) -> None:
    video = write_moving(tmp_path / "x.mp4", 3.0, 30)
    assert VideoFingerprint().sources(Clip("x", images=images)) == sorted(images.iterdir())
    assert VideoFingerprint().sources(Clip("x", images=images, video=video)) == [video]
    shown = extract(VideoFingerprint(), video=video)
    pictures = extract(VideoFingerprint(), images=images)
    assert alike(shown.values, pictures.values) > 0.98
    part = extract(VideoFingerprint(), images=images, start=1.0, end=2.0)
    assert alike(part.values[1:-1], pictures.values[6:]) > 0.95


def test_pictures_that_are_missing_are_absent(images: Path) -> None:
    for number in range(31, 61):
        (images / f"{number:05d}.jpg").unlink()
    stream = extract(VideoFingerprint(), images=images)
    assert stream.mask[:5].all()
    assert not stream.mask[6:9].any()
    assert stream.mask[11:14].all()
    assert (stream.values[6:9] == 128).all()


def test_pictures_that_cannot_be_used_are_named(images: Path) -> None:
    (images / "face.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match=r"face\.jpg"):
        VideoFingerprint().extract(Clip("x", images=images))
    (images / "face.jpg").unlink()
    (images / "00007.jpg").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"00007\.jpg"):
        VideoFingerprint().extract(Clip("x", images=images))

"""Duplicates: planted copies are found, other takes are not, and nothing matches silence."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.recordings import read_audio

from affuse.audit.duplicates import (
    SOUND_THRESHOLD,
    VIDEO_THRESHOLD,
    exact_duplicates,
    near_duplicates,
    similarity,
)
from affuse.corpora.clip import Clip
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.features.fingerprint import AudioFingerprint, ContentHash, VideoFingerprint
from affuse.media.video import read_frames

SOUND_RATE = AudioFingerprint().spec.rate
VIDEO_RATE = VideoFingerprint().spec.rate

Prints = dict[str, np.ndarray]


def wander(
    seed: int, frames: int = 120, features: int = 12, spread: float = 40.0, smooth: int = 5
) -> np.ndarray:
    """A fingerprint of something that happens once: (frames, features) uint8."""
    noise = np.random.default_rng(seed).normal(size=(frames + smooth - 1, features))
    kernel = np.ones(smooth) / np.sqrt(smooth)
    walk = np.stack([np.convolve(column, kernel, "valid") for column in noise.T], 1)
    return np.clip(np.round(128 + spread * walk), 0, 255).astype(np.uint8)


def sound_print(path: Path) -> np.ndarray:
    stream = AudioFingerprint().extract(Clip("x", audio=path))
    assert stream is not None
    return stream.values


def video_print(path: Path) -> np.ndarray:
    stream = VideoFingerprint().extract(Clip("x", video=path))
    assert stream is not None
    return stream.values


def encode_sound(source: Path, path: Path, codec: str, bitrate: int, gain: float) -> Path:
    """Another codec and gain, clipped at full scale, and 0.2 s of the beginning cut off."""
    audio = np.clip(gain * read_audio(source, 48000, start=0.2), -1, 1)[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="mono")
        stream.bit_rate = bitrate
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="mono")
        frame.rate, frame.pts = 48000, 0
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=48000)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def encode_video(source: Path, path: Path, codec: str, options: dict[str, str]) -> Path:
    """Half the size, another quality, and 0.2 s of the beginning cut off."""
    with av.open(str(path), "w") as container:
        stream = None
        for number, frame in enumerate(read_frames(source, start=0.2)):
            rgb = frame.rgb()
            size = (rgb.shape[1] // 4 * 2, rgb.shape[0] // 4 * 2)
            if stream is None:
                stream = container.add_stream(codec, rate=25, options=options)
                (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
                stream.codec_context.thread_count = 1
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(small, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


@settings(max_examples=25, deadline=None)
@given(
    seeds=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    frames=st.tuples(st.integers(90, 140), st.integers(90, 140)),
    shift=st.integers(0, 20),
)
def test_similarity_is_symmetric(
    seeds: tuple[int, int], frames: tuple[int, int], shift: int
) -> None:
    a, b = wander(seeds[0], frames[0]), wander(seeds[1], frames[1])[shift:]
    forth, back = similarity(a, b, 50), similarity(b, a, 50)
    assert forth is not None
    assert forth == pytest.approx(back, abs=1e-5)
    assert -1 <= forth <= 1


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 50),
    gain=st.sampled_from([0.5, 2.0, 3.0]),
    shift=st.integers(0, 20),
    exposure=st.integers(0, 100),
    room=st.integers(0, 100),
)
def test_gain_offset_and_a_shift_do_not_count(
    seed: int, gain: float, shift: int, exposure: int, room: int
) -> None:
    a = wander(seed, spread=10).astype(float)
    random = np.random.default_rng(seed + 1)
    copy = gain * (a - 128) + 100
    copy += 0.2 * exposure * random.normal(size=(len(a), 1))
    copy += 0.2 * room * random.normal(size=(1, a.shape[1]))
    copy = np.round(copy - copy.min())
    score = similarity(a, copy[shift:], 50)
    assert score is not None
    assert score > 0.98


@pytest.mark.parametrize(
    "empty",
    [
        np.zeros((100, 12), np.uint8),
        np.full((100, 12), 128, np.uint8),
        wander(1, spread=0.5),  # what an encoder adds to a still image
        np.pad(wander(2, 4), ((60, 36), (0, 0)), constant_values=128),  # a click
        np.zeros((0, 12), np.uint8),
    ],
    ids=["silence", "still", "noise", "click", "nothing"],
)
def test_what_holds_nothing_is_like_nothing(empty: np.ndarray) -> None:
    assert similarity(empty, empty, 50) is None
    assert similarity(empty, wander(3), 50) is None
    prints = {"a": empty, "b": empty.copy(), "c": wander(3), "d": wander(3)}
    assert [pair[:2] for pair in near_duplicates(prints, 50, 0.9)] == [("c", "d")]


def test_a_short_part_of_a_long_clip_is_not_compared() -> None:
    long = wander(0, 300)
    assert similarity(long, long[:100], 50) is None
    assert similarity(long, long[:200], 50) == pytest.approx(1, abs=0.02)


def brute_force(prints: Prints, rate: float, threshold: float) -> list[tuple[str, str]]:
    return [
        (a, b)
        for a, b in combinations(prints, 2)
        if (score := similarity(prints[a], prints[b], rate)) is not None and score >= threshold
    ]


def test_all_pairs_give_the_same() -> None:
    random = np.random.default_rng(0)
    prints: Prints = {str(seed): wander(seed, 100 + seed % 40) for seed in range(60)}
    for seed in range(0, 60, 3):
        noisy = prints[str(seed)] + random.normal(0, 8, prints[str(seed)].shape)
        prints[f"copy {seed}"] = np.clip(noisy, 0, 255).astype(np.uint8)[seed % 20 :]
    expected = brute_force(prints, 50, 0.9)
    assert len(expected) == 20
    found = near_duplicates(prints, 50, 0.9)
    assert [pair[:2] for pair in found] == expected
    assert all(similarity(prints[a], prints[b], 50) == score for a, b, score in found)


def test_pairs_are_found_far_apart() -> None:
    random = np.random.default_rng(0)
    prints: Prints = dict(enumerate(random.integers(0, 256, (5000, 30, 6), np.uint8)))
    prints = {str(number): values for number, values in prints.items()}
    prints["4900"] = prints["17"]
    assert near_duplicates(prints, 25, 0.95) == [("17", "4900", pytest.approx(1))]


def test_pairs_within_a_group_are_left_out() -> None:
    prints = {"a": wander(0), "b": wander(0), "c": wander(0), "d": wander(1)}
    groups = {"a": "train", "b": "train", "c": "test", "d": None}
    found = near_duplicates(prints, 50, 0.9, groups)
    assert [pair[:2] for pair in found] == [("a", "c"), ("b", "c")]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_clips_make_no_pair(count: int) -> None:
    assert near_duplicates({str(seed): wander(seed) for seed in range(count)}, 50, 0.9) == []


def test_renamed_copies_of_files_are_found(tmp_path: Path) -> None:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    first = write("first.mp4", b"one")
    clips = [
        Clip("first", video=first, audio=first),
        Clip("sound", audio=write("sound.wav", b"two")),
        Clip("other", video=write("other.mp4", b"three"), audio=write("copy.wav", b"two")),
        Clip("renamed", video=write("renamed.mp4", b"one")),
        Clip("again", video=write("again.mp4", b"three")),
    ]
    hashes = {clip.id: ContentHash().extract(clip) for clip in clips}
    values = {clip: stream.values for clip, stream in hashes.items() if stream is not None}
    values["nothing"] = np.zeros((0, 2, 32), np.uint8)
    assert exact_duplicates(values) == [
        ["first", "renamed"],
        ["sound", "other"],
        ["other", "again"],
    ]


ENCODE_SOUND: dict[str, Callable[[Path, Path], Path]] = {
    "mp3": lambda source, path: encode_sound(source, path, "libmp3lame", 64_000, 4.0),
    "m4a": lambda source, path: encode_sound(source, path, "aac", 96_000, 0.25),
    "ogg": lambda source, path: encode_sound(source, path, "libopus", 32_000, 0.25),
}


def test_sound_encoded_again_is_found_and_other_takes_are_not(
    shared_data: Path, tmp_path: Path
) -> None:
    files = [
        file
        for actor in ("Actor_01", "Actor_23")
        for file in sorted((shared_data / "ravdess_speech" / actor).glob("*.flac"))
    ]
    prints = {file.stem: sound_print(file) for file in files}
    assert len(prints) == 120
    assert near_duplicates(prints, SOUND_RATE, SOUND_THRESHOLD) == []
    expected = []
    for file, (suffix, encode) in zip(files[::40], ENCODE_SOUND.items(), strict=True):
        prints[suffix] = sound_print(encode(file, tmp_path / f"copy.{suffix}"))
        expected.append((file.stem, suffix))
    found = near_duplicates(prints, SOUND_RATE, SOUND_THRESHOLD)
    assert [pair[:2] for pair in found] == expected


def test_a_take_that_ravdess_has_twice_is_found(shared_data: Path) -> None:
    folder = shared_data / "ravdess_speech" / "Actor_07"
    prints = {file.stem: sound_print(file) for file in sorted(folder.glob("*.flac"))}
    found = near_duplicates(prints, SOUND_RATE, SOUND_THRESHOLD)
    assert [pair[:2] for pair in found] == [("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")]


def test_pictures_encoded_again_are_found(shared_data: Path, tmp_path: Path) -> None:
    names = ("bbaf2n.mpg", "lbax4n.mpg", "expressive_d0.mp4", "single_face.mp4")
    files = [shared_data / "videos" / name for name in names]
    prints = {file.stem: video_print(file) for file in files}
    assert near_duplicates(prints, VIDEO_RATE, VIDEO_THRESHOLD) == []
    fast = {"preset": "veryfast", "crf": "28"}
    x264 = encode_video(files[2], tmp_path / "a.mp4", "libx264", fast)
    mpeg4 = encode_video(files[0], tmp_path / "b.mp4", "mpeg4", {})
    prints |= {"x264": video_print(x264), "mpeg4": video_print(mpeg4)}
    found = near_duplicates(prints, VIDEO_RATE, VIDEO_THRESHOLD)
    assert [pair[:2] for pair in found] == [("bbaf2n", "mpeg4"), ("expressive_d0", "x264")]


@pytest.mark.slow
def test_takes_of_one_actor_in_one_room_differ(tmp_path: Path) -> None:
    synthesise(tmp_path, actors=[1], intensities=[1], statements=[1])
    files = sorted(tmp_path.rglob("*.mp4"))
    pictures = {file.stem: video_print(file) for file in files}
    sounds = {file.stem: sound_print(file) for file in files}
    assert len(pictures) == 16
    assert near_duplicates(pictures, VIDEO_RATE, VIDEO_THRESHOLD) == []
    assert near_duplicates(sounds, SOUND_RATE, SOUND_THRESHOLD) == []
    fast = {"preset": "veryfast", "crf": "28"}
    sounds["copy"] = sound_print(
        encode_sound(files[3], tmp_path / "c.mp3", "libmp3lame", 64_000, 2)
    )
    pictures["copy"] = video_print(encode_video(files[3], tmp_path / "c.mp4", "libx264", fast))
    for prints, rate, threshold in (
        (sounds, SOUND_RATE, SOUND_THRESHOLD),
        (pictures, VIDEO_RATE, VIDEO_THRESHOLD),
    ):
        found = near_duplicates(prints, rate, threshold)
        assert [pair[:2] for pair in found] == [(files[3].stem, "copy")]

"""Sound that is late, pauses, ends, cancels itself, or is no sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from affuse.audit.integrity import examine
from affuse.corpora.clip import Clip
from affuse.corpora.registry import read_corpus
from affuse.errors import TooShort, Unusable
from affuse.features.catalogue import create_extractor
from affuse.features.fingerprint import AudioFingerprint
from affuse.features.stream import Stream
from affuse.media.audio import read_blocks, read_sound, survey
from affuse.media.channels import Mixer
from affuse.media.sound_clock import LARGEST
from tests.faults.sounds import RATE, voice, write_pieces, write_wav
from tests.media.recordings import read_audio

STREAMS = (
    "audio/mfcc10",
    "audio/logmel64-16k",
    "audio/mfcc39",
    "audio/mfcc39-causal",
    "audio/mfcc39-published",
    "audio/logmel64-tsav",
    "audio/logmel64-vggish",
    "fingerprint",
)


def alike(one: np.ndarray, other: np.ndarray, most: float) -> None:
    np.testing.assert_allclose(one, other, rtol=0, atol=most)


def stream(
    name: str, path: Path, start: float = 0.0, end: float | None = None
) -> tuple[Stream, np.ndarray]:
    extractor = AudioFingerprint() if name == "fingerprint" else create_extractor(name)
    made = extractor.extract(Clip("x", audio=path, start=start, end=end))
    assert made is not None
    return made, made.start + np.arange(len(made.mask)) / extractor.spec.rate


@pytest.mark.parametrize("name", STREAMS)
def test_frames_are_present_where_there_is_sound(tmp_path: Path, name: str) -> None:
    pieces = [(0.8, voice(0.7)), (2.5, voice(1.0, seed=1))]
    path = write_pieces(tmp_path / "a.mkv", pieces, pictures=(0.0, 4.0))
    made, times = stream(name, path)
    inside = ((times > 0.8) & (times < 1.5)) | ((times > 2.5) & (times < 3.5))
    outside = (times < 0.7) | ((times > 1.6) & (times < 2.4)) | (times > 3.6)
    assert made.mask[inside].all() and not made.mask[outside].any()
    assert not made.values[~made.mask].any()
    part, times = stream(name, path, 1.0, 3.0)
    inside = (times < 0.5) | (times > 1.5)
    assert part.mask[inside].all() and not part.mask[(times > 0.6) & (times < 1.4)].any()


@pytest.mark.parametrize("name", STREAMS)
def test_all_of_an_undamaged_sound_is_present(tmp_path: Path, name: str) -> None:
    made, _ = stream(name, write_wav(tmp_path / "a.wav", voice(1.37)))
    assert made.mask.all()


def test_published_zeros_at_the_end_stay_present(tmp_path: Path) -> None:
    name = "audio/mfcc10-published"
    made, _ = stream(name, write_wav(tmp_path / "a.wav", voice(2.0)))
    assert made.mask.all()
    late = write_pieces(tmp_path / "b.mkv", [(1.0, voice(2.0))], pictures=(0.0, 3.0))
    made, times = stream(name, late)
    assert not made.mask[times < 0.9].any() and made.mask[times > 1.0].all()


@settings(max_examples=15, deadline=None)
@given(
    gaps=st.lists(st.floats(0.12, 1.0), min_size=1, max_size=3),
    lengths=st.lists(st.floats(0.3, 1.0), min_size=4, max_size=4),
    first=st.floats(0.0, 1.0),
)
@example(gaps=[1.0, 1.0], lengths=[1.0, 0.3125, 0.3125, 1.0], first=0.0)
@example(gaps=[1.0, 1.0, 1.0], lengths=[0.3, 0.3, 0.3, 0.3], first=0.5)
def test_spans_are_what_the_time_stamps_say(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[float], lengths: list[float], first: float
) -> None:
    path = tmp_path_factory.mktemp("gaps") / "a.mkv"
    start, pieces = round(first, 3), []
    for gap, length in zip([*gaps, 0.0], lengths, strict=False):
        pieces.append((start, voice(length)))
        start = round(start + length + gap, 3)
    write_pieces(path, pieces, pictures=(0.0, 0.2))
    expected = [(begin, begin + len(sound) / RATE) for begin, sound in pieces]
    for found in (read_sound(path, RATE), survey(path)):
        assert np.array(found.spans) == pytest.approx(np.array(expected), abs=0.02)
    assert found.silent == 0


@pytest.mark.parametrize("weak", [1.0, 0.8])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_opposite_phases_are_heard_as_one(tmp_path: Path, weak: float, rate: int) -> None:
    sound = voice(3.3, rate=rate)
    stereo = np.stack([sound, -weak * sound], 1)
    path = write_wav(tmp_path / "a.wav", stereo, rate)
    expected = (1 + weak) / 2 * sound
    alike(read_audio(path, rate), expected, 1e-5)
    part = read_audio(path, rate, 1.5, 2.5)
    alike(part, expected[round(1.5 * rate) : round(2.5 * rate)], 2e-3)
    alike(np.concatenate(list(read_blocks(path, 1))), expected, 1e-6)
    alike(np.concatenate(list(read_blocks(path, 2))), stereo, 1e-6)


def test_a_channel_that_is_turned_on_the_way_does_not_click(tmp_path: Path) -> None:
    sound = 0.3 * np.sin(2 * np.pi * 100 * np.arange(6 * RATE) / RATE).astype(np.float32)
    other = np.where(np.arange(len(sound)) < 3 * RATE, sound, -sound)
    one = read_audio(write_wav(tmp_path / "a.wav", np.stack([sound, other], 1)), RATE)
    steps = np.abs(np.diff(sound)).max()
    assert np.abs(np.diff(one)).max() < 1.5 * steps
    alike(one[4 * RATE :], sound[4 * RATE :], 1e-5)


@settings(max_examples=25, deadline=None)
@given(
    correlation=st.floats(-0.75, 1.0),
    channels=st.sampled_from([2, 3, 6]),
    level=st.floats(0.0, 1.0),
    seconds=st.floats(0.01, 2.5),
    seed=st.integers(0, 99),
)
def test_ordinary_channels_are_averaged_to_the_bit(
    correlation: float, channels: int, level: float, seconds: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    own = random.normal(0, 0.1, (count, channels))
    own[:, 1] = correlation * own[:, 0] + np.sqrt(1 - correlation**2) * own[:, 1]
    own[:, 1:] *= level
    samples = own.astype(np.float32)
    chunks = [(k, samples[k : k + 1000]) for k in range(0, count, 1000)]
    mixer = Mixer(RATE)
    parts = [part for chunk in chunks for _, part in mixer.push(*chunk)]
    mixed = np.concatenate([*parts, *(part for _, part in mixer.finish())])
    np.testing.assert_array_equal(mixed, samples.mean(1, dtype=np.float32))


def test_surround_sound_with_a_front_channel_inverted(tmp_path: Path) -> None:
    sound = voice(2.0)
    six = np.zeros((len(sound), 6), np.float32)
    six[:, 0], six[:, 1] = sound, -sound
    one = read_audio(write_wav(tmp_path / "a.wav", six), RATE)
    alike(one, sound / 3, 1e-5)


BAD = (float("nan"), float("inf"), float("-inf"), 1e30, -3e38, 40.0)


@settings(max_examples=25, deadline=None)
@given(
    places=st.lists(st.integers(0, 2 * RATE - 1), min_size=1, max_size=100, unique=True),
    values=st.lists(st.sampled_from(BAD), min_size=100, max_size=100),
    channels=st.sampled_from([1, 2]),
)
def test_samples_that_are_no_numbers_are_filled_in_and_said(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], values: list[float], channels: int
) -> None:
    folder = tmp_path_factory.mktemp("nan")
    fine = np.repeat(voice(2.0)[:, None], channels, 1)
    bad = fine.copy()
    bad[places, 0] = values[: len(places)]
    path = write_wav(folder / "bad.wav", bad)
    sound = read_sound(path, RATE)
    fine_sound = read_audio(write_wav(folder / "fine.wav", fine), RATE)
    same = np.delete(np.arange(len(fine)), places)
    alike(sound.samples[same], fine_sound[same], 1e-6)
    assert np.abs(sound.samples).max() <= np.abs(fine).max() + 1e-6
    (note,) = sound.notes
    assert f"{min(places) / RATE:.2f} s" in note
    assert note.startswith("one sample" if len(places) == 1 else f"{len(places)} samples")
    assert survey(path).notes == sound.notes
    for name in ("audio/mfcc10", "audio/logmel64-16k"):
        made, _ = stream(name, path)
        assert np.isfinite(made.values).all() and made.notes == sound.notes


@pytest.mark.parametrize("scale", [32768.0, 2.0**31])
def test_floats_in_units_of_whole_numbers_are_refused(tmp_path: Path, scale: float) -> None:
    path = write_wav(tmp_path / "a.wav", voice(1.0) * scale)
    for reader in (lambda: read_audio(path, RATE), lambda: survey(path)):
        with pytest.raises(Unusable, match=r"a\.wav: \d+% of its sound, from 0\.\d\d s on, is"):
            reader()


def test_too_many_are_refused_and_the_second_is_named(tmp_path: Path) -> None:
    sound = voice(3.0)
    sound[round(1.5 * RATE) : round(1.6 * RATE)] = np.nan
    with pytest.raises(Unusable, match=r"3% of its sound, from 1\.50 s on, is not a number"):
        read_audio(write_wav(tmp_path / "a.wav", sound), RATE)


def test_loud_floats_stay(tmp_path: Path) -> None:
    sound = voice(1.0) * 20
    assert 1 < np.abs(sound).max() < LARGEST
    read = read_sound(write_wav(tmp_path / "a.wav", sound), RATE)
    alike(read.samples, sound, 1e-5)
    assert not read.notes


@settings(max_examples=15, deadline=None)
@given(first=st.integers(0, 20), count=st.integers(1, 20), level=st.sampled_from([0.0, 3e-4]))
def test_silence_is_told_to_the_tenth_of_a_second(
    tmp_path_factory: pytest.TempPathFactory, first: int, count: int, level: float
) -> None:
    sound = voice(4.0)
    quiet = slice(first * RATE // 10, (first + count) * RATE // 10)
    sound[quiet] *= level
    found = survey(write_wav(tmp_path_factory.mktemp("quiet") / "a.wav", sound))
    assert found.silent == pytest.approx(count / 40)
    assert found.silences == (pytest.approx((first / 10, (first + count) / 10)),)
    assert found.spans == ((0.0, 4.0),)


def test_what_is_too_short_is_not_what_is_filled_up(tmp_path: Path) -> None:
    path = write_pieces(tmp_path / "a.mkv", [(2.8, voice(0.2))], pictures=(0.0, 3.0))
    with pytest.raises(TooShort, match=r"a\.mkv: its sound is only 0\.20 s long"):
        stream("audio/mfcc10", path)


def test_check_whole_finds_it(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    write_wav(tmp_path / "calm" / "fine.wav", voice(1.0))
    sound = voice(1.0, seed=1)
    sound[round(0.25 * RATE)] = np.nan
    write_wav(tmp_path / "calm" / "nan.wav", sound)
    sound[: RATE // 10] = np.inf
    write_wav(tmp_path / "calm" / "worse.wav", sound)
    fine, nan, worse = examine(read_corpus("folder", tmp_path), whole=True)
    assert not fine.broken
    assert [line.split(": ", 1)[1] for line in nan.broken] == [
        "one sample of its sound, at 0.25 s, is not a number, or beyond ±16; filled in"
    ]
    assert len(worse.broken) == 1 and "10% of its sound, from 0.00 s on" in worse.broken[0]

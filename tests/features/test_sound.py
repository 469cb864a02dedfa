"""Streams computed from sound: what comes out of a recording, and of a part of it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.extractor import SHORTEST
from affuse.features.sound import in_16_bits
from affuse.features.spectral import Padding, mfcc
from affuse.features.stream import Stream

soundfile = pytest.importorskip("soundfile")

PLAIN = ("audio/mfcc10", "audio/logmel64-16k", "audio/mfcc39", "audio/logmel64-tsav")
PLACED = ("audio/mfcc39-causal", "audio/mfcc39-published", "audio/logmel64-vggish")
REFERENCE = ("audio/mfcc10-published", "audio/mfcc10-published-constant")
WINDOW = 79380  # samples of 3.6 s at 22,050 Hz


def voice(samples: int, rate: int, seed: int = 0) -> np.ndarray:
    """A gliding tone with overtones that swells and fades, and some noise: (N,) 16-bit steps."""
    random = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    phase = 2 * np.pi * np.cumsum(150 + 60 * np.sin(2 * np.pi * 0.7 * time + seed)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    sound = tone * (0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * time)) + random.normal(0, 0.1, samples)
    return np.round(0.2 * sound * 32768) / 32768


def write(path: Path, sound: np.ndarray, rate: int) -> Path:
    soundfile.write(path, sound, rate, "PCM_16")
    return path


def extract(name: str, audio: Path, start: float = 0.0, end: float | None = None) -> Stream:
    stream = create_extractor(name).extract(Clip("x", audio=audio, start=start, end=end))
    assert stream is not None
    return stream


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, stereo, 48 kHz."""
    sound = voice(480000, 48000)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    return write(path, np.stack([sound, 0.5 * sound], 1), 48000)


@pytest.mark.parametrize(
    ("name", "rate", "shape", "span", "frames", "start"),
    [
        ("audio/mfcc10", 22050 / 512, (10,), None, 1 + 220500 // 512, 0.0),
        ("audio/mfcc10-published", 22050 / 512, (10,), 3.6, 156, 0.0),
        ("audio/mfcc10-published-constant", 22050 / 512, (10,), 3.6, 156, 0.0),
        ("audio/logmel64-16k", 50.0, (64,), None, 501, 0.0),
        ("audio/logmel40-16k", 50.0, (40,), None, 501, 0.0),
        ("audio/mfcc39", 100.0, (39,), None, 998, 0.0125),
        ("audio/mfcc39-causal", 100.0, (39,), None, 994, 0.065),
        ("audio/mfcc39-published", 30.0, (39,), None, 300, 0.0),
        ("audio/logmel64-tsav", 100.0, (64,), None, 1001, 0.0),
        ("audio/logmel64-vggish", 30.0, (96, 64), None, 300, 0.0),
    ],
)
def test_what_a_stream_is(
    long: Path,
    name: str,
    rate: float,
    shape: tuple[int, ...],
    span: float | None,
    frames: int,
    start: float,
) -> None:
    spec, stream = create_extractor(name).spec, extract(name, long)
    assert (spec.name, spec.rate, spec.shape, spec.span) == (name, rate, shape, span)
    assert spec.dtype == "float32" and stream.values.dtype == np.float32
    assert stream.values.shape == (frames, *shape) and np.isfinite(stream.values).all()
    assert stream.mask.dtype == bool and stream.mask.shape == (frames,) and stream.mask.all()
    assert stream.start == pytest.approx(start)
    assert stream.values.std(0).min() > 0, "every value says something"


def test_each_recipe_tells_its_stream_from_the_others() -> None:
    names = (*PLAIN, *PLACED, *REFERENCE, "audio/logmel40-16k")
    recipes = [create_extractor(name).spec.recipe for name in names]
    assert all(a != b for i, a in enumerate(recipes) for b in recipes[:i])


@pytest.mark.parametrize("name", (*PLAIN, *PLACED, *REFERENCE))
def test_without_sound_there_is_no_stream(tmp_path: Path, name: str) -> None:
    from tests.media.recordings import counting, write_recording

    silent = write_recording(tmp_path / "silent.mp4", counting(30))
    extractor = create_extractor(name)
    assert extractor.extract(Clip("x")) is None
    assert extractor.extract(Clip("x", video=silent, audio=silent)) is None


@pytest.mark.parametrize("name", (*PLAIN, *PLACED, *REFERENCE))
def test_too_short_to_tell_anything(tmp_path: Path, long: Path, name: str) -> None:
    path = write(tmp_path / "short.wav", voice(3200, 16000), 16000)
    with pytest.raises(BadInput, match=r"short\.wav: its sound is only 0\.20 s long"):
        extract(name, path)
    with pytest.raises(BadInput, match=r"long\.wav: its sound is only 0\.20 s long"):
        extract(name, long, 2.0, 2.2)
    with pytest.raises(BadInput, match=r"long\.wav: its sound is only 0\.10 s long"):
        extract(name, long, 9.9, 12.0)
    enough = write(tmp_path / "enough.wav", voice(int(SHORTEST * 16000), 16000), 16000)
    assert extract(name, enough).mask.all()


class TestPartOfARecording:
    # Multiples of both the frame and the sample of 48 kHz: 100 frames of 20 ms, 147 of 512/22050 s
    STARTS = (
        ("audio/logmel64-16k", 100),
        ("audio/mfcc10", 147),
        ("audio/mfcc39", 200),
        ("audio/logmel64-tsav", 200),
    )
    CLOSE: ClassVar = {
        "audio/mfcc39": 0.02
    }  # where sound is rounded to 16 bits, a step can fall either way

    @pytest.mark.parametrize(("name", "frame"), STARTS)
    def test_equals_the_same_window_of_the_whole(self, long: Path, name: str, frame: int) -> None:
        rate = create_extractor(name).spec.rate
        start = frame / rate
        whole, part = extract(name, long), extract(name, long, start, start + 3.0)
        beyond = 2 if name == "audio/mfcc39" else -1  # frames that are not centred end before it
        assert len(part.mask) == int(3.0 * rate + 1e-6) - beyond
        edge = 5  # frames at either end look beyond the window
        inner = slice(edge, len(part.values) - edge)
        same = whole.values[frame : frame + len(part.values)][inner]
        np.testing.assert_allclose(
            part.values[inner], same, rtol=0, atol=self.CLOSE.get(name, 1e-3)
        )

    @pytest.mark.parametrize(("name", "frame"), STARTS)
    def test_to_the_end_where_none_is_given(self, long: Path, name: str, frame: int) -> None:
        start = frame / create_extractor(name).spec.rate
        whole, rest = extract(name, long), extract(name, long, start)
        close = self.CLOSE.get(name, 1e-3)
        np.testing.assert_allclose(rest.values[5:], whole.values[frame + 5 :], rtol=0, atol=close)

    @pytest.mark.parametrize("name", PLAIN)
    def test_does_not_depend_on_how_loud_the_rest_is(self, tmp_path: Path, name: str) -> None:
        quiet = 0.01 * voice(48000, 16000)
        loud = np.concatenate([quiet, np.clip(4 * voice(16000, 16000), -1, 1)])
        alone = extract(name, write(tmp_path / "quiet.wav", quiet, 16000))
        beside = extract(name, write(tmp_path / "loud.wav", loud, 16000))
        frames = len(alone.values) - 5
        np.testing.assert_allclose(
            beside.values[:frames], alone.values[:frames], rtol=1e-4, atol=1e-2
        )

    def test_a_reference_stream_shows_the_middle_of_the_clip(self, long: Path) -> None:
        ours = extract("audio/mfcc10-published", long, 1.0, 7.0)
        middle = extract("audio/mfcc10-published", long, 1.0 + 1.2, 1.0 + 1.2 + 3.6)
        inner = slice(3, -3)
        np.testing.assert_allclose(ours.values[inner], middle.values[inner], rtol=0, atol=0.01)


def published(path: Path, folder: Path, padding: str) -> np.ndarray:
    """The published audio preprocessing with librosa and soundfile, as far as MFCCs: (156, 10)."""
    librosa = pytest.importorskip("librosa")
    sound = librosa.load(path, sr=22050)[0]
    surplus = len(sound) - WINDOW
    if surplus > 0:
        sound = sound[surplus // 2 : len(sound) - (surplus - surplus // 2)]
    soundfile.write(folder / "crop.wav", np.pad(sound, (0, max(0, -surplus))), 22050)
    sound = librosa.load(folder / "crop.wav", sr=22050)[0]
    mel = librosa.feature.melspectrogram(y=sound, sr=22050, pad_mode=padding)
    mfccs: np.ndarray = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=10)
    return mfccs.T


@pytest.mark.slow
class TestReference:
    @pytest.mark.parametrize("rate", [48000, 44100, 22050, 16000])
    @pytest.mark.parametrize("extra", [-40001, -3, -2, -1, 0, 1, 2, 3, 4, 20001])
    def test_equals_librosa_and_soundfile_in_every_frame(
        self, tmp_path: Path, rate: int, extra: int
    ) -> None:
        samples = round(3.6 * rate) + extra
        sound = voice(samples, rate, seed=extra % 5)
        quiet = 1e-3 * np.random.default_rng(0).normal(size=samples // 6)  # where rounding tells
        sound[: len(quiet)] = sound[-len(quiet) :] = np.round(quiet * 32768) / 32768
        path = write(tmp_path / "a.wav", sound, rate)
        for name, padding in zip(REFERENCE, ("reflect", "constant"), strict=True):
            ours = extract(name, path).values
            np.testing.assert_allclose(
                ours, published(path, tmp_path, padding), rtol=0, atol=1e-3, err_msg=name
            )

    def test_stereo_and_sound_that_is_clipped(self, tmp_path: Path) -> None:
        sound = 3 * voice(200003, 48000)
        path = write(tmp_path / "a.wav", np.stack([sound, 0.9 * sound], 1), 48000)
        theirs = published(path, tmp_path, "reflect")
        np.testing.assert_allclose(extract(REFERENCE[0], path).values, theirs, rtol=0, atol=1e-3)

    @given(st.lists(st.floats(-1.25, 1.25, width=32), min_size=1, max_size=50), st.integers(0, 40))
    def test_16_bits_are_what_soundfile_writes(self, values: list[float], shift: int) -> None:
        sound = np.array(values, np.float32) / np.float32(2**shift)
        file = BytesIO()
        soundfile.write(file, sound, 22050, format="WAV")
        file.seek(0)
        np.testing.assert_array_equal(in_16_bits(sound), soundfile.read(file, dtype="float32")[0])

    def test_a_part_of_a_recording_is_as_long_as_its_file_would_be(self, tmp_path: Path) -> None:
        sound = voice(480000, 48000)
        whole = write(tmp_path / "whole.wav", sound, 48000)
        cut = write(tmp_path / "cut.wav", sound[48000 : 48000 + 200003], 48000)
        part = extract(REFERENCE[0], whole, 1.0, 1.0 + 200003 / 48000).values
        np.testing.assert_allclose(part, extract(REFERENCE[0], cut).values, rtol=0, atol=0.05)

    def test_stores_of_earlier_versions_are_told_apart(self) -> None:
        recipe = create_extractor(REFERENCE[0]).spec.recipe
        assert recipe["quantised"] != "16 bit" and recipe["length"] == "rounded up"

    @pytest.mark.parametrize(
        ("name", "padding"), list(zip(REFERENCE, ("reflect", "constant"), strict=True))
    )
    def test_exactly_the_window_is_kept_as_it_is(
        self, tmp_path: Path, name: str, padding: Padding
    ) -> None:
        """The published code makes an empty file of it (quirk Q6)."""
        sound = voice(WINDOW, 22050)
        stream = extract(name, write(tmp_path / "a.wav", sound, 22050))
        expected = mfcc(sound.astype(np.float32), padding=padding, top_db=80.0)
        assert stream.values.shape == (156, 10)
        np.testing.assert_allclose(stream.values, expected, rtol=0, atol=1e-4)

    @settings(max_examples=12, deadline=None)
    @given(surplus=st.one_of(st.sampled_from([-1, 1, 2, 3]), st.integers(-60000, 60000)))
    def test_shorter_ends_in_silence_and_longer_is_cut_on_both_sides(
        self, tmp_path_factory: pytest.TempPathFactory, surplus: int
    ) -> None:
        sound = voice(WINDOW + surplus, 22050)
        if surplus >= 0:  # as published: y[r // 2 : len - (r - r // 2)]
            window = sound[surplus // 2 : len(sound) - (surplus - surplus // 2)]
        else:
            window = np.concatenate([sound, np.zeros(-surplus)])
        assert len(window) == WINDOW
        folder = tmp_path_factory.mktemp("reference")
        given_ = extract(REFERENCE[0], write(folder / "given.wav", sound, 22050))
        fitted = extract(REFERENCE[0], write(folder / "fitted.wav", window, 22050))
        assert given_.values.shape == (156, 10) and given_.mask.all()
        np.testing.assert_array_equal(given_.values, fitted.values)

    def test_paddings_differ_at_the_ends_alone(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.wav", voice(WINDOW, 22050), 22050)
        reflected, constant = (extract(name, path).values for name in REFERENCE)
        differs = np.abs(reflected - constant).max(1) > 1e-3
        assert differs[[0, -1]].all() and not differs[2:-2].any()

    def test_silence_is_80_decibels_below_the_loudest_value(self, tmp_path: Path) -> None:
        sound = np.concatenate([voice(WINDOW // 2, 22050), np.zeros(WINDOW // 2)])
        path = write(tmp_path / "a.wav", sound, 22050)
        floored, free = extract(REFERENCE[1], path).values, extract("audio/mfcc10", path).values
        # in silence all bands are alike, and the first coefficient is the level times sqrt(128)
        assert free[-10, 0] == pytest.approx(-100 * np.sqrt(128), rel=1e-5)
        assert floored[-10, 0] > free[-10, 0] + 20 * np.sqrt(128)
        assert np.abs(floored[-10, 1:]).max() < 1e-2


class TestLogMel:
    def test_silence_is_the_logarithm_of_the_floor(self, tmp_path: Path) -> None:
        stream = extract(PLAIN[1], write(tmp_path / "a.wav", np.zeros(16000), 16000))
        np.testing.assert_allclose(stream.values, np.log(1e-4), rtol=1e-6)

    @pytest.mark.parametrize("hertz", [200, 440, 1000, 3000, 7000])
    def test_a_tone_lies_in_its_band(self, tmp_path: Path, hertz: int) -> None:
        tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(32000) / 16000)
        stream = extract(PLAIN[1], write(tmp_path / "a.wav", tone, 16000))
        low, high, mel = (2595 * np.log10(1 + f / 700) for f in (50, 8000, hertz))
        band = 65 * (mel - low) / (high - low) - 1  # band k peaks at the edge k + 1 of 0 to 65
        assert np.abs(stream.values[5:-5].argmax(1) - band).max() <= 1

    def test_an_onset_is_in_the_frame_of_its_time(self, tmp_path: Path) -> None:
        sound = np.zeros(32000)
        sound[16000:] = voice(16000, 16000)
        level = extract(PLAIN[1], write(tmp_path / "a.wav", sound, 16000)).values.max(1)
        first = int((level > np.log(1e-4) + 1).argmax())
        assert first == pytest.approx(50, abs=1)  # a window reaches 20 ms to either side

    @pytest.mark.parametrize(
        "clip", ["Actor_01/03-01-05-02-01-01-01", "Actor_20/03-01-03-01-02-02-20"]
    )
    def test_real_speech_equals_librosa(self, shared_data: Path, clip: str) -> None:
        librosa = pytest.importorskip("librosa")
        path = shared_data / "ravdess_speech" / f"{clip}.flac"
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == 16000
        power = librosa.feature.melspectrogram(
            y=audio,
            sr=16000,
            n_fft=1024,
            win_length=640,
            hop_length=320,
            pad_mode="constant",
            power=2.0,
            n_mels=64,
            fmin=50,
            fmax=8000,
            htk=True,
            norm=None,
        )
        theirs = np.log(np.maximum(power, 1e-4)).T
        ours = extract("audio/logmel64-16k", path).values
        assert ours.shape == theirs.shape
        assert (theirs > np.log(1e-4)).mean() > 0.2, "not the floor alone"
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)

"""Where rows of streams of sound belong in time, and what each of them may have heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.features.blocks import BlockExtractor
from affuse.features.catalogue import create_extractor
from affuse.features.mfcc39 import mfcc39
from affuse.features.sound import FrameAlignment
from affuse.features.stream import Stream
from affuse.features.tsav_mel import tsav_levels, tsav_mel
from affuse.features.vggish_logmel import EXAMPLE, vggish_examples, vggish_logmel, vggish_starts

soundfile = pytest.importorskip("soundfile")

ALIGNMENTS: tuple[FrameAlignment, ...] = ("centred", "causal", "published")
#: Seconds of sound that one example is about: 96 windows of 25 ms, 10 ms apart.
HEARD = 0.975


def noise(seconds: float, rate: int = 16000, level: float = 0.05, seed: int = 0) -> np.ndarray:
    """(N,) float32 in 16-bit steps."""
    sound = np.random.default_rng(seed).normal(0, level, int(seconds * rate))
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def burst(at: float, rate: int, seconds: float = 3.0) -> np.ndarray:
    """Silence but for 10 ms of noise around a moment."""
    sound = np.zeros(int(seconds * rate), np.float32)
    first = int((at - 0.005) * rate)
    sound[first : first + rate // 100] = noise(0.01, rate, 0.2)
    return sound


def stream_of(name: str, folder: Path, sound: np.ndarray, rate: int) -> Stream:
    path = folder / f"{abs(hash(sound.tobytes()))}.wav"
    soundfile.write(path, sound, rate, "PCM_16")
    stream = create_extractor(name).extract(Clip("x", audio=path))
    assert stream is not None
    return stream


def times(name: str, stream: Stream) -> np.ndarray:
    return stream.start + np.arange(len(stream.mask)) / create_extractor(name).spec.rate


class TestRows:
    @pytest.mark.parametrize(
        ("name", "rate", "lag"),
        [
            ("audio/mfcc39", 16000, 0.0),
            ("audio/mfcc39-causal", 16000, 0.0525),
            ("audio/mfcc39-published", 16000, -0.0125),
            ("audio/logmel64-tsav", 44100, 0.0),
        ],
    )
    @pytest.mark.parametrize("at", [0.8, 1.503, 2.25])
    def test_a_burst_is_heard_at_its_time(
        self, tmp_path: Path, name: str, rate: int, lag: float, at: float
    ) -> None:
        stream = stream_of(name, tmp_path, burst(at, rate), rate)
        level = stream.values[:, 12] if "mfcc" in name else stream.values.mean(1)
        heard = times(name, stream)[level > level.min() + 1]
        within = 0.5 / create_extractor(name).spec.rate + 1e-6
        assert (heard[0] + heard[-1]) / 2 == pytest.approx(at + lag, abs=within + 0.001)

    def test_causal_rows_have_not_heard_what_comes_later(self, tmp_path: Path) -> None:
        name = "audio/mfcc39-causal"
        sound, change = noise(3.0), 1.5
        other = np.concatenate([sound[:24000], noise(1.5, seed=1)])
        before, after = (stream_of(name, tmp_path, x, 16000) for x in (sound, other))
        same = (before.values == after.values).all(1)
        early = times(name, before) <= change + 1e-9
        assert early.sum() == 144 and same[early].all()
        assert not same[~early][:4].any(), "and no row is later than it needs to be"

    def test_centred_and_causal_rows_are_the_same_rows(self, tmp_path: Path) -> None:
        centred, causal = (
            stream_of(name, tmp_path, noise(1.0), 16000)
            for name in ("audio/mfcc39", "audio/mfcc39-causal")
        )
        np.testing.assert_array_equal(causal.values, centred.values[:-4])

    @pytest.mark.parametrize("seconds", [1.0, 1.333, 2.01])
    def test_reference_rows_are_those_that_begin_with_the_frame(
        self, tmp_path: Path, seconds: float
    ) -> None:
        sound = noise(seconds)
        rows = mfcc39(sound)
        found = stream_of("audio/mfcc39-published", tmp_path, sound, 16000).values
        expected = [rows[min(round(i / 30 / 0.01), len(rows) - 1)] for i in range(len(found))]
        assert len(found) == int(np.ceil(len(sound) / 16000 * 30 - 1e-6))
        np.testing.assert_array_equal(found, expected)


class TestTsav:
    def test_is_the_spectrum_of_the_slice_but_for_its_floor(self) -> None:
        slice_ = noise(1.2, 44100)
        slice_[20000:] *= 1e-5
        free = tsav_levels(slice_, None)
        np.testing.assert_allclose(tsav_mel(slice_), np.maximum(free, free.max() - 80), atol=1e-3)
        assert free.min() < free.max() - 85

    def test_a_row_is_the_same_in_a_longer_recording(self, tmp_path: Path) -> None:
        sound = noise(3.0, 44100)
        loud = np.concatenate([0.9 * np.sign(noise(1.0, 44100, 0.3, 1)), sound]).astype(np.float32)
        name = "audio/logmel64-tsav"
        alone, within = (stream_of(name, tmp_path, x, 44100).values for x in (sound, loud))
        np.testing.assert_allclose(within[102:], alone[2:], rtol=0, atol=1e-3)

    def test_a_short_recording_is_not_filled_up(self, tmp_path: Path) -> None:
        assert stream_of("audio/logmel64-tsav", tmp_path, noise(0.6, 44100), 44100).mask.sum() == 61


class TestExamples:
    @pytest.mark.parametrize(
        ("alignment", "lag"), [("centred", 0.0), ("causal", HEARD / 2), ("published", -HEARD / 2)]
    )
    @pytest.mark.parametrize("at", [1.2, 1.503])
    def test_a_burst_is_in_the_examples_around_its_time(
        self, alignment: FrameAlignment, lag: float, at: float
    ) -> None:
        examples = vggish_examples(burst(at, 16000), alignment)
        levels = examples.some(np.arange(len(examples.mask)))
        hears = np.flatnonzero(levels.max((1, 2)) > np.log(0.01) + 0.5) / 30
        assert (hears[0] + hears[-1]) / 2 == pytest.approx(at + lag, abs=0.02)
        assert hears[-1] - hears[0] == pytest.approx(HEARD, abs=0.05)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(8000, 60000), st.sampled_from(ALIGNMENTS))
    def test_every_moment_has_its_example(self, samples: int, alignment: FrameAlignment) -> None:
        examples = vggish_examples(np.zeros(samples, np.float32), alignment)
        count = len(examples.mask)
        moments = np.arange(count) / 30
        assert (count - 1) / 30 < samples / 16000 <= count / 30 + 1e-9
        assert examples.starts.min() >= 0
        assert examples.starts.max() + EXAMPLE <= len(examples.levels)
        lead = len(examples.levels) - len(vggish_logmel(np.zeros(samples, np.float32)))
        begin = (examples.starts - lead) / 100
        if alignment == "published":
            assert np.abs(begin - moments).max() <= 0.005 + 1e-9
        elif alignment == "centred":
            assert np.abs(begin + HEARD / 2 - moments).max() <= 0.005 + 1e-9
        else:
            late = moments - (begin + HEARD)
            assert late.min() >= -1e-9 and late.max() < 0.01
        inside = np.minimum(begin + HEARD, samples / 16000) - np.maximum(begin, 0)
        if alignment == "causal":
            assert examples.mask.tolist() == (inside > HEARD / 2).tolist()
        else:
            assert examples.mask.all()
            assert alignment == "published" or inside.min() > HEARD / 2 - 0.006

    def test_causal_examples_have_not_heard_what_comes_later(self) -> None:
        sound = noise(3.0)
        other = np.concatenate([sound[:24000], noise(1.5, seed=1)])
        heard = []
        for x in (sound, other):
            examples = vggish_examples(x, "causal")
            heard.append(examples.some(np.arange(90)))
        same = (heard[0] == heard[1]).all((1, 2))
        assert same[:46].all() and not same[46:].any()

    def test_reference_examples_are_the_published_ones(self) -> None:
        sound = noise(2.0)
        levels, examples = vggish_logmel(sound), vggish_examples(sound, "published")
        starts = vggish_starts(len(levels), 30.0)
        np.testing.assert_array_equal(examples.levels, levels)
        np.testing.assert_array_equal(examples.starts, starts[: len(examples.starts)])
        assert len(starts) - len(examples.starts) in (0, 1), "at most one that begins with the end"

    def test_around_the_sound_its_ends_are_repeated(self) -> None:
        sound = noise(1.0)
        sound[0], sound[-1] = 0.2, -0.2
        levels = vggish_examples(sound, "centred").levels
        still = vggish_logmel(np.full(4000, 0.2, np.float32))[0]
        np.testing.assert_allclose(levels[:46], np.tile(still, (46, 1)), atol=1e-5)
        np.testing.assert_allclose(levels[-90:], np.tile(still, (90, 1)), atol=1e-5)

    @pytest.mark.parametrize("count", [1, 7, 64, 1000])
    def test_parts_make_up_the_whole(self, count: int) -> None:
        examples = vggish_examples(noise(2.0), "causal")
        parts = list(examples.numbers(count))
        assert max(map(len, parts)) <= count
        np.testing.assert_array_equal(np.concatenate(parts), np.flatnonzero(examples.mask))

    def test_the_stream_holds_the_examples_in_order(self, tmp_path: Path) -> None:
        sound = noise(10.0)
        name = "audio/logmel64-vggish"
        whole = stream_of(name, tmp_path, sound, 16000)
        expected = vggish_examples(sound, "centred").some(np.arange(300))
        np.testing.assert_allclose(whole.values, expected, rtol=0, atol=1e-3)
        extractor = create_extractor(name)
        assert isinstance(extractor, BlockExtractor)
        path = next(tmp_path.glob("*.wav"))
        blocks = list(extractor.blocks(Clip("x", audio=path)))
        assert len(blocks) > 1, "in parts"
        np.testing.assert_array_equal(np.concatenate([b.values for b in blocks]), whole.values)
        ends = [b.start + len(b.mask) / 30 for b in blocks]
        assert [b.start for b in blocks[1:]] == pytest.approx(ends[:-1])

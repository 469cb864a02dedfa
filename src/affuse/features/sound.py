"""Streams computed from the sound of a clip."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.blocks import BLOCK, joined
from affuse.features.extractor import check_length
from affuse.features.pictures import RATE
from affuse.features.recorded import Blocks, RecordingExtractor, nothing
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound
    from affuse.media.face import Readings

#: Which stretch of sound a row is about: the one around its moment, the one that ends there, or the
#: one that the published system takes.
FrameAlignment = Literal["centred", "causal", "published"]

MFCC = {"rate": 22050, "coefficients": 10, "n_fft": 2048, "hop": 512, "mels": 128}
_LOGMEL: dict[str, Any] = {
    "rate": 16000,
    "n_fft": 1024,
    "length": 640,
    "hop": 320,
    "fmin": 50.0,
    "fmax": 8000.0,
    "scale": "htk",
}

_TSAV: dict[str, Any] = {
    "rate": 44100,
    "n_fft": 1024,
    "length": 882,
    "hop": 441,
    "mels": 64,
    "scale": "htk",
    "padding": "reflect",
}
_VGGISH: dict[str, Any] = {
    "rate": 16000,
    "n_fft": 512,
    "length": 400,
    "hop": 160,
    "fmin": 125.0,
    "fmax": 7500.0,
    "offset": 0.01,
    "padding": "edge",
}


class SoundExtractor(RecordingExtractor):
    """What all streams of sound share.

    Attributes:
        sound_rate: Of the sound that they are computed from, in Hz.
        rounded_up: See `affuse.media.audio.Tap`.
    """

    sound_rate: int
    rounded_up = False

    def sources(self, clip: Clip) -> list[Path]:
        """The file with the sound."""
        return [] if clip.audio is None else [clip.audio]

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; all the sound is kept."""
        if clip.audio is None:
            return nothing
        path, reading = clip.audio, readings.of(clip.audio)
        heard = reading.listen(self.sound_rate, clip.start, clip.end, self.rounded_up)
        heard.keep()

        def blocks() -> Iterator[Stream]:
            sound = reading.sound(heard)
            if sound is not None:
                check_length(path, sound.seconds, "its sound")
                yield from self.blocks_of(sound)

        return blocks

    def blocks_of(self, sound: Sound) -> Iterator[Stream]:
        """Consecutive parts of the stream of a sound of at least half a second."""
        yield self.stream_of(sound)

    @abstractmethod
    def stream_of(self, sound: Sound) -> Stream:
        """The stream of a sound of at least half a second."""


class LocalExtractor(SoundExtractor):
    """Streams whose rows depend on the sound around them only.

    So a window cut from a long recording equals the same window of a short clip, and the sound of
    a long one is never in memory as a whole.

    Attributes:
        hop: Samples from row to row.
        context: Rows on either side whose sound a row may depend on, at most.
        ahead: Rows after a row whose sound it does depend on.
        first: Seconds of the moment that the first row belongs to.
        left_out: Rows at the end that lack what comes after them.
        section: Rows that are computed together, with `context` rows on either side, because they
            depend on how sound is cut; 0 where it does not matter.
    """

    hop: int
    context = 8
    ahead = 2
    first = 0.0
    left_out = 0
    section = 0

    @abstractmethod
    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 -> (T, ...)."""

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`."""
        from affuse.features.sections import ROWS, Sections

        if clip.audio is None:
            return nothing
        path, reading = clip.audio, readings.of(clip.audio)
        heard_sound = reading.listen(self.sound_rate, clip.start, clip.end, self.rounded_up)
        sections = Sections(self.rows, self.spec, self.hop, self.context, self.section or ROWS)
        heard_sound.to(sections.push)

        def blocks() -> Iterator[Stream]:
            sound = reading.sound(heard_sound)
            if sound is None:
                return
            check_length(path, sound.seconds, "its sound")
            sections.finish()
            count, first = len(sections) - self.left_out, 0
            for values in sections.blocks():
                own = values[: count - first]
                yield heard(sound, own, self.spec.rate, self.first + first / self.spec.rate)
                first += len(own)

        return blocks

    def stream_of(self, sound: Sound) -> Stream:
        """See `SoundExtractor`."""
        values = self.rows(sound.samples)
        return heard(sound, values[: len(values) - self.left_out], self.spec.rate, self.first)


class Mfcc(LocalExtractor):
    """`audio/mfcc10`: ten MFCCs of the whole clip, at 43.07 Hz.

    A frame depends on its own 93 ms of sound only: no floor is relative to the loudest frame.
    """

    sound_rate, hop = 22050, 512

    def __init__(self) -> None:
        recipe = {"extractor": "mfcc", **MFCC, "padding": "constant", "top_db": None}
        self.spec = StreamSpec("audio/mfcc10", 22050 / 512, (10,), recipe=recipe)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(1 + N // 512, 10) float32."""
        from affuse.features.spectral import mfcc

        return mfcc(samples, padding="constant", top_db=None)


class LogMel(LocalExtractor):
    """`audio/logmel<mels>-16k`: log-mel spectrum of the whole clip, 50 Hz.

    Natural logarithm of the power in HTK mel bands from 50 to 8000 Hz, over 40 ms at 16 kHz.

    Args:
        mels: Number of mel bands.
    """

    sound_rate, hop = 16000, 320

    def __init__(self, mels: int = 64) -> None:
        recipe: dict[str, Any] = {"extractor": "logmel", **_LOGMEL, "mels": mels, "floor": 1e-4}
        name = f"audio/logmel{mels}-16k"
        self.spec = StreamSpec(name, 50.0, (mels,), recipe=recipe, kind="spectrum")

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(1 + N // 320, mels) float32."""
        from affuse.features.spectral import mel_spectrogram

        power = mel_spectrogram(samples, mels=self.spec.shape[0], **_LOGMEL)
        return np.asarray(np.log(np.maximum(power, self.spec.recipe["floor"])), np.float32)


class Mfcc39(SoundExtractor):
    """`audio/mfcc39`: 12 MFCCs and the zeroth with deltas and accelerations, at 100 Hz.

    Args:
        alignment: `centred`: a row belongs to the middle of its 25 ms. `causal`: it belongs to the
            end of all that it is about, 65 ms after its beginning, because its acceleration is the
            slope of slopes up to four rows later; rows for which these are missing at the end are
            left out. `published`: at 30 Hz, for each frame the row that begins with it, the last
            one for those beyond it, as published.

    Source: Zhang et al. 2021 (ABAW2), released preprocessing.
    """

    sound_rate = 16000

    def __init__(self, alignment: FrameAlignment = "centred") -> None:
        recipe = {"extractor": "openSMILE MFCC12_0_D_A", "rate": 16000, "quantised": "16 bit"}
        rate = RATE if alignment == "published" else 100.0
        name = aligned_name("audio/mfcc39", alignment)
        self.spec = StreamSpec(name, rate, (39,), recipe=recipe | {"alignment": alignment})

    def stream_of(self, sound: Sound) -> Stream:
        """(1 + (N - 400) // 160, 39) float32; causal: four rows fewer; published: 30 Hz."""
        from affuse.features.mfcc39 import AHEAD, mfcc39

        rows, rate = mfcc39(sound.samples), self.spec.rate
        match self.spec.recipe["alignment"]:
            case "published":
                frames = np.arange(frames_of_sound(len(sound.samples), 16000))
                nearest = np.round(frames / RATE / 0.01).astype(np.int64)
                return heard(sound, rows[nearest.clip(max=len(rows) - 1)], rate)
            case "causal":
                return heard(sound, rows[:-AHEAD], rate, 0.025 + AHEAD * 0.01)
        return heard(sound, rows, rate, 0.0125)


class TsavMel(LocalExtractor):
    """`audio/logmel64-tsav`: the mel spectrum that TSAV hears, of the whole clip, at 100 Hz.

    Unlike that of a slice, nothing is cut off relative to the loudest value and nothing is put in
    front: a row depends on its own 20 ms only, whose middle it belongs to.

    Source: Kuhnke et al. 2020 (TSAV), released code.
    """

    sound_rate, hop = 44100, 441

    def __init__(self) -> None:
        recipe = {"extractor": "tsav mel", **_TSAV, "floor": -100.0, "top_db": None}
        self.spec = StreamSpec("audio/logmel64-tsav", 100.0, (64,), recipe=recipe, kind="spectrum")

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(1 + N // 441, 64) float32 dB of 44.1 kHz sound."""
        from affuse.features.tsav_mel import tsav_levels

        return tsav_levels(samples, top_db=None)


class VggishExamples(SoundExtractor):
    """`audio/logmel64-vggish`: what VGGish reads, 0.975 s around every moment, at 30 Hz.

    Before the sound its first sample is repeated, after it its last one. The examples overlap: one
    second of sound takes 0.74 MB, 30 minutes 1.3 GB. The streams `audio/vggish` do not need them.

    Source: Hershey et al. 2017; Zhang et al. 2021 (ABAW2).
    """

    sound_rate = 16000

    def __init__(self) -> None:
        self.spec = StreamSpec(
            "audio/logmel64-vggish", RATE, (96, 64), recipe=vggish_recipe("centred")
        )

    def stream_of(self, sound: Sound) -> Stream:
        """(ceil(30 seconds), 96, 64) float32."""
        (*blocks,) = self.blocks_of(sound)
        stream = joined(blocks)
        assert stream is not None
        return stream

    def blocks_of(self, sound: Sound) -> Iterator[Stream]:
        """The same in parts."""
        from affuse.features.vggish_logmel import vggish_examples

        examples = vggish_examples(sound.samples, "centred")
        for some in examples.numbers(BLOCK):
            yield heard(sound, examples.some(some), RATE, some[0] / RATE)


def vggish_recipe(alignment: FrameAlignment) -> dict[str, Any]:
    """What decides the examples of VGGish beside the sound."""
    return {"extractor": "vggish logmel", **_VGGISH, "alignment": alignment}


def aligned_name(name: str, alignment: FrameAlignment) -> str:
    """The name of a stream whose rows are not centred says so."""
    return name if alignment == "centred" else f"{name}-{alignment}"


def frames_of_sound(samples: int, rate: int) -> int:
    """How many of the moments i / 30 s come before the end of a sound."""
    return int(np.ceil(samples / rate * RATE - 1e-6))


def in_16_bits(audio: np.ndarray) -> np.ndarray:
    """(N,) float32 -> what libsndfile reads again from the 16-bit file that it wrote of it.

    It rounds to 32 bits and drops the lower 16: rounding down, but for what is nearly zero.
    """
    whole = np.rint(audio.astype(np.float64) * 2**31)
    return (np.clip(np.floor(whole / 2**16), -32768, 32767) / 32768).astype(np.float32)


def heard(sound: Sound, values: np.ndarray, rate: float, start: float = 0.0) -> Stream:
    """A stream computed from a sound; a frame is absent where there is no sound at its moment.

    Args:
        sound: Of the clip.
        values: (T, ...), about the moments start + i / rate.
        rate: Of the stream in Hz.
        start: Seconds of the first frame.
    """
    there = sound.at(start + np.arange(len(values)) / rate)
    return replace(masked(values, there, start), notes=sound.notes)


def masked(values: np.ndarray, there: np.ndarray, start: float = 0.0) -> Stream:
    """A stream that is zero where it is absent."""
    if not there.all():
        values = values.copy()
        values[~there] = 0
    return Stream(values, there, start)


def all_present(values: np.ndarray, start: float = 0.0) -> Stream:
    """A stream in which nothing is absent, from a moment in seconds on."""
    return masked(values, np.ones(len(values), bool), start)

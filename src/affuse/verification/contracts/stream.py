"""What every stream of recordings keeps; inherited by one test class per stream."""

from __future__ import annotations

import json
import pickle
import wave
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput
from affuse.features.catalogue import STREAMS, create_extractor, pattern_of
from affuse.features.extractor import Extractor
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.media.encode import write_mp4
from affuse.media.probe import probe

#: Of the recordings.
SECONDS, RATE, FPS = 3.0, 16000, 25


def write_sound(path: Path, seconds: float = SECONDS, seed: int = 0) -> Path:
    """A WAV file, 16 bit and mono, with a tone that glides and swells, and noise."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * np.cumsum(180 + 80 * np.sin(5 * time + seed)) / RATE)
    sound = (0.3 + 0.2 * np.sin(9 * time)) * tone + random.normal(0, 0.02, len(time))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def write_recording(path: Path, seconds: float = SECONDS) -> Path:
    """An MP4 file with such a sound, and frames in which a bright square moves."""
    sound = write_sound(path.with_suffix(".wav"), seconds)

    def image(number: int) -> np.ndarray:
        frame = np.full((96, 128, 3), 40, np.uint8)
        left = number % 90
        frame[30:60, left : left + 30] = (220, 180, 150)
        return frame

    frames = ((k / FPS, image(k)) for k in range(round(seconds * FPS)))
    write_mp4(path, frames, (96, 128), FPS, probe(sound))
    return path


class StreamContract:
    """Subclasses name a stream, and write a recording where the one here does not suit it.

    Attributes:
        name: Of the stream.
        source: What an imported stream is read from.
    """

    name: ClassVar[str]
    source: ClassVar[Path | None] = None

    def write(self, folder: Path) -> Path:
        """A recording of `SECONDS` in which the stream has present frames."""
        return write_recording(folder / "recording.mp4")

    @pytest.fixture
    def recording(self, tmp_path: Path) -> Path:
        folder = tmp_path / "recordings"
        folder.mkdir()
        return self.write(folder)

    @pytest.fixture
    def extractor(self) -> Extractor:
        return create_extractor(self.name, self.source)

    def clip(self, recording: Path, start: float = 0.0, end: float | None = None) -> Clip:
        """The recording, or a part of it, as a clip."""
        return Clip("clip", recording, recording, start=start, end=end, speaker="s", label="joy")

    def made(self, extractor: Extractor, clip: Clip) -> Stream:
        """The stream of a clip that has the modality."""
        stream = extractor.extract(clip)
        assert stream is not None, "the clip has the modality"
        return stream

    def test_it_is_listed_with_a_line_about_it(self) -> None:
        pattern = pattern_of(self.name)
        assert pattern is not None and STREAMS[pattern].describe()

    def test_the_spec_travels_in_files(self, extractor: Extractor) -> None:
        spec = extractor.spec
        assert spec.name == self.name and spec.modality in ("audio", "video")
        assert StreamSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
        assert spec.recipe, "two ways of making a stream are told apart by their recipes"

    def test_worker_processes_can_use_it(self, extractor: Extractor) -> None:
        assert pickle.loads(pickle.dumps(extractor)).spec == extractor.spec

    def test_the_values_are_as_the_spec_says(self, extractor: Extractor, recording: Path) -> None:
        spec, stream = extractor.spec, self.made(extractor, self.clip(recording))
        assert stream.values.shape == (len(stream.mask), *spec.shape)
        assert stream.values.dtype == spec.dtype and stream.mask.dtype == bool
        assert stream.mask.any() and np.isfinite(stream.values).all()
        assert not stream.values[~stream.mask].any(), "absent frames are zero"
        if spec.rate > 0:
            seconds = spec.span or SECONDS
            assert abs(len(stream.mask) / spec.rate + stream.start - seconds) < 0.5

    def test_the_same_clip_gives_the_same_stream(
        self, extractor: Extractor, recording: Path
    ) -> None:
        first, second = (self.made(extractor, self.clip(recording)) for _ in range(2))
        assert first.values.tobytes() == second.values.tobytes()
        assert (first.mask == second.mask).all() and first.start == second.start

    def test_only_the_part_that_is_the_clip_is_read(
        self, extractor: Extractor, recording: Path
    ) -> None:
        spec = extractor.spec
        if spec.span is not None or spec.rate == 0:
            return
        part = self.made(extractor, self.clip(recording, 0.5, 2.0))
        assert abs(len(part.mask) / spec.rate + part.start - 1.5) < 0.25

    def test_a_clip_without_the_modality_has_no_stream(self, extractor: Extractor) -> None:
        assert extractor.extract(Clip("clip")) is None

    def test_what_is_no_recording_is_refused_by_name(
        self, extractor: Extractor, tmp_path: Path
    ) -> None:
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"not a recording" * 99)
        with pytest.raises(BadInput, match=r"broken\.mp4"):
            extractor.extract(self.clip(broken))

    def test_it_says_which_files_it_reads(self, extractor: Extractor, recording: Path) -> None:
        sources = extractor.sources(self.clip(recording))
        assert sources and all(path.exists() for path in sources)

    def test_the_store_gives_it_back(
        self, extractor: Extractor, recording: Path, tmp_path: Path
    ) -> None:
        clip = self.clip(recording)
        corpus = Corpus("folder", recording.parent, [clip], ("joy",), "none")
        report = prepare(corpus, tmp_path / "store", [extractor])
        assert not report.failures
        stored = Store(tmp_path / "store").stream(self.name)["clip"]
        assert (stored.values == self.made(extractor, clip).values).all()

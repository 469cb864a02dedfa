"""Windows of a fixed span come of one pass over a recording, as if each were read by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.faults.sounds import voice, write_wav
from tests.media.recordings import beep, write_recording

from affuse.corpora.clip import Clip
from affuse.features.catalogue import create_extractor
from affuse.features.recorded import RecordingExtractor
from affuse.features.stream import Stream
from affuse.media.face import Readings

STARTS = [0.0, 0.4, 1.3, 1.3, 2.9, 5.5, 9.0]


def windows(extractor: RecordingExtractor, clip: Clip, starts: list[float]) -> list[Stream | None]:
    """Those of one pass."""
    readings = Readings(clip.tracks)
    window = extractor.begin_windows(clip, readings, starts)
    readings.run()
    return [window(number) for number in range(len(starts))]


def each(extractor: RecordingExtractor, clip: Clip, starts: list[float]) -> list[Stream | None]:
    """Those of a pass each."""
    window = RecordingExtractor.begin_windows(extractor, clip, Readings(clip.tracks), starts)
    return [window(number) for number in range(len(starts))]


def published(name: str) -> RecordingExtractor:
    extractor = create_extractor(name)
    assert isinstance(extractor, RecordingExtractor)
    return extractor


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rate=st.sampled_from((8000, 16000, 22050, 44100, 48000)),
    seconds=st.floats(1.0, 9.0),
    starts=st.lists(st.floats(0, 9.0), min_size=1, max_size=5),
)
def test_windows_of_sound(tmp_path: Path, rate: int, seconds: float, starts: list[float]) -> None:
    path = write_wav(tmp_path / "a.wav", voice(seconds, rate=rate), rate)
    clip, extractor = Clip("a", audio=path), published("audio/mfcc10-published")
    starts = sorted(start for start in [0.0, *starts] if start < seconds - 0.55)
    alone = each(extractor, clip, starts)
    for one, other in zip(windows(extractor, clip, starts), alone, strict=True):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.mask, other.mask)
        # a window begins with the nearest sample of 22.05 kHz, not with that of the recording
        assert np.abs(one.values - other.values).mean() < 0.5


@pytest.mark.slow
def test_windows_of_faces(tmp_path: Path, decoded: list[str]) -> None:
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()[:, 64:384]
    shown = [np.roll(image, 2 * k % 90, 1) if k < 150 else 0 * image for k in range(180)]
    path = write_recording(
        tmp_path / "a.mp4", [(k / 30, one) for k, one in enumerate(shown)], beep(6.0, 0.5, 48000)
    )
    clip, extractor = Clip("a", video=path), published("video/faces224-published")
    alone = each(extractor, clip, STARTS)
    decoded.clear()
    together = windows(extractor, clip, STARTS)
    assert decoded.count("video") == 180
    for one, other in zip(together, alone, strict=True):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.values, other.values)
    assert [stream.mask.sum() for stream in together if stream][-2:] == [0, 0]


def test_a_recording_without_the_modality_has_no_windows(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", voice(2.0), 16000)
    assert windows(published("video/faces224-published"), Clip("a", audio=path), [0.0]) == [None]
    assert windows(published("audio/mfcc10-published"), Clip("a", video=path), [0.0]) == [None]

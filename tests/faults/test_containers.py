"""The same content in any container says the same."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from affuse.errors import BadInput
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
from affuse.tasks.timeline import Timeline
from tests.faults.containers import CODECS, Container, Content, containers, write
from tests.faults.recordings import talking_face

#: What a codec may change of a probability.
WITHIN = 0.05
_KNOWN = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@functools.cache
def predictor() -> Predictor:
    return Predictor(BUNDLED)


def read(path: Path) -> Timeline:
    timeline = predictor().predict(path, thumbnails=False)
    assert isinstance(timeline, Timeline)
    return timeline


class Twins:
    """Timelines of plain twins, each read once."""

    def __init__(self, content: Content, folder: Path) -> None:
        self.content, self.folder = content, folder
        self._read: dict[Container, Timeline] = {}

    def of(self, made: Container) -> Timeline:
        if made.plain not in self._read:
            path = write(made.plain, self.content, self.folder / f"plain{len(self._read)}")
            self._read[made.plain] = read(path)
        return self._read[made.plain]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return Twins(talking_face(2.4), tmp_path_factory.mktemp("twins"))


def check(made: Container, twins: Twins, folder: Path) -> None:
    """A container reads like its plain twin; a part of one is not longer, or refused in a line."""
    path = write(made, twins.content, folder / "drawn")
    plain = twins.of(made)
    frame = 1 / float(made.fps) + 1e-6
    try:
        found = read(path)
    except BadInput as error:
        assert made.kept < 1, f"{made}: {error}"
        assert str(path) in str(error) and "\n" not in str(error)
        return
    assert found.duration <= plain.duration + frame, made
    if made.kept < 1:
        return
    assert found.duration == pytest.approx(plain.duration, abs=frame), made
    assert found.starts == pytest.approx(plain.starts, abs=frame), made
    assert found.probabilities == pytest.approx(plain.probabilities, abs=WITHIN), made
    for name, presence in plain.presence.items():
        assert found.presence[name].share == pytest.approx(presence.share, abs=0.05), made


@given(containers())
@example(Container("mkv", "libx264", "aac", Fraction(50), 16000, lone=3600.0))
@example(Container("mkv", "libx264", "aac", Fraction(50), 16000, start=3600.0))
@settings(max_examples=4, deadline=None, suppress_health_check=_KNOWN)
def test_a_container_says_what_its_plain_twin_says(
    twins: Twins, tmp_path: Path, made: Container
) -> None:
    check(made, twins, tmp_path)


@pytest.mark.slow
@given(containers())
@settings(max_examples=300, deadline=None, suppress_health_check=_KNOWN)
def test_many_containers_say_what_their_plain_twins_say(
    twins: Twins, tmp_path: Path, made: Container
) -> None:
    check(made, twins, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "video", "audio"),
    [(s, v, a) for s, (videos, audios) in CODECS.items() for v in videos for a in audios],
)
def test_codecs_change_little(twins: Twins, suffix: str, video: str, audio: str) -> None:
    usual = twins.of(Container("mkv", "ffv1", "flac"))
    rate = 44100 if suffix == "flv" else 48000
    found = twins.of(Container(suffix, video, audio, rate=rate))
    assert found.duration == pytest.approx(usual.duration, abs=0.1)
    assert found.probabilities == pytest.approx(usual.probabilities, abs=2 * WITHIN)

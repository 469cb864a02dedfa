"""Sounds without a voice: reproducible, of every kind, within their levels, read as a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.corpora.interrupt import interrupted
from tests.folders import tree
from tests.media.recordings import read_audio

from affuse.cli.main import main
from affuse.corpora.registry import read_corpus
from affuse.corpora.synthetic.sounds import KINDS, LEVELS, sound, synthesise
from affuse.corpora.synthetic.waves import RATE
from affuse.errors import AffuseError, BadInput
from affuse.media.probe import probe

EACH = 2


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short sounds of each kind."""
    folder = tmp_path_factory.mktemp("sounds")
    assert synthesise(folder, seed=1, each=EACH, seconds=1) == EACH * len(KINDS)
    return folder


def recordings(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(folder).items() if name.endswith(".flac")}


def test_the_folder_corpus_reads_kinds_and_a_speaker_for_each_sound(out: Path) -> None:
    corpus = read_corpus("folder", out)
    assert corpus.classes == tuple(sorted(KINDS))
    assert Counter(clip.label for clip in corpus.clips) == dict.fromkeys(KINDS, EACH)
    assert len({clip.speaker for clip in corpus.clips}) == len(corpus.clips)
    assert all(clip.audio and clip.video is None for clip in corpus.clips)
    assert corpus.licence == "CC0-1.0 (generated)"


def test_sounds_are_written_as_they_are_made(out: Path) -> None:
    for kind in KINDS:
        path = out / kind / f"{kind}-002.flac"
        read = read_audio(path, rate=RATE)
        assert read is not None and probe(path).sample_rate == RATE
        made = sound(1, kind, 2, 1)
        np.testing.assert_allclose(read, made, atol=1 / 32767)


def test_a_sound_depends_on_seed_kind_and_number_only(out: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "more", seed=1, each=EACH + 1, seconds=1, workers=2)
    fewer, more = recordings(out), recordings(tmp_path / "more")
    assert len(more) == len(fewer) + len(KINDS)
    assert {name: more[name] for name in fewer} == fewer


def test_no_two_sounds_are_the_same(out: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "other", seed=2, each=EACH, seconds=1)
    contents = [*recordings(out).values(), *recordings(tmp_path / "other").values()]
    assert len(set(contents)) == len(contents) == 2 * EACH * len(KINDS)


def test_an_interrupted_run_is_completed(out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    stop = interrupted("synth sounds", EACH * len(KINDS), after=3)
    with pytest.raises(KeyboardInterrupt):
        synthesise(folder, seed=1, each=EACH, seconds=1, progress=stop)
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}
    assert 3 <= len(kept) < EACH * len(KINDS)
    synthesise(folder, seed=1, each=EACH, seconds=1)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert tree(folder) == tree(out)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from(list(KINDS)), st.integers(1, 999))
def test_every_sound_has_its_length_and_level(seed: int, kind: str, number: int) -> None:
    audio = sound(seed, kind, number, 1.5)
    assert audio.shape == (24_000,) and audio.dtype == np.float32
    assert np.all(np.isfinite(audio))
    peak = 20 * np.log10(np.max(np.abs(audio)))
    low, high = (-100.0, -48.0) if kind == "silence" else LEVELS
    assert low - 1e-3 <= peak <= high + 1e-3


def test_kinds_sound_different() -> None:
    """Birds are high and hums are low; knocks are short and sirens are not."""

    def centre(kind: str) -> float:
        power = sum(np.abs(np.fft.rfft(sound(0, kind, n, 1) / level(kind, n))) ** 2 for n in many)
        return float(np.average(np.fft.rfftfreq(RATE, 1 / RATE), weights=power))

    def level(kind: str, number: int) -> float:
        return float(np.sqrt(np.mean(np.square(sound(0, kind, number, 1)))))

    def crest(kind: str) -> float:
        return float(
            np.median([np.max(np.abs(sound(0, kind, n, 1))) / level(kind, n) for n in many])
        )

    many = range(1, 9)
    assert centre("birds") > 2000 > 1000 > centre("hum")
    assert crest("knocks") > 2 * crest("siren")


def test_another_seed_or_length_and_wrong_numbers_are_refused(out: Path, tmp_path: Path) -> None:
    before = tree(out)
    for other in ({"seed": 2, "seconds": 1.0}, {"seed": 1, "seconds": 2.0}):
        with pytest.raises(BadInput, match="not of this synthetic corpus"):
            synthesise(out, each=EACH, **other)
    assert tree(out) == before
    for wrong in ({"each": 0}, {"each": 1000}, {"seconds": 0.5}):
        with pytest.raises(AffuseError, match="expected"):
            synthesise(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()


def test_the_command_line_says_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synth", "sounds", str(tmp_path / "few"), "each=1", "seconds=1", "--workers", "1"]
    assert main(words) == 0
    assert capsys.readouterr().err.endswith("few: sounds without a voice\n")
    assert len(recordings(tmp_path / "few")) == len(KINDS)
    assert main([*words[:3], "actors=1"]) == 2
    assert "actors" in capsys.readouterr().err

"""The synthetic MSP-IMPROV: read back, reproducible, sound files, and odd where it should be."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import cv2.data as cascades
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("skimage", reason="synthetic faces need the demo extra")

from tests.corpora.interrupt import interrupted
from tests.folders import digests
from tests.media.recordings import read_audio

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.labels import Labels, label_clips
from affuse.corpora.msp_improv import CLASSES, KINDS, SYNTHETIC_LICENCE, read
from affuse.corpora.synthetic.msp_improv import AROUSED, PLEASANT, SHADES, synthesise
from affuse.errors import AffuseError, BadInput
from affuse.media.probe import probe
from affuse.media.video import read_frames

SMALL = {"sessions": (2, 5), "turns": 14}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions."""
    folder = tmp_path_factory.mktemp("msp")
    assert synthesise(folder, **SMALL) == 2 * 14 * 2  # one video less, and the ratings
    return folder


@pytest.fixture(scope="module")
def corpus(out: Path) -> Corpus:
    return read(out)


def test_the_reader_finds_every_turn(out: Path, corpus: Corpus) -> None:
    assert len(corpus.clips) == 28
    assert {clip.speaker for clip in corpus.clips} == {"F02", "M02", "F05", "M05"}
    assert {clip.kind for clip in corpus.clips} == set(KINDS.values())
    assert corpus.licence == SYNTHETIC_LICENCE
    assert corpus.left_out == {}
    readme = (out / "README.txt").read_text()
    assert "seed 0" in readme and "Licence" in readme and "nobody rated it" in readme


def test_nothing_but_turns_ratings_and_the_readme_is_left(out: Path) -> None:
    turn = re.compile(
        r"session([25])/(S\d\d[AHSN])/([RTSP])/"
        r"(MSP-IMPROV-\2-[FM]0\1-\3-[FM]{2}\d\d\.(wav|avi)|UTD-IMPROV-\2-[FM]0\1-\3-[FM]{2}\d\d\.avi)"
    )
    names = set(digests(out)) - {"README.txt", "Evalution.txt"}
    assert len(names) == 55 and all(turn.fullmatch(name) for name in names)
    prefixes = {Path(name).name[:3] for name in names if name.endswith(".avi")}
    assert prefixes == {"UTD", "MSP"}


def test_every_oddity_is_there(out: Path, corpus: Corpus) -> None:
    (blind,) = [clip for clip in corpus.clips if clip.video is None]
    assert blind.session == "2" and corpus.missing == [f"{blind.id}.avi"]
    (unrated,) = [clip for clip in corpus.clips if clip.votes is None]
    assert unrated.session == "5" and unrated.video is not None
    assert (unrated.label, unrated.attributes) == (None, None)
    nan = [clip for clip in corpus.clips if clip.attributes and "dominance" not in clip.attributes]
    assert len(nan) == 2
    text = (out / "Evalution.txt").read_text()
    letters = re.findall(
        r"^UTD-IMPROV-\S+\.avi; ([AHSNOX]); A:\S+; V:\S+; D:\S+ ; N:\S+;$", text, re.M
    )
    assert len(letters) == 27 and set(letters) == set("AHSNOX")
    assert all(len(block.splitlines()) >= 6 for block in text.strip().split("\n\n"))
    assert "D:NaN" in text and "Concerned" in text and "Other; " in text


def test_secondary_votes_come_from_the_same_file(out: Path) -> None:
    corpus = read(out, emotions="secondary")
    chosen = {name for clip in corpus.clips if clip.votes for name in clip.votes["audio-visual"]}
    assert chosen >= {"frustrated", "depressed", "excited", "surprise", "fear", "other"}
    assert (
        sum(map(sum, (clip.votes["audio-visual"].values() for clip in corpus.clips if clip.votes)))
        > 27 * 5
    )
    words = {word.lower() for shades in SHADES.values() for word in shades}
    assert set(corpus.classes) <= words


def test_the_consensus_is_the_plurality_of_the_votes(corpus: Corpus) -> None:
    labelled = label_clips(corpus.clips, CLASSES, Labels(rule="plurality"))
    chosen = {
        clip.id: CLASSES[k]
        for clip, k in zip(labelled.clips, labelled.targets.argmax(1), strict=True)
    }
    given = {clip.id: clip.label for clip in corpus.clips if clip.label}
    assert 20 <= len(given) < 27 and given.items() <= chosen.items()
    assert set(given.values()) == set(CLASSES)


def test_pictures_and_sound_of_a_video_begin_together_and_last_as_long(corpus: Corpus) -> None:
    clips = [clip for clip in corpus.clips if clip.video][::5]
    for clip in clips:
        info = probe(clip.video)
        assert (info.width, info.height, info.sample_rate, info.channels) == (320, 240, 48_000, 1)
        times = [frame.time for frame in read_frames(clip.video)]
        assert times[0] == 0 and np.allclose(np.diff(times), 1001 / 30000, atol=1e-4)
        wav, sound = read_audio(clip.audio, 48_000), read_audio(clip.video, 48_000)
        assert np.array_equal(wav, sound)
        length = len(times) * 1001 / 30000
        assert abs(len(wav) / 48_000 - length) < 1e-3 and 1.58 < length < 2.52


def test_the_pictures_are_those_that_were_drawn(corpus: Corpus) -> None:
    clip = next(clip for clip in corpus.clips if clip.video)
    frames = np.stack([frame.rgb() for frame in read_frames(clip.video)]).astype(float)
    assert 40 < frames.mean() < 215 and frames.std() > 30
    moved = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert moved.min() > 0 and np.median(moved) < 12


def test_either_modality_leaves_two_emotions() -> None:
    pairs = [(AROUSED[name], PLEASANT[name]) for name in CLASSES]
    assert len(set(pairs)) == 4
    assert sum(AROUSED.values()) == sum(PLEASANT.values()) == 2


def test_the_voice_tells_arousal(corpus: Corpus) -> None:
    def loudness(clip: Clip) -> float:
        audio = read_audio(clip.audio, 16_000)
        assert audio is not None
        return float(20 * np.log10(np.sqrt(np.mean(audio**2))))

    for session in "25":
        clips = [clip for clip in corpus.clips if clip.session == session and clip.label]
        levels = {name: [loudness(c) for c in clips if c.label == name] for name in CLASSES}
        aroused = levels["angry"] + levels["happy"]
        assert np.mean(aroused) > np.mean(levels["sad"] + levels["neutral"]) + 1


def test_the_face_tells_valence(corpus: Corpus) -> None:
    cascade = cv2.CascadeClassifier(cascades.haarcascades + "haarcascade_frontalface_default.xml")

    def look(clip: Clip) -> NDArray[np.float64]:
        crops = []
        for frame in list(read_frames(clip.video))[20::8]:
            grey = cv2.cvtColor(frame.rgb(), cv2.COLOR_RGB2GRAY)
            x, y, side, _ = max(
                cascade.detectMultiScale(grey, 1.1, 3, minSize=(60, 60)), key=lambda box: box[2]
            )
            crops.append(cv2.resize(grey[y : y + side, x : x + side], (40, 40)).astype(float))
        mean = np.mean(crops, 0)
        return (mean - mean.mean()) / mean.std()

    def share_right(of: dict[str, bool]) -> float:
        """Nearest mean of the same speaker's other turns."""
        right = []
        for clip, face in looks:
            others = [(of[c.label], f) for c, f in looks if c.speaker == clip.speaker and c != clip]
            sides = [[f for high, f in others if high == side] for side in (False, True)]
            if all(sides):
                guess = np.argmin([np.abs(face - np.mean(side, 0)).mean() for side in sides])
                right.append(guess == of[clip.label])
        return float(np.mean(right))

    looks = [(clip, look(clip)) for clip in corpus.clips if clip.video and clip.label]
    assert share_right(PLEASANT) > 0.85 > share_right(AROUSED)


@pytest.mark.slow
def test_files_depend_on_the_options_only(out: Path, tmp_path: Path) -> None:
    chosen = {"sessions": (5,), "turns": 6}
    synthesise(tmp_path / "one", **chosen)
    synthesise(tmp_path / "two", **chosen)
    one = digests(tmp_path / "one")
    assert len(one) == 13 and one == digests(tmp_path / "two")
    synthesise(tmp_path / "other", seed=1, **chosen)
    assert not one.items() & digests(tmp_path / "other").items()


@pytest.mark.slow
def test_workers_write_the_same_files(out: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, workers=2, **SMALL)
    assert digests(tmp_path) == digests(out)


@pytest.mark.slow
def test_an_interrupted_run_is_completed(out: Path, tmp_path: Path) -> None:
    chosen = {"sessions": (1,), "turns": 6}
    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "broken", progress=interrupted("synth msp-improv", 6), **chosen)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken").rglob("*IMPROV*")}
    assert 0 < len(kept) < 11
    next(path for path in kept if path.suffix == ".avi").unlink()
    assert synthesise(tmp_path / "broken", **chosen) == 12
    assert sum(path.stat().st_mtime_ns == time for path, time in kept.items()) == len(kept) - 1
    synthesise(tmp_path / "whole", **chosen)
    assert digests(tmp_path / "broken") == digests(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(out: Path, tmp_path: Path) -> None:
    before = digests(out)
    for other in ({"seed": 1}, {"turns": 8}, {"sessions": (2,)}):
        with pytest.raises(BadInput, match=r"README\.txt"):
            synthesise(out, **{**SMALL, **other})
    assert digests(out) == before
    (tmp_path / "session1").mkdir()
    with pytest.raises(BadInput, match=r"holds recordings but no README\.txt"):
        synthesise(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"sessions": (0,)}, {"sessions": (7,)}, {"sessions": ()}, {"turns": 5}, {"fps": 0}]
)
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(AffuseError, match="expected"):
        synthesise(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()

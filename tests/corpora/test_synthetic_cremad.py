"""The synthetic CREMA-D: read back, reproducible, voted on, and odd where it should be."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import cv2.data as cascades
import numpy as np
import pytest

pytest.importorskip("skimage", reason="synthetic faces need the demo extra")

from tests.corpora.interrupt import interrupted
from tests.folders import digests
from tests.media.recordings import read_audio

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.cremad import CLASSES, SYNTHETIC_LICENCE, clip_names, read
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.synthetic.acting import CYCLE
from affuse.corpora.synthetic.cremad import ACTORS, synthesise
from affuse.errors import AffuseError, BadInput
from affuse.media.probe import probe
from affuse.media.video import read_frames

SMALL = {"actors": 5, "sentences": ("MTI",)}
TABLES = {
    "SentenceFilenames.csv",
    "VideoDemographics.csv",
    "processedResults/summaryTable.csv",
    "processedResults/tabulatedVotes.csv",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sentence of five actors."""
    folder = tmp_path_factory.mktemp("cremad")
    assert synthesise(folder, **SMALL) == 2 * (5 * 6 - 1) + 4
    return folder


@pytest.fixture(scope="module")
def corpus(out: Path) -> Corpus:
    return read(out)


@pytest.fixture(scope="module")
def votes(out: Path) -> list[dict[str, str]]:
    return rows(out / "processedResults/tabulatedVotes.csv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def odd(corpus: Corpus) -> tuple[Clip, Clip]:
    """The clip without sound and the one whose video alone has none."""
    mute = [clip for clip in corpus.clips if clip.video and not probe(clip.video).has_audio]
    silent, other = sorted(mute, key=lambda clip: clip.audio.stat().st_size)
    return silent, other


def test_the_reader_finds_every_clip(out: Path, corpus: Corpus) -> None:
    assert len(corpus.clips) == 30 and {clip.id for clip in corpus.clips} < set(clip_names())
    assert Counter(clip.label for clip in corpus.clips) == dict.fromkeys(CLASSES, 5)
    assert {clip.speaker for clip in corpus.clips} == {"1064", "1076", "1001", "1031", "1051"}
    assert {clip.sex for clip in corpus.clips} == {"female", "male"}
    assert corpus.licence == SYNTHETIC_LICENCE
    assert corpus.left_out == {}
    readme = (out / "README.txt").read_text()
    assert "seed 0" in readme and "Licence" in readme and "nobody rated it" in readme


def test_nothing_but_clips_tables_and_the_readme_is_left(out: Path) -> None:
    names = set(digests(out))
    assert names > {*TABLES, "README.txt"}
    media = names - TABLES - {"README.txt"}
    clip = re.compile(r"(AudioWAV/\w+_MTI_[A-Z]{3}_XX\.wav|VideoFlash/\w+_MTI_[A-Z]{3}_XX\.flv)")
    assert len(media) == 58 and all(clip.fullmatch(name) for name in media)


def test_every_oddity_is_there(corpus: Corpus) -> None:
    silent, mute = odd(corpus)
    assert silent.id == "1076_MTI_SAD_XX" and silent.audio.stat().st_size == 44
    with pytest.raises(BadInput, match="cannot be decoded"):
        read_audio(silent.audio, 16_000)
    assert len(list(read_frames(silent.video))) > 45
    assert read_audio(mute.audio, 16_000).std() > 0.005
    (absent,) = [clip for clip in corpus.clips if clip.video is None]
    assert absent.audio is None and absent.votes is not None
    assert corpus.missing == [f"{absent.id}: no sound file", f"{absent.id}: no video file"]
    assert corpus.bad == {}  # the publisher's list is about the real recordings
    assert {clip.speaker for clip in corpus.clips if clip.race == "Unknown"} == {"1064"}


def test_oddities_do_not_need_the_published_names(tmp_path: Path) -> None:
    assert synthesise(tmp_path, actors=1, sentences=("TSI",)) == 2 * 5 + 4
    corpus = read(tmp_path)
    silent, mute = odd(corpus)
    assert corpus.bad == {} and len(corpus.missing) == 2
    assert silent.audio.stat().st_size == 44 < mute.audio.stat().st_size


@pytest.mark.parametrize("name", ["cremad/blocks", "cremad/5fold"])
@pytest.mark.parametrize("count", [5, 12])
def test_every_part_of_the_protocols_has_an_actor(name: str, count: int) -> None:
    first = set(map(str, ACTORS[:count]))
    clips = [Clip(id=name, speaker=name[:4]) for name in clip_names() if name[:4] in first]
    protocol = load_protocol(name, clips)
    for fold in range(5):
        roles = {role for roles in protocol.roles(fold, clips) for role in roles}
        assert roles == {"train", "development", "test"}


def test_ieo_alone_has_levels(tmp_path: Path) -> None:
    def stop(done: Iterable[None], label: str, total: int) -> Iterable[None]:
        assert (label, total) == ("synth cremad", 21)  # of 22, one has no files
        return ()

    synthesise(tmp_path, actors=1, progress=stop)
    clips = read(tmp_path).clips  # the tables alone
    assert len(clips) == 22
    graded = Counter(clip.intensity for clip in clips if "_IEO_" in clip.id)
    assert graded == {"low": 5, "medium": 5, "high": 5, "unspecified": 1}
    assert {clip.intensity for clip in clips if "_MTI_" in clip.id} == {"unspecified"}
    listed = [row["Filename"] for row in rows(tmp_path / "SentenceFilenames.csv")]
    assert listed[:3] == ["1064_IEO_NEU_XX", "1064_IEO_HAP_LO", "1064_IEO_HAP_MD"]


@pytest.mark.slow
def test_pictures_and_sound_of_a_video_begin_together(corpus: Corpus) -> None:
    whole = [clip for clip in corpus.clips if clip.video and clip not in odd(corpus)]
    for clip in whole[::8]:
        info = probe(clip.video)
        assert (info.width, info.height, info.sample_rate, info.channels) == (320, 240, 44_100, 1)
        times = [frame.time for frame in read_frames(clip.video)]
        assert times[0] == 0 and np.allclose(np.diff(times), 1001 / 30000, atol=1e-3)
        assert probe(clip.audio).sample_rate == 16_000
        wav, sound = read_audio(clip.audio, 16_000), read_audio(clip.video, 16_000)
        length = len(times) * 1001 / 30000
        assert abs(len(wav) / 16_000 - length) < 1e-3 and 1.68 < length < 2.32
        assert 0 <= len(sound) - len(wav) < 0.06 * 16_000
        late = [
            np.corrcoef(wav[2000:20_000], sound[2000 + lag : 20_000 + lag])[0, 1]
            for lag in range(-40, 41)
        ]
        assert abs(int(np.argmax(late)) - 40) <= 1 and max(late) > 0.99


def test_the_pictures_are_those_that_were_drawn(corpus: Corpus) -> None:
    clip = next(clip for clip in corpus.clips if clip.video)
    frames = np.stack([frame.rgb() for frame in read_frames(clip.video)]).astype(float)
    assert 40 < frames.mean() < 215 and frames.std() > 30
    moved = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert moved.min() > 0 and np.median(moved) < 12
    cascade = cv2.CascadeClassifier(cascades.haarcascades + "haarcascade_frontalface_default.xml")
    grey = frames[::15].mean(3).astype(np.uint8)
    assert all(len(cascade.detectMultiScale(picture, 1.1, 3, minSize=(60, 60))) for picture in grey)


def test_the_tables_agree_with_one_another(out: Path, votes: list[dict[str, str]]) -> None:
    numbers = {
        row["Filename"]: int(row["Stimulus_Number"]) for row in rows(out / "SentenceFilenames.csv")
    }
    assert list(numbers.values()) == list(range(1, 31))
    keys = [100_000 * channel + number for channel in (1, 2, 3) for number in range(1, 31)]
    assert [int(row[""]) for row in votes] == keys
    summary = {row["FileName"]: row for row in rows(out / "processedResults/summaryTable.csv")}
    assert list(summary) == list(numbers)
    words = {"A": "Anger", "D": "Disgust", "F": "Fear", "H": "Happy", "N": "Neutral", "S": "Sad"}
    for row in votes:
        channel, number = divmod(int(row[""]), 100_000)
        assert numbers[row["fileName"]] == number
        counts = {letter: int(row[letter]) for letter in words}
        assert 7 <= sum(counts.values()) == int(row["numResponses"]) <= 11
        most = max(counts.values())
        assert float(row["agreement"]) == pytest.approx(most / sum(counts.values()), abs=1e-14)
        assert row["emoVote"] == ":".join(x for x in words if counts[x] == most)
        for kind in ("Resp", "RespNorm"):
            levels = {letter: float(row[f"mean{word}{kind}"]) for letter, word in words.items()}
            assert all((levels[x] == -1) == (counts[x] == 0) for x in words)
            assert all(0 <= levels[x] <= 100 for x in words if counts[x])
            mean = sum(levels[x] * counts[x] for x in words) / sum(counts.values())
            assert float(row[f"meanEmo{kind}"]) == pytest.approx(mean)
            assert 0 <= float(row[f"medianEmo{kind}"]) <= 100
        kind = ("Voice", "Face", "MultiModal")[channel - 1]
        assert summary[row["fileName"]][f"{kind}Vote"] == row["emoVote"]
        told = summary[row["fileName"]][f"{kind}Level"].split(":")
        winners = [float(row[f"mean{words[x]}Resp"]) for x in row["emoVote"].split(":")]
        assert np.allclose([float(level) for level in told], winners, atol=0.0051)
        assert len({len(level.partition(".")[2]) for level in told}) == 1


def test_the_tables_look_as_the_publisher_writes_them(out: Path, shared_data: Path) -> None:
    published = shared_data / "cremad_labels"
    for table in TABLES:
        ours, theirs = (
            path.read_text().splitlines() for path in (out / table, published / Path(table).name)
        )
        assert ours[0] == theirs[0]
        quoted = [
            [cell.startswith('"') for cell in lines[1].split(",")] for lines in (ours, theirs)
        ]
        assert quoted[0] == quoted[1]


def test_only_both_channels_together_tell_the_emotion(corpus: Corpus) -> None:
    def right(channel: str) -> float:
        best = []
        for clip in corpus.clips:
            counts = clip.votes[channel]
            most = [name for name, count in counts.items() if count == max(counts.values())]
            best.append(most == [clip.label])
        return float(np.mean(best))

    assert right("audio-visual") > 0.85
    assert right("audio-visual") > max(right("audio"), right("video")) + 0.2
    assert min(right("audio"), right("video")) > 0.3


def test_raters_of_one_channel_confuse_what_it_cannot_tell(corpus: Corpus) -> None:
    acted = {name: CYCLE["fearful" if name == "fear" else name] for name in CLASSES}
    for cue, channel in enumerate(("audio", "video")):
        pairs = [
            (clip.votes[channel].get(clip.label, 0), clip.votes[channel].get(other, 0))
            for clip in corpus.clips
            for other in CLASSES
            if other != clip.label and acted[other][cue] == acted[clip.label][cue]
        ]
        assert len(pairs) == 20  # four emotions of five actors
        mine, theirs = np.sum(pairs, 0)
        assert 0.75 < mine / theirs < 1.33


def test_there_are_ties_and_exact_halves(votes: list[dict[str, str]]) -> None:
    assert any(":" in row["emoVote"] for row in votes)
    assert any(float(row["agreement"]) == 0.5 for row in votes)
    assert {int(row["numResponses"]) for row in votes} == {7, 8, 9, 10, 11}


@pytest.mark.slow
def test_files_depend_on_the_options_only(tmp_path: Path) -> None:
    chosen = {"actors": 1, "sentences": ("TIE",)}
    synthesise(tmp_path / "one", **chosen)
    synthesise(tmp_path / "two", **chosen)
    one = digests(tmp_path / "one")
    assert len(one) == 15 and one == digests(tmp_path / "two")
    synthesise(tmp_path / "other", seed=1, **chosen)
    same = one.items() & digests(tmp_path / "other").items()
    assert {Path(name).name for name, _ in same} == {
        "SentenceFilenames.csv",
        "1064_TIE_NEU_XX.wav",  # no samples, whatever the seed
    }


@pytest.mark.slow
def test_workers_write_the_same_files(out: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, workers=2, **SMALL)
    assert digests(tmp_path) == digests(out)


@pytest.mark.slow
def test_an_interrupted_run_is_completed(tmp_path: Path) -> None:
    chosen = {"actors": 1, "sentences": ("MTI",)}
    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "broken", progress=interrupted("synth cremad", 5), **chosen)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken").rglob("*_MTI_*")}
    assert 0 < len(kept) < 10
    next(path for path in kept if path.suffix == ".flv").unlink()
    (tmp_path / "broken/VideoDemographics.csv").unlink()
    assert synthesise(tmp_path / "broken", **chosen) == 14
    assert sum(path.stat().st_mtime_ns == time for path, time in kept.items()) == len(kept) - 1
    synthesise(tmp_path / "whole", **chosen)
    assert digests(tmp_path / "broken") == digests(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(out: Path, tmp_path: Path) -> None:
    before = digests(out)
    for other in ({"seed": 1}, {"actors": 4}, {"sentences": ("TIE",)}):
        with pytest.raises(BadInput, match=r"README\.txt"):
            synthesise(out, **{**SMALL, **other})
    assert digests(out) == before
    (tmp_path / "AudioWAV").mkdir()
    with pytest.raises(BadInput, match=r"holds recordings but no README\.txt"):
        synthesise(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"actors": 0}, {"actors": 92}, {"sentences": ()}, {"sentences": ("XYZ",)}, {"fps": 0}]
)
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(AffuseError, match="expected"):
        synthesise(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()

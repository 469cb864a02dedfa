"""Label and partition files as they circulate, through the command line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run

from affuse.corpora.cremad import CLASSES
from affuse.corpora.protocols.protocol import Protocol, read_protocol
from affuse.corpora.registry import read_corpus

soundfile = pytest.importorskip("soundfile")

HEADER = ["FileName", *CLASSES, "SpkrID", "Gender", "Split_Set"]
EMOTIONS = ("ANG", "SAD", "DIS", "FEA", "NEU", "HAP")
ACTORS = ("1001", "1002", "1003", "1004")
#: Sets of the actors in the partitions that the tests write.
SETS = (
    ("Train", "Train", "Development", "Test"),
    ("Test", "Train", "Train", "Development"),
    ("Train", "Development", "Train", "Test"),
)
VIDEO = r"C:\Users\me\RAVDESS\ACTOR{actor}\{name}_facecroppad.npy"
SOUND = "/home/me/RAVDESS/ACTOR{actor}/03{name}_croppad.wav"


def noises(paths: Sequence[Path]) -> None:
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(k).normal(0, 0.1, 16000), 16000)


def name(actor: str, emotion: str) -> str:
    return f"{actor}_TIE_{emotion}_XX"


@pytest.fixture(scope="module")
def cremad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four actors, six clips each, and their store; without votes."""
    folder = tmp_path_factory.mktemp("cremad")
    clips = [name(actor, emotion) for actor in ACTORS for emotion in EMOTIONS]
    clips = [clip for clip in clips if clip != name("1002", "NEU")]  # never published
    noises([folder / "corpus" / f"AudioWAV/{clip}.wav" for clip in clips])
    words = ["--store", folder / "store", "--streams", "audio/mfcc10", "--workers", 1]
    assert run("prepare", "cremad", folder / "corpus", *words) == 0
    return folder


def counts(actor: int, emotion: int) -> list[int]:
    """Votes of eleven raters, most of them for the class after the acted one; some tie."""
    votes = [0] * 6
    if (actor + emotion) % 6 == 0:
        votes[emotion], votes[(emotion + 1) % 6], votes[(emotion + 2) % 6] = 5, 5, 1
    else:
        votes[(emotion + 1) % 6], votes[emotion] = 7, 4
    return votes


def label_table(
    path: Path,
    sets: Sequence[str] = SETS[0],
    shares: Callable[[float], object] = lambda p: 0.01 + 0.94 * p,
    keep: Callable[[list[int]], bool] = lambda votes: True,
    lines: Sequence[str] = (),
) -> Path:
    """A table as AuxFormer's group publishes them, from a spreadsheet of Windows."""
    rows = [HEADER]
    for a, (actor, set_) in enumerate(zip(ACTORS, sets, strict=True)):
        for e, emotion in enumerate(EMOTIONS):
            votes = counts(a, e)
            if keep(votes) and (actor, emotion) != ("1002", "NEU"):
                values = [shares(v / sum(votes)) for v in votes]
                rows.append([f"{name(actor, emotion)}.wav", *values, actor, "Male", set_])
    text = "".join(",".join(map(str, row)) + "\r\n" for row in rows)
    path.write_bytes(("\ufeff" + text + "".join(f"{x}\r\n" for x in lines)).encode())
    return path


def roles(protocol: Protocol, fold: int) -> dict[str, str]:
    return {clip: "+".join(has) for clip, has in protocol.folds[fold].items()}


class TestPartitions:
    def test_several_files_are_several_folds(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = [label_table(tmp_path / f"label_consensus_{k}.csv", SETS[k]) for k in range(3)]
        out = tmp_path / "mine.csv"
        words = ["protocol", "cremad", cremad / "corpus", "--from", *files, "--out", out]
        assert run(*words) == 0
        told = capsys.readouterr().err
        protocol = read_protocol(out)
        for k, sets in enumerate(SETS):
            found = roles(protocol, k)
            assert len(found) == 23
            expected = dict(zip(ACTORS, [s.lower() for s in sets], strict=True))
            assert all(role == expected[clip[:4]] for clip, role in found.items())
        assert protocol.corpus == "cremad" and protocol.speakers[name("1003", "SAD")] == "1003"
        assert "label_consensus_2.csv (label table, SHA-256" in protocol.source
        flaw = "6 clips are tested in more than one fold, 11 of 23 never"
        assert flaw in protocol.flaws and flaw in told
        assert "fold 1: 11 train, 6 development, 6 test" in told

    def test_what_is_not_at_hand_is_missing_and_what_is_not_listed_is_unused(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rest = "1050_TIE_ANG_XX.wav,0.95,.01,.01,.01,.01,.01,1050,Male,Train"
        table = label_table(tmp_path / "a.csv", keep=lambda v: max(v) > 5, lines=[rest, rest])
        out = tmp_path / "mine.csv"
        words = ["protocol", "cremad", cremad / "corpus", "--from", table, "--out", out]
        assert run(*words) == 1
        told = capsys.readouterr().err
        assert "missing: fold 0: clip 1050_TIE_ANG_XX of the protocol is missing" in told
        protocol = read_protocol(out)
        assert "1 rows are repeated" in protocol.flaws
        found = roles(protocol, 0)
        ties = sum(max(counts(a, e)) == 5 for a in range(4) for e in range(6))
        assert len(found) == 24 and list(found.values()).count("unused") == ties
        assert found["1050_TIE_ANG_XX"] == "train"

    def test_speakers_in_two_roles_are_told(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = label_table(tmp_path / "a.csv")
        table.write_text(table.read_text().replace("1001,Male,Train", "1001,Male,Test", 1))
        out = tmp_path / "mine.csv"
        words = ["protocol", "cremad", cremad / "corpus", "--from", table, "--out", out]
        assert run(*words) == 1
        assert "speaker: fold 0: speaker 1001 is in train and in test" in capsys.readouterr().err
        assert "1 speakers in two roles, such as 1001" in read_protocol(out).flaws

    @pytest.mark.parametrize(
        ("change", "line", "reason"),
        [
            (("1001,Male,Train", "1001,Male,Trainee"), 2, "'Trainee' is none of the sets"),
            (("1001_TIE_SAD", "1001_TOE_SAD"), 3, "cremad has no clip '1001_TOE_SAD_XX.wav'"),
            (("1001_TIE_SAD", "1001_TIE_ANG"), 3, "1001_TIE_ANG_XX has values .* in line 2"),
            (("1002,Male,Train", "1002,Male"), 8, "fewer cells than columns"),
            (("0.01", "-0.01"), 2, "'-0.01' in column fear is no share"),
            (("0.01", "0.4"), 2, "the shares of 1001_TIE_ANG_XX add up to 1.39"),
            (("disgust", "depressed"), 1, "column depressed is no class of cremad"),
        ],
    )
    def test_a_wrong_row_is_named(
        self,
        cremad: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        change: tuple[str, str],
        line: int,
        reason: str,
    ) -> None:
        table = label_table(tmp_path / "a.csv")
        text = table.read_text()
        assert change[0] in text
        table.write_text(text.replace(*change, 1))
        out = tmp_path / "mine.csv"
        words = ["protocol", "cremad", cremad / "corpus", "--from", table, "--out", out]
        told = refused(capsys, *words)
        assert re.search(rf"a\.csv: line {line}: .*{reason}", told), told
        assert not out.exists()

    def test_files_that_are_none_of_these(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["protocol", "cremad", cremad / "corpus", "--out", tmp_path / "mine.csv", "--from"]
        assert "no such file" in refused(capsys, *words, tmp_path / "absent.csv")
        for text, reason in (
            ("", "is empty"),
            ("1001_TIE_ANG_XX\n1001_TIE_SAD_XX\n", "is none of the files that are known"),
            ("FileName,Gender\n1001_TIE_ANG_XX.wav,Male\n", "is none of the files"),
            ("FileName,angry\n1001_TIE_ANG_XX.wav,1\n", "has no sets"),
            ("a,1,1,0\n", "lists trials of affwild2"),
        ):
            (tmp_path / "a.csv").write_text(text)
            assert reason in refused(capsys, *words, tmp_path / "a.csv")
        (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
        assert "is no text in UTF-8" in refused(capsys, *words, tmp_path / "a.csv")
        one, other = (label_table(tmp_path / f"{k}.csv") for k in "ab")
        assert "is the same file as" in refused(capsys, *words, one, other)
        assert "ways to make" in refused(capsys, *words, one, "--list", f"train={one}")


class TestLabels:
    def learned(self, cremad: Path, out: Path, *changes: object) -> dict[str, str]:
        """Clip -> label, of the clips that a run is judged on, and that it trains at all."""
        words = [
            *("train", "cremad-auxformer", "streams=[audio/mfcc10]", "model.name=audio-only"),
            *("primary=1", "auxiliary=0", "epochs=1", "fold=0", *changes),
        ]
        assert run(*words, "--store", cremad / "store", "--out", out) == 0
        assert run("evaluate", out) == 0
        rows = csv.DictReader((out / "evaluation/predictions.csv").open())
        return {row["clip"]: row["label"] for row in rows}

    def expected(self, actor: int) -> dict[str, str]:
        return {
            name(ACTORS[actor], EMOTIONS[e]): CLASSES[int(np.argmax(counts(actor, e)))]
            for e in range(6)
            if max(counts(actor, e)) > 5
        }

    def test_a_model_learns_what_the_table_says(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = label_table(tmp_path / "label_consensus_1.csv")
        out = tmp_path / "mine.csv"
        assert run("protocol", "cremad", cremad / "corpus", "--from", table, "--out", out) == 0
        given = [f"protocol={out}", f"labels.file={table}"]
        assert self.learned(cremad, tmp_path / "run", *given) == self.expected(3)
        facts = json.loads((tmp_path / "run/run.json").read_text())
        ties = sum(max(counts(a, e)) == 5 for a in range(4) for e in range(6))
        unused = {"without a majority": ties}
        assert facts["clips"] == {"learned": 23 - ties, "unused": unused, "limit": 0}
        assert facts["labels"]["name"] == table.name and len(facts["labels"]["sha256"]) == 64
        raters = json.loads((tmp_path / "run/evaluation/metrics.json").read_text())
        raters = raters["conditions"]["audio"]["raters"]
        entropy = -(7 / 11 * np.log(7 / 11) + 4 / 11 * np.log(4 / 11))
        assert raters["rater_entropy"] == pytest.approx(entropy, abs=1e-6)
        assert raters["rater_agreement"] is None, "shares do not tell how many raters there were"
        assert "right of the" in capsys.readouterr().out

        table.unlink()  # the run keeps its labels
        assert run("evaluate", tmp_path / "run") == 0
        table.write_text((tmp_path / "run/labels.csv").read_text().replace("Male", "Female"))
        words = ["train", "cremad-auxformer", "streams=[audio/mfcc10]", "model.name=audio-only"]
        words += ["primary=1", "auxiliary=0", "epochs=1", "fold=0", *given, "--resume"]
        words += ["--store", cremad / "store", "--out", tmp_path / "run"]
        assert "labels.csv, which the run was begun with" in refused(capsys, *words)

    @pytest.mark.parametrize("digits", [4, None])
    @pytest.mark.parametrize("smoothed", [True, False])
    def test_shares_are_brought_back_to_votes(
        self, cremad: Path, tmp_path: Path, digits: int | None, smoothed: bool
    ) -> None:
        from affuse.corpora.label_file import labels_from_file
        from affuse.corpora.labels import Labels, label_clips

        def share(p: float) -> float:
            value = 0.01 + 0.94 * p if smoothed else p
            return value if digits is None else round(value, digits)

        table = label_table(tmp_path / "a.csv", shares=share)
        clips = read_corpus("cremad", cremad / "corpus").clips
        rule = Labels("distribution", file=str(table))
        told = labels_from_file(clips, "cremad", CLASSES, rule)
        found = label_clips(told.clips, CLASSES, told.labels)
        assert not told.counted and told.without == told.not_at_hand == 0
        for clip, row in zip(found.clips, found.targets, strict=True):
            actor, _, emotion, _ = clip.id.split("_")
            votes = counts(ACTORS.index(actor), EMOTIONS.index(emotion))
            np.testing.assert_allclose(row, np.array(votes) / 11, atol=1e-12)
        ties = label_clips(told.clips, CLASSES, Labels("plurality"))
        assert ties.unused == {"ties": 23 - len(ties.clips)} and ties.unused["ties"] > 2

    def test_whole_numbers_are_numbers_of_raters(self, cremad: Path, tmp_path: Path) -> None:
        from affuse.corpora.label_file import labels_from_file
        from affuse.corpora.labels import Labels, label_clips

        table = label_table(tmp_path / "a.csv", shares=lambda p: round(11 * p))
        clips = read_corpus("cremad", cremad / "corpus").clips
        rule = Labels("majority", file=str(table), least=2)
        told = labels_from_file(clips, "cremad", CLASSES, rule)
        assert (
            told.counted and label_clips(told.clips, CLASSES, told.labels).votes.sum(1).max() == 11
        )

    def test_a_rule_that_does_not_fit_is_told(
        self, cremad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = label_table(tmp_path / "a.csv")
        words = ["train", "cremad-auxformer", "streams=[audio/mfcc10]", "model.name=audio-only"]
        words += ["--store", cremad / "store", "--out", tmp_path / "run"]
        file = f"labels.file={table}"
        told = refused(capsys, *words, file, "labels.rule=given")
        assert "set labels.rule to plurality" in told
        assert "counts raters" in refused(capsys, *words, file, "labels.least=2")
        told = refused(capsys, *words, f"labels.file={tmp_path / 'absent.csv'}")
        assert "absent.csv: no such file" in told
        assert "not continuous valence and arousal" in refused(
            capsys, "train", "affwild2-compact", file, *words[-4:]
        )
        assert not (tmp_path / "run").exists()

    def test_the_votes_of_the_publisher_come_back(self, shared_data: Path, tmp_path: Path) -> None:
        from affuse.corpora.label_file import labels_from_file
        from affuse.corpora.labels import Labels, label_clips

        clips = read_corpus("cremad", shared_data / "cremad_labels").clips
        rows = [HEADER]
        for clip in clips:
            votes = [clip.votes["audio-visual"].get(c, 0) for c in CLASSES]
            shares = [0.01 + 0.94 * v / sum(votes) for v in votes]
            rows.append([f"{clip.id}.wav", *shares, clip.speaker, clip.sex, "Train"])
        (tmp_path / "a.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
        rule = Labels("majority", file=str(tmp_path / "a.csv"))
        told = labels_from_file(clips, "cremad", CLASSES, rule)
        for rule in ("plurality", "majority", "distribution"):
            own = label_clips(clips, CLASSES, Labels(rule))
            found = label_clips(told.clips, CLASSES, Labels(rule))
            assert [c.id for c in found.clips] == [c.id for c in own.clips]
            np.testing.assert_allclose(found.targets, own.targets, atol=1e-9)


def performance(actor: int, emotion: int) -> str:
    return f"01-{emotion:02d}-01-01-01-{actor:02d}"


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four actors, eight clips each, and their store."""
    folder = tmp_path_factory.mktemp("ravdess")
    clips = {actor: [performance(actor, e) for e in range(1, 9)] for actor in range(1, 5)}
    noises([folder / f"corpus/Actor_{a:02d}/03-{clip}.wav" for a in clips for clip in clips[a]])
    words = ["--store", folder / "store", "--streams", "audio/mfcc10", "--workers", 1]
    assert run("prepare", "ravdess", folder / "corpus", *words) == 0
    return folder


class TestAnnotations:
    """`annotations.txt` of the published RAVDESS preprocessing."""

    def lines(self, *, modalities: Sequence[str] = ("01", "02")) -> list[str]:
        sets = {1: "testing", 2: "validation", 3: "training", 4: "training"}
        return [
            ";".join(
                [
                    VIDEO.format(actor=f"{actor:02d}", name=f"{m}-{performance(actor, emotion)}"),
                    SOUND.format(actor=f"{actor:02d}", name=f"-{performance(actor, emotion)}"),
                    str(emotion),
                    subset,
                ]
            )
            for m in modalities
            for actor, subset in sets.items()
            for emotion in range(1, 9)
        ]

    def test_it_is_a_protocol_and_labels(
        self, ravdess: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        annotations = tmp_path / "annotations.txt"
        lines = self.lines()
        lines = [*lines, *lines[:5]]  # the code was run again
        lines = [line.replace(";8;", ";1;") for line in lines]  # labels are those of the file
        annotations.write_bytes("\r\n".join([*lines, "", ""]).encode())
        out = tmp_path / "s1.csv"
        words = ["protocol", "ravdess", ravdess / "corpus", "--from", annotations, "--out", out]
        assert run(*words) == 0
        protocol = read_protocol(out)
        found = roles(protocol, 0)
        assert len(found) == 32
        for actor, role in {1: "test", 2: "development", 3: "train", 4: "train"}.items():
            assert {found[performance(actor, e)] for e in range(1, 9)} == {role}
        assert "5 lines are repeated" in protocol.flaws
        assert "32 performances are listed with a second video" in protocol.flaws

        capsys.readouterr()
        words = ["train", "chumachenko-ia", "streams=[audio/mfcc10]", "model={name: audio-only}"]
        words += ["epochs=1", f"protocol={out}", f"labels.file={annotations}", "dropout.kind=none"]
        words += ["augmentation={}"]
        words += ["--store", ravdess / "store", "--out", tmp_path / "run"]
        assert run(*words) == 0, capsys.readouterr().err
        assert run("evaluate", tmp_path / "run") == 0
        rows = list(csv.DictReader((tmp_path / "run/evaluation/predictions.csv").open()))
        labels = {row["clip"]: row["label"] for row in rows}
        assert labels[performance(1, 8)] == "neutral" and labels[performance(1, 7)] == "disgust"
        told = refused(capsys, *words[:-1], tmp_path / "other", "labels.rule=majority")
        assert "has no votes; set labels.rule=given" in told

    @pytest.mark.parametrize(
        ("change", "line", "reason"),
        [
            ((";testing", ";tested"), 1, "'tested' is none of the sets"),
            ((";2;testing", ";9;testing"), 2, "'9' is no label from 1 to 8"),
            ((";2;testing", ";2"), 2, "3 cells"),
            (("03-01-02", "03-01-03"), 2, "the video is of .*, the sound of"),
        ],
    )
    def test_a_wrong_line_is_named(
        self,
        ravdess: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        change: tuple[str, str],
        line: int,
        reason: str,
    ) -> None:
        path = tmp_path / "annotations.txt"
        path.write_text("\n".join(self.lines()).replace(*change, 1))
        words = ["protocol", "ravdess", ravdess / "corpus", "--from", path]
        told = refused(capsys, *words, "--out", tmp_path / "s1.csv")
        assert re.search(rf"annotations\.txt: line {line}: {reason}", told), told

    def test_lines_that_contradict_each_other(
        self, ravdess: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "annotations.txt"
        lines = self.lines()
        path.write_text("\n".join([*lines, lines[0].replace("testing", "training")]))
        words = ["protocol", "ravdess", ravdess / "corpus", "--from", path]
        told = refused(capsys, *words, "--out", tmp_path / "s1.csv")
        first = performance(1, 1)
        assert f"line 65: {first} has subset training, but testing in line 1" in told


class TestTrials:
    """Lists of Aff-Wild2 and of the leader-follower code."""

    @pytest.fixture
    def affwild2(self, tmp_path: Path) -> Path:
        root = tmp_path / "corpus"
        trials = {"Train_Set": range(1, 13), "Validation_Set": range(13, 16)}
        for folder, numbers in trials.items():
            for k in numbers:
                path = root / f"VA_Set/{folder}/{k}-30-640x480.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("valence,arousal\n0,0\n")
        (root / "cropped_aligned/video99_left").mkdir(parents=True)
        return root

    def test_folders_of_annotations_and_a_list_of_test_trials(
        self, affwild2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tests = tmp_path / "test_set.txt"
        tests.write_bytes(b"\xef\xbb\xbfvideo99_left\r\nvideo98.mp4\r\n\r\n")
        words = ["--list", f"train={affwild2 / 'VA_Set/Train_Set'}"]
        words += ["--list", f"development={affwild2 / 'VA_Set/Validation_Set'}"]
        words += ["--list", f"test={tests}"]
        out = tmp_path / "mine.csv"
        assert run("protocol", "affwild2", affwild2, *words, "--out", out) == 1
        told = capsys.readouterr().err
        assert "fold 0: 12 train, 3 development, 1 test" in told
        assert "missing: fold 0: clip video98 of the protocol is missing" in told
        found = roles(read_protocol(out), 0)
        assert found["13-30-640x480"] == "development" and found["video98"] == "test"

    def test_the_order_of_lengths_makes_the_six_folds(
        self, affwild2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        train = [f"{k}-30-640x480" for k in (12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6)]
        names = [*train, *(f"{k}-30-640x480" for k in (13, 14, 15)), "video99_left"]
        table = tmp_path / "length.csv"
        rows = ["video,frame_count,considered,difference", *(f"{n},300,299,1" for n in names)]
        table.write_text("\n".join(rows) + "\n")
        out = tmp_path / "folds.csv"
        assert run("protocol", "affwild2", affwild2, "--from", table, "--out", out) == 0
        capsys.readouterr()
        protocol = read_protocol(out)
        parts = [names[12:15], train[8:12], train[6:8], train[4:6], train[2:4], train[:2]]
        for fold, part in enumerate(parts):
            found = roles(protocol, fold)
            assert [n for n, role in found.items() if role == "development"] == part
            assert found["video99_left"] == "test" and list(found.values()).count("train") == (
                15 - len(part)
            )
        table.write_text("\n".join(rows[:-3]) + "\n")
        words = ["protocol", "affwild2", affwild2, "--from", table, "--out", tmp_path / "o.csv"]
        assert "does not list trial 14-30-640x480 (one of 2" in refused(capsys, *words)


def test_turns_of_msp_improv_go_by_either_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [f"S01{e}-F0{s}-P-FM0{n}" for s in range(1, 4) for e in "AHSN" for n in (1, 2)]
    for turn in turns:
        path = tmp_path / f"corpus/MSP-IMPROV-{turn}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    sets = {"1": "Train", "2": "Development", "3": "Test"}
    rows = ["FileName,angry,sad,neutral,happy,EmoAct,EmoDom,EmoVal,SpkrID,Gender,Split_Set"]
    rows += [
        f"{'UTD' if k % 2 else 'MSP'}-IMPROV-{turn}.wav,0.25,0.25,0.25,0.25,3,3,3,x,F,"
        f"{sets[turn[7]]}"
        for k, turn in enumerate(turns)
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    words = ["protocol", "msp-improv", tmp_path / "corpus", "--from", tmp_path / "a.csv"]
    assert run(*words, "--out", tmp_path / "mine.csv") == 0
    found = roles(read_protocol(tmp_path / "mine.csv"), 0)
    assert len(found) == 24 and set(found) == {f"MSP-IMPROV-{turn}" for turn in turns}
    capsys.readouterr()

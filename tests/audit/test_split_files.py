"""Split files as others publish them: what is wrong with them is found, and nothing else."""

from __future__ import annotations

import json
import runpy
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.commands import refused, run

from affuse.audit.split_files import examine_split
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import ROLES, read_protocol
from affuse.corpora.ravdess import clip_names
from affuse.corpora.splits.split import fold_and_role

RULES = runpy.run_path(str(Path(__file__).parents[2] / "docs/results/splits.py"))
#: Role -> clips, as often as they are listed.
Assignment = Mapping[str, Sequence[str]]
Writer = Callable[[Path, Assignment], None]
#: Normal intensity, first repetition, both statements: 16 of each of six actors.
NAMES = [n for n in clip_names() if int(n[-2:]) <= 6 and n[6:8] == n[12:14] == "01"]


def label_table(folder: Path, clips: Assignment) -> None:
    rows = ["FileName,happy,sad,SpkrID,Split_Set"]
    sets = {"train": "Train", "development": "Development", "test": "Test"}
    rows += [
        f"03-{name}.wav,0.9,0.1,{name[-2:]},{sets[role]}"
        for role, names in clips.items()
        for name in names
    ]
    RULES["write"](folder / "labels_1.csv", rows)


def comma_list(folder: Path, clips: Assignment) -> None:
    for role, names in clips.items():
        rows = [f"C:\\RAVDESS\\Actor_{n[-2:]}\\03-{n}.wav,{n[3:5]}" for n in names]
        RULES["write"](folder / role.replace("development", "dev") / "fold1.csv", rows)


#: Format -> what writes one fold in it.
WRITERS: dict[str, Writer] = {
    "jsonl": lambda folder, clips: RULES["emobox"](folder, "ravdess", 1, clips),
    "blanks": lambda folder, clips: RULES["hicmae"](folder, 1, clips),
    "commas": comma_list,
    "annotations": lambda folder, clips: RULES["annotation_file"](
        folder / "annotations.txt", clips, ["01"]
    ),
    "table": label_table,
}


@st.composite
def assignments(draw: st.DrawFn) -> dict[str, list[str]]:
    """Speakers to roles, and then faults: clips in other roles, and clips that are listed twice."""
    actors = draw(st.lists(st.sampled_from(ROLES), min_size=6, max_size=6))
    roles = {f"{k + 1:02d}": role for k, role in enumerate(actors)}
    listed = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=20, unique=True))
    clips: dict[str, list[str]] = defaultdict(list)
    for name in listed:
        clips[roles[name[-2:]]].append(name)
    for name in draw(st.lists(st.sampled_from(listed), max_size=3)):
        clips[draw(st.sampled_from(ROLES))].append(name)
    if draw(st.booleans()) and clips["test"]:
        clips["development"] = list(clips["test"])
    return {role: names for role, names in clips.items() if names}


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=15, deadline=None)
@given(clips=assignments())
def test_every_fault_is_found_and_none_is_invented(kind: str, clips: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        WRITERS[kind](Path(name) / "split", clips)
        facts = examine_split(Path(name) / "split")
    (fold,) = facts["folds"]
    has: dict[str, set[str]] = defaultdict(set)
    spoken: dict[str, set[str]] = defaultdict(set)
    for role, names in clips.items():
        for one in names:
            has[one].add(role)
            spoken[one[-2:]].add(role)
    leaks = {leak["kind"]: leak["count"] for leak in facts["leaks"]}
    expected = {
        "two-roles": sum(len(roles) > 1 for roles in has.values()),
        "speaker": sum(len(roles) > 1 for roles in spoken.values()),
    }
    assert leaks == {k: n for k, n in expected.items() if n}
    assert facts["corpus"] == "ravdess" and facts["clips"] == len(has)
    for role in ROLES:
        names = clips.get(role, [])
        held = fold["roles"][role]
        assert (held["lines"], held["clips"]) == (len(names), len({*names}))
        assert held["speakers"] == sorted({name[-2:] for name in names})
        words = Counter(RULES["CLASSES"][int(one[3:5]) - 1] for one in {*names})
        assert held["classes"] == dict(words)
        if kind == "jsonl" and names:
            assert held["seconds"] == pytest.approx(3.5 * len({*names}))
    lines = Counter((role, one) for role, names in clips.items() for one in names)
    assert fold["repeated_lines"] == sum(count - 1 for count in lines.values())
    assert fold["further_files"] == 0
    assert fold["unlisted"] == [one for one in clip_names() if one not in has]
    same = {*clips.get("test", [])} & {*clips.get("development", [])}
    told = fold["clips_in_two_roles"].get("development+test", {"clips": 0})
    assert told["clips"] == len(same)
    said: dict[str, set[str]] = defaultdict(set)
    for one, roles in has.items():
        said[one[9:11]] |= roles
    assert fold["sentences_in_two_roles"] == sum(len(roles) > 1 for roles in said.values())


@settings(max_examples=10, deadline=None)
@given(clips=assignments())
def test_all_formats_are_one_protocol(clips: dict[str, list[str]]) -> None:
    folds = []
    with tempfile.TemporaryDirectory() as name:
        for kind, writer in WRITERS.items():
            writer(Path(name) / kind, clips)
            folds.append(load_protocol(str(Path(name) / kind), []).folds)
    assert all(fold == folds[0] for fold in folds)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("splits")
    RULES["main"](folder)
    return folder


class TestPublished:
    """What docs/results/splits.md says."""

    @pytest.mark.parametrize(
        ("name", "leaks"),
        [
            ("s1-code", {}),
            ("s1-run-twice", {}),
            ("s1-before-may-2023", {}),
            ("s1-weights", {}),
            ("s1-weights-on-code-split", {"two-roles": 240, "speaker": 4}),
            ("s1-five-folds", {"two-roles": 60, "speaker": 1}),
            ("hicmae-ravdess", {}),
            ("hicmae-ravdess-as-read", {"two-roles": 240, "speaker": 4}),
            ("hicmae-msp-improv", {"two-roles": 320, "speaker": 2, "session": 1, "recording": 160}),
        ],
    )
    def test_leaks(self, splits: Path, name: str, leaks: dict[str, int]) -> None:
        facts = examine_split(splits / name)
        assert {leak["kind"]: leak["count"] for leak in facts["leaks"]} == leaks
        page = Path(__file__).parents[2] / "docs/results/splits.md"
        assert f"| `{name}` |" in page.read_text(encoding="utf-8")

    def test_the_code_run_twice_lists_every_line_again(self, splits: Path) -> None:
        (fold,) = examine_split(splits / "s1-run-twice")["folds"]
        assert fold["repeated_lines"] == 2880 and fold["further_files"] == 1440

    def test_roles_without_clips_are_told(self, splits: Path) -> None:
        facts = examine_split(splits / "hicmae-ravdess")
        assert [fold["name"] for fold in facts["folds"]] == [f"split{k:02d}/*" for k in range(1, 7)]
        assert facts["notes"] == [f"fold {k}: no development clips" for k in range(6)]


class TestCommand:
    @pytest.fixture
    def split(self, tmp_path: Path) -> Path:
        clips = {r: [n for n in NAMES if int(n[-2:]) == k + 1] for k, r in enumerate(ROLES)}
        RULES["emobox"](tmp_path / "split", "ravdess", 1, clips)
        (tmp_path / "split/ravdess.jsonl").write_text('{"key": "all of them"}\n')
        (tmp_path / "split/README.txt").write_text("What this is.\n")
        return tmp_path / "split"

    def test_the_table_and_the_exit_code(
        self, split: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("check", "--protocol", split) == 0
        told = capsys.readouterr().out
        assert "3 files, 2 others left out; 48 clips of ravdess" in told
        assert "no leak found" in told and "ravdess_*_fold_1" in told
        train = split / "fold_1/ravdess_train_fold_1.jsonl"
        test = split / "fold_1/ravdess_test_fold_1.jsonl"
        test.write_text(test.read_text() + train.read_text())
        assert run("check", "--protocol", split, "--json") == 1
        kinds = [leak["kind"] for leak in json.loads(capsys.readouterr().out)["leaks"]]
        assert kinds == ["two-roles", "speaker"]

    def test_it_becomes_a_protocol(
        self, split: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "mine.csv"
        assert run("check", "--protocol", split, "--out", out) == 0
        protocol = read_protocol(out)
        assert protocol.corpus == "ravdess" and protocol.folds[0] == {
            name: (ROLES[int(name[-2:]) - 1],) for name in NAMES if int(name[-2:]) < 4
        }
        assert "is there already" in refused(capsys, "check", "--protocol", split, "--out", out)

    @pytest.mark.parametrize(
        ("file", "text", "reason"),
        [
            ("test.jsonl", '{"wav": "03-01-01-01-01-01-01.wav"}\n{"wav": ', "line 2: is no JSON"),
            ("test.jsonl", '\n{"emo": "happy"}\n', "line 2: names no file"),
            ("test.jsonl", '{"wav": "a.wav", "dur": "long"}\n', "line 1: 'long' is no length"),
            ("test.csv", "a/b.wav 1\nc 1\n", "line 2: 'c 1' names no file"),
            ("test.txt", "a/b.npy;a/b.wav;1;testing\na/b.npy;1\n", "line 2: 2 cells"),
            ("test.csv", "name,set\na.wav,Train\nb.wav,Both\n", "line 3: 'Both' is none"),
            ("clips.csv", "a/b.wav 1\n", "tells no role"),
            ("test.csv", "x/01-01-01-01-01-01.wav x/01-01-01-01-01-02.wav 1", "names two clips"),
        ],
    )
    def test_a_bad_line_is_named(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        file: str,
        text: str,
        reason: str,
    ) -> None:
        (tmp_path / file).write_text(text)
        told = refused(capsys, "check", "--protocol", tmp_path / file)
        assert file in told and reason in told

    def test_an_empty_folder_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "holds no split file" in refused(capsys, "check", "--protocol", tmp_path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    soundfile = pytest.importorskip("soundfile")
    root = tmp_path_factory.mktemp("ravdess")
    for k, name in enumerate(n for n in NAMES if int(n[-2:]) < 5):
        path = root / f"Actor_{name[-2:]}/03-{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.random.default_rng(k).normal(0, 0.1, 16000), 16000)
    return root


class TestAtHand:
    """With recordings: what is missing on either side, lengths, and training."""

    def clips(self) -> dict[str, list[str]]:
        """Actor 4 is not listed, actor 5 is not here."""
        roles = {"1": "train", "5": "train", "2": "development", "3": "test"}
        clips: dict[str, list[str]] = defaultdict(list)
        for name in NAMES:
            if name[-1] in roles:
                clips[roles[name[-1]]].append(name)
        return clips

    def test_missing_clips_and_lengths(self, corpus: Path, tmp_path: Path) -> None:
        from affuse.corpora.registry import read_corpus

        RULES["emobox"](tmp_path / "split", "ravdess", 1, self.clips())
        facts = examine_split(tmp_path / "split", read_corpus("ravdess", corpus))
        leaks = {leak["kind"]: leak["count"] for leak in facts["leaks"]}
        assert leaks == {"missing": 16}
        (fold,) = facts["folds"]
        assert fold["unlisted"] == [n for n in NAMES if n[-2:] == "04"]
        assert fold["roles"]["test"]["seconds"] == pytest.approx(16.0, abs=0.1)
        assert any("says 3.50 s" in note and "48 such clips" in note for note in facts["notes"])

    @pytest.mark.slow
    def test_training_takes_the_files(self, corpus: Path, tmp_path: Path) -> None:
        words = ["--store", tmp_path / "store", "--streams", "audio/mfcc10", "--workers", 1]
        assert run("prepare", "ravdess", corpus, *words) == 0
        clips = self.clips()
        clips["train"] = [name for name in clips["train"] if name[-1] == "1"]
        RULES["hicmae"](tmp_path / "split", 1, clips)
        words = ["train", "chumachenko-ia", "streams=[audio/mfcc10]", "model={name: audio-only}"]
        words += ["epochs=1", f"protocol={tmp_path / 'split'}", "dropout.kind=none"]
        words += ["augmentation={}", "--store", tmp_path / "store", "--out", tmp_path / "run"]
        assert run(*words) == 0
        assert run("evaluate", tmp_path / "run") == 0
        table = (tmp_path / "run/evaluation/predictions.csv").read_text()
        tested = {line.split(",")[0] for line in table.splitlines()[1:]}
        assert all(name in table for name in clips["test"]) and len(tested) > 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("fold_1/ravdess_train_fold_1.jsonl", ("fold_1/ravdess_*_fold_1", "train")),
        ("split01/val.csv", ("split01/*", "development")),
        ("validation/fold2.txt", ("*/fold2", "development")),
        ("test/train.csv", ("test/*", "train")),
        ("label_map.csv", None),
        ("latest.csv", None),
    ],
)
def test_the_fold_and_the_role_are_told_by_the_path(path: str, expected: Any) -> None:
    assert fold_and_role(Path(path)) == expected

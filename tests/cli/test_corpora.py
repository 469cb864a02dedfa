"""Every corpus through the command line, on its synthetic synthetic: check, prepare, train."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run

from affuse.corpora.synthetic import cremad, msp_improv

#: Corpus -> size of the synthetic, options of the corpus, recipe, changes, what has to be let pass.
SYNTHETIC = {
    "ravdess": (["actors=3"], ["channel=speech"], "demo", ["protocol={split}"], []),
    "cremad": (
        ["actors=5", "sentences=1"],
        [],
        "cremad-raters",
        ["window=1.5"],
        ["--allow", "missing"],
    ),
    "msp-improv": (["turns=6"], ["emotions=secondary"], "msp-improv-compact", [], []),
    "affwild2": (["videos=5", "seconds=6"], [], "affwild2-compact", ["window=3", "hop=2"], []),
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


def synthetic(corpora: Path, name: str) -> Path:
    """The synthetic of a corpus, made once."""
    root = corpora / name
    if not root.exists():
        assert run("synth", name, root, *SYNTHETIC[name][0], "--workers", 1) == 0
        if name == "ravdess":  # one take of each sentence is enough
            for path in root.rglob("01-01-*-*-*-02-*.mp4"):
                path.unlink()
    return root


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n != "affwild2" else []) for n in SYNTHETIC],
)
def test_check_prepare_and_two_epochs_of_training(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from affuse.training.recipe_files import load_recipe

    _, options, recipe, changes, allow = SYNTHETIC[name]
    root = synthetic(corpora, name)
    code = run("check", name, root, *options, "--json", "--workers", 1)
    facts = json.loads(capsys.readouterr().out)
    assert code == (1 if facts["broken"] else 0)
    assert facts["clips"] >= 6 and facts["with_sound"] and facts["with_pictures"]
    assert facts["licence"].startswith("CC0")

    store, split = tmp_path / "store", tmp_path / "split.csv"
    streams = ",".join(load_recipe(recipe).streams)
    code = run("prepare", name, root, *options, "--store", store, "--streams", streams)
    failures = list(csv.DictReader((store / "failures.csv").open()))
    assert code == (2 if failures else 0)
    assert {row["clip"] for row in failures} <= {"1001_MTI_SAD_XX", "1076_MTI_SAD_XX"}

    folds = ["--folds", 3, "--development", 1]
    assert run("protocol", name, root, *options, "--out", split, *folds) == 0
    changes = [change.format(split=split) for change in changes]
    words = ["--store", store, "--out", tmp_path / "run", "epochs=2", "fold=0", *changes, *allow]
    assert run("train", recipe, *words) == 0, capsys.readouterr().err
    log = list(csv.DictReader((tmp_path / "run/fold0/log.csv").open()))
    assert len(log) == 2 and all(float(row["train/loss"]) > 0 for row in log)
    written = json.loads((tmp_path / "run/run.json").read_text())
    assert set(written["leaks"]["let_pass"]) == set(allow[1:])
    assert written["leaks"]["not_checked"] == []
    assert (tmp_path / "run/fold0/model.safetensors").is_file()


def test_real_recordings_are_checked_and_a_copy_among_them_is_found(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The publisher's own files hold one recording twice: actor 7, happy and strong, dogs."""
    out = tmp_path / "clips.csv"
    assert run("check", "ravdess", shared_data / "ravdess_speech", "--out", out, "--json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["clips"], facts["speakers"], facts["with_sound"]) == (1200, 20, 1200)
    assert list(facts["broken"]) == ["01-03-01-02-02-07"]
    assert "is a copy of" in facts["broken"]["01-03-01-02-02-07"][0]
    assert len(list(csv.DictReader(out.open()))) == 1200


def test_the_votes_of_the_publisher_are_counted(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "cremad", shared_data / "cremad_labels", "--json") == 1
    facts = json.loads(capsys.readouterr().out)
    rows = {(row["rule"], row["channel"]): row for row in facts["labels"]}
    assert rows["plurality", "audio-visual"]["used"] == 7022
    assert rows["majority", "audio-visual"]["used"] == 5913
    assert len(facts["broken"]) == 4  # known to be bad


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("".join(lines))


def test_a_wrong_root_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.zip").touch()
    for name in SYNTHETIC:
        line = refused(capsys, "check", name, tmp_path)
        assert "holds no" in line or "holds x.zip, not unpacked" in line
        assert "no such folder" in refused(capsys, "check", name, tmp_path / "nowhere")
    assert "x.zip is not unpacked" in refused(capsys, "check", "ravdess", tmp_path)
    assert "has no option 'chanel'" in refused(capsys, "check", "ravdess", tmp_path, "chanel=song")


def test_wrong_tables_are_named_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cremad"
    cremad.synthesise(root, actors=1, sentences=("MTI",))
    votes = root / "processedResults/tabulatedVotes.csv"
    text = votes.read_text()
    edit(votes, 1, '"A"', '"Q"')
    assert "tabulatedVotes.csv: line 1: no column A" in refused(capsys, "check", "cremad", root)
    votes.write_text(text)
    edit(votes, 5, '"1', '"9')
    assert "tabulatedVotes.csv: line 5: '9" in refused(capsys, "check", "cremad", root)
    votes.write_text(text)
    names = root / "SentenceFilenames.csv"
    old = names.read_text().splitlines()[3].split('"')[1]
    edit(names, 4, old, old.replace(old.split("_")[2], "JOY"))
    assert "SentenceFilenames.csv: line 4:" in refused(capsys, "check", "cremad", root)

    root = tmp_path / "msp-improv"
    msp_improv.synthesise(root, sessions=[1], turns=6)
    ratings = root / "Evalution.txt"
    edit(ratings, 1, ".avi; ", ".avi; Q; ")
    assert "Evalution.txt: line 1:" in refused(capsys, "check", "msp-improv", root)


def test_an_annotation_of_another_length_than_its_video_fails_alone(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "affwild2"
    shutil.copytree(synthetic(corpora, "affwild2"), root)
    long, short, other = sorted((root / "VA_Set").rglob("*.txt"))[:3]
    long.write_text(long.read_text() + "0.1,0.1\n" * 50)
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:100]))
    capsys.readouterr()
    words = ["--store", tmp_path / "store", "--streams", "audio/mfcc10", "--workers", 1]
    assert run("prepare", "affwild2", root, *words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "line " in line]
    assert len(lines) == 2
    for path, line in zip((long, short), sorted(lines), strict=True):
        assert f"{path.name}: line " in line and "rows" in line and "images" in line
    failures = {row["clip"] for row in csv.DictReader((tmp_path / "store/failures.csv").open())}
    assert failures == {long.stem, short.stem}
    assert other.stem not in failures


def test_own_folders_of_classes_and_votes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile as sf

    sound = np.random.default_rng(0).normal(0, 0.1, 16000)
    for k, name in enumerate(("calm/ann/a.wav", "calm/bob/b.wav", "joy/ann/c.wav")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(tmp_path / name, sound * (0.5 + 0.1 * k), 16000)
    assert run("check", "folder", tmp_path, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["speakers"] == 2 and facts["labels"][0]["calm"] == 2
    table = tmp_path / "clips.csv"
    table.write_text(
        "path,speaker,votes:calm,votes:joy\ncalm/ann/a.wav,ann,3,1\njoy/ann/c.wav,ann,x,1\n"
    )
    assert "line 3: 'x' in votes:calm" in refused(capsys, "check", "folder", tmp_path)


def test_a_protocol_of_lists_whose_development_is_its_test_is_told(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = synthetic(corpora, "msp-improv")
    from affuse.corpora.registry import read_corpus

    clips = read_corpus("msp-improv", root).clips
    lists = {"train": clips[:20], "development": clips[30:], "test": clips[30:]}
    words = []
    for role, part in lists.items():
        (tmp_path / role).write_text("".join(f"{clip.id}\n" for clip in part))
        words += ["--list", f"{role}={tmp_path / role}"]
    out = tmp_path / "mine.csv"
    assert run("protocol", "msp-improv", root, "--out", out, *words) == 1
    assert "the development clips are the test clips" in capsys.readouterr().err
    assert "frozen" in refused(capsys, "protocol", "msp-improv", root, "--out", out)
    assert run("check", "--protocol", out, "msp-improv", root, "--json") == 1
    kinds = {leak["kind"] for leak in json.loads(capsys.readouterr().out)["leaks"]}
    assert "two-roles" in kinds

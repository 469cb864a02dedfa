"""Model files scored on a store, by themselves and together."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.affwild2 import HIDDEN, TESTED
from tests.commands import run
from tests.toy import AUDIO, CLASSES, VIDEO, Toy, toy_recipe, toy_store

import affuse
from affuse.corpora.clip import Corpus
from affuse.evaluation.evaluate import evaluate
from affuse.features.batch import Normalisation
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of the toy corpus; not to be written to."""
    folder = tmp_path_factory.mktemp("trained")
    toy_store(folder)
    recipe = load_recipe(toy_recipe(folder, epochs=2, model={"name": "late"}))
    list(train(recipe, folder / "store", folder / "run"))
    return folder


@pytest.fixture
def files(trained: Path, tmp_path: Path) -> list[Path]:
    """Copies of the two models."""
    paths = [tmp_path / f"model{k}.safetensors" for k in (0, 1)]
    for k, path in enumerate(paths):
        shutil.copy(trained / f"run/fold{k}/model.safetensors", path)
    return paths


def changed(file: Path, out: Path, order: list[str] | None = None, **facts: object) -> Path:
    """A copy of a model of classes with other facts, or its scores in another order."""
    model, spec = load_model(file)
    state = model.state_dict()
    if order is not None:
        rows = [spec.outputs.index(name) for name in order]
        for name, x in state.items():
            if x.ndim and len(x) == len(spec.outputs):
                state[name] = x[rows]
        model.load_state_dict(state)
        spec = replace(spec, outputs=order)
    save_model(out, model, replace(spec, **facts))
    return out


def fresh(out: Path, classes: list[str], streams: tuple[StreamSpec, ...], **facts: object) -> Path:
    """A model file with random weights."""
    torch.manual_seed(0)
    specs = {spec.name: spec for spec in streams}
    own = {"model": "late", "options": {}, "window": 1.2, **facts}
    spec = ModelSpec(
        streams=specs, normalisation=dict.fromkeys(specs, Normalisation()), outputs=classes, **own
    )
    save_model(out, spec.build(), spec)
    return out


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", dtype={"clip": str})


def test_a_fold_by_itself_has_the_scores_that_it_has_in_the_run(
    trained: Path, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol, store = trained / "protocol.csv", trained / "store"
    evaluate(trained / "run", ["av", "noisy-audio"], out=tmp_path / "run")
    whole = table(tmp_path / "run")
    for k, file in enumerate(files):
        words = ["--store", store, "--protocol", protocol, "--conditions", "av", "noisy-audio"]
        assert run("evaluate", file, *words) == 0
        printed = capsys.readouterr()
        assert f"{file}: test clips of {protocol}, fold {k} of 2" in printed.out
        assert printed.err == "", "no clip of its own training"
        found = table(tmp_path / f"model{k}-evaluation")
        expected = whole[whole["fold"] == k].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
    facts = json.loads((tmp_path / "model1-evaluation/metrics.json").read_text())
    assert facts["protocol"]["name"] == str(protocol) and facts["fold"] == 1
    assert not (trained / "run/evaluation").exists(), "--out"


def test_what_may_have_been_seen_is_said(
    trained: Path, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--store", trained / "store", "--conditions", "av"]
    split = ["--protocol", trained / "protocol.csv"]

    def warning(*options: object, model: Path = files[0]) -> str:
        assert run("evaluate", model, *words, *options) == 0
        lines = capsys.readouterr().err.splitlines()
        written = json.loads((model.parent / f"{model.stem}-evaluation/metrics.json").read_text())
        assert [f"affuse evaluate: {line}" for line in written["warnings"]] == lines
        assert len(lines) <= 1
        return lines[0] if lines else ""

    assert warning(*split) == ""
    assert "16 of the 16 clips are development clips" in warning(*split, "--fold", 1)
    assert "32 of the 64 clips are training clips" in warning()
    _, spec = load_model(files[0])
    for record, expected in (
        ({"data": "Folder"}, "its training data are Folder"),
        ({"data": "RAVDESS"}, ""),
        ({"corpus": "ravdess", "protocol": "ravdess/6fold", "fold": 0}, ""),
        (
            {"corpus": "folder", "protocol": "gone.csv", "fold": 0},
            "gone.csv, fold 0, which cannot be",
        ),
        ({}, "does not tell its training data"),
        ({"parts": {"audio": spec.training, "video": {"corpus": "ferplus"}}}, "32 of the 64"),
        ({"corpus": "ferplus", "init": {"training": spec.training}}, "32 of the 64"),
    ):
        other = changed(files[0], tmp_path / "other.safetensors", training=record)
        assert expected in (said := warning(model=other)) and bool(said) == bool(expected)
    for name, roles in (("early", ("train", "unused")), ("late", ("unused", "test"))):
        lines = [f"{k:03d},s{k % 8},{roles[k >= 32]}" for k in range(64)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["clip,speaker,fold0", *lines]) + "\n")
    record = {"corpus": "folder", "protocol": str(tmp_path / "early.csv"), "fold": 0}
    other = changed(files[0], tmp_path / "other.safetensors", training=record)
    late = ["--protocol", tmp_path / "late.csv"]
    assert "it knows the speakers of 32 of the 32 clips" in warning(*late, model=other)
    rows = (trained / "protocol.csv").read_text().splitlines()
    known = tmp_path / "known.csv"
    known.write_text("\n".join([*rows, "gone,s1,test,test"]) + "\n")
    assert "lacks 1 of the test clips" in warning("--protocol", known, "--fold", 0)


def test_classes_are_found_by_name(trained: Path, files: list[Path], tmp_path: Path) -> None:
    def scored(file: Path, **options: object) -> pd.DataFrame:
        evaluate(file, ["av"], trained / "store", out=tmp_path / "out", **options)
        return table(tmp_path / "out").set_index("clip")

    plain = scored(files[0])
    other = changed(files[0], tmp_path / "b.safetensors", ["sad", "happy", "neutral", "calm"])
    turned = scored(other)
    assert list(turned.columns[-4:]) == ["p_sad", "p_happy", "p_neutral", "p_calm"]
    pd.testing.assert_frame_equal(turned[plain.columns], plain)
    more = fresh(tmp_path / "c.safetensors", ["fear", *CLASSES[::-1]], (AUDIO, VIDEO))
    wide = scored(more)
    assert list(wide["label"]) == list(plain["label"]) and "p_fear" in wide
    few = fresh(tmp_path / "d.safetensors", ["sad", "calm"], (AUDIO, VIDEO))
    kept = scored(few, labels={"classes": ["calm", "sad"]})
    assert len(kept) == 32 and set(kept["label"]) == {"calm", "sad"}


def test_labels_by_the_votes_of_raters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clip sets of AuxFormer's label files: P, M and D."""
    toy_store(tmp_path)
    clips = []
    for clip in Store(tmp_path / "store").clips:
        kind = int(clip.id) % 4  # a majority; a plurality; a tie; heard otherwise than seen
        votes = [{"sad": 6, "calm": 2}, {"sad": 4, "calm": 3, "happy": 2}, {"sad": 4, "calm": 4}]
        clips.append(
            replace(clip, votes={"audio-visual": (votes * 2)[kind], "audio": {"happy": 9}})
        )
    made = Corpus("folder", tmp_path, clips, CLASSES, "none")
    prepare(made, tmp_path / "store", [Toy(AUDIO), Toy(VIDEO)])
    model = fresh(tmp_path / "m.safetensors", list(CLASSES), (AUDIO, VIDEO))
    for words, count, labels in (
        ([], 64, set(CLASSES)),
        (["rule=plurality"], 48, {"sad"}),
        (["rule=majority"], 32, {"sad"}),
        (["labels.rule=distribution", "ties=first"], 64, {"sad", "calm"}),
        (["rule=majority", "channel=audio"], 64, {"happy"}),
    ):
        options = ["--labels", *words] if words else []
        words = ["--store", tmp_path / "store", "--conditions", "av", *options]
        assert run("evaluate", model, *words) == 0
        assert capsys.readouterr().out.count("; labels rule=") == 1
        found = table(tmp_path / "m-evaluation")
        assert (len(found), set(found["label"])) == (count, labels)
    raters = json.loads((tmp_path / "m-evaluation/metrics.json").read_text())
    assert raters["labels"] == {"rule": "majority", "channel": "audio"}
    assert raters["conditions"]["av"]["raters"]["rater_agreement"] == 1
    shares = fresh(
        tmp_path / "s.safetensors", list(CLASSES)[::-1], (AUDIO, VIDEO), task="distribution"
    )
    result = evaluate(shares, ["av"], tmp_path / "store")
    assert result["labels"]["rule"] == "distribution"
    found, facts = table(tmp_path / "s-evaluation"), result["conditions"]["av"]["raters"]
    weights = {
        0: {"sad": 3, "calm": 1},
        1: {"sad": 4, "calm": 3, "happy": 2},
        2: {"sad": 1, "calm": 1},
    }
    entropy = []
    for _, row in found.iterrows():
        own = weights[(int(row["clip"]) % 4) % 3]
        total = sum(own.values())
        entropy.append(-sum(n / total * np.log(row[f"p_{name}"]) for name, n in own.items()))
    assert facts["cross_entropy"] == pytest.approx(np.mean(entropy), abs=1e-5)


def test_a_model_that_learned_votes_is_scored_by_the_same_rule(tmp_path: Path) -> None:
    toy_store(tmp_path)
    votes = [
        replace(clip, votes={"audio-visual": {clip.label: 3 if int(clip.id) % 3 else 2, "sad": 2}})
        for clip in Store(tmp_path / "store").clips
    ]
    made = Corpus("folder", tmp_path, votes, CLASSES, "none")
    prepare(made, tmp_path / "store", [Toy(AUDIO), Toy(VIDEO)])
    labels = {"rule": "plurality", "classes": ["sad", "calm", "neutral"]}
    recipe = toy_recipe(tmp_path, labels=labels, epochs=1, model={"name": "late"})
    list(train(load_recipe(recipe), tmp_path / "store", tmp_path / "run", [0]))
    file = tmp_path / "run/fold0/model.safetensors"
    whole = evaluate(tmp_path / "run", ["av"])["conditions"]
    result = evaluate(file, ["av"], tmp_path / "store", protocol=str(tmp_path / "protocol.csv"))
    assert result["conditions"] == whole and result["labels"] == labels


@pytest.mark.slow
def test_scores_do_not_depend_on_batches(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of several windows each, also where a modality is noise."""
    model = fresh(tmp_path / "m.safetensors", list(CLASSES), (AUDIO, VIDEO), window=0.4)
    found = []
    for size in (1, 5, 32):
        monkeypatch.setattr("affuse.evaluation.evaluate._CLIPS", size)
        monkeypatch.setattr("affuse.inference.clips._BATCH", size)
        names = ["av", "noisy-audio", "noise-filled-audio", "zero-filled-video"]
        evaluate(model, names, trained / "store")
        found.append(table(tmp_path / "m-evaluation"))
    scores = [part.filter(like="p_").to_numpy() for part in found]
    assert scores[0] == pytest.approx(scores[1], abs=2e-6)
    assert scores[0] == pytest.approx(scores[2], abs=2e-6)
    by_condition = scores[0].reshape(4, 64, 4)
    assert all(np.abs(by_condition[0] - other).max() > 1e-4 for other in by_condition[1:])


def test_several_files_are_an_ensemble(trained: Path, files: list[Path], tmp_path: Path) -> None:
    store = trained / "store"
    turned = changed(files[1], tmp_path / "t.safetensors", ["sad", "happy", "calm", "neutral"])
    out = tmp_path / "out"
    options = {"protocol": str(trained / "protocol.csv"), "fold": 0}
    single = []
    for file in files:
        affuse.evaluate(file, store, out=out, conditions=["av"], **options)
        single.append(table(out))
    result = affuse.evaluate([files[0], turned], store, out=out, conditions=["av"], **options)
    columns = [f"p_{name}" for name in CLASSES]
    mean = (single[0][columns] + single[1][columns]) / 2
    assert table(out)[columns].to_numpy() == pytest.approx(mean.to_numpy(), abs=2e-6)
    assert result["models"] == [str(files[0]), str(turned)]
    assert [line.split(":")[0] for line in result["warnings"]] == [str(turned)]


def test_values_of_model_files(
    affwild2_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By themselves as in the run, and together as `ensemble` makes them."""
    whole, store, truth = (
        affwild2_run / "run",
        affwild2_run / "store",
        affwild2_run / "synthetic/truth",
    )
    paths = [tmp_path / f"m{k}.safetensors" for k in (0, 1)]
    for k, path in enumerate(paths):
        shutil.copy(whole / f"fold{k}/model.safetensors", path)
    protocol = ["--store", store, "--protocol", affwild2_run / "split.csv"]
    evaluate(whole, ["av"], out=tmp_path / "whole")
    for k, path in enumerate(paths):
        assert run("evaluate", path, *protocol, "--conditions", "av") == 0
        printed = capsys.readouterr()
        assert (
            f"fold {k} of 2, baseline none, 1 predictions of 1 videos" in printed.out
            and not printed.err
        )
        place = Path(f"predictions/av/fold{k}/{TESTED[k]}.csv")
        found = tmp_path / f"m{k}-evaluation" / place
        assert found.read_bytes() == (tmp_path / "whole" / place).read_bytes()
    assert run("evaluate", paths[0], *protocol, "--role", "development") == 0
    assert "development clips of it" in capsys.readouterr().err
    assert (tmp_path / "m0-evaluation-development/scores.csv").is_file()

    words = [*protocol, "--truth", truth, "--json"]
    assert run("ensemble", *paths, *words, "--out", tmp_path / "fused") == 0
    fused = json.loads(capsys.readouterr().out)
    assert run("ensemble", whole, "--truth", truth, "--out", tmp_path / "again") == 0
    capsys.readouterr()
    name = f"{HIDDEN}.txt"
    assert (tmp_path / "fused" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    one = tmp_path / "truth"
    one.mkdir()
    shutil.copy(truth / f"{HIDDEN}.csv", one)
    result = evaluate(
        paths,
        ["av"],
        store,
        truth=one,
        protocol=str(affwild2_run / "split.csv"),
        fold=0,
        out=tmp_path / "both",
    )
    assert "rules" not in result and result["conditions"]["av"]["predictions"] == 1
    for dimension, scores in result["conditions"]["av"]["dimensions"].items():
        assert scores["ccc"] == pytest.approx(fused["scores"]["fused"][dimension], abs=1e-5)


def test_what_does_not_fit_is_one_line(
    trained: Path,
    files: list[Path],
    affwild2_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, model = trained / "store", files[0]
    other = StreamSpec("video/openface", 25.0, (6,))
    cases = {
        "wider": fresh(tmp_path / "w.safetensors", ["sad", "calm"], (AUDIO, VIDEO)),
        "rate": fresh(tmp_path / "r.safetensors", list(CLASSES), (AUDIO, other)),
        "stream": fresh(
            tmp_path / "x.safetensors",
            list(CLASSES),
            (StreamSpec("audio/egemaps", 50.0, (4,)),),
            model="audio-only",
        ),
        "unknown": fresh(
            tmp_path / "u.safetensors", list(CLASSES), (replace(AUDIO, recipe={"n": 1}), VIDEO)
        ),
        "features": fresh(
            tmp_path / "f.safetensors", list(CLASSES), (AUDIO, VIDEO), task="embedding"
        ),
    }
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"nothing")
    (tmp_path / "lt.pth").write_bytes(b"nothing")
    values = affwild2_run / "run/fold0/model.safetensors"
    with_store = ("--store", store)
    protocol = (*with_store, "--protocol", trained / "protocol.csv")
    for words, expected in (
        ((model,), "say where the streams are: --store"),
        ((model, *with_store, "--protocol", "ravdess/6fold"), "is of ravdess; "),
        ((model, *with_store, "--protocol", "nothing"), "no such protocol"),
        ((model, *protocol, "--fold", 2), "has folds 0 to 1"),
        ((model, *with_store, "--fold", 0), "--fold needs --protocol"),
        ((model, *with_store, "--role", "test"), "--role needs --protocol"),
        ((*files, *with_store), "say where to: --out"),
        ((*files, *protocol, "--out", tmp_path / "o"), "trained in folds 0, 1; say whose"),
        (
            (model, cases["wider"], *with_store, "--out", tmp_path / "o"),
            "has the classes sad, calm",
        ),
        ((model, model, *with_store), "named twice"),
        ((model, trained / "run", *with_store), "name one run, or"),
        ((trained / "run", "--protocol", "x"), "--protocol is for model files"),
        ((trained / "run", "--labels", "rule=majority"), "--labels is for model files"),
        ((cases["wider"], *with_store), "has the class neutral, which the model does not have"),
        ((cases["rate"], *with_store), "is made with rate 30.0; the model was trained with 25.0"),
        ((cases["stream"], *with_store), "has no stream audio/egemaps; add it"),
        ((cases["unknown"], *with_store), "was trained with 1"),
        ((cases["features"], *with_store), "gives features alone"),
        ((junk, *with_store), "not a model file"),
        ((tmp_path / "lt.pth", *with_store), "affuse convert makes a model file of it"),
        ((tmp_path / "gone.safetensors", *with_store), "no such file"),
        ((trained / "protocol.csv", *with_store), "--store is for runs and model files"),
        ((trained / "protocol.csv",), "has no column p_<class> and no annotated_<dimension>"),
        ((model, *with_store, "--labels", "rule=most"), "--labels: "),
        ((model, *with_store, "--labels", "rule=majority"), "there are no votes at all"),
        ((model, *with_store, "--labels", "rule"), "not of the form key=value"),
        (
            (model, *with_store, "--truth", tmp_path),
            "--truth is for continuous valence and arousal",
        ),
        ((model, *with_store, "--out", junk), "is a file; results need a folder"),
        ((model, "--store", affwild2_run / "store"), "holds continuous valence and arousal"),
        ((values, *with_store), "has the classes neutral, calm, happy, sad; the model predicts"),
        ((values, "--store", affwild2_run / "store", "--labels", "rule=given"), "of classes"),
    ):
        assert run("evaluate", *words) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and expected in lines[0], (words, lines)
    for words, expected in (
        ((model, *with_store), "predicts classes; affuse evaluate scores several files as one"),
        ((values, "--store", affwild2_run / "store", "--fusion", "weighted"), "--protocol says"),
    ):
        assert run("ensemble", *words, "--out", tmp_path / "o") == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and expected in lines[0], (words, lines)
    made = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert not made, "nothing is written before what was asked for is checked"

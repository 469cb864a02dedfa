"""Training that starts from a whole model, or from parts of one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.toy import CLASSES, toy_recipe, toy_store

from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.models.modelfile import load_model, read_spec, save_model
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

MODEL = "fold0/model.safetensors"
STILL = {"optimiser": {"name": "sgd", "lr": 0.0, "weight_decay": 0.0, "schedule": "constant"}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated store, and a trained model of its four classes beside it."""
    folder = tmp_path_factory.mktemp("corpus")
    toy_store(folder, clips=32)
    run(folder, folder / "first")
    return folder


@pytest.fixture
def first(corpus: Path) -> Path:
    """The trained model."""
    return corpus / "first" / MODEL


def run(
    corpus: Path, out: Path, fold: int = 0, allow: tuple[str, ...] = (), **changes: Any
) -> Path:
    changes = {"epochs": 1, "selection": "last"} | changes
    recipe = load_recipe(toy_recipe(corpus, **changes))
    told: list[str] = []
    training = train(recipe, corpus / "store", out, [fold], allow=allow, say=told.append)
    (path,) = dict(training).values()
    (out / "told.txt").write_text("\n".join(told))
    return path


def changed(path: Path, out: Path, **facts: Any) -> Path:
    """A copy of a model file with another description."""
    model, spec = load_model(path)
    for name, value in facts.items():
        setattr(spec, name, value)
    save_model(out, model, spec)
    return out


def weights(path: Path) -> dict[str, torch.Tensor]:
    return {n: x for n, x in load_model(path)[0].state_dict().items() if x.is_floating_point()}


def test_all_weights_are_taken_and_training_goes_on_from_them(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    still = run(corpus, tmp_path / "still", init=str(first), **STILL)
    kept, given = weights(still), weights(first)
    parameters = {name for name, _ in load_model(still)[0].named_parameters()}
    assert all(kept[name].equal(given[name]) for name in parameters)
    assert not weights(run(corpus, tmp_path / "fresh", **STILL))["classifier.weight"].equal(
        given["classifier.weight"]
    )
    rows = [
        float(next(csv.DictReader((out / "fold0/log.csv").open()))["train/loss"])
        for out in (corpus / "first", tmp_path / "still")
    ]
    assert rows[1] < rows[0], "the first epoch knows more"


def test_it_is_told_what_was_taken_and_where_from(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    out = run(corpus, tmp_path / "run", init=str(first))
    facts = json.loads((tmp_path / "run/run.json").read_text())["init"]
    spec = read_spec(out)
    assert spec.training["init"] == facts
    assert facts["file"] == "model.safetensors" and len(facts["sha256"]) == 64
    assert facts["training"]["protocol"] == str(corpus / "protocol.csv")
    total = len(load_model(first)[0].state_dict())
    assert facts["taken"] == f"{total} of {total} tensors"
    assert spec.training["licence"] == "none; init model.safetensors: none"
    told = (tmp_path / "run/told.txt").read_text()
    assert f"{first}: {total} of {total} tensors" in told
    assert "normalisation=init would keep" in told


def test_same_seed_same_bytes_and_resumed_too(corpus: Path, first: Path, tmp_path: Path) -> None:
    copy = changed(first, tmp_path / "copy.safetensors")
    a, b = (run(corpus, tmp_path / out, init=str(copy)) for out in "ab")
    assert a.read_bytes() == b.read_bytes()
    a.unlink()
    recipe = load_recipe(toy_recipe(corpus, epochs=1, selection="last", init=str(copy)))
    list(train(recipe, corpus / "store", tmp_path / "a", [0], resume=True))
    assert a.read_bytes() == b.read_bytes()
    a.unlink()
    changed(first, copy, smoothing=1.0)
    with pytest.raises(BadInput, match=r"is not what .* began with"):
        list(train(recipe, corpus / "store", tmp_path / "a", [0], resume=True))


def test_classes_are_taken_by_name(corpus: Path, first: Path, tmp_path: Path) -> None:
    other = changed(
        first, tmp_path / "other.safetensors", outputs=["sad", "bored", "calm", "neutral"]
    )
    run(corpus, tmp_path / "fresh", **STILL)
    out = run(corpus, tmp_path / "run", init=str(other), **STILL)
    rows, given, fresh = (
        weights(path)["classifier.weight"] for path in (out, first, tmp_path / "fresh" / MODEL)
    )
    places = {"neutral": 3, "calm": 2, "sad": 0}
    for k, name in enumerate(CLASSES):
        expected = given[places[name]] if name in places else fresh[k]
        assert rows[k].equal(expected), name
    told = (tmp_path / "run/told.txt").read_text()
    assert "classes by name: neutral, calm, sad; fresh classes: happy" in told


def test_more_and_fewer_classes_and_fresh_parts_do_not_depend_on_what_is_taken(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    two = {"labels": {"classes": ["sad", "happy"]}}
    fresh = weights(run(corpus, tmp_path / "fresh", **STILL, **two))
    some = weights(
        run(corpus, tmp_path / "some", init=str(first), init_parts=["audio"], **STILL, **two)
    )
    all_ = weights(run(corpus, tmp_path / "all", init=str(first), **STILL, **two))
    given = weights(first)
    assert all_["classifier.weight"].equal(given["classifier.weight"][[3, 2]])
    assert some["classifier.weight"].equal(fresh["classifier.weight"])
    assert some["to_audio.attn.q.weight"].equal(fresh["to_audio.attn.q.weight"])
    names = [name for name in given if name.startswith("audio.") and "conv.weight" in name]
    assert names and all(some[name].equal(given[name]) for name in names)
    told = (tmp_path / "some/told.txt").read_text()
    assert "fresh: video, classifier, to_audio, to_video; not taken: video, cl" in told


def test_parts_of_another_model(corpus: Path, tmp_path: Path) -> None:
    voice = run(corpus, tmp_path / "voice", model={"name": "audio-only"}, streams=["audio/mfcc10"])
    late = {"model": {"name": "late"}}
    with pytest.raises(BadInput, match=r"holds a model audio-only, not late.*init_parts"):
        run(corpus, tmp_path / "run", init=str(voice), **late)
    out = run(corpus, tmp_path / "run", init=str(voice), init_parts=["audio"], **late, **STILL)
    given, fused = weights(voice), weights(out)
    parameters = {name for name, _ in load_model(voice)[0].named_parameters()}
    assert parameters and all(fused[name].equal(given[name]) for name in parameters)
    assert "fresh: video" in (tmp_path / "run/told.txt").read_text()


def test_the_statistics_of_the_initial_model_can_be_kept(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    out = run(
        corpus, tmp_path / "run", fold=1, allow=("init",), init=str(first), normalisation="init"
    )
    assert read_spec(out).normalisation == read_spec(first).normalisation
    assert "normalised anew" not in (tmp_path / "run/told.txt").read_text()
    anew = run(corpus, tmp_path / "anew", fold=1, allow=("init",), init=str(first))
    assert read_spec(anew).normalisation != read_spec(first).normalisation
    bare = changed(first, tmp_path / "bare.safetensors", normalisation={})
    with pytest.raises(BadInput, match="has no normalisation that fits audio/mfcc10"):
        run(corpus, tmp_path / "none", init=str(bare), normalisation="init")


def test_other_options_are_named(corpus: Path, first: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path / "run", init=str(first), model={"name": "chumachenko-it", "heads": 4})
    assert "option heads is 4, and was 1" in (tmp_path / "run/told.txt").read_text()


def test_test_speakers_that_the_weights_have_learned_from_are_a_leak(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        AffuseError, match=r"speaker s1 is in test, and model.safetensors.*--allow init"
    ):
        run(corpus, tmp_path / "run", fold=1, init=str(first))
    run(corpus, tmp_path / "run", fold=1, allow=("init",), init=str(first))
    leaks = json.loads((tmp_path / "run/run.json").read_text())["leaks"]
    assert leaks["let_pass"] == {"init": 4}
    # and through a model that began with it
    second = run(corpus, tmp_path / "second", init=str(first))
    third = changed(second, tmp_path / "third.safetensors")
    spec = read_spec(third)
    other = changed(
        third, tmp_path / "other.safetensors", training=spec.training | {"corpus": "elsewhere"}
    )
    with pytest.raises(AffuseError, match=r"speaker s1 is in test"):
        run(corpus, tmp_path / "fourth", fold=1, init=str(other))


def test_a_protocol_that_tells_its_own_name_is_known_again(corpus: Path, tmp_path: Path) -> None:
    named = tmp_path / "mine.csv"
    named.write_text("# name: mine\n" + (corpus / "protocol.csv").read_text())
    first = run(corpus, tmp_path / "first", protocol=str(named))
    assert read_spec(first).training["protocol"] == "mine"
    run(corpus, tmp_path / "same", init=str(first), protocol=str(named))
    with pytest.raises(AffuseError, match=r"speaker s1 is in test"):
        run(corpus, tmp_path / "other", fold=1, init=str(first), protocol=str(named))


def test_an_unknown_split_of_the_same_corpus_is_told(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    published = changed(first, tmp_path / "published.safetensors", training={"data": "FOLDER"})
    run(corpus, tmp_path / "run", init=str(published))
    leaks = json.loads((tmp_path / "run/run.json").read_text())["leaks"]
    assert "init" in leaks["not_checked"] and "init" not in leaks["looked_for"]
    assert "may have learned from test clips" in (tmp_path / "run/told.txt").read_text()
    elsewhere = changed(first, tmp_path / "elsewhere.safetensors", training={"data": "Aff-Wild2"})
    run(corpus, tmp_path / "other", init=str(elsewhere))
    assert "init" in json.loads((tmp_path / "other/run.json").read_text())["leaks"]["looked_for"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"init": "nowhere.safetensors"}, "nowhere.safetensors: no such file"),
        ({"init": "{corpus}/recipe.yaml"}, "recipe.yaml: not a model file"),
        ({"init": "{first}", "init_parts": ["vidio"]}, "'vidio'; did you mean 'video'"),
        (
            {
                "init": "{first}",
                "init_parts": ["audio"],
                "model": {"name": "late", "audio": "dense"},
            },
            "has no weights that fit in audio",
        ),
        ({"init_parts": ["audio"]}, "init_parts needs a model file"),
        ({"normalisation": "init"}, "normalisation=init needs a model file"),
    ],
)
def test_what_cannot_be_a_start_is_one_line(
    corpus: Path, first: Path, tmp_path: Path, capsys: Any, changes: dict[str, Any], reason: str
) -> None:
    told = json.dumps(changes).replace("{corpus}", str(corpus)).replace("{first}", str(first))
    changes = json.loads(told)
    recipe = toy_recipe(corpus, **changes)
    command = [
        "train",
        str(recipe),
        "--store",
        str(corpus / "store"),
        "--out",
        str(tmp_path / "run"),
    ]
    command.append("fold=0")
    assert main(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert reason in line
    assert not (tmp_path / "run").exists()

"""From recordings to a prediction through the command line, on the synthetic corpus."""

import csv
import json
from pathlib import Path

import pytest
from tests.commands import run

from affuse.corpora.synthetic.ravdess import synthesise


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three actors, one for each role of the protocol, eight clips each."""
    root = tmp_path_factory.mktemp("corpus") / "ravdess"
    once = {"intensities": (1,), "statements": (1,), "repetitions": (1,)}
    synthesise(root, actors=[1, 11, 5], **once)
    return root


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("demo", ["epochs=2"]),
        pytest.param("chumachenko-lt-published", ["epochs=1"], marks=pytest.mark.slow),
        pytest.param("chumachenko-ia-published", ["epochs=1"], marks=pytest.mark.slow),
        pytest.param("chumachenko-it", ["epochs=1", "fold=1"], marks=pytest.mark.slow),
    ],
)
def test_prepare_train_evaluate_predict(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    changes: list[str],
) -> None:
    from affuse.training.recipe_files import load_recipe

    streams = ",".join(load_recipe(recipe).streams)
    store, out = tmp_path / "store", tmp_path / "run"
    assert (
        run("prepare", "ravdess", corpus, "--store", store, "--streams", streams, "--workers", 1)
        == 0
    )
    words = ["--store", store, "--out", out, "--allow", "missing"]  # three of 24 actors
    assert run("train", recipe, *changes, *words) == 0
    capsys.readouterr()
    assert run("evaluate", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["conditions"]["av"]["clips"] == 8
    model = next(out.glob("fold*/model.safetensors"))
    video = sorted(corpus.glob("Actor_05/*.mp4"))[0]
    assert run("predict", video, "--model", model, "--out", tmp_path / "p") == 0
    for row in csv.DictReader((tmp_path / "p" / f"{video.stem}.csv").open()):
        probabilities = [float(row[name]) for name in result["conditions"]["av"]["classes"]]
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)
    facts = json.loads((tmp_path / "p" / f"{video.stem}.json").read_text())
    assert facts["model"]["licence"].startswith("CC0") and facts["presence"]["video"]["share"] == 1


def test_a_clip_is_predicted_as_it_was_evaluated(corpus: Path, tmp_path: Path) -> None:
    """The windows of training clips and of recordings are cut the same way."""
    store, out = tmp_path / "store", tmp_path / "run"
    streams = "audio/mfcc10,video/faces48"
    run("prepare", "ravdess", corpus, "--store", store, "--streams", streams, "--workers", 1)
    run("train", "demo", "epochs=1", "--store", store, "--out", out, "--allow", "missing")
    run("evaluate", out, "--conditions", "av")
    video = sorted(corpus.glob("Actor_05/*.mp4"))[3]
    run("predict", video, "--model", out / "fold0/model.safetensors", "--out", tmp_path / "p")
    rows = csv.DictReader((out / "evaluation" / "predictions.csv").open())
    (evaluated,) = [row for row in rows if row["clip"] == video.stem[3:]]
    predicted = json.loads((tmp_path / "p" / f"{video.stem}.json").read_text())["probabilities"]
    for name in ("neutral", "happy", "angry"):
        assert predicted[name] == pytest.approx(float(evaluated[f"p_{name}"]), abs=2e-3)

"""Every fusion of the registry through a recipe: trained, saved, judged with a modality missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.toy import toy_recipe, toy_store

from affuse.evaluation.evaluate import evaluate
from affuse.models.modelfile import load_model
from affuse.models.registry import MODELS
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

#: TSAV reads spectrograms and images alone.
QUICK = ("auxformer", "chumachenko-it", "late", "leader-follower", "product", "rjca")
FUSIONS = [
    n if n in QUICK else pytest.param(n, marks=pytest.mark.slow)
    for n, entry in MODELS.items()
    if len(entry.modalities) == 2 and n != "tsav"
]
#: Wide networks, made narrow.
SMALLER = {
    "rjca": {"width": 32},
    "jca": {"width": 32},
    "rjca-paper": {"width": 32},
    "auxformer": {"width": 20, "layers": 1},
    "auxformer-icassp": {"width": 20, "layers": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fusions")
    toy_store(folder, clips=32)
    return folder


@pytest.mark.parametrize("name", FUSIONS)
def test_trained_and_judged(folder: Path, name: str) -> None:
    model = {"name": name, "head": "classes", **SMALLER.get(name, {})}
    changes = {"model": model, "epochs": 1, "auxiliary": 0.5, "dropout": {"kind": "drop"}}
    recipe = load_recipe(toy_recipe(folder, **changes))
    ((fold, path),) = train(recipe, folder / "store", folder / name, [0])
    loaded, spec = load_model(path)
    assert fold == 0 and spec.model == name and spec.options["head"] == "classes"
    assert loaded.outputs == len(spec.outputs) == 4
    result = evaluate(folder / name)
    assert set(result["conditions"]) == {"av", "audio", "video"}
    assert all(0 <= scores["accuracy"] <= 1 for scores in result["conditions"].values())

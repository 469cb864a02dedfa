"""AuxFormer is trained with the three losses that were published."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.toy import toy_store

from affuse.features.batch import Batch, Normalisation
from affuse.features.stream import StreamSpec
from affuse.models.modelfile import read_spec
from affuse.models.registry import create_model
from affuse.tasks.classification import Classification
from affuse.training.learner import Learner
from affuse.training.recipe_files import load_recipe
from affuse.training.recipe_parts import Dropout
from affuse.training.train import train

RECIPES = ["cremad-auxformer", "cremad-auxformer-published"]
STREAMS = {
    "audio/wav2vec2": StreamSpec("audio/wav2vec2", 50.0, (12,)),
    "video/emoca50": StreamSpec("video/emoca50", 30.0, (50,)),
}


def batch_of_noise() -> Batch:
    streams = {n: torch.randn(4, 20, *s.shape) for n, s in STREAMS.items()}
    masks = {n: torch.ones(4, 20, dtype=torch.bool) for n in STREAMS}
    return Batch(streams, masks, torch.tensor([5, 0, 3, 3]))


def mean_cross_entropy(scores: torch.Tensor, classes: torch.Tensor) -> float:
    """Written out: minus the logarithm of the share that the true class has."""
    shares = scores.double().exp() / scores.double().exp().sum(1, keepdim=True)
    return float(-torch.log(shares[range(len(classes)), classes]).mean().detach())


@pytest.mark.parametrize("name", RECIPES)
def test_the_loss_of_a_step_is_a_third_of_each_network(name: str) -> None:
    recipe = replace(load_recipe(name), dropout=Dropout())
    torch.manual_seed(0)
    model = create_model("auxformer", STREAMS, 6)
    batch = batch_of_noise()
    learner = Learner(model, recipe, Classification(), dict.fromkeys(STREAMS, Normalisation()))
    torch.manual_seed(1)
    found = float(learner.training_step(batch, 0).detach())
    torch.manual_seed(1)
    heads = model(batch).auxiliary
    assert set(heads) == {"main", "audio", "video"}
    published = sum((0.3333 * mean_cross_entropy(x, batch.targets) for x in heads.values()), 0.0)
    assert found == pytest.approx(published, rel=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_epoch_begins_at_the_logarithm_of_the_classes(tmp_path: Path, name: str) -> None:
    toy_store(tmp_path, clips=32)
    recipe = load_recipe(
        name,
        [
            "corpus=folder",
            f"protocol={tmp_path}/protocol.csv",
            "streams=[audio/mfcc10,video/openface]",
            "labels={}",
            "window=1.5",
            "epochs=1",
        ],
    )
    ((_, path),) = train(recipe, tmp_path / "store", tmp_path / "run", [0])
    (row,) = csv.DictReader((tmp_path / "run/fold0/log.csv").open())
    assert float(row["train/loss"]) == pytest.approx(math.log(4), rel=0.2)
    audio, video = read_spec(path).normalisation.values()
    assert (audio == Normalisation()) == (name == "cremad-auxformer-published")
    assert video != Normalisation()


def test_the_reference_makes_the_published_choices() -> None:
    recipe = load_recipe("cremad-auxformer-published")
    assert recipe.dropout == Dropout("batch", probability=0.4)
    assert (recipe.primary, recipe.auxiliary, recipe.selects) == (0, 0.3333, "loss")
    assert (recipe.epochs, recipe.batch_size, recipe.optimiser.lr) == (30, 32, 7.25e-4)
    chosen = recipe.optimiser
    assert (chosen.name, chosen.schedule, chosen.weight_decay) == ("adam", "constant", 0)


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_a_first_batch_without_a_modality_teaches(
    monkeypatch: pytest.MonkeyPatch, lost: float
) -> None:
    recipe = load_recipe("cremad-auxformer-published")
    torch.manual_seed(0)
    model = create_model("auxformer", STREAMS, 6)
    learner = Learner(model, recipe, Classification(), dict.fromkeys(STREAMS, Normalisation()))
    monkeypatch.setattr("affuse.training.dropout.torch.rand", lambda _: torch.tensor(lost))
    learner.training_step(batch_of_noise(), 0).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(x.isfinite().all() for x in gradients) and any(x.any() for x in gradients)

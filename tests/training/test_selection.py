"""Which epoch is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.toy import AUDIO, VIDEO, timed_store, toy_recipe, toy_store

from affuse.errors import AffuseError, BadInput
from affuse.models.registry import create_model
from affuse.tasks.classification import Classification
from affuse.tasks.dimensional import Dimensional
from affuse.tasks.distribution import Distribution
from affuse.training.recipe_files import load_recipe
from affuse.training.selection import learned_task, selected_score
from affuse.training.train import train


@pytest.mark.parametrize(("selects", "epoch"), [("", 3), ("uar", 0), ("loss", 1)])
def test_the_epoch_with_the_best_of_the_chosen_score_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selects: str, epoch: int
) -> None:
    """The first of equals, and of a loss the lowest."""
    told = iter(zip((0.1, 0.2, 0.3, 0.4), (0.9, 0.8, 0.7, 0.9), (1.5, 1.1, 1.3, 1.1), strict=True))
    monkeypatch.setattr(
        Classification,
        "scores",
        lambda *_: dict(zip(("accuracy", "uar", "loss"), next(told), strict=True)),
    )
    toy_store(tmp_path, clips=32)
    recipe = load_recipe(toy_recipe(tmp_path, model={"name": "concat"}), [f"selects={selects}"])
    list(train(recipe, tmp_path / "store", tmp_path / "run", [0]))
    kept = torch.load(tmp_path / "run/fold0/checkpoints/best.ckpt", weights_only=True)
    assert kept["epoch"] == epoch


def test_every_score_that_is_logged_can_be_chosen() -> None:
    over_time = Dimensional(["valence", "arousal"])
    logits, classes = np.eye(3, dtype=np.float32), np.array([0, 2, 1])
    values = np.random.default_rng(0).random((9, 2))
    for task, scores in (
        (Classification(), Classification().scores(classes, logits)),
        (Distribution(), Distribution().scores(np.full((3, 3), 1 / 3), logits)),
        (over_time, over_time.scores(values, values[::-1])),
    ):
        assert list(task.known) and set(task.known) == set(scores)
    assert over_time.known["ccc_valence"] == "max" and over_time.known["rmse"] == "min"


def test_a_score_that_there_is_not_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    def chosen(*changes: str, **parts: object) -> str:
        recipe = load_recipe(toy_recipe(tmp_path, **parts), changes)
        model = create_model(
            "early", {s.name: s for s in (AUDIO, VIDEO)}, 2, head=recipe.model["head"]
        )
        return selected_score(recipe, learned_task(recipe, model, ["valence", "arousal"]))[0]

    timed = {"task": "valence-arousal", "model": {"name": "early", "head": "frames"}}
    assert chosen(**timed) == "ccc"
    assert chosen("selects=ccc_arousal", **timed) == "ccc_arousal"
    with pytest.raises(AffuseError, match=r"selects=lost: task=classification has no such score"):
        chosen("selects=lost", model={"name": "early", "head": "classes"})
    with pytest.raises(BadInput, match=r"selects has no meaning with selection=last"):
        load_recipe(toy_recipe(tmp_path), ["selects=loss", "selection=last"])


def test_a_wrong_score_is_found_before_anything_is_written(tmp_path: Path) -> None:
    timed_store(tmp_path)
    changes = {"task": "valence-arousal", "window": 4.0, "model": {"name": "early"}}
    recipe = load_recipe(toy_recipe(tmp_path, **changes), ["model.head=frames", "selects=accuracy"])
    with pytest.raises(AffuseError, match=r"there are: ccc, pcc, rmse, ccc_valence"):
        list(train(recipe, tmp_path / "store", tmp_path / "run", [0]))
    assert not (tmp_path / "run").exists()

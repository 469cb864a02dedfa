from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from affuse.errors import AffuseError, BadInput
from affuse.models.registry import list_models
from affuse.training.precision import precision_here
from affuse.training.recipe import Optimiser
from affuse.training.recipe_files import list_recipes, load_recipe
from affuse.training.schedule import rate_factor

PLAIN = {
    "name": "a",
    "corpus": "ravdess",
    "protocol": "ravdess/6fold",
    "streams": ["audio/mfcc10"],
    "model": {"name": "audio-only"},
}


def file(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(PLAIN | changes))
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_is_whole_and_named_after_its_file(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.model["name"] in list_models()


def test_written_out_it_is_the_same_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(file(tmp_path, optimiser={"lr": 2e-3, "steps": [3, 5]}))
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml())
    assert load_recipe(again) == recipe


def test_overrides_reach_nested_keys(tmp_path: Path) -> None:
    recipe = load_recipe(
        file(tmp_path), ["epochs=3", "optimiser.lr=1e-4", "model.heads=4", "dropout.kind=drop"]
    )
    assert (recipe.epochs, recipe.optimiser.lr, recipe.model["heads"]) == (3, 1e-4, 4)
    assert recipe.dropout.kind == "drop"


@pytest.mark.parametrize("name", ["ferplus-small", "ferplus-ir50", "ferplus-efficientface"])
def test_recipes_of_pictures_learn_the_shares_of_votes_by_the_published_rule(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.corpus, recipe.task, recipe.selection) == ("ferplus", "distribution", "last")
    labels = recipe.labels
    assert (labels.rule, labels.channel, labels.least) == ("distribution", "video", 2)
    assert labels.others == "count" and recipe.protocol == "ferplus/validation"
    (stream,) = recipe.streams
    assert stream == "video/aligned48" and recipe.precision == "auto"


def test_precision_32_may_be_written_as_the_number_that_it_looks_like(tmp_path: Path) -> None:
    assert load_recipe(file(tmp_path, precision=32)).precision == "32"
    assert load_recipe("ferplus-small", ["precision=32"]).precision == "32"
    with pytest.raises(BadInput, match="precision"):
        load_recipe("ferplus-small", ["precision=64"])


def test_precision_auto_is_what_this_machine_does_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for has, expected in (
        ({}, "32"),
        ({"avx512_f": True, "avx512_bf16": False}, "32"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
    ):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda has=has: has)
        assert precision_here("auto") == expected
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for fast in (True, False):
        monkeypatch.setattr(
            "torch.cuda.is_bf16_supported", lambda including_emulation=True, fast=fast: fast
        )
        assert precision_here("auto") == ("bf16-mixed" if fast else "32")
    for chosen in ("32", "bf16-mixed", "16-mixed"):
        assert precision_here(chosen) == chosen


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"modle": 1}, "modle"),
        ({"labels": {"rule": "majority", "least": 0}}, "labels.least must be at least 1"),
        (
            {"task": "valence-arousal", "augmentation": {"outlier_exposure": 0.1}},
            "augmentation.outlier_exposure needs a task of classes",
        ),
        (
            {"task": "valence-arousal", "augmentation": {"mixup": 0.2}},
            "augmentation.mixup needs a task of classes",
        ),
        (
            {"task": "valence-arousal", "augmentation": {"adjust_duration": 0.2}},
            "augmentation.adjust_duration needs a task of classes",
        ),
        ({"augmentation": {"adjust_duration": 1.5}}, "augmentation.adjust_duration is 1.5"),
        ({"augmentation": {"adjust_duration": -0.1}}, "augmentation.adjust_duration is -0.1"),
        (
            {"window": 0.5, "augmentation": {"adjust_duration": 0.5}},
            "augmentation.adjust_duration needs a window of over 0.5 s",
        ),
        ({"labels": {"rule": "majority", "others": "drop"}}, "others"),
        ({"precision": "64"}, "precision"),
        ({"augmentation": {"crop": "far"}}, "crop"),
        (
            {"augmentation": {"jitter": 4}},
            "augmentation.jitter is called augmentation.crop now",
        ),
        ({"optimiser": {"lrr": 1}}, "lrr"),
        ({"strangers": 0.2}, "strangers is for normalisation=speaker"),
        ({"strangers": 1.5, "normalisation": "speaker"}, "strangers"),
        ({"strangers": -0.1, "normalisation": "speaker"}, "strangers"),
        ({"labels": {"unrated": "acted"}}, "unrated"),
        ({"epochs": "many"}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"dropout": {"kind": "softhrd"}}, "softhrd"),
        ({"streams": "audio/mfcc10"}, "streams"),
        ({"streams": []}, "streams"),
        ({"optimiser": 3}, "optimiser"),
        ({"model": {}}, "model.name"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_line(
    tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(BadInput) as error:
        load_recipe(file(tmp_path, **changes))
    assert word in str(error.value) and "r.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_an_earlier_version_wrote_is_read_by_the_names_of_today(tmp_path: Path) -> None:
    path = file(tmp_path, augmentation={"flip": 0.5, "nothing": 0.1, "shift": 0.2, "erase": 0})
    change = load_recipe(path, written=True).augmentation
    assert (change.horizontal_flip, change.outlier_exposure, change.shift) == (0.5, 0.1, 0.2)
    with pytest.raises(AffuseError, match=r"augmentation\.zoom is called augmentation\.scale now"):
        load_recipe(file(tmp_path), ["augmentation.zoom=0.1"])


def test_wrong_sources_and_overrides(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such recipe"):
        load_recipe("ravdess-nothing")
    with pytest.raises(AffuseError, match="key=value"):
        load_recipe(file(tmp_path), ["epochs"])
    broken = tmp_path / "b.yaml"
    broken.write_text("name: [")
    with pytest.raises(BadInput, match="not YAML"):
        load_recipe(broken)


def test_steps_are_the_published_schedule() -> None:
    published = Optimiser("sgd", schedule="steps", steps=(40, 55, 65, 70, 200, 250))
    rates = {epoch: 0.04 * rate_factor(published, epoch - 1, 100) for epoch in range(1, 101)}
    assert rates[1] == rates[39] == 0.04
    for epoch, rate in ((40, 4e-3), (54, 4e-3), (55, 4e-4), (65, 4e-5), (70, 4e-6), (100, 4e-6)):
        assert rates[epoch] == pytest.approx(rate)


def test_cosine_rises_then_falls_to_zero() -> None:
    chosen = Optimiser(schedule="cosine", warmup=0.1)
    factors = [rate_factor(chosen, step, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and max(factors) == factors[9] == 1.0
    assert all(a > b for a, b in pairwise(factors[10:]))
    assert factors[100] == pytest.approx(0, abs=1e-9)

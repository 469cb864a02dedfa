"""`affuse card`: what is recorded of a model, and what is not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.commands import refused, run
from tests.evaluated import evaluated_run
from tests.judged import class_rows
from tests.toy import toy_recipe, toy_store

from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.report.card import model_card
from affuse.models.bundled import BUNDLED, CARD
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds that was evaluated; not to be written to."""
    folder = tmp_path_factory.mktemp("toy")
    toy_store(folder, clips=32)
    recipe = load_recipe(toy_recipe(folder, epochs=1))
    list(train(recipe, folder / "store", folder / "run"))
    evaluate(folder / "run")
    evaluate(folder / "run/fold1/model.safetensors", ["av"], folder / "store")
    return folder / "run"


def front(card: str) -> dict[str, Any]:
    """The front matter."""
    begin, head, text = card.split("---\n", 2)
    assert begin == "" and text.startswith("\n# ")
    found: dict[str, Any] = yaml.safe_load(head)
    return found


def test_the_card_of_a_run_says_what_the_results_say(trained: Path) -> None:
    card, told = model_card(trained), json.loads((trained / "evaluation/metrics.json").read_text())
    scores = told["conditions"]["audio"]
    low, high = scores["uar_interval_95"]
    assert f"| {scores['uar']:.3f} [{low:.3f}, {high:.3f}] |" in card
    (result,) = front(card)["model-index"][0]["results"]
    values = {x["name"]: x["value"] for x in result["metrics"]}
    assert values == {
        f"accuracy, {name}": round(x["accuracy"], 4) for name, x in told["conditions"].items()
    }
    assert front(card)["datasets"] == ["folder"] and result["dataset"]["split"] == "test"
    assert front(card)["license"] == "other" and front(card)["license_name"] == "none"


def test_what_nobody_recorded_is_said(trained: Path) -> None:
    card = model_card(trained)
    for fact in ("sexes", "ages", "race", "languages or kinds of recording"):
        assert f"- {fact}: not recorded" in card
    assert "- speakers: 4" in card


def test_every_heading_is_there(trained: Path) -> None:
    heads = re.findall(r"^## (.+)$", model_card(trained), re.M)
    assert heads == [
        "How to run",
        "What it learned from",
        "Results",
        "Calibration",
        "Intended use",
        "Out-of-scope use",
        "Who it was tested on, and who not",
        "Limits",
        "Licence",
    ]


def test_a_model_file_has_the_results_that_lie_beside_it(trained: Path) -> None:
    alone, beside = (
        model_card(trained / f"fold{k}/model.safetensors").split("## Results")[1] for k in (0, 1)
    )
    assert "not recorded: this file was not evaluated by itself" in alone
    assert "| av | 32 | 8 |" in beside


def test_the_bundled_model_has_its_own_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("card", BUNDLED) == 0
    card = capsys.readouterr().out
    assert card.endswith(CARD.read_text(encoding="utf-8"))
    assert front(card)["datasets"] == ["diffusionfer", "ferplus", "nemo", "ravdess"]


def test_the_card_is_written_and_the_same_every_time(trained: Path, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        assert run("card", trained, "--out", tmp_path / name) == 0
    assert (tmp_path / "a.md").read_bytes() == (tmp_path / "b.md").read_bytes()
    assert "http" not in (tmp_path / "a.md").read_text()


def test_what_has_no_card_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = evaluated_run(tmp_path / "run", class_rows())
    assert "has no model file" in refused(capsys, "card", made)
    (made / "evaluation/metrics.json").unlink()
    assert "has not been evaluated yet" in refused(capsys, "card", made)
    assert "no run.json" in refused(capsys, "card", tmp_path)
    (tmp_path / "x.safetensors").write_text("nothing")
    assert "x.safetensors" in refused(capsys, "card", tmp_path / "x.safetensors")

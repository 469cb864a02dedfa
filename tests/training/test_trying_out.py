"""A few clips to try things out, and the device that is asked for."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from tests.toy import toy_recipe

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.training.device import trainer_device
from affuse.training.precision import precision_here
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

QUICK = {"model": {"name": "concat"}, "epochs": 1}


def run(toy: Path, out: str, *changes: str, **options: object) -> dict[str, list[str]]:
    recipe = load_recipe(toy_recipe(toy, **QUICK), changes)
    list(train(recipe, toy / "store", toy / out, [0], **options))
    return json.loads((toy / out / "fold0/split.json").read_text())


def test_a_limit_takes_so_many_clips_of_each_role_from_everywhere(toy: Path) -> None:
    whole, some = run(toy, "whole", device="cpu"), run(toy, "some", "limit=6")
    for role, clips in whole.items():
        assert len(some[role]) == 6 < len(clips)
        places = [clips.index(clip) for clip in some[role]]
        assert places == sorted(places)
        assert max(b - a for a, b in pairwise(places)) <= len(clips) // 6 + 1
    facts = json.loads((toy / "some/run.json").read_text())
    assert facts["clips"]["limit"] == 6
    assert json.loads((toy / "whole/run.json").read_text())["clips"]["limit"] == 0
    assert evaluate(toy / "some")["conditions"]["av"]["clips"] == 6
    assert whole == run(toy, "many", "limit=1000")
    with pytest.raises(BadInput, match="limit must not be negative"):
        run(toy, "none", "limit=-1")


def test_what_the_trainer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affuse.training.device.move_to", lambda model, device: None)
    assert trainer_device("cpu") == {"accelerator": "cpu", "devices": 1}
    assert trainer_device("cuda") == {"accelerator": "cuda", "devices": 1}
    assert trainer_device("cuda:1") == {"accelerator": "cuda", "devices": [1]}
    assert trainer_device("mps") == {"accelerator": "mps", "devices": 1}


def test_fast_numbers_are_those_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {})
    assert precision_here("auto", "cuda:1") == precision_here("auto") == "bf16-mixed"
    assert precision_here("auto", "cpu") == "32"


def test_a_device_that_is_not_there_is_one_line_and_no_run(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = toy_recipe(toy, **QUICK)
    words = ["train", recipe, "--store", toy / "store", "--out", toy / "run", "--device"]
    for device, reason in (
        ("cuda:99", "device 'cuda:99': "),
        ("gpu", "device 'gpu': expected auto, cpu, cuda, cuda:<number> or mps"),
        ("meta", "device 'meta': expected"),
    ):
        assert main([*map(str, words), device]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("affuse train: ") and reason in line
    assert not (toy / "run").exists()

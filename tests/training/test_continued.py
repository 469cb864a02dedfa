"""A published training that is continued: weights, momentum and epoch."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from collections import OrderedDict
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.models.published import Malicious, filled
from torch import Tensor
from torch.nn.functional import cross_entropy

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Corpus
from affuse.features.batch import Batch, normalise
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.checkpoints import published_state_dict
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model
from affuse.models.systems.chumachenko.published import AUDIO, RAVDESS_CLASSES, VIDEO
from affuse.training.batches import EpochSampler
from affuse.training.continued import read_continued
from affuse.training.data import ClipDataset
from affuse.training.learner import Learner
from affuse.training.recipe_files import list_recipes, load_recipe
from affuse.training.statistics import published_normalisation
from affuse.training.targets import training_targets

CLASSES = ("high", "low")
#: Parts of the published model in the order in which it makes them, which is not ours.
ORDER = ("audio_model", "visual_model", "av1", "va1", "classifier_1")
SPECS = {
    AUDIO: StreamSpec(AUDIO, 43.066, (10,), span=0.4),
    VIDEO: StreamSpec(VIDEO, 5.0, (224, 224, 3), "uint8", span=0.4),
}


class Noise:
    """Streams of two frames of images and sixteen of sound."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        random = np.random.default_rng(int(clip.id))
        if self.spec.is_picture:
            values = random.integers(0, 256, (2, *self.spec.shape)).astype(np.uint8)
        else:
            values = random.standard_normal((16, *self.spec.shape)).astype(np.float32)
        return Stream(values, np.ones(len(values), bool))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four training clips of two speakers."""
    folder = tmp_path_factory.mktemp("published")
    clips = [Clip(str(k), speaker=f"s{k % 2}", label=CLASSES[k % 2]) for k in range(4)]
    made = Corpus("folder", folder, clips, CLASSES, "none")
    prepare(made, folder / "store", [Noise(spec) for spec in SPECS.values()])
    rows = [f"{clip.id},{clip.speaker},train" for clip in clips]
    (folder / "protocol.csv").write_text("\n".join(["clip,speaker,fold0", *rows]) + "\n")
    return folder


def recipe_file(folder: Path, out: Path) -> Path:
    """The published training, with each batch as it is."""
    values = yaml.safe_load(list_recipes()["chumachenko-ia-published"].read_text())
    values |= {
        "corpus": "folder",
        "protocol": str(folder / "protocol.csv"),
        "dropout": {"kind": "none"},
        "augmentation": {},
        "selection": "last",
        "epochs": 3,
    }
    values["optimiser"] |= {"lr": 0.01, "steps": [3]}
    out.write_text(yaml.safe_dump(values))
    return out


def plain_step(model: Any, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    model.train()
    optimiser.zero_grad()
    assert batch.targets is not None
    cross_entropy(model(batch).logits, batch.targets).backward()
    optimiser.step()


@pytest.fixture(scope="module")
def trained(corpus: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the published code saves after two epochs of one step, and the weights after a third."""
    data = Store(corpus / "store")
    recipe = load_recipe(recipe_file(corpus, corpus / "plain.yaml"))
    learned = training_targets(recipe, data)
    clips = ClipDataset(data, learned.clips, recipe.streams, recipe.window, learned.target)
    order = EpochSampler(clips, recipe.seed)
    order.set_epoch(2)  # rounding depends on the order of a batch, and this one is our third
    batch = normalise(clips.__getitems__([*order]), published_normalisation(clips.specs))
    torch.manual_seed(3)
    options = {key: value for key, value in recipe.model.items() if key != "name"}
    model = create_model("chumachenko-ia", clips.specs, 2, **options)
    parameters = {x.data_ptr(): x for x in model.parameters()}
    state = published_state_dict(model)
    names = sorted(state, key=lambda name: ORDER.index(name.split(".")[0]))
    ordered = [parameters[p] for name in names if (p := state[name].data_ptr()) in parameters]
    assert len(ordered) == len(parameters) == 258
    optimiser = torch.optim.SGD(ordered, 0.01, momentum=0.9, dampening=0.9, weight_decay=1e-3)
    for _ in range(2):
        plain_step(model, optimiser, batch)
    saved = {
        "epoch": 2,
        "arch": "multimodalcnn",
        "state_dict": OrderedDict((f"module.{name}", state[name]) for name in names),
        "optimizer": optimiser.state_dict(),
        "best_prec1": 50.0,
    }
    saved = deepcopy(saved)
    optimiser.param_groups[0]["lr"] = 0.001  # the third epoch is one of the schedule's steps
    plain_step(model, optimiser, batch)
    return saved, {name: x.clone() for name, x in model.state_dict().items()}


@pytest.fixture
def checkpoint(trained: tuple[dict[str, Any], dict[str, Tensor]], tmp_path: Path) -> Path:
    """The file that the published code writes."""
    path = tmp_path / "RAVDESS_multimodalcnn_15_checkpoint0.pth"
    torch.save(trained[0], path)
    return path


def train(corpus: Path, tmp_path: Path, *changes: str) -> int:
    recipe = recipe_file(corpus, tmp_path / "recipe.yaml")
    command = ["train", str(recipe), *changes, "--store", str(corpus / "store")]
    return main([*command, "--out", str(tmp_path / "run")])


def test_the_next_step_is_that_of_the_published_training(
    corpus: Path,
    trained: tuple[dict[str, Any], dict[str, Tensor]],
    checkpoint: Path,
    tmp_path: Path,
    capsys: Any,
) -> None:
    assert train(corpus, tmp_path, f"resume_path={checkpoint}") == 0
    ours = load_model(tmp_path / "run/fold0/model.safetensors")[0].state_dict()
    for name, expected in trained[1].items():
        torch.testing.assert_close(ours[name], expected, rtol=1e-6, atol=1e-6, msg=name)
    (row,) = csv.DictReader((tmp_path / "run/fold0/log.csv").open())
    assert (row["epoch"], float(row["learning rate"])) == ("3", pytest.approx(0.001))
    facts = json.loads((tmp_path / "run/run.json").read_text())["init"]
    assert facts["epochs"] == 2 and facts["training"]["system"] == "chumachenko"
    assert "486 of 486 tensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listing", "count"), [("lt", 278), ("it", 278), ("ia", 258), ("avtca", 282)]
)
def test_numbers_of_the_optimiser_follow_the_published_order(
    parity_cases: Path, tmp_path: Path, listing: str, count: int
) -> None:
    state = filled(parity_cases, listing)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    names = [name for name in state if not name.endswith(statistics)]
    moments = {k: {"momentum_buffer": state[name] + k} for k, name in enumerate(names)}
    optimizer = {"state": moments, "param_groups": [{"params": [*range(len(names))]}]}
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 3, "state_dict": state, "optimizer": optimizer}, path)
    name = "avtca" if listing == "avtca" else f"chumachenko-{listing}"
    recipe = load_recipe(f"{name}-reference", [f"resume_path={path}", "epochs=9"])
    found = read_continued(recipe, RAVDESS_CLASSES)
    assert len(names) == len(found.momentum) == count
    shifts = [(x - found.state[n]).round().unique().tolist() for n, x in found.momentum.items()]
    assert sorted(shifts) == [[k] for k in range(count)], "each is the momentum of its own weight"


def test_it_can_be_interrupted(
    corpus: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = (f"resume_path={checkpoint}", "epochs=4", "fold=0")
    assert train(corpus, tmp_path, *changes) == 0
    path = tmp_path / "run/fold0/model.safetensors"
    whole = path.read_bytes()
    shutil.rmtree(tmp_path / "run")
    step = Learner.training_step

    def killed(self: Learner, batch: Batch, index: int) -> Tensor:
        if self.current_epoch == 3:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", killed)
    assert train(corpus, tmp_path, *changes) == 130
    monkeypatch.setattr(Learner, "training_step", step)
    assert train(corpus, tmp_path, *changes, "--resume") == 0
    assert path.read_bytes() == whole
    rows = csv.DictReader((tmp_path / "run/fold0/log.csv").open())
    assert [row["epoch"] for row in rows] == ["3", "4"]


@pytest.mark.parametrize(
    ("change", "changes", "reason"),
    [
        ({"optimizer": None}, [], "holds no state of an optimiser: convert it and start from"),
        ({"epoch": 3}, [], "was saved after 3 epochs; epochs=3 is no more"),
        ({"epoch": None}, [], "does not say after how many epochs"),
        ({}, ["model.dead_weights=false"], "set model.dead_weights=True"),
        ({}, ["model={name: chumachenko-it}"], "holds a model chumachenko-ia, not chumachenko-it"),
        ({}, ["optimiser.name=adamw"], "resume_path continues SGD with momentum"),
        ({}, ["init=x.safetensors"], "set neither init nor backbone"),
        ({"optimizer": "adam"}, [], "its optimiser is not SGD with momentum"),
        ({"optimizer": "other"}, [], "its optimiser has 1 parameters, the model has 258"),
        ({"state_dict": {"x": torch.zeros(1)}}, [], "holds weights such as x, of no known system"),
    ],
)
def test_what_cannot_go_on_is_one_line(
    corpus: Path,
    trained: tuple[dict[str, Any], dict[str, Tensor]],
    tmp_path: Path,
    capsys: Any,
    change: dict[str, Any],
    changes: list[str],
    reason: str,
) -> None:
    saved = trained[0] | change
    if saved["optimizer"] == "adam":
        moments = {number: {"exp_avg": torch.zeros(1)} for number in range(258)}
        saved["optimizer"] = {"state": moments, "param_groups": [{"params": [*range(258)]}]}
    if saved["optimizer"] == "other":
        saved["optimizer"] = {"state": {}, "param_groups": [{"params": [0]}]}
    torch.save(saved, tmp_path / "checkpoint.pth")
    assert train(corpus, tmp_path, f"resume_path={tmp_path}/checkpoint.pth", *changes) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert reason in line
    assert not (tmp_path / "run").exists()


def test_a_pickled_trainer_is_not_opened(corpus: Path, tmp_path: Path, capsys: Any) -> None:
    with (tmp_path / "checkpoint.pkl").open("wb") as file:
        pickle.dump({"epoch": Malicious()}, file, protocol=2)
    assert train(corpus, tmp_path, f"resume_path={tmp_path}/checkpoint.pkl") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "checkpoint.pkl: holds code" in line and "it is not opened" in line

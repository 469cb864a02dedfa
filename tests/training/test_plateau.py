"""Training in stages, as leader-follower fusion was."""

from __future__ import annotations

from pathlib import Path

import lightning
import pytest
import torch
from tests.toy import toy_recipe, toy_store
from torch import nn
from torch.utils.data import DataLoader

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import IR50
from affuse.models.systems.leader_follower.model import LeaderVisual
from affuse.tasks.task import Mode
from affuse.training.learner import Learner
from affuse.training.plateau import PlateauStages, freeze_backbone
from affuse.training.recipe_files import load_recipe
from affuse.training.recipe_parts import Plateau
from affuse.training.train import train

FACES = StreamSpec("video/aligned40", 30.0, (40, 40, 3), "uint8")
PUBLISHED = Plateau(releases=3, reset=False)


class Watched(lightning.LightningModule):
    """A model that is given its development scores; one weight learns."""

    def __init__(self, model: nn.Module, scores: list[float]) -> None:
        super().__init__()
        self.model, self.given = model, scores
        self.weight = nn.Parameter(torch.zeros(1))
        self.rates: list[float] = []
        self.trained: list[int] = []
        self.moments: list[int] = []

    def on_train_epoch_start(self) -> None:
        (optimiser,) = self.trainer.optimizers
        self.rates.append(optimiser.param_groups[0]["lr"])
        self.trained.append(sum(p.requires_grad for p in self.model.parameters()))
        self.moments.append(len(optimiser.state))

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return (self.weight - batch).square().sum()

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.log("development/ccc", self.given[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([self.weight, *self.model.parameters()], 1e-5)


def fitted(
    folder: Path, chosen: Plateau, scores: list[float], model: nn.Module, mode: Mode = "max"
) -> Watched:
    watched = Watched(model, scores)
    stages = PlateauStages(chosen, 1e-5, "ccc", folder / "best.ckpt", mode)
    data: DataLoader[torch.Tensor] = DataLoader(torch.ones(2, 1))
    trainer = lightning.Trainer(
        max_epochs=len(scores),
        accelerator="cpu",
        callbacks=[stages],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(watched, data, data)
    return watched


@pytest.fixture(scope="module")
def leader() -> LeaderVisual:
    return LeaderVisual({FACES.name: FACES}, 1, video="ir50")


def test_the_published_stages(tmp_path: Path, leader: LeaderVisual) -> None:
    found = fitted(tmp_path, PUBLISHED, [0.5] + [0.4] * 60, leader)
    # One tenth after six epochs without a better score; 1e-6 in floating point is not below 1e-6.
    assert found.rates[:7] == [1e-5] * 7
    assert found.rates[7:13] == [1e-5 * 0.1] * 6 and 1e-5 * 0.1 > 1e-6
    assert found.rates[13] == 1e-5, "released, and begun again"
    assert found.moments[12] > 0 and found.moments[13] == 0
    outside = sum(1 for _ in leader.parameters()) - sum(
        1 for net in leader.modules() if isinstance(net, IR50) for _ in net.parameters()
    )
    assert found.trained[0] == outside + 6 and found.trained[13] == outside + 30
    # Twenty epochs after the best one, whatever was released.
    assert len(found.rates) == 21


def test_a_release_may_forget_the_epochs_waited(tmp_path: Path, leader: LeaderVisual) -> None:
    found = fitted(tmp_path, Plateau(releases=3), [0.5] + [0.4] * 60, leader)
    assert [found.trained.index(n) for n in sorted(set(found.trained))] == [0, 13, 26]
    assert len(found.rates) == 39, "three stages of 13 epochs; then there is nothing to release"


def test_a_better_score_postpones_everything(tmp_path: Path, leader: LeaderVisual) -> None:
    found = fitted(tmp_path, PUBLISHED, [0.01 * k for k in range(30)], leader)
    assert found.rates == [1e-5] * 30 and len(set(found.trained)) == 1


def test_of_a_loss_the_lowest_is_better(tmp_path: Path) -> None:
    chosen = Plateau(patience=1, stop=4)
    model = nn.Linear(1, 1)
    found = fitted(tmp_path, chosen, [0.5, 0.4, 0.3, *[0.35] * 60], model, "min")
    assert found.rates == [1e-5] * 5 + [1e-5 * 0.1] * 2, "lower, then four epochs no better"


def test_no_backbone_no_release() -> None:
    plain = LeaderVisual({"video/x": StreamSpec("video/x", 30.0, (4,))}, 1)
    freeze_backbone(plain, 0)
    assert all(p.requires_grad for p in plain.parameters())
    with pytest.raises(AffuseError, match=r"plateau.releases: the model has 0 groups"):
        freeze_backbone(plain, 1)


@pytest.mark.parametrize("reload", [False, True])
def test_a_training_in_stages_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reload: bool
) -> None:
    toy_store(tmp_path, clips=32)
    stages = {"patience": 0, "reload": reload, "stop": 50, "lowest": 1e-9}
    changes = {
        "optimiser": {"name": "adam", "lr": 1e-3, "schedule": "plateau"},
        "plateau": stages,
        "epochs": 7,
    }
    recipe = load_recipe(toy_recipe(tmp_path, **changes))

    def run(name: str, resume: bool = False) -> bytes:
        (path,) = dict(train(recipe, tmp_path / "store", tmp_path / name, [0], resume)).values()
        return path.read_bytes()

    whole = run("whole")
    step = Learner.training_step

    def killed(self: Learner, batch: object, index: int) -> torch.Tensor:
        if self.current_epoch == 4:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run("cut")
    monkeypatch.setattr(Learner, "training_step", step)
    assert run("cut", resume=True) == whole
    log = (tmp_path / "cut/fold0/log.csv").read_text()
    assert log == (tmp_path / "whole/fold0/log.csv").read_text()
    assert "0.0001" in log, "the rate fell before or after the kill"

"""Every task keeps the contract of a task."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from tests.toy import AUDIO, VIDEO

from affuse.errors import AffuseError
from affuse.models.registry import create_model
from affuse.models.spec import TASKS as SPEC_TASKS
from affuse.tasks.options import OverTime
from affuse.tasks.registry import DEFAULT_TASK, TASKS, task_of
from affuse.training.recipe import TaskName

TARGETS = {
    "classification": torch.tensor([0, 2, 1]),
    "distribution": torch.tensor([[1.0, 0, 0], [0.2, 0.2, 0.6], [0, 0.5, 0.5]]),
    "valence-arousal": torch.rand(3, 40, 3, generator=torch.Generator().manual_seed(0)),
}


def test_recipes_and_model_files_can_name_every_task() -> None:
    assert set(get_args(TaskName)) == set(TASKS) <= set(SPEC_TASKS)
    assert DEFAULT_TASK in TASKS
    with pytest.raises(AffuseError, match="valence-arousal"):
        TASKS["valence-arousals"]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_goes_from_a_model_to_scores(name: str) -> None:
    task = task_of(name, ["a", "b", "c"])
    assert task.name == name and task.outputs == ["a", "b", "c"]
    streams = {spec.name: spec for spec in (AUDIO, VIDEO)}
    torch.manual_seed(0)
    scores = torch.rand(3, 40, 3) if task.over_time else torch.rand(3, 3)
    for head in ("classes", "frames"):
        model = create_model("early", streams, 3, head=head)
        if head != task.head:
            with pytest.raises(AffuseError, match=f"task={name} needs"):
                task.learned_by(model, OverTime())
            continue
        learned = task.learned_by(model, OverTime())
        loss = learned.loss(scores.requires_grad_(), TARGETS[name], 0.0)
        loss.backward()
        assert loss.ndim == 0 and scores.grad is not None and scores.grad.abs().sum() > 0
        parts = [learned.seen(scores.detach(), TARGETS[name]) for _ in range(2)]
        targets, predicted = (np.concatenate(part) for part in zip(*parts, strict=True))
        found = learned.scores(targets, predicted)
        assert set(found) == set(learned.known) and all(np.isfinite(x) for x in found.values())
        running = learned.running()
        assert (running is not None) == task.over_time


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("duration", [0.3, 2.0, 2.01, 9.7])
def test_windows_cover_a_recording(name: str, duration: float) -> None:
    from affuse.features.batch import Normalisation
    from affuse.models.spec import ModelSpec

    spec = ModelSpec("x", {}, {VIDEO.name: VIDEO}, {VIDEO.name: Normalisation()}, ["v"], name, 2.0)
    for hop in (None, 0.3, 2.0):
        plan = task_of(name, ["v"]).plan(spec, VIDEO, duration, hop)
        gaps = np.diff(plan.starts)
        assert plan.starts[0] <= 0 and (gaps > 0).all() and (gaps <= 2.0 + 1e-9).all()
        end = plan.starts[-1] + plan.seconds
        assert end >= duration - 0.5 - 1 / VIDEO.rate

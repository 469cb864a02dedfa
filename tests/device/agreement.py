"""Every registered model on the device beside the CPU: scores, and the gradient of a step."""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from affuse.features.batch import Batch
from affuse.models.base import Model
from affuse.verification.contracts.model import (
    GRADIENT_ERROR,
    ModelContract,
    learning_loss,
    random_batch,
    settle,
    tensors,
)
from tests.device.setting import Figures, Setting
from tests.device.timing import without_tf32

#: Largest difference of scores, relative to the largest score.
SCORE_ERROR = 1e-3
_QUICK = ("audio-only", "late", "chumachenko-it")


def measure(setting: Setting) -> Figures:
    """Relative errors of each model; then which exceed what is allowed."""
    without_tf32()
    failed: list[str] = []
    for contract in _contracts():
        if setting.quick and contract.name not in _QUICK:
            continue
        try:
            found = _compared(contract, setting.device)
        except Exception as error:  # one model must not hide the others
            found = {"error": f"{type(error).__name__}: {error}", "passed": False}
        if not found["passed"]:
            failed.append(contract.name)
        yield contract.name, found
    yield "failed", failed


def _contracts() -> Iterator[ModelContract]:
    """One test class of each model, with its streams and options."""
    import tests.models

    for module in pkgutil.walk_packages([str(Path(tests.models.__path__[0]))], "tests.models."):
        importlib.import_module(module.name)
    classes, found = [ModelContract], {}
    while classes:
        children = classes.pop().__subclasses__()
        classes += children
        found.update({kind.name: kind for kind in children if hasattr(kind, "name")})
    for name in sorted(found):
        yield found[name]()


def _compared(contract: ModelContract, device: str) -> dict[str, Any]:
    batch = random_batch(contract.streams, contract.lengths, seed=1)
    model = settle(contract.build(), batch)
    ours, theirs = _scores(model, batch, "cpu"), _scores(model, batch, device)
    scores = max(
        float((x - y).abs().max() / x.abs().max().clamp_min(1e-6))
        for x, y in zip(ours, theirs, strict=True)
    )
    exact, rough = _gradient(model, batch, "cpu"), _gradient(model, batch, device)
    gradient = float((rough - exact).norm() / exact.norm().clamp_min(1e-12))
    return {
        "scores_error": scores,
        "gradient_error": gradient,
        "passed": scores <= SCORE_ERROR and gradient <= GRADIENT_ERROR,
    }


def _scores(model: Model, batch: Batch, device: str) -> list[torch.Tensor]:
    with torch.inference_mode():
        output = copy.deepcopy(model).to(device)(batch.to(device))
    return [x.float().cpu() for x in tensors(output)]


def _gradient(model: Model, batch: Batch, device: str) -> torch.Tensor:
    """Of a step without dropout, which differs by device; float64."""
    model = copy.deepcopy(model).to(device).eval()
    learning_loss(model(batch.to(device))).backward()
    parts = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([part.flatten().double().cpu() for part in parts])

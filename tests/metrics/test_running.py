"""Agreement of parts is that of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.metrics.concordance import ccc, pearson, rmse
from affuse.metrics.running import RunningAgreement


@pytest.mark.parametrize("level", [0.0, 1e4])
def test_parts_of_any_length_give_the_scores_of_the_whole(level: float) -> None:
    random = np.random.default_rng(0)
    true = random.normal(size=(1000, 2))
    predicted = 0.5 * true + random.normal(size=(1000, 2)) + [0.3, -2]
    true, predicted = true + level, (predicted + level).astype(np.float64)
    running = RunningAgreement(["valence", "arousal"])
    for part in np.split(np.arange(1000), [0, 1, 3, 200, 200, 900]):
        running.add(predicted[part], true[part])
    found = running.scores()
    for name, metric in {"ccc": ccc, "pcc": pearson, "rmse": rmse}.items():
        each = [metric(x, y) for x, y in zip(predicted.T, true.T, strict=True)]
        assert [found[f"{name}_valence"], found[f"{name}_arousal"]] == pytest.approx(each, rel=1e-6)
        assert found[name] == pytest.approx(np.mean(each), rel=1e-6)


def test_what_is_constant_or_empty_agrees_with_nothing() -> None:
    running = RunningAgreement(["valence"])
    assert running.scores()["ccc"] == 0
    running.add(np.full((5, 1), 0.25), np.linspace(0, 1, 5)[:, None])
    found = running.scores()
    assert (found["ccc"], found["pcc"]) == (0, 0) and found["rmse"] == pytest.approx(
        rmse(np.full(5, 0.25), np.linspace(0, 1, 5))
    )
